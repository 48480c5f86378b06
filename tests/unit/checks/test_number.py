"""``number``: passing, failing, and nothing to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome
from tests.unit.staged import FAIL, INCONCLUSIVE, PASS, Stage


@pytest.mark.parametrize(
    ("value", "bounds", "outcome"),
    [
        ("41.5", {"min": 41.5, "max": 42}, PASS),
        ("41.4", {"min": 41.5}, FAIL),
        (" +4.2e1 ", {"max": 41.9}, FAIL),
        ("-3", {"near": 0, "within": 3}, PASS),
        ("-3", {"near": 0, "within": 2.9}, FAIL),
        ("fast", {"max": 1}, FAIL),
        ("nan", {"min": 0}, FAIL),
        ("inf", {"min": 0}, FAIL),
        ("1_000", {"min": 0}, FAIL),
        ("٣", {"min": 0}, FAIL),
        ("9" * 101, {"min": 0}, FAIL),
        ("1e999", {"min": 0}, PASS),
    ],
)
def test_bounds(tmp_path: Path, value: str, bounds: dict[str, Any], outcome: Outcome) -> None:
    stage = Stage(tmp_path, variables={"rate": value})
    assert stage.judge({"number": {"value": "${rate}", **bounds}}).outcome is outcome


def test_what_was_printed_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, variables={"rate": "12"})
    result = stage.judge({"number": {"value": "${rate}", "min": 20, "max": 30}})
    assert (result.expected, result.observed) == ("a number of at least 20", "it is 12")


def test_a_number_that_was_never_captured_leaves_nothing_to_judge(tmp_path: Path) -> None:
    result = Stage(tmp_path).judge({"number": {"value": "${rate}", "min": 20}})
    assert result.outcome is INCONCLUSIVE
    assert result.absent
