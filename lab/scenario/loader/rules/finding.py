"""What a rule looks at and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field

from lab.scenario import Scenario
from lab.scenario.checks import CheckBase
from lab.scenario.loader import place
from lab.scenario.loader.sources import Unusable
from lab.scenario.loader.wording import whose


class Finding(Struct, frozen=True):
    """One thing wrong at a path of the normal form, or, with ``on_key``, at the key it stands under."""

    code: str
    path: place.Path
    what: str
    fix: str
    on_key: bool = False


class Case(Struct, frozen=True):
    """A scenario, and which of its programs' files cannot be used."""

    scenario: Scenario
    faults: Mapping[str, Unusable] = field(default_factory=dict)


Rule = Callable[[Case], Iterator[Finding]]


def checks_of(scenario: Scenario) -> Iterator[tuple[place.Path, str, CheckBase]]:
    """Every check with its path and what a person calls it."""
    for position, check in enumerate(scenario.checks):
        path = ("checks", position)
        yield path, whose(path, check.subject), check
