"""What is known of programming languages: how files are built and run, and which image they need."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.core.archive import Tree

CXX = "g++ -std=gnu++20 -O1 -g -Wall -Wextra -pthread -o {stem} {files}"
C = "gcc -std=gnu17 -O1 -g -Wall -Wextra -pthread -o {stem} {files} -lm"
GO = "go build -o {stem} {files}"
RUST = "rustc -O -o {stem} {main}"
_BUILD = {
    ".cpp": CXX, ".cc": CXX, ".cxx": CXX, ".c": C, ".java": "javac -d . {files}", ".go": GO, ".rs": RUST,
}  # fmt: skip
SCRIPTS = {
    ".py": "python3 {main}", ".sh": "sh {main}",
    **dict.fromkeys((".js", ".mjs", ".cjs"), "node {main}"),
}  # fmt: skip
_RUN = {**SCRIPTS, ".java": "java {name}"}
_COMPILED = "./{stem}"
_HEADERS = frozenset({".h", ".hh", ".hpp", ".hxx"})
_DIALECTS = {".cpp": "c++", ".cc": "c++", ".cxx": "c++", ".c": "c"}
"""As gcc's option ``-x`` calls them: it knows an ending by itself only in lower case."""

C_ENDINGS = frozenset(_DIALECTS)
CXX_ENDINGS = C_ENDINGS - {".c"}
KNOWN_ENDINGS = tuple(sorted({*_BUILD, *_RUN}))
"""Endings of a main source for which it is known how to build and run it."""

_LANGUAGES = {
    **dict.fromkeys(C_ENDINGS, ""), ".java": "java", ".go": "go", ".rs": "rust", ".py": "",
    ".js": "node", ".mjs": "node", ".cjs": "node",
}  # fmt: skip
"""The language of a tree by the endings in it, the first that is there; an empty text is the usual image."""

_BY_FILE = {"go.mod": "go", "Cargo.toml": "rust"}

MAIN = {
    ".c": re.compile(rb"^[ \t]*(?:(?:int|void|auto|signed)\s+)?main\s*\(", re.MULTILINE),
    ".go": re.compile(rb"^func\s+main\s*\(", re.MULTILINE),
    ".rs": re.compile(rb"^[ \t]*(?:pub\s+)?(?:async\s+)?fn\s+main\s*\(", re.MULTILINE),
    ".java": re.compile(rb"\bstatic\s+(?:final\s+|synchronized\s+)*void\s+main\s*\("),
}
"""How a file looks that has the function with which a program begins. No line is read twice."""

_PACKAGE = re.compile(rb"^[ \t]*package\s+([\w.]+)\s*;", re.MULTILINE)

MAIN |= dict.fromkeys(CXX_ENDINGS, MAIN[".c"])


def ending(name: str) -> str:
    """The ending of a file's name, in lower case."""
    return Path(name).suffix.lower()


def language_of(tree: Tree) -> str:
    """The language whose image a tree needs; empty for the usual one."""
    names = [path for path, _ in tree.files]
    for name, language in _BY_FILE.items():
        if name in names:
            return language
    endings = {ending(tree.main)} if tree.main else {ending(name) for name in names}
    return next((language for known, language in _LANGUAGES.items() if known in endings), "")


def build_of_files(names: list[str]) -> str | None:
    """How files in one folder are built, the first the main one; None if there is nothing to build."""
    if has_makefile(names):
        return "make"
    command = _BUILD.get(ending(names[0]))
    return command.format(**_words(names)) if command else None


def argv_of_files(files: Sequence[tuple[str, bytes]]) -> tuple[str, ...]:
    """How a program of files in one folder is started, the first the main one."""
    names = [name for name, _ in files]
    class_name = class_of(Path(names[0]).stem, files[0][1])
    words = {**_words(names), "name": shlex.quote(class_name)}
    return tuple(shlex.split(_RUN.get(ending(names[0]), _COMPILED).format(**words)))


def class_of(stem: str, content: bytes) -> str:
    """The whole name of the class in a Java file: with the package that the file says."""
    package = _PACKAGE.search(content)
    return f"{package[1].decode(errors='replace')}.{stem}" if package else stem


def is_known(names: list[str]) -> bool:
    """Whether it is known how to build and run files in one folder."""
    return has_makefile(names) or ending(names[0]) in KNOWN_ENDINGS


def has_makefile(names: Iterable[str]) -> bool:
    """Whether ``make`` builds it."""
    return any(name.lower() in ("makefile", "gnumakefile") for name in names)


def _words(names: list[str]) -> dict[str, str]:
    sources = [name for name in names if ending(name) not in _HEADERS and not has_makefile([name])]
    return {
        "main": shlex.quote(names[0]),
        "stem": shlex.quote(Path(names[0]).stem),
        "files": " ".join(map(argument, sources)),
    }


def argument(name: str, *, always: bool = False) -> str:
    """A file as an argument of its compiler."""
    dialect = _DIALECTS.get(ending(name))
    known = dialect is None or (Path(name).suffix.islower() and not always)
    return shlex.quote(name) if known else f"-x {dialect} {shlex.quote(name)} -x none"
