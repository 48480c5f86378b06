"""What an image is built from: files by the names that its Dockerfile knows them by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lab.core import assets

Files = Mapping[str, bytes]
"""Contents by path, relative to the top of a checkout."""

CERTIFICATES = "images/ca/ca-certificates.crt"
"""Where every Dockerfile looks for the certificates of the user's proxy."""


def files_of(name: str) -> dict[str, bytes]:
    """The build context of one of the lab's own images, without certificates."""
    folder = name.rpartition("/")[2]
    found = dict(_under(assets.IMAGES / folder, f"images/{folder}"))
    found["images/ca/README"] = (assets.IMAGES / "ca" / "README").read_bytes()
    if folder == "sidecar":
        found.update(_named(sorted((assets.PACKAGE / "agent").glob("*.py")), "lab/agent"))
    return found


def base_of(name: str) -> str:
    """The image that one of the lab's own begins with."""
    dockerfile = files_of(name)[f"images/{name.rpartition('/')[2]}/Dockerfile"].decode()
    return next(line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM "))


def digest(files: Files) -> str:
    """A hash of names and contents, independent of order, times and modes."""
    total = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def _under(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    return _named(sorted(path for path in folder.iterdir() if path.is_file()), name)


def _named(paths: Iterable[Path], folder: str) -> Iterator[tuple[str, bytes]]:
    return ((f"{folder}/{path.name}", path.read_bytes()) for path in paths)
