"""A tree of sources taken from a folder or an archive: within bounds, with nothing that leads out of it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from lab.core.archive import LONGEST_PATH, MOST_MEMBERS, Tree
from lab.scenario.cast import MAX_SOURCE_BYTES, MAX_SOURCES_BYTES
from lab.scenario.loader.leftovers import GITIGNORE, MOST_PATTERNS, Ignored, Parts, ignored_by, is_left_out
from lab.scenario.loader.unusable import UnusableError

MOST_ENTRIES = 20_000
"""Of one folder or archive, what is left out included."""

_DEEPEST = 32
_LONGEST_NAME = 255
"""Folders in folders, and bytes of a name."""

_MOST_RATIO, _MODEST = 100, 32 * 1024**2
"""How many times its size an archive may unpack to, if that is more than so many bytes."""

_LESS = "leave out what is no source, by a .gitignore for one"


class Entry(Protocol):
    """Something in a folder or an archive."""

    @property
    def kind(self) -> str:
        """``file``, ``folder``, ``link`` or another."""

    def below(self, most: int) -> AbstractContextManager[Mapping[str, Entry]]:
        """What is in a folder, by name: all of it, or a little more than ``most``."""

    def content(self, most: int) -> bytes:
        """So many bytes of a file at most."""

    def target(self) -> str:
        """Where a link leads."""


class Room:
    """How many bytes of sources there may still be; all of a scenario share them."""

    def __init__(self, most: int = 0) -> None:
        self._most = self._left = most or MAX_SOURCES_BYTES

    def content(self, name: str, read: Callable[[int], bytes]) -> bytes:
        """What is read of a file. UnusableError if it is too large, or all together are."""
        content = read(min(MAX_SOURCE_BYTES, self._left) + 1)
        if len(content) > MAX_SOURCE_BYTES:
            what = f'"{name}" is larger than {MAX_SOURCE_BYTES // 1024**2} MiB'
            raise UnusableError("too-big", what, "is it a source file?")
        if len(content) > self._left:
            what = f'with "{name}" the sources are larger than {_told(self._most)} together'
            raise UnusableError("too-big", what, "are all of them source files?")
        self._left -= len(content)
        return content


class Gathering:
    """Takes what is wanted of a tree; ``name`` is the folder or archive as it is written.

    ``size`` is how many bytes an archive has.
    """

    def __init__(
        self, name: str, room: Room, wanted: Callable[[Parts], bool] | None = None, size: int = 0
    ) -> None:
        self._name = name
        self._room = room
        self._wanted = wanted
        self._size = size
        self._seen = self._taken = 0
        self.left_out: dict[str, None] = {}
        self.files: dict[Parts, bytes] = {}
        self.folders: dict[Parts, None] = {}
        self.links: dict[Parts, str] = {}

    def take(self, folder: Entry, path: Parts = (), ignored: tuple[Ignored, ...] = ()) -> None:
        """Take what is in a folder and below. UnusableError for what no tree of sources may hold."""
        if len(path) > _DEEPEST:
            raise self._refusal("hostile-tree", f"has folders more than {_DEEPEST} deep")
        with folder.below(MOST_ENTRIES - self._seen) as entries:
            self._seen += len(entries)
            if self._seen > MOST_ENTRIES:
                raise self._refusal("too-many-files", f"has more than {MOST_ENTRIES} entries")
            ignored = (*ignored, *self._ignored_in(path, entries))
            for name in sorted(entries):
                self._take_entry(entries[name], (*path, name), ignored)

    def _take_entry(self, entry: Entry, path: Parts, ignored: tuple[Ignored, ...]) -> None:
        self._require_name(path)
        is_folder = entry.kind == "folder"
        if is_left_out(path, is_folder=is_folder, ignored=ignored):
            self.left_out[path[-1]] = None
        elif is_folder:
            if self._wanted is None:
                self.folders[path] = None
            self.take(entry, path, ignored)
        elif self._wanted is None or self._wanted(path):
            self._take_leaf(entry, path)
        require_few(self._name, len(self.files) + len(self.folders) + len(self.links))

    def _take_leaf(self, entry: Entry, path: Parts) -> None:
        name = f"{self._name}/{'/'.join(path)}"
        if entry.kind == "file":
            self.files[path] = self._room.content(name, entry.content)
            self._require_no_bomb(len(self.files[path]))
        elif entry.kind == "link":
            target = entry.target()
            if leads_out(path, target):
                what = f'"{name}" is a link to "{target}", which leads out of "{self._name}"'
                raise UnusableError("outside-folder", what, "put the file itself in its place")
            self.links[path] = target
        else:
            fix = "leave out what is no file, folder or link"
            raise UnusableError("hostile-tree", f'"{name}" is a device, a pipe or a socket', fix)

    def _require_no_bomb(self, size: int) -> None:
        self._taken += size
        if self._size and self._taken > max(_MODEST, _MOST_RATIO * self._size):
            raise self._refusal("hostile-archive", f"unpacks to more than {_MOST_RATIO} times its size")

    def _ignored_in(self, path: Parts, entries: Mapping[str, Entry]) -> tuple[Ignored, ...]:
        own = entries.get(GITIGNORE)
        if own is None or own.kind != "file":
            return ()
        found = ignored_by(own.content(MAX_SOURCE_BYTES), path)
        if len(found) > MOST_PATTERNS:
            place = "/".join((self._name, *path, GITIGNORE))
            raise UnusableError("hostile-tree", f'"{place}" has more than {MOST_PATTERNS} lines', _LESS)
        return found

    def _require_name(self, path: Parts) -> None:
        name = path[-1].encode(errors="surrogateescape")
        if len(name) > _LONGEST_NAME or b"\0" in name or len("/".join(path)) > LONGEST_PATH:
            raise self._refusal("hostile-tree", f'holds "{path[-1]}", a name that no file can have')

    def _refusal(self, code: str, what: str) -> UnusableError:
        return UnusableError(code, f'"{self._name}" {what}', _LESS)

    def tree(self) -> Tree:
        """What was taken, or what is in it if that is one folder. UnusableError if it is nothing."""
        if not self.files:
            left = f" but what is always left out ({', '.join(self.left_out)})" if self.left_out else ""
            what = f'"{self._name}" holds no file{left}'
            raise UnusableError("no-file", what, "name a folder or an archive with source files in it")
        return tree_of(self.files, self.folders, self.links, skip=self._wrappers())

    def _wrappers(self) -> int:
        paths = [*self.files, *self.links, *self.folders]
        return 1 if len({path[0] for path in paths}) == 1 and all(map(self._is_deep, paths)) else 0

    def _is_deep(self, path: Parts) -> bool:
        return len(path) > 1 or path in self.folders


def require_few(name: str, number: int) -> None:
    """UnusableError for more files and folders than a program may have."""
    if number > MOST_MEMBERS:
        what = f'"{name}" has more than {MOST_MEMBERS} files and folders'
        raise UnusableError("too-many-files", what, _LESS)


def tree_of(
    files: Mapping[Parts, bytes], folders: Mapping[Parts, None], links: Mapping[Parts, str], skip: int
) -> Tree:
    """The tree of these, without so many folders at the beginning of each path."""
    return Tree(
        tuple(("/".join(path[skip:]), content) for path, content in sorted(files.items())),
        tuple("/".join(path[skip:]) for path in sorted(folders) if len(path) > skip),
        tuple(("/".join(path[skip:]), target) for path, target in sorted(links.items())),
    )


def _told(size: int) -> str:
    return f"{size // 1024**2} MiB" if size >= 1024**2 else f"{size // 1024} KiB"


def leads_out(path: Parts, target: str) -> bool:
    """Whether a link at a path of a tree leads out of it."""
    reached = posixpath.normpath("/".join((*path[:-1], target)))
    return not target or target.startswith("/") or reached == ".." or reached.startswith("../")
