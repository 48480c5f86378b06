"""The wrong programs of docs/examples.md fail the checks that the page names, with its words.

That the right ones pass is seen in tests/docker/test_scenarios.py.
"""

from __future__ import annotations

import re
import shutil

import pytest

from lab.core.words import Outcome
from tests.docker.stage import CHECKOUT, Stage, results

SCENARIOS = CHECKOUT / "scenarios"
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def rows() -> list[tuple[str, ...]]:
    """Scenario, wrong program, role, check and words of each row."""
    lines = (CHECKOUT / "docs" / "examples.md").read_text().splitlines()
    cells = [tuple(cell.strip() for cell in _LINK.sub(r"\1", line)[1:-1].split("|")) for line in lines]
    return [row for row in cells if len(row) == 5 and row[1].startswith("wrong/")]


def test_each_example_has_three_wrong_programs() -> None:
    for scenario in ("transfer", "pinger", "proxy"):
        assert sum(row[0] == scenario for row in rows()) >= 3


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[1].removeprefix("wrong/"))
def test_a_wrong_program_is_caught(stage: Stage, row: tuple[str, ...]) -> None:
    scenario, wrong, role, check, words = row
    text = (SCENARIOS / f"{scenario}.yaml").read_text()
    shutil.copytree(SCENARIOS / "programs" / scenario, stage.folder / "programs" / scenario)
    right = stage.folder / "programs" / scenario / f"{role}.py"
    right.write_text((SCENARIOS / "programs" / wrong).read_text())
    text = text.replace("\ntitle:", "\ntimeouts: {step: 2s}\ntitle:", 1)
    told = results(stage.play(text))[check]
    assert told.outcome is Outcome.FAIL, told.observed
    assert words.strip("`") in told.observed
