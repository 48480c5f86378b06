"""``elapsed``: passing, failing and inconclusive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome
from lab.evidence.transcript import StepEnded
from tests.judged import Judged
from tests.unit.staged import FAIL, INCONCLUSIVE, MS, PASS, Stage, at

STEPS = [{"actor": "server", "action": {"mark": mark}} for mark in ("begin", "end")]


def marked(number: str, milliseconds: float) -> StepEnded:
    when = at(milliseconds)
    return StepEnded(when, when, number, "chat.yaml:9:3", "server", "mark", Outcome.PASS)


def judged(folder: Path, *events: StepEnded, late: float = 0, **bounds: Any) -> Judged:
    stage = Stage(folder, steps=STEPS, events=events, worst_gap=round((100 + late) * MS))
    return stage.judge({"elapsed": {"from": "begin", "to": "end", **bounds}})


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        ({"min": "500ms"}, PASS),
        ({"min": "501ms"}, FAIL),
        ({"max": "500ms"}, PASS),
        ({"max": "499ms"}, FAIL),
        ({"min": "400ms", "max": "600ms"}, PASS),
    ],
)
def test_bounds(tmp_path: Path, bounds: dict[str, Any], outcome: Outcome) -> None:
    result = judged(tmp_path, marked("1", 10), marked("2", 510), **bounds)
    assert result.outcome is outcome
    assert result.observed == "it took 500.000 ms"


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        ({"max": "530ms"}, INCONCLUSIVE),
        ({"max": "470ms"}, INCONCLUSIVE),
        ({"max": "440ms"}, FAIL),
        ({"max": "560ms"}, PASS),
    ],
)
def test_a_busy_machine_decides_only_what_is_far_from_the_bounds(
    tmp_path: Path, bounds: dict[str, Any], outcome: Outcome
) -> None:
    assert judged(tmp_path, marked("1", 10), marked("2", 510), late=50, **bounds).outcome is outcome


def test_of_several_times_the_last_counts(tmp_path: Path) -> None:
    events = (marked("1@1", 0), marked("1@2", 100), marked("2", 300))
    assert judged(tmp_path, *events, max="200ms").outcome is PASS


def test_marks_in_the_other_order(tmp_path: Path) -> None:
    result = judged(tmp_path, marked("1", 500), marked("2", 100), max="1s")
    assert result.outcome is FAIL
    assert result.observed == '"end" was set before "begin"'


def test_a_mark_that_was_not_reached(tmp_path: Path) -> None:
    result = judged(tmp_path, marked("1", 10), max="1s")
    assert result.outcome is FAIL
    assert result.observed == 'the mark "end" was not reached'
    assert result.absent
