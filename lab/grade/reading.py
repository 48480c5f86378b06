"""From ``assignment.yaml`` to an assignment that can be graded, every problem reported at its place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from msgspec import Struct
from pydantic import ValidationError

from lab.checks.check import Check
from lab.checks.conversation import SUBJECT as CONVERSATION
from lab.core.archive import Tree
from lab.core.errors import LabError, Problem, ScenarioError, UsageError
from lab.grade.adversary import variants
from lab.grade.assignment import Assignment, Case
from lab.scenario.base import plain
from lab.scenario.loader import Loaded, load
from lab.scenario.loader import tree as yaml_tree
from lab.scenario.loader.desugar import desugar
from lab.scenario.loader.fault import faults_of
from lab.scenario.loader.loader import located, refusal
from lab.scenario.loader.messages import problem_of
from lab.scenario.loader.plain import plain_data
from lab.scenario.loader.sources import read_file
from lab.scenario.loader.syntax import read_tree
from lab.scenario.loader.unusable import UnusableError
from lab.scenario.loader.wording import did_you_mean, listed
from lab.scenario.mistake import Mistake

STAND_IN = Tree((("main.py", b""),), main="main.py")
"""What stands in for the programs of students while a scenario is read."""


class Played(Struct, frozen=True):
    """A scenario of an assignment that was read; ``brought`` are its programs that a submission replaces."""

    name: str
    case: Case
    file: Path
    loaded: Loaded
    brought: tuple[str, ...]

    @property
    def is_hidden(self) -> bool:
        """Whether students see nothing of it."""
        return self.case.visibility == "hidden"


class Assigned(Struct, frozen=True):
    """An assignment that can be graded.

    ``digest`` tells what is played from anything else: scenarios, programs, what is taken of a submission.
    Points, hints, texts, visibility and the deadline are no part of it: they may change without another run.
    """

    assignment: Assignment
    file: Path
    played: tuple[Played, ...]
    digest: str

    @property
    def maximum(self) -> Fraction:
        """All points there are."""
        return sum((one.case.worth for one in self.played), Fraction(0))


def is_assignment(path: Path) -> bool:
    """Whether a file is an assignment and no scenario: it says what is handed in, or lists scenarios."""
    try:
        tree = read_tree(path)
    except LabError:
        return False
    names = tree.names if isinstance(tree, yaml_tree.Mapping) else ()
    return ("submit" in names or "scenarios" in names) and "hosts" not in names


def read(path: Path) -> Assigned:
    """Read an assignment and its scenarios.

    Raises:
        ScenarioError: it, or one of its scenarios, cannot be used; with all problems.
        UsageError: there is no such file.
    """
    tree = desugar(read_tree(path), Assignment)
    problems: list[Problem] = []
    data = plain_data(tree, problems)
    try:
        assignment = Assignment.model_validate_json(json.dumps(data))
    except ValidationError as error:
        problems.extend(problem_of(fault) for fault in faults_of(error, tree, Assignment))
        raise refusal(problems) from None
    own = [*_own_mistakes(assignment), *_of_files(assignment, path.parent)]
    played, of_files, elsewhere = _scenarios(assignment, path.parent)
    if not of_files and not elsewhere:
        own += list(_of_scenarios(assignment, played))
    problems += [located(one, tree) for one in (*own, *of_files)]
    if problems:
        first = refusal(problems)
        raise ScenarioError([*first.problems, *elsewhere]) if elsewhere else first
    if elsewhere:
        raise ScenarioError(elsewhere)
    return Assigned(assignment, path, played, _digest(assignment, played))


def names_of(assignment: Assignment) -> list[str]:
    """What each scenario is called."""
    return [case.name or Path(case.file).stem for case in assignment.scenarios]


def _own_mistakes(assignment: Assignment) -> Iterator[Mistake]:
    names = names_of(assignment)
    for position, (case, name) in enumerate(zip(assignment.scenarios, names, strict=True)):
        path = ("scenarios", position)
        if names.index(name) != position:
            first = names.index(name) + 1
            what = f'scenario {position + 1} is called "{name}", as is scenario {first}'
            yield Mistake("duplicate-name", path, what, "give it a name of its own: `name: another`")
        yield from _points(case, (*path,), position + 1)
        for place, needed in enumerate(case.needs):
            if needed not in names:
                what = f'scenario {position + 1} needs "{needed}", but no scenario is called so'
                yield Mistake(
                    "unknown-scenario", (*path, "needs", place), what,
                    did_you_mean(needed, names, "scenarios"),
                )  # fmt: skip
    for place, name in enumerate(assignment.matrix.scenarios):
        if name not in names:
            what = f'the matrix names "{name}", but no scenario is called so'
            fix = did_you_mean(name, names, "scenarios")
            yield Mistake("unknown-scenario", ("matrix", "scenarios", place), what, fix)
    circle = _circle({name: case.needs for name, case in zip(names, assignment.scenarios, strict=True)})
    if circle:
        place = names.index(circle[0])
        what = f"scenarios need each other in a circle: {' → '.join(circle)}"
        yield Mistake("needs-circle", ("scenarios", place, "needs"), what, "take one `needs:` away")


def _points(case: Case, path: tuple[str | int, ...], number: int) -> Iterator[Mistake]:
    if case.rule.kind == "points" and case.points is not None and case.points != case.rule.every:
        what = f"scenario {number} has {case.points:g} points, but its rule gives {case.rule.every:g}"
        yield Mistake(
            "contradiction", (*path, "points"), what, "leave `points:` out, or let both be the same"
        )
    if case.rule.kind != "points" and case.points is None:
        what = f"scenario {number} does not say how many points it is worth"
        yield Mistake("no-points", path, what, "add `points:`; 0 if it is only shown")
    if case.adversary and (case.runs > 1 or case.rule.kind == "best"):
        what = f"scenario {number} has an adversary, so its runs are not the same"
        yield Mistake("contradiction", (*path, "adversary"), what, "leave out `runs:` and `rule: best`")
    if case.rule.kind == "points" and case.runs == 1 and not case.adversary:
        what = f"scenario {number} has a rule for several runs, but is played once"
        yield Mistake("one-run", (*path, "rule"), what, "add `runs: 3`, or give `points:` instead")


def _circle(graph: Mapping[str, tuple[str, ...]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _scenarios(
    assignment: Assignment, folder: Path
) -> tuple[tuple[Played, ...], list[Mistake], list[Problem]]:
    """The scenarios that can be read; what is wrong with their names, and within them."""
    found: list[Played] = []
    mistakes: list[Mistake] = []
    problems: list[Problem] = []
    for position, (case, name) in enumerate(zip(assignment.scenarios, names_of(assignment), strict=True)):
        file = folder / case.file
        try:
            brought = tuple(one for one in assignment.submit.programs if one in _programs(file))
            loaded = load(file, dict.fromkeys(brought, STAND_IN))
            found.append(Played(name, case, file, loaded, brought))
        except ScenarioError as error:
            problems += error.problems
        except UsageError as error:
            mistakes.append(Mistake(error.code, ("scenarios", position, "file"), error.what, error.fix))
    return tuple(found), mistakes, problems


def _programs(file: Path) -> tuple[str, ...]:
    tree = read_tree(file)
    programs = tree.get("programs") if isinstance(tree, yaml_tree.Mapping) else None
    return programs.names if isinstance(programs, yaml_tree.Mapping) else ()


def _of_files(assignment: Assignment, folder: Path) -> Iterator[Mistake]:
    """Files for students that cannot be read."""
    for position, name in enumerate(assignment.publish.files):
        try:
            read_file(folder, name)
        except UnusableError as error:
            path = ("publish", "files", position)
            yield Mistake(error.fault.code, path, error.fault.what, error.fault.fix)


def _of_scenarios(assignment: Assignment, played: tuple[Played, ...]) -> Iterator[Mistake]:
    """What only the scenarios can tell: programs and checks that they do not have."""
    there = tuple(dict.fromkeys(name for one in played for name in one.loaded.scenario.programs))
    for place, programs in (("submit", assignment.submit.programs), ("publish", assignment.publish.programs)):
        for position, program in enumerate(programs):
            if program not in there:
                what = f'no scenario has a program "{program}"'
                fix = did_you_mean(program, there, "programs")
                yield Mistake("unknown-program", (place, "programs", position), what, fix)
    for key, role in (("server", assignment.matrix.server), ("client", assignment.matrix.client)):
        if role is not None and role not in assignment.submit.programs:
            what = f'the {key} of the matrix is "{role}", which is not handed in'
            fix = f"programs that are handed in: {listed(assignment.submit.programs)}"
            yield Mistake("unknown-program", ("matrix", key), what, fix)
    for position, one in enumerate(played):
        yield from _of_played(assignment, position, one)


def _of_played(assignment: Assignment, position: int, one: Played) -> Iterator[Mistake]:
    path = ("scenarios", position)
    for place, word in enumerate(one.case.adversary):
        if not variants(one.loaded.scenario, [word]):
            what = f'scenario {position + 1}: "{word}" changes nothing'
            fix = "leave it out; it needs messages that the script says on connections of TCP that it opened"
            yield Mistake("no-adversary", (*path, "adversary", place), what, fix)
    if not one.brought:
        programs = listed(assignment.submit.programs)
        what = f"scenario {position + 1} uses nothing that is handed in"
        yield Mistake("nothing-submitted", path, what, f"programs that are handed in: {programs}")
    if not one.loaded.scenario.steps:
        what = f"scenario {position + 1} has no steps: there is nothing to grade"
        yield Mistake("no-steps", path, what, "add `steps:` to it")
    names = check_names(one.loaded)
    for check in one.case.hints:
        if check not in names:
            what = f'scenario {position + 1} has no check "{check}"'
            fix = did_you_mean(check, names, "checks")
            yield Mistake("unknown-check", (*path, "hints", check), what, fix, on_key=True)


def check_names(loaded: Loaded) -> tuple[str, ...]:
    """What the results of a scenario are called, the script first."""
    checks = (one for one in loaded.scenario.checks if isinstance(one, Check))
    return (CONVERSATION, *(one.name or one.title for one in checks))


def _digest(assignment: Assignment, played: tuple[Played, ...]) -> str:
    """What tells one way of playing from another."""
    state = hashlib.sha256(json.dumps(plain(assignment.submit), sort_keys=True).encode())
    for one in played:
        about = (
            assignment.sanitizers,
            one.name,
            one.case.runs,
            one.case.adversary,
            one.case.needs,
            one.brought,
            plain(one.loaded.scenario),
        )
        state.update(b"\0" + json.dumps(about, sort_keys=True).encode())
        for name, tree in sorted(one.loaded.trees.items()):
            if name not in one.brought:
                state.update(b"\0" + digest_of(tree).encode())
        for place, content in sorted(one.loaded.laid.items()):
            state.update(b"\0" + json.dumps([*place, hashlib.sha256(content).hexdigest()]).encode())
    return state.hexdigest()


def digest_of(tree: Tree) -> str:
    """What tells one tree of files from another."""
    state = hashlib.sha256()
    for path, content in tree.files:
        state.update(f"{path}\0{len(content)}\0".encode(errors="surrogateescape") + content)
    for path in (*tree.folders, *(part for link in tree.links for part in link), tree.main):
        state.update(f"{path}\0".encode(errors="surrogateescape"))
    return state.hexdigest()
