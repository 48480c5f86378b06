"""What is left out of a tree: leftovers of systems and editors, and what its .gitignore files name.

The files may be anybody's. So each pattern is matched in a time that grows with its length and the name's,
which no regular expression made of the whole pattern does, and there are only so many of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from msgspec import Struct

LEFTOVERS = (
    "__MACOSX", ".DS_Store", "._*", ".git", ".hg", ".svn", "__pycache__", "Thumbs.db", "desktop.ini", ".idea",
    ".vs", ".vscode", "*~", ".*.sw[op]", ".#*", "#*#",
)  # fmt: skip
"""Names of files and folders that are never taken where a folder, an archive or a glob is meant."""

GITIGNORE = ".gitignore"
MOST_PATTERNS = 1000
"""Of one .gitignore."""

_ANY_FOLDERS = "**"
_LEFTOVERS = tuple(re.compile(translate(name)) for name in LEFTOVERS)
_ESCAPED = re.compile(r"\\(.)")

Parts = tuple[str, ...]


class Glob(Struct, frozen=True):
    """A pattern for paths: ``*``, ``?`` and ``[...]`` within a name, ``**`` for any number of folders."""

    parts: tuple[re.Pattern[str] | None, ...]

    def matches(self, path: Parts) -> bool:
        """Whether the whole path fits."""
        # Which beginnings of the path fit the parts so far: each part is tried once at each name.
        fits = [True] + [False] * len(path)
        for part in self.parts:
            if part is None:
                first = fits.index(True) if True in fits else len(fits)
                fits = [place >= first for place in range(len(fits))]
            else:
                found = [fits[place] and bool(part.match(name)) for place, name in enumerate(path)]
                fits = [False, *found]
        return fits[-1]


def glob(pattern: str) -> Glob:
    """The glob that a text means."""
    return Glob(tuple(None if part == _ANY_FOLDERS else _name(part) for part in pattern.split("/") if part))


def _name(part: str) -> re.Pattern[str]:
    return re.compile(translate(_ESCAPED.sub(_literal, part).replace("[^", "[!")))


def _literal(escaped: re.Match[str]) -> str:
    return f"[{escaped[1]}]" if escaped[1] in "*?[" else escaped[1]


class Ignored(Struct, frozen=True):
    """A line of a .gitignore in a folder: what it names below that folder is left out, or taken again."""

    folder: Parts
    glob: Glob
    again: bool
    only_folders: bool


def ignored_by(text: bytes, folder: Parts) -> tuple[Ignored, ...]:
    """What the .gitignore of a folder names (gitignore(5))."""
    lines = (line.rstrip("\r") for line in text.decode(errors="surrogateescape").split("\n"))
    written = (line if line.endswith("\\ ") else line.rstrip(" ") for line in lines)
    return tuple(_ignored(line, folder) for line in written if line and not line.startswith("#"))


def _ignored(line: str, folder: Parts) -> Ignored:
    again, pattern = line.startswith("!"), line.removeprefix("!")
    only_folders, pattern = pattern.endswith("/"), pattern.rstrip("/")
    anywhere = "/" not in pattern
    inside = pattern.endswith("/**")  # what is in a folder, and not the folder
    found = glob(f"**/{pattern}" if anywhere else f"{pattern}/*" if inside else pattern)
    return Ignored(folder, found, again, only_folders)


def is_left_out(path: Parts, *, is_folder: bool, ignored: Sequence[Ignored]) -> bool:
    """Whether a tree is taken without this file or folder; the last line that names it decides."""
    if any(pattern.match(path[-1]) for pattern in _LEFTOVERS):
        return True
    for rule in reversed(ignored):
        if (is_folder or not rule.only_folders) and rule.glob.matches(path[len(rule.folder) :]):
            return not rule.again
    return False
