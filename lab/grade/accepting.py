"""Whether what was handed in is what was asked for: names of files, languages, sources and not binaries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from lab.core.archive import COMPILED, Tree
from lab.grade.assignment import Submit
from lab.grade.intake import Refused
from lab.scenario.languages import ending, is_known
from lab.scenario.loader.leftovers import glob

_LANGUAGES = {
    ".c": "c", ".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp", ".py": "python", ".java": "java", ".go": "go",
    ".rs": "rust", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".sh": "shell",
}  # fmt: skip
_SHOWN = 5
_AGAIN = re.compile(r"-\d{1,3}(?=(\.[^./]*)?$)")
"""What Canvas puts behind the name of a file that was handed in again: ``server-1.c``."""


class Taken(Struct, frozen=True):
    """What is graded of a submission, and what a person should know of the rest."""

    tree: Tree
    remarks: tuple[str, ...] = ()


def accept(tree: Tree, submit: Submit) -> Taken:
    """What is graded. Refused if it is not what was asked for."""
    compiled = [path for path, content in tree.files if content.startswith(COMPILED)]
    tree = _without_compiled(tree, compiled)
    for pattern in submit.refused:
        if found := [path for path, _ in tree.files if fits(path, pattern)]:
            raise Refused(f"{_some(found)} may not be handed in")
    tree = _named_as_asked(tree, submit.required)
    remarks = [f"compiled programs are left out: {_some(compiled)}"] if compiled else []
    if submit.optional:
        wanted = (*submit.required, *submit.optional)
        others = [path for path, _ in tree.files if not any(fits(path, one) for one in wanted)]
        tree = _without(tree, others)
        remarks += [f"files that nobody asked for are left out: {_some(others)}"] if others else []
        if not tree.files:
            raise Refused(f"none of the files is one that was asked for: {_some(others)}")
    if len(tree.files) > submit.limits.files:
        raise Refused(f"there are {len(tree.files)} files, and {submit.limits.files} are allowed")
    _require_language(tree, submit)
    return Taken(_single(tree), tuple(remarks))


def _without_compiled(tree: Tree, compiled: list[str]) -> Tree:
    """The tree without what a compiler made. Refused if that is handed in for a source."""
    rest = _without(tree, compiled)
    if not rest.files:
        raise Refused(f"there are compiled programs, but no source: {_some(compiled)}")
    if false := next((path for path in compiled if ending(path) in _LANGUAGES), ""):
        raise Refused(f"{false} is no source file: it is a compiled program")
    return rest


def fits(path: str, pattern: str) -> bool:
    """Whether a path fits a name or a glob; one without a slash fits in any folder."""
    whole = pattern if "/" in pattern else f"**/{pattern}"
    return glob(whole).matches(PurePosixPath(path).parts)


def _named_as_asked(tree: Tree, required: Iterable[str]) -> Tree:
    """The tree with what is required; a number that a platform put behind a name is taken away."""
    for pattern in required:
        if any(fits(path, pattern) for path, _ in tree.files):
            continue
        bare = {path: _AGAIN.sub("", path) for path, _ in tree.files}
        again = [path for path, name in bare.items() if name != path and fits(name, pattern)]
        if len(again) != 1:
            raise Refused(_missing(pattern, [path for path, _ in tree.files]))
        named = ((bare[path] if path == again[0] else path, content) for path, content in tree.files)
        tree = replace(tree, files=tuple(sorted(named)))
    return tree


def _missing(pattern: str, paths: list[str]) -> str:
    names = [PurePosixPath(path).name for path in paths]
    near = get_close_matches(PurePosixPath(pattern).name, names, 1)
    told = f"; {near[0]} is there: is that it?" if near else f"; there are {_some(paths)}"
    return f"{pattern} is missing{told}"


def _require_language(tree: Tree, submit: Submit) -> None:
    if not submit.languages:
        return
    found = {_LANGUAGES[ending(path)]: path for path, _ in tree.files if ending(path) in _LANGUAGES}
    allowed = ", ".join(submit.languages)
    for language, path in found.items():
        if language not in submit.languages:
            raise Refused(f"{path} is written in {language}; languages that are allowed: {allowed}")
    if not found:
        raise Refused(f"there is no source file in a language that is allowed: {allowed}")


def _single(tree: Tree) -> Tree:
    """A tree of one source file is that file: nothing has to be chosen in it."""
    paths = [path for path, _ in tree.files]
    alone = len(paths) == 1 and "/" not in paths[0] and not tree.links and is_known(paths)
    return Tree(tree.files, main=paths[0]) if alone else tree


def _without(tree: Tree, paths: Iterable[str]) -> Tree:
    gone = set(paths)
    return replace(tree, files=tuple(one for one in tree.files if one[0] not in gone)) if gone else tree


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
