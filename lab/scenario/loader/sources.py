"""The sources of a scenario's programs, read once: what was read is what is built.

A file is opened from its scenario's folder on, one name after the other, so that no link and no renamed
folder leads out of it, whenever it is put there; only a regular file is opened, and read up to a bound.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath

from msgspec import Struct

from lab.core.archive import Tree
from lab.scenario import Scenario
from lab.scenario.cast import Program
from lab.scenario.loader.gathering import Entry, Gathering, Room, require_few, tree_of
from lab.scenario.loader.leftovers import Parts, glob
from lab.scenario.loader.unpacking import damage_told, is_archive, unpacked
from lab.scenario.loader.unusable import Unusable, UnusableError
from lab.scenario.loader.wording import did_you_mean

_WITHIN = "give its path from the scenario file's folder, as in programs/server.cpp"
_ONE_FILE = "name a file in it; a whole folder stands under `source:`"
_NO_GLOB = "name each file; globs stand under `source:`"
_GLOB = "`*` stands for anything in one name, `**` for any number of folders: src/**/*.c"
_MOST_LINKS = 40
"""Links on the way to one file, as Linux allows."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Without waiting for whoever writes into a FIFO that was put there this moment."""

_WILD = frozenset("*?[")


class Read(Struct, frozen=True):
    """What became of the sources that a scenario names.

    ``trees`` has what lies in each program's folder, ``files`` what was read by its path. ``faults`` are
    those of a program's sources, each as it is written. ``laid`` and ``laid_faults`` are of what ``files:``
    of a program are taken from, by the path of the file in its folder.
    """

    trees: Mapping[str, Tree]
    files: Mapping[str, bytes]
    faults: Mapping[tuple[str, str], Unusable]
    laid: Mapping[tuple[str, str], bytes]
    laid_faults: Mapping[tuple[str, str], Unusable]


def read_sources(scenario: Scenario, folder: Path, elsewhere: Mapping[str, Path | Tree]) -> Read:
    """Read every source once, together no more than :data:`lab.scenario.cast.MAX_SOURCES_BYTES`.

    What is ``elsewhere`` is the one source of its program, wherever it lies, or has been read there.
    """
    reader = _Reader(folder)
    trees: dict[str, Tree] = {}
    files: dict[str, bytes] = {}
    faults: dict[tuple[str, str], Unusable] = {}
    for name, program in scenario.programs.items():
        if not program.paths:
            continue
        try:
            if name in elsewhere:
                trees[name], read = _alone(elsewhere[name])
                files |= read
            else:
                trees[name] = reader.tree(program)
        except _AtError as error:
            faults |= {(name, path): fault for path, fault in error.faults.items()}
    laid, laid_faults = _laid(scenario, reader)
    return Read(trees, {**reader.files, **files}, faults, laid, laid_faults)


def read_file(folder: Path, text: str) -> bytes:
    """What is in one file of a folder, wherever links lead within it. UnusableError."""
    return _Reader(folder).file(text)


def _laid(
    scenario: Scenario, reader: _Reader
) -> tuple[dict[tuple[str, str], bytes], dict[tuple[str, str], Unusable]]:
    """What the files that programs are given are taken from, and why some cannot be used."""
    laid: dict[tuple[str, str], bytes] = {}
    faults: dict[tuple[str, str], Unusable] = {}
    for name, program in scenario.programs.items():
        for path, file in program.files.items():
            if file.from_ is None:
                continue
            try:
                laid[name, path] = reader.file(file.from_)
            except UnusableError as error:
                faults[name, path] = error.fault
    return laid, faults


def _alone(path: Path | Tree) -> tuple[Tree, dict[str, bytes]]:
    """What lies at a path wherever that is, and what was read there. _AtError."""
    if isinstance(path, Tree):
        return path, dict(path.files)
    place = path.resolve()
    reader, name = _Reader(place.parent), place.name or "."
    with _at(str(path)):
        tree = reader.one(name)
    return tree, {str(path.parent / file): content for file, content in reader.files.items()}


class _AtError(Exception):
    """Some sources of a program cannot be used; what is wrong with each, by how it is written."""

    def __init__(self, faults: Mapping[str, Unusable]) -> None:
        super().__init__()
        self.faults = faults


