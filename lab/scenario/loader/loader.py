"""The whole way from a file to a scenario, every problem on it reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from lab.core.archive import Tree
from lab.core.errors import Problem, ScenarioError, SourceRef
from lab.scenario import Scenario
from lab.scenario.loader import tree as yaml_tree
from lab.scenario.loader.desugar import desugar
from lab.scenario.loader.fault import faults_of
from lab.scenario.loader.messages import problem_of
from lab.scenario.loader.place import find, step_number
from lab.scenario.loader.plain import plain_data
from lab.scenario.loader.replacing import Given, replaced, require
from lab.scenario.loader.rules import Mistake, RuleContext, mistakes
from lab.scenario.loader.salvage import salvaged, validated
from lab.scenario.loader.sources import Read, read_sources
from lab.scenario.loader.syntax import read_tree
from lab.scenario.loader.wording import shown
from lab.scenario.script import numbered

MAX_PROBLEMS = 100


class Loaded(Struct, frozen=True):
    """A scenario that can be played, and where it came from.

    ``lines`` leads from the number of a step ("4", "4.2.1", "finally.1") to its place in the file,
    ``sources`` from the path of each source that a program names to what was read there, ``trees`` from each
    program to what lies in its folder, ``laid`` from a program and the path of a file there to what that file
    is taken from.
    """

    scenario: Scenario
    file: Path
    lines: Mapping[str, SourceRef]
    sources: Mapping[str, bytes]
    trees: Mapping[str, Tree]
    laid: Mapping[tuple[str, str], bytes]

    @property
    def folder(self) -> Path:
        """Where the programs' files lie."""
        return self.file.parent


def load(path: Path, elsewhere: Mapping[str, Given] | None = None) -> Loaded:
    """Read a scenario file; of some programs the sources may lie ``elsewhere``, or have been read there.

    Raises:
        ScenarioError: it cannot be played; with all its problems in the order of the file.
        UsageError: there is no such file, or what lies elsewhere cannot be used.
    """
    given = elsewhere or {}
    tree = desugar(read_tree(path), Scenario)
    problems: list[Problem] = []
    read = Read({}, {}, {}, {}, {})
    scenario = _sound_part(tree, problems)
    if scenario is not None:
        scenario = replaced(scenario, given)
        read = read_sources(scenario, path.parent, given)
        context = RuleContext(scenario, read.trees, read.faults, read.laid, read.laid_faults)
        require(context, given)
        found = mistakes(context, whole=not problems)
        problems.extend(located(mistake, tree) for mistake in found)
    if problems or scenario is None:
        raise refusal(problems)
    return Loaded(scenario, path, dict(_places(scenario, tree)), read.files, read.trees, read.laid)


def with_trees(loaded: Loaded, trees: Mapping[str, Tree]) -> Loaded:
    """A scenario that was read, with other sources for some of its programs; no file is read.

    Raises:
        ScenarioError: it cannot be played with them.
        UsageError: they cannot be used.
    """
    scenario = replaced(loaded.scenario, trees)
    before = {path for name in trees.keys() & loaded.trees.keys() for path, _ in loaded.trees[name].files}
    sources = {path: content for path, content in loaded.sources.items() if path not in before}
    sources |= {path: content for tree in trees.values() for path, content in tree.files}
    all_trees = {**loaded.trees, **trees}
    context = RuleContext(scenario, all_trees, {}, loaded.laid, {})
    require(context, trees)
    top = SourceRef(str(loaded.file), 1, 1)
    if problems := [Problem(one.code, one.what, top, one.fix) for one in mistakes(context, whole=True)]:
        raise refusal(problems)
    return replace(loaded, scenario=scenario, sources=sources, trees=all_trees)


def _sound_part(tree: yaml_tree.Node, problems: list[Problem]) -> Scenario | None:
    """The scenario, as far as it can be had; what the language refuses is added to the problems."""
    data = plain_data(tree, problems)
    try:
        return validated(data)
    except ValidationError as error:
        faults = list(faults_of(error, tree, Scenario))
    problems.extend(problem_of(fault) for fault in faults)
    return salvaged(data, [fault.path for fault in faults])


def located(mistake: Mistake, tree: yaml_tree.Node) -> Problem:
    """The problem that a mistake is in a file."""
    found = find(tree, mistake.path)
    at = found.key.at if mistake.on_key and found.key else found.node.at
    return Problem(mistake.code, mistake.what, at, mistake.fix)


def _places(scenario: Scenario, tree: yaml_tree.Node) -> Iterator[tuple[str, SourceRef]]:
    for path, _ in numbered(scenario):
        yield step_number(path), find(tree, path).node.at


def refusal(problems: Iterable[Problem]) -> ScenarioError:
    """The problems in the order of the file; of several with one place, only the first tells the cause."""
    kept: dict[object, Problem] = {}
    for problem in sorted(problems, key=lambda problem: problem.where):
        kept.setdefault((problem.where, problem.what if problem.code == "missing-key" else ""), problem)
    first = list(kept.values())[:MAX_PROBLEMS]
    if len(kept) > len(first):
        what = f"{len(kept) - len(first)} more problems are not shown"
        first.append(Problem("too-many", what, first[-1].where, "mend the ones above first"))
    return ScenarioError([replace(one, what=shown(one.what), fix=shown(one.fix)) for one in first])
