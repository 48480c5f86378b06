"""What a rule looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from lab.core.archive import Tree
from lab.scenario import Scenario
from lab.scenario.checks import CheckBase
from lab.scenario.loader.unusable import Unusable
from lab.scenario.loader.wording import did_you_mean, whose
from lab.scenario.mistake import Mistake, Path


class RuleContext(Struct, frozen=True):
    """A scenario, what lies in its programs' folders, and which of their sources cannot be used."""

    scenario: Scenario
    trees: Mapping[str, Tree] = field(default_factory=dict)
    faults: Mapping[tuple[str, str], Unusable] = field(default_factory=dict)
    """By a program and the source as it is written."""
    laid: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    """What files of ``files:`` are taken from, by a program and the file's path."""
    laid_faults: Mapping[tuple[str, str], Unusable] = field(default_factory=dict)
    """Why some of that cannot be used."""


Rule = Callable[[RuleContext], Iterator[Mistake]]


def checks_of(scenario: Scenario) -> Iterator[tuple[Path, str, CheckBase]]:
    """Every check with its path and what a person calls it."""
    for position, check in enumerate(scenario.checks):
        path = ("checks", position)
        yield path, whose(path, check.subject), check


def unknown_host(host: str, path: Path, whose: str, scenario: Scenario) -> Mistake:
    """A host that is named and that the scenario does not have."""
    what = f'{whose} names host "{host}", which is not defined'
    return Mistake("unknown-host", path, what, did_you_mean(host, scenario.hosts, "hosts"))


def placed(mistake: Mistake, path: Path, whose: str) -> Mistake:
    """A mistake that an action or a check has found, with the whole path and who makes it."""
    return replace(mistake, path=(*path, *mistake.path), what=f"{whose}{mistake.what}")
