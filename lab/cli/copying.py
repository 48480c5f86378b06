"""``lab cp``: files and folders into a host that is up, and out of it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lab.cli.connected import connected
from lab.cli.hosts import place_of
from lab.cli.reports import replaced
from lab.cli.screen import Screen
from lab.core.archive import ArchiveError, Tree, checked, packed
from lab.core.errors import ExitCode, UsageError
from lab.core.files import opened
from lab.core.limits import MIB
from lab.run.interruption import Interruption

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo

    from lab.deploy.copying import Place
    from lab.engine import Engine

_PIECE = 1 << 16
_MOST_OF_FOLDER = 256 * MIB
"""Bytes of a folder: it is held in memory."""


class _End(Struct, frozen=True):
    """An end of a copy: a path in a host, or here where there is no host."""

    host: str
    path: str

    @classmethod
    def of(cls, word: str) -> _End:
        """``HOST:PATH`` or a path here; one with a colon in it is written ``./a:b``."""
        host, colon, path = word.partition(":")
        return cls(host, path) if colon and "/" not in host and host not in {"", "."} else cls("", word)


def cp(source: str, target: str, word: str, screen: Screen) -> ExitCode:
    """Copy a file or a folder between this machine and a host of a lab that is up."""
    one, other = _End.of(source), _End.of(target)
    if bool(one.host) is bool(other.host):
        what = "one of the two must be in a host, and the other here"
        raise UsageError("usage", what, fix="lab cp FILE HOST:PATH, or lab cp HOST:PATH FILE")
    actor = one.host or other.host
    with Interruption(), connected(screen) as engine:
        place = place_of(engine, actor, word, screen)
        if other.host:
            _into(engine, place, Path(one.path), other.path)
        else:
            skipped = _out_of(engine, place, one.path, Path(other.path))
            if skipped:
                screen.warn(f"{skipped} links are left out")
    return ExitCode.PASSED


def _into(engine: Engine, place: Place, source: Path, path: str) -> None:
    from lab.deploy.copying import Content, put

    name = source.resolve().name
    try:
        if source.is_dir():
            tar = packed(Tree(tuple(_files(source))))
            put(engine, place, path or ".", Content(name, "folder", [tar]))
            return
        with opened(source) as file:
            mode = "755" if os.fstat(file.fileno()).st_mode & stat.S_IXUSR else "644"
            pieces = iter(lambda: file.read(_PIECE), b"")
            put(engine, place, path or ".", Content(name, mode, pieces))
    except OSError as error:
        raise UsageError("no-file", f"it cannot be read: {error.strerror}", where=str(source)) from error


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a folder by their paths in it. UsageError for what is neither a file nor a folder."""
    size = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            what = "only files and folders are copied, and this is neither"
            raise UsageError("copy", what, where=str(path))
        if path.is_file():
            with opened(path, follow=False) as file:
                content = file.read(_MOST_OF_FOLDER - size + 1)
            size += len(content)
            if size > _MOST_OF_FOLDER:
                what = f"the folder is larger than {_MOST_OF_FOLDER // MIB} MiB"
                raise UsageError("too-large", what, where=str(folder))
            yield str(path.relative_to(folder)), content


def _out_of(engine: Engine, place: Place, path: str, target: Path) -> int:
    """How many links were left out."""
    from lab.deploy.copying import get

    pieces = get(engine, place, path or ".")
    kind = next(pieces, b"")
    name = os.path.basename(os.path.normpath(path or "."))  # noqa: PTH119 - it is a path elsewhere
    inside = target.is_dir() and name not in {"", ".", "..", "/"}
    own = target / name if inside else target
    if kind == b"folder":
        return _unpacked(pieces, own)
    with replaced(own, "copy", "lab cp HOST:PATH") as file:
        for piece in pieces:
            file.write(piece)
    return 0


def _unpacked(pieces: Iterator[bytes], target: Path) -> int:
    """Lay a folder down where nothing is yet, and nothing beside it; how many links were left out."""
    import tarfile

    if os.path.lexists(target):
        raise UsageError("already-there", "it exists already", where=str(target), fix="name another folder")
    given = io.BytesIO()
    for piece in pieces:
        given.write(piece)
        if given.tell() > _MOST_OF_FOLDER:
            what = f"the folder is larger than {_MOST_OF_FOLDER // MIB} MiB"
            raise UsageError("too-large", what, where=str(target))
    try:
        sound = checked(given.getvalue(), "x")
    except ArchiveError as error:
        raise UsageError("copy", f"it cannot be copied: {error}", where=str(target)) from error
    try:
        with tarfile.open(fileobj=io.BytesIO(sound), mode="r:") as tar:
            target.mkdir()
            return sum(not _lay(member, tar, target) for member in tar)
    except OSError as error:
        raise UsageError("copy", f"it cannot be written: {error.strerror}", where=str(target)) from error


def _lay(member: TarInfo, tar: TarFile, target: Path) -> bool:
    """Lay a folder or a file down below the target, through no link; False for a link."""
    path = target / member.name.removeprefix("x").lstrip("/")
    content = tar.extractfile(member) if member.isreg() else None
    if content is not None:
        path.parent.mkdir(exist_ok=True, parents=True)
        with path.open("xb") as laid:
            laid.write(content.read())
        if member.mode & stat.S_IXUSR:
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
    elif member.isdir():
        path.mkdir(exist_ok=True, parents=True)
    return member.isreg() or member.isdir()
