"""Wrong programs, each played once: every row of docs/claims.md, and what else is seen of them there.

The check of a row fails, and the verdict says the words of the row.

That the right programs pass is seen where all scenarios are played: tests/docker/test_scenarios.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

import pytest
import yaml

from lab.core.words import Outcome
from tests.claims import SCENARIOS, Row, besides, rows
from tests.docker.stage import Stage, results

STEP = "4s"
"""How long a step may take that waits for what a wrong program never does."""


def plays() -> Iterator[list[Row]]:
    """The rows that one play of a scenario with one wrong program shows."""
    play = attrgetter("scenario", "wrong", "role")
    for _, same in groupby(sorted([*rows(), *besides()], key=play), key=play):
        yield list(same)


@pytest.mark.parametrize("play", list(plays()), ids=lambda play: str(play[0]))
def test_a_wrong_program_fails_the_check(stage: Stage, play: list[Row]) -> None:
    told = results(stage.play(swapped(stage, play[0])))
    for row in play:
        assert told[row.check].outcome is Outcome.FAIL
        assert row.words in told[row.check].observed


def swapped(stage: Stage, row: Row) -> str:
    """The scenario of a row with its wrong program in place of the right one, whose files lie ready."""
    shutil.copytree(SCENARIOS / "programs", stage.folder / "programs")
    scenario = yaml.safe_load(row.scenario.read_text())
    program = scenario["programs"][row.role]
    wrong = str(row.wrong.relative_to(SCENARIOS))
    if "source" in program:
        program["source"] = wrong
    else:
        program["sources"] = [wrong, *program["sources"][1:]]
    return yaml.safe_dump({**scenario, "timeouts": {"step": STEP}}, allow_unicode=True, sort_keys=False)
