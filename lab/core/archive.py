"""Files on their way into a container and out of it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tarfile import TarInfo

FOLDER = "/work"
"""Programs lie in ``/work/NAME`` of a host, sources and all; their group may write."""

FILE, EXECUTABLE = 0o664, 0o775
"""Their modes."""


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


class ArchiveError(Exception):
    """An archive that is none, or that holds what no program's folder needs."""


MOST_MEMBERS = 2000
"""Files and folders of one program; a host's /work has room for 4096."""

_LONGEST_PATH = 1024
"""Characters of a path in a program's folder, and of what a link leads to; busybox's tar takes some 4000."""


def checked(packed: bytes, folder: str) -> bytes:
    """The files of an archive of somebody else's as an archive of a folder's content, whatever their owners.

    Folders, files and links are taken; each is within the folder, and no name leads through a link.

    Raises:
        ArchiveError: it is damaged, or holds something else.
    """
    import tarfile

    result = io.BytesIO()
    seen: dict[str, bytes] = {}
    try:
        with (
            tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as given,
            tarfile.open(fileobj=result, mode="w", format=tarfile.GNU_FORMAT) as made,
        ):
            for member in given:
                name = _within(member.name)
                if not (member.isdir() or member.isreg() or member.issym() or member.islnk()):
                    continue  # a FIFO or a socket that was left there
                longest = max(len(name), len(member.linkname))
                _require(longest <= _LONGEST_PATH, f"a path in it has more than {_LONGEST_PATH} characters")
                _require(name not in seen, f"{name} is there twice")
                _require(len(seen) < MOST_MEMBERS, f"it has more than {MOST_MEMBERS} files")
                _require_folders(name, seen)
                own = _plain(member, f"{folder}/{name}".rstrip("/"))
                if member.islnk():
                    target = _within(member.linkname)
                    _require(seen.get(target) == tarfile.REGTYPE, f"{name} is a link to {target}")
                    own.linkname = f"{folder}/{target}"
                seen[name] = member.type if not member.isreg() else tarfile.REGTYPE
                made.addfile(own, given.extractfile(member) if member.isreg() else None)
    except (tarfile.TarError, OSError, ValueError, UnicodeError) as error:
        raise ArchiveError(f"it is damaged: {error}") from error
    return result.getvalue()


def _within(name: str) -> str:
    """A member's name from the archive's own folder on; "" is that folder."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    _require(not name.startswith("/") and ".." not in parts, f"{name} leads out of the program's folder")
    return "/".join(parts)


def _require_folders(name: str, seen: Mapping[str, bytes]) -> None:
    """Whatever a name leads through is a folder: links lead elsewhere."""
    parts = name.split("/")[:-1]
    for number in range(1, len(parts) + 1):
        through = "/".join(parts[:number])
        _require(seen.get(through) == b"5", f"{name} leads through {through}, which is no folder")


def _plain(member: TarInfo, name: str) -> TarInfo:
    """A member of the same kind and content under another name, with nothing else of the old one."""
    import tarfile

    own = tarfile.TarInfo(name)
    own.type = tarfile.REGTYPE if member.isreg() else member.type
    own.size = member.size if member.isreg() else 0
    own.linkname = member.linkname
    own.mode = EXECUTABLE if member.isdir() or member.mode & 0o100 else FILE
    return own


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ArchiveError(otherwise)
