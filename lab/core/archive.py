"""Files on their way into a container and out of it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tarfile import TarInfo

FOLDER = "/work"
"""Programs lie in ``/work/NAME`` of a host, sources and all; their group may write."""

FILE, EXECUTABLE = 0o664, 0o775
"""Their modes."""


COMPILED = (
    b"\x7fELF", b"!<arch>", b"MZ", b"\xca\xfe\xba\xbe",
    b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf",
)  # fmt: skip
"""How files begin that a compiler made: of Linux, libraries, of Windows, of Java and of macOS."""

_OLDER, _NEWER = 1, 2
"""Times of files; of 0 some versions of tar say that it is implausible."""


class Tree(Struct, frozen=True):
    """What lies in a program's folder at first: files with their contents, folders, and links, by path.

    ``main`` is the file that was named, where the sources are single files.
    """

    files: tuple[tuple[str, bytes], ...] = ()
    folders: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    main: str = ""


def archive(files: Iterable[tuple[str, bytes]], mode: int = 0o644) -> bytes:
    """A tar of files, the same for the same files."""
    return packed(Tree(tuple(files)), mode=mode)


def packed(tree: Tree, folder: str = "", mode: int = EXECUTABLE) -> bytes:
    """A tar of a tree in a folder, the same for the same tree.

    What a compiler made is older than all else, so that ``make`` makes it again from its sources.
    """
    import tarfile

    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in tree.folders:
            member = tarfile.TarInfo(f"{folder}{path}")
            member.type, member.mode = tarfile.DIRTYPE, EXECUTABLE
            tar.addfile(member)
        for path, content in tree.files:
            member = tarfile.TarInfo(f"{folder}{path}")
            member.size, member.mode = len(content), mode
            member.mtime = _OLDER if content.startswith(COMPILED) else _NEWER
            tar.addfile(member, io.BytesIO(content))
        for path, target in tree.links:
            member = tarfile.TarInfo(f"{folder}{path}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return result.getvalue()


class ArchiveError(Exception):
    """An archive that is none, or that holds what no program's folder needs."""


MOST_MEMBERS = 2000
"""Files and folders of one program; a host's /work has room for 4096."""

LONGEST_PATH = 1024
"""Characters of a path in a program's folder, and of what a link leads to; busybox's tar takes some 4000."""


def checked(given: bytes, folder: str) -> bytes:
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
            tarfile.open(fileobj=io.BytesIO(given), mode="r:") as taken,
            tarfile.open(fileobj=result, mode="w", format=tarfile.GNU_FORMAT) as made,
        ):
            for member in taken:
                name = _within(member.name)
                if not (member.isdir() or member.isreg() or member.issym() or member.islnk()):
                    continue  # a FIFO or a socket that was left there
                longest = max(len(name), len(member.linkname))
                _require(longest <= LONGEST_PATH, f"a path in it has more than {LONGEST_PATH} characters")
                _require(name not in seen, f"{name} is there twice")
                _require(len(seen) < MOST_MEMBERS, f"it has more than {MOST_MEMBERS} files")
                _require_folders(name, seen)
                own = _plain(member, f"{folder}/{name}".rstrip("/"))
                if member.islnk():
                    target = _within(member.linkname)
                    _require(seen.get(target) == tarfile.REGTYPE, f"{name} is a link to {target}")
                    own.linkname = f"{folder}/{target}"
                seen[name] = member.type if not member.isreg() else tarfile.REGTYPE
                made.addfile(own, taken.extractfile(member) if member.isreg() else None)
    except (tarfile.TarError, OSError, ValueError, UnicodeError) as error:
        raise ArchiveError(f"it is damaged: {error}") from error
    return result.getvalue()


def moved(given: bytes, folder: str, other: str) -> bytes:
    """An archive of ours of a folder as one of another folder with the same content."""
    import tarfile

    result = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(given), mode="r:") as taken,
        tarfile.open(fileobj=result, mode="w", format=tarfile.GNU_FORMAT) as made,
    ):
        for member in taken:
            content = taken.extractfile(member) if member.isreg() else None
            member.name = other + member.name.removeprefix(folder)
            if member.islnk():
                member.linkname = other + member.linkname.removeprefix(folder)
            made.addfile(member, content)
    return result.getvalue()


class Laid(Struct, frozen=True):
    """A file that is laid into a program's folder, by its path there."""

    path: str
    content: bytes
    mode: int


def with_laid(given: bytes, folder: str, files: Iterable[Laid]) -> bytes:
    """An archive of ours of a folder (none: empty) with these files in the place of what has their names.

    ArchiveError where a folder has the name of one of them, or a file that of a folder on the way there.
    """
    import tarfile

    result = io.BytesIO(given)
    kinds: dict[str, bytes] = {}
    if given:
        with tarfile.open(fileobj=result, mode="r:") as taken:
            own = (member for member in taken if member.name != folder)
            kinds = {member.name.removeprefix(f"{folder}/"): member.type for member in own}
    result.seek(0)
    with tarfile.open(fileobj=result, mode="a" if given else "w", format=tarfile.GNU_FORMAT) as made:
        for file in files:
            parts = file.path.split("/")
            for above in ("/".join(parts[:number]) for number in range(1, len(parts))):
                _require(kinds.setdefault(above, tarfile.DIRTYPE) == tarfile.DIRTYPE, f"{above} is no folder")
                member = tarfile.TarInfo(f"{folder}/{above}")
                member.type, member.mode = tarfile.DIRTYPE, EXECUTABLE
                made.addfile(member)
            _require(kinds.get(file.path) != tarfile.DIRTYPE, f"{file.path} is a folder")
            member = tarfile.TarInfo(f"{folder}/{file.path}")
            member.size, member.mode, member.mtime = len(file.content), file.mode, _NEWER
            made.addfile(member, io.BytesIO(file.content))
    return result.getvalue()


def runnable(given: bytes, folder: str, before: Tree) -> tuple[str, ...]:
    """The executables and the classes of Java in an archive of ours that were not in the folder before."""
    import tarfile

    old, found = dict(before.files), []
    with tarfile.open(fileobj=io.BytesIO(given), mode="r:") as taken:
        for member in taken:
            path, file = member.name.removeprefix(f"{folder}/"), taken.extractfile(member)
            if not member.isreg() or file is None or not (member.mode & 0o100 or path.endswith(".class")):
                continue
            if path not in old or old[path] != file.read():
                found.append(path)
    return tuple(sorted(found))


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
