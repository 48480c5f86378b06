"""What a program of a scenario is made of and how it is started: from its model to a recipe."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from lab.scenario.cast import Program

_CXX = "g++ -std=gnu++20 -O1 -g -Wall -Wextra -pthread -o {stem} {files}"
_C = "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o {stem} {files}"
_BUILD = {".cpp": _CXX, ".cc": _CXX, ".cxx": _CXX, ".c": _C, ".java": "javac {files}"}
_RUN = {".py": "python3 {main}", ".sh": "sh {main}", ".java": "java {stem}"}
_COMPILED = "./{stem}"
_HEADERS = frozenset({".h", ".hh", ".hpp", ".hxx"})
_LANGUAGES = {".cpp": "c++", ".cc": "c++", ".cxx": "c++", ".c": "c"}
"""As gcc's option ``-x`` calls them: it knows an ending by itself only in lower case."""

_MISSING_HEADER = re.compile(r"fatal error: (\S{1,255}): No such file or directory")

KNOWN_ENDINGS = tuple(sorted({*_BUILD, *_RUN}))
"""Endings of a main source for which it is known how to build and run it."""


class Recipe(Struct, frozen=True):
    """A program's files (name in its folder, content), how to build it (a shell command) and how to start it.

    ``argv`` is empty for an image's own command.
    """

    name: str
    files: tuple[tuple[str, bytes], ...]
    build: str | None
    argv: tuple[str, ...]

    @property
    def has_carriage_returns(self) -> bool:
        """Whether its script has CR LF line ends where they are read: a shell's, or the first line (#!)."""
        if not self.files:
            return False
        name, content = self.files[0]
        first = content.partition(b"\n")[0]
        runs_in_shell = Path(name).suffix.lower() == ".sh" or (first.startswith(b"#!") and b"sh" in first)
        return b"\r\n" in content if runs_in_shell else first.startswith(b"#!") and first.endswith(b"\r")

    def digest(self, image: str) -> str:
        """What tells one build from another: files, command and the image it is made in."""
        state = hashlib.sha256(f"{image}\0{self.name}\0{self.build}\0".encode())
        for name, content in self.files:
            state.update(f"{name}\0{len(content)}\0".encode() + content)
        return state.hexdigest()


def recipe(name: str, program: Program, sources: Mapping[str, bytes]) -> Recipe:
    """The recipe of a program, from what was read of its sources."""
    files = tuple((PurePosixPath(path).name, sources[path]) for path in program.paths)
    names = [file for file, _ in files]
    return Recipe(name, files, program.build or _default_build(names), _argv(program, names))


def header_cure(program: Program, folder: Path, words: str) -> str:
    """How to mend a build whose compiler misses a header that lies beside a source; nothing if none does."""
    for header in _MISSING_HEADER.findall(words):
        for source in program.paths:
            path = PurePosixPath(source).parent / header
            if ".." not in path.parts and (folder / path).is_file():
                alone = f', and include it as "{path.name}": all lie in one folder' if "/" in header else ""
                return f"{header} lies beside {source}, but is no source: add {path} to `sources:`{alone}"
    return ""


def is_known(program: Program) -> bool:
    """Whether it is known, or said, how to run what a program is made of."""
    names = [PurePosixPath(path).name for path in program.paths]
    if not names or program.build or program.run or _has_makefile(names):
        return True
    return _ending(names[0]) in KNOWN_ENDINGS


def _has_makefile(names: list[str]) -> bool:
    return any(name.lower() == "makefile" for name in names)


def _ending(name: str) -> str:
    return Path(name).suffix.lower()


def _words(names: list[str]) -> dict[str, str]:
    sources = [name for name in names if _ending(name) not in _HEADERS and name.lower() != "makefile"]
    return {
        "main": shlex.quote(names[0]),
        "stem": shlex.quote(Path(names[0]).stem),
        "files": " ".join(map(_argument, sources)),
    }


def _argument(name: str) -> str:
    """A file as an argument of its compiler."""
    language = _LANGUAGES.get(_ending(name))
    known = language is None or Path(name).suffix.islower()
    return shlex.quote(name) if known else f"-x {language} {shlex.quote(name)} -x none"


def _default_build(names: list[str]) -> str | None:
    if _has_makefile(names):
        return "make"
    command = _BUILD.get(_ending(names[0])) if names else None
    return command.format(**_words(names)) if command else None


def _argv(program: Program, names: list[str]) -> tuple[str, ...]:
    if not names:
        return tuple(shlex.split(program.command or ""))
    command = program.run or _RUN.get(_ending(names[0]), _COMPILED).format(**_words(names))
    return tuple(shlex.split(command))
