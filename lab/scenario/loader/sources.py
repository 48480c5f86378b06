"""The source files of a scenario's programs, read once: what was read is what is built.

A file is opened from its scenario's folder on, one name after the other, so that no link and no renamed
folder leads out of it, whenever it is put there; only a regular file is opened, and read up to a bound.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from msgspec import Struct

from lab.scenario import Scenario
from lab.scenario.cast import MAX_SOURCE_BYTES, MAX_SOURCES_BYTES
from lab.scenario.loader.wording import did_you_mean

_WITHIN = "give its path from the scenario file's folder, as in programs/server.cpp"
_MOST_LINKS = 40
"""Links on the way to one file, as Linux allows."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Without waiting for whoever writes into a FIFO that was put there this moment."""


class Unusable(Struct, frozen=True):
    """What is wrong with a source file, and how to mend it."""

    code: str
    what: str
    fix: str


class Read(Struct, frozen=True):
    """What became of each source that a scenario names, by its path there."""

    contents: Mapping[str, bytes]
    faults: Mapping[str, Unusable]


class _UnusableError(Exception):
    def __init__(self, code: str, what: str, fix: str) -> None:
        super().__init__(what)
        self.fault = Unusable(code, what, fix)


def read_sources(scenario: Scenario, folder: Path) -> Read:
    """Read every source once, together no more than :data:`MAX_SOURCES_BYTES`."""
    contents: dict[str, bytes] = {}
    faults: dict[str, Unusable] = {}
    room = MAX_SOURCES_BYTES
    for path in dict.fromkeys(path for program in scenario.programs.values() for path in program.paths):
        try:
            contents[path] = _content(folder, path, room)
        except _UnusableError as error:
            faults[path] = error.fault
        room -= len(contents.get(path, b""))
    return Read(contents, faults)


def _content(folder: Path, text: str, room: int) -> bytes:
    if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
        raise _UnusableError("outside-folder", f'"{text}" leads out of the scenario\'s folder', _WITHIN)
    try:
        with ExitStack() as opened, open(_open(folder, text, opened), "rb") as file:
            content = file.read(min(MAX_SOURCE_BYTES, room) + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, FileNotFoundError):
            raise _UnusableError(
                "no-file", f'there is no file "{text}"', _neighbours(folder / text)
            ) from error
        reason = getattr(error, "strerror", None) or "it is no name of a file"
        raise _UnusableError("no-file", f'"{text}" cannot be read: {reason}', _WITHIN) from error
    if len(content) > MAX_SOURCE_BYTES:
        what = f'"{text}" is larger than {MAX_SOURCE_BYTES // 1024**2} MiB'
        raise _UnusableError("too-big", what, "is it a source file?")
    if len(content) > room:
        what = f'with "{text}" the sources are larger than {MAX_SOURCES_BYTES // 1024**2} MiB together'
        raise _UnusableError("too-big", what, "are all of them source files?")
    return content


def _open(folder: Path, text: str, opened: ExitStack) -> int:
    """A descriptor of the regular file at a path below the folder. The caller closes it."""
    inside = [_kept(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), opened)]
    names, links = deque(PurePosixPath(text).parts), 0
    while names:
        name, here = names.popleft(), inside[-1]
        if name == "..":
            if len(inside) == 1:
                raise _leads_out(text)
            inside.pop()
            continue
        kind = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = PurePosixPath(os.readlink(name, dir_fd=here))
            if target.is_absolute():
                target = _below(folder, target, text)
                del inside[1:]
            names.extendleft(reversed(target.parts))
        elif names:
            inside.append(_kept(os.open(name, _FOLDER, dir_fd=here), opened))
        else:
            return _open_regular(name, here, kind, text)
    raise _UnusableError("no-file", f'"{text}" is a folder', "name a file in it, or several under `sources:`")


def _kept(descriptor: int, opened: ExitStack) -> int:
    opened.callback(os.close, descriptor)
    return descriptor


def _below(folder: Path, target: PurePosixPath, text: str) -> PurePosixPath:
    """The target of an absolute link as a path from the folder on."""
    for root in (folder.absolute(), folder.resolve()):
        if target.is_relative_to(root):
            return target.relative_to(root)
    raise _leads_out(text)


def _leads_out(text: str) -> _UnusableError:
    what = f'"{text}" is a link that leads out of the scenario\'s folder'
    return _UnusableError("outside-folder", what, _WITHIN)


def _open_regular(name: str, here: int, kind: int, text: str) -> int:
    if stat.S_ISDIR(kind):
        what, fix = f'"{text}" is a folder', "name a file in it, or several under `sources:`"
        raise _UnusableError("no-file", what, fix)
    if stat.S_ISREG(kind):
        descriptor = os.open(name, _FILE, dir_fd=here)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # it may have been replaced meanwhile
            return descriptor
        os.close(descriptor)
    raise _UnusableError("no-file", f'"{text}" is no regular file', "name a source file")


def _neighbours(file: Path) -> str:
    try:
        names = sorted(os.listdir(file.parent))  # noqa: PTH208 - names are wanted, not paths
    except (OSError, ValueError):
        return "paths begin at the scenario file's folder"
    return did_you_mean(file.name, names, "files there")
