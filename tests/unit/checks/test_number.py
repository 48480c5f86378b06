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
        ("0.33", {"near": 0.3, "within": 0.03}, PASS),
        ("21", {"near": 20, "within": "5%"}, PASS),
        ("0.33", {"near": 0.3, "within": "10%"}, PASS),
        ("-22", {"near": -20, "within": "10%"}, PASS),
        ("21.01", {"near": 20, "within": "5%"}, FAIL),
        ("18.99", {"near": 20, "within": "5.05%"}, PASS),
        ("18.98", {"near": 20, "within": "5.05%"}, FAIL),
        ("fast", {"near": 20, "within": "500%"}, FAIL),
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


def test_a_percentage_is_told_as_it_is_written(tmp_path: Path) -> None:
    stage = Stage(tmp_path, variables={"rate": "12"})
    result = stage.judge({"number": {"value": "${rate}", "near": 20, "within": "2.5%"}})
    assert result.expected == "a number within 2.5% of 20"


def test_a_number_that_was_never_captured_leaves_nothing_to_judge(tmp_path: Path) -> None:
    result = Stage(tmp_path).judge({"number": {"value": "${rate}", "min": 20}})
    assert result.outcome is INCONCLUSIVE
    assert result.absent