class _Reader:
    """Reads the sources of one scenario; ``files`` is what was read so far, by path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = Room()
        self.files: dict[str, bytes] = {}

    def tree(self, program: Program) -> Tree:
        """What lies in a program's folder. _AtError."""
        if program.sources:
            return self._single_files(program.sources)
        if len(program.source) == 1 and not self._is_glob(program.source[0]):
            with _at(program.source[0]):
                return self.one(program.source[0])
        return self._several(program.source)

    def _single_files(self, texts: tuple[str, ...]) -> Tree:
        files: list[tuple[str, bytes]] = []
        faults: dict[str, Unusable] = {}
        for text in texts:
            try:
                with ExitStack() as opened:
                    content = self._content(text, _no_folder(text, self._named(text, opened)))
                    files.append((PurePosixPath(text).name, content))
            except UnusableError as error:
                faults[text] = error.fault
        if faults:
            raise _AtError(faults)
        return Tree(tuple(files), main=files[0][0])

    def _named(self, text: str, opened: ExitStack) -> _Opened:
        """What lies at a path where only names are meant. UnusableError."""
        if self._is_glob(text):
            raise UnusableError("no-file", f'"{text}" is a glob, and no file', _NO_GLOB)
        return self._place(text, opened)

    def file(self, text: str) -> bytes:
        """What is in one file. UnusableError."""
        with ExitStack() as opened:
            return self._content(text, _no_folder(text, self._place(text, opened), "name a file in it"))

    def one(self, text: str) -> Tree:
        """What a file, a folder or an archive gives."""
        with ExitStack() as opened:
            place = self._place(text, opened)
            if place.kind == "folder":
                return self._gathered(text, place).tree()
            content, name = self._content(text, place), PurePosixPath(text).name
        if not is_archive(name):
            return Tree(((name, content),), main=name)
        gathering = Gathering(text, self._room, size=len(content))
        with damage_told(text):
            gathering.take(unpacked(text, content))
        return gathering.tree()

    def _several(self, texts: tuple[str, ...]) -> Tree:
        """What files, folders and globs give together; paths begin in the folder that all have in common."""
        files: dict[Parts, bytes] = {}
        folders: dict[Parts, None] = {}
        links: dict[Parts, str] = {}
        above: list[Parts] = []
        for text in texts:
            with _at(text):
                path, found = self._item(text)
                above.append(path)
                files |= {(*path, *one): content for one, content in found.files.items()}
                links |= {(*path, *one): target for one, target in found.links.items()}
                folders |= {(*path, *one): None for one in found.folders}
        with _at(texts[0]):
            require_few(texts[0], len(files) + len(folders) + len(links))
        return tree_of(files, folders, links, skip=_in_common(above))

    def _is_glob(self, text: str) -> bool:
        """Whether it is no name: one that a file has is a name, whatever signs are in it."""
        return _is_wild(text) and not (self._folder / text).exists()

    def _item(self, text: str) -> tuple[Parts, Gathering]:
        """The folder that an item of a list begins in, and what it gives there."""
        parts = _parts(text)
        wild = (place for place, part in enumerate(parts) if _is_wild(part))
        fixed = next(wild, len(parts)) if self._is_glob(text) else len(parts)
        with ExitStack() as opened:
            place = self._place("/".join(parts[:fixed]) or ".", opened)
            if fixed < len(parts):
                if place.kind != "folder":
                    raise UnusableError("no-file", f'"{"/".join(parts[:fixed])}" is no folder', _WITHIN)
                found = self._gathered("/".join(parts[:fixed]), place, "/".join(parts[fixed:]))
                if not found.files:
                    raise UnusableError("no-file", f'"{text}" fits no file', _GLOB)
                return parts[:fixed], found
            if place.kind == "folder":
                return parts, self._gathered(text, place)
            if is_archive(text):
                what = f'"{text}" is an archive, and not the only source'
                raise UnusableError("two-in-one", what, "give it alone: `source: " + text + "`")
            found = Gathering(text, self._room)
            found.files[parts[-1:]] = self._content(text, place)
            return parts[:-1], found

    def _gathered(self, text: str, place: Entry, pattern: str = "") -> Gathering:
        wanted = glob(pattern).matches if pattern else None
        gathering = Gathering(text or ".", self._room, wanted)
        try:
            gathering.take(place)
        except OSError as error:
            raise _unreadable(text, error) from error
        for path, content in gathering.files.items():
            self.files["/".join((*_parts(text), *path))] = content
        return gathering

    def _content(self, text: str, place: Entry) -> bytes:
        if text not in self.files:
            try:
                self.files[text] = self._room.content(text, place.content)
            except OSError as error:
                raise _unreadable(text, error) from error
        return self.files[text]

    def _place(self, text: str, opened: ExitStack) -> _Opened:
        if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
            raise UnusableError("outside-folder", f'"{text}" leads out of the scenario\'s folder', _WITHIN)
        try:
            return _Opened(_open(self._folder, text, opened))
        except FileNotFoundError as error:
            fix = _neighbours(self._folder / text)
            raise UnusableError("no-file", f'there is no file "{text}"', fix) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise _unreadable(text, error) from error


