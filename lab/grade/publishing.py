"""What students get of an assignment, as files: the visible scenarios and what the assignment names besides.

Each file is written from the models or from a source that is named, never copied from a folder. Comments, and
names of the teacher's files, do not get in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from lab.core.archive import Tree
from lab.core.errors import UsageError
from lab.grade.assignment import Assignment, Matrix, Publish
from lab.grade.reading import STAND_IN, Assigned, Played, digest_of
from lab.grade.visible import visible_case, visible_part
from lab.scenario import Scenario
from lab.scenario.cast import LaidFile, Program
from lab.scenario.loader import dump, load
from lab.scenario.loader.sources import read_file

ASSIGNMENT = "assignment.yaml"
SCENARIOS = "scenarios"
"""The folder of all that belongs to the scenarios."""

_WITHIN = "sources"
"""Around a tree that is one folder: such a folder is taken for what is in it."""


class LeftOut(Struct, frozen=True):
    """A visible scenario that students do not get, and why."""

    name: str
    why: str


class Publication(Struct, frozen=True):
    """What students get: a tree of files, and what it plays.

    ``hidden`` are the hidden scenarios, ``checks`` how many hidden checks the others have.
    """

    tree: Tree
    assignment: Assignment
    scenarios: Mapping[str, Scenario]
    trees: Mapping[tuple[str, str], Tree]
    left_out: tuple[LeftOut, ...]
    hidden: tuple[str, ...]
    checks: int


def published(assigned: Assigned) -> Publication:
    """What students get. UsageError if nothing can be played with that."""
    assignment, publish = assigned.assignment, assigned.assignment.publish
    hidden = tuple(one.name for one in assigned.played if one.is_hidden)
    visible = [one for one in assigned.played if not one.is_hidden]
    reasons = {one.name: _why_left_out(one, publish) for one in visible}
    left_out = tuple(LeftOut(name, why) for name, why in reasons.items() if why)
    chosen = [one for one in visible if not reasons[one.name]]
    if not chosen:
        why = "; ".join(f"{one.name}: {one.why}" for one in left_out) or "every scenario is hidden"
        fix = "name the programs that students get: `publish: {programs: client}`"
        raise UsageError("nothing-published", f"no scenario is left for students: {why}", fix=fix)
    names = frozenset(one.name for one in chosen)
    shelf = _Shelf()
    scenarios = {one.name: shelf.scenario(one, publish.programs) for one in chosen}
    files = {_file(name): dump(scenario).encode() for name, scenario in scenarios.items()}
    cases = tuple(visible_case(one, _file(one.name), names) for one in chosen)
    there = {program for one in chosen for program in one.brought}
    brought = tuple(name for name in assignment.submit.programs if name in there)
    submit = assignment.submit.model_copy(update={"programs": brought})
    update = {"submit": submit, "scenarios": cases, "publish": Publish(), "matrix": Matrix()}
    own = assignment.model_copy(update=update)
    files[ASSIGNMENT] = dump(own).encode()
    for text in publish.files:
        path = str(PurePosixPath(text))
        if path in files or path in shelf.files:
            what = f"{path} is a file for students, and `lab publish` makes a file of that name"
            raise UsageError("publish-twice", what, fix="give yours another name")
        files[path] = read_file(assigned.file.parent, text)
    tree = Tree(tuple(sorted((files | shelf.files).items())), tuple(shelf.folders), tuple(shelf.links))
    checks = sum(_hidden_checks(one) for one in chosen)
    return Publication(tree, own, scenarios, shelf.trees, left_out, hidden, checks)


def _file(name: str) -> str:
    return f"{SCENARIOS}/{name}.yaml"


def _hidden_checks(played: Played) -> int:
    return sum(check.visibility != "visible" for check in played.loaded.scenario.checks)


def _why_left_out(played: Played, publish: Publish) -> str:
    """Why students cannot play a visible scenario; nothing if they can."""
    if visible_part(played.loaded.scenario) is None:
        return "all its checks are hidden"
    needed = [
        name
        for name, program in played.loaded.scenario.programs.items()
        if program.paths and name not in played.brought and name not in publish.programs
    ]
    return f"`publish:` does not name its program {needed[0]}" if needed else ""


class _Shelf:
    """The files of the scenarios' programs, each in a folder of its own however often it is used."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.folders: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.trees: dict[tuple[str, str], Tree] = {}
        self._taken: dict[str, str] = {}

    def scenario(self, played: Played, public: tuple[str, ...]) -> Scenario:
        """The visible part of a scenario with its programs' sources where they are published."""
        scenario = visible_part(played.loaded.scenario)
        assert scenario is not None  # noqa: S101 - else it is left out
        own = [name for name in played.brought if name in public]
        elsewhere = {name: STAND_IN for name in played.brought if name not in own}
        loaded = load(played.file, elsewhere) if own else played.loaded
        programs = {}
        for name, program in loaded.scenario.programs.items():
            tree = None if name in elsewhere else loaded.trees.get(name)
            if tree is not None:
                self.trees[played.name, name] = tree
            laid = {path: loaded.laid[name, path] for path in program.files if (name, path) in loaded.laid}
            programs[name] = self._program(name, program, tree, laid)
        return scenario.model_copy(update={"programs": programs})

    def _program(self, name: str, program: Program, tree: Tree | None, laid: Mapping[str, bytes]) -> Program:
        update: dict[str, object] = {"source": (), "sources": ()}
        if tree is not None:
            place = self._put("programs", name, tree)
            update = _sources(place, tree)
        if laid:
            place = self._put("files", name, Tree(tuple(sorted(laid.items()))))
            update["files"] = {
                path: _from(file, f"{place}/{path}") if path in laid else file
                for path, file in program.files.items()
            }
        return program.model_copy(update=update)

    def _put(self, kind: str, name: str, tree: Tree) -> str:
        """Put a tree into a folder, and say which, as a scenario names it."""
        digest = digest_of(tree)
        place, number = f"{kind}/{name}", 1
        while self._taken.setdefault(place, digest) != digest:
            number += 1
            place = f"{kind}/{name}-{number}"
        prefix = f"{SCENARIOS}/{place}/"
        if not tree.main and kind == "programs" and _is_one_folder(tree):
            prefix += f"{_WITHIN}/"
        self.files |= {prefix + path: content for path, content in tree.files}
        self.folders += [prefix + path for path in tree.folders if prefix + path not in self.folders]
        self.links += [
            (prefix + path, to) for path, to in tree.links if (prefix + path, to) not in self.links
        ]
        return place


def _is_one_folder(tree: Tree) -> bool:
    paths = [*(path for path, _ in tree.files), *(path for path, _ in tree.links)]
    return len({path.partition("/")[0] for path in paths}) == 1 and all("/" in path for path in paths)


def _sources(place: str, tree: Tree) -> dict[str, object]:
    """What a program's sources are called that lie in a folder."""
    if not tree.main:
        return {"source": (place,), "sources": ()}
    others = [path for path, _ in tree.files if path != tree.main]
    paths = tuple(f"{place}/{path}" for path in (tree.main, *others))
    return {"source": (), "sources": paths} if others else {"source": paths, "sources": ()}


def _from(file: LaidFile, path: str) -> LaidFile:
    return file.model_copy(update={"from_": path})
