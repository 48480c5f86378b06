"""Files on their way into a container and out of it."""

from __future__ import annotations

import io
from collections.abc import Iterable

FOLDER = "/work"
"""Programs lie in ``/work/NAME`` of a host, sources and all."""


def archive(files: Iterable[tuple[str, bytes]], mode: int = 0o644) -> bytes:
    """A tar of files, the same for the same files."""
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