@contextmanager
def _at(text: str) -> Iterator[None]:
    """Whatever cannot be used is told of a source as it is written."""
    try:
        yield
    except UnusableError as error:
        raise _AtError({text: error.fault}) from error


def _unreadable(text: str, error: OSError | ValueError) -> UnusableError:
    reason = getattr(error, "strerror", None) or "it is no name of a file"
    return UnusableError("no-file", f'"{text}" cannot be read: {reason}', _WITHIN)


def _no_folder(text: str, place: _Opened, fix: str = _ONE_FILE) -> _Opened:
    if place.kind == "folder":
        raise UnusableError("no-file", f'"{text}" is a folder', fix)
    return place


def _is_wild(text: str) -> bool:
    return not _WILD.isdisjoint(text)


def _parts(text: str) -> Parts:
    return PurePosixPath(text).parts


def _in_common(paths: list[Parts]) -> int:
    """How many folders all paths begin with."""
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))


class _Opened(Struct, frozen=True):
    """A file or a folder that is open."""

    descriptor: int

    @property
    def kind(self) -> str:
        return "folder" if stat.S_ISDIR(os.fstat(self.descriptor).st_mode) else "file"

    def content(self, most: int) -> bytes:
        with open(self.descriptor, "rb", closefd=False) as file:
            return file.read(most)

    @contextmanager
    def below(self, most: int) -> Iterator[Mapping[str, Entry]]:
        with os.scandir(self.descriptor) as entries:
            names = [entry.name for entry in islice(entries, most + 1)]
        yield {name: _Named(name, self.descriptor) for name in names}

    def target(self) -> str:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


@contextmanager
def opened_folder(path: Path) -> Iterator[Entry]:
    """A folder while it is open; nothing in it is followed out of it. OSError."""
    with ExitStack() as opened:
        yield _Opened(_kept(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), opened))


class _Named(Struct, frozen=True):
    """Something in a folder that is open; no link is followed to it."""

    name: str
    inside: int

    @property
    def kind(self) -> str:
        mode = os.stat(self.name, dir_fd=self.inside, follow_symlinks=False).st_mode
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
        return kinds.get(stat.S_IFMT(mode), "other")

    def content(self, most: int) -> bytes:
        with ExitStack() as opened:
            return _Opened(_kept(_open_regular(self.name, self.inside, self.name), opened)).content(most)

    @contextmanager
    def below(self, most: int) -> Iterator[Mapping[str, Entry]]:
        with ExitStack() as opened:
            folder = _Opened(_kept(os.open(self.name, _FOLDER, dir_fd=self.inside), opened))
            yield opened.enter_context(folder.below(most))

    def target(self) -> str:
        return os.readlink(self.name, dir_fd=self.inside)


def _open(folder: Path, text: str, opened: ExitStack) -> int:
    """A descriptor of the regular file or the folder at a path below the folder."""
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
        elif names or stat.S_ISDIR(kind):
            inside.append(_kept(os.open(name, _FOLDER, dir_fd=here), opened))
        else:
            return _kept(_open_regular(name, here, text, kind), opened)
    return inside[-1]


def _kept(descriptor: int, opened: ExitStack) -> int:
    opened.callback(os.close, descriptor)
    return descriptor


def _below(folder: Path, target: PurePosixPath, text: str) -> PurePosixPath:
    """The target of an absolute link as a path from the folder on."""
    for root in (folder.absolute(), folder.resolve()):
        if target.is_relative_to(root):
            return target.relative_to(root)
    raise _leads_out(text)


def _leads_out(text: str) -> UnusableError:
    what = f'"{text}" is a link that leads out of the scenario\'s folder'
    return UnusableError("outside-folder", what, _WITHIN)


def _open_regular(name: str, here: int, text: str, kind: int = stat.S_IFREG) -> int:
    if stat.S_ISREG(kind):
        descriptor = os.open(name, _FILE, dir_fd=here)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # it may have been replaced meanwhile
            return descriptor
        os.close(descriptor)
    raise UnusableError("no-file", f'"{text}" is no regular file', "name a source file")


def _neighbours(file: Path) -> str:
    try:
        names = sorted(os.listdir(file.parent))  # noqa: PTH208 - names are wanted, not paths
    except (OSError, ValueError):
        return "paths begin at the scenario file's folder"
    return did_you_mean(file.name, names, "files there")
