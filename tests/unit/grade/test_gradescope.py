"""``results.json`` of Gradescope: its keys, what is hidden, and what nobody can tell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.grade.batch import Row, Submission, row_of
from lab.grade.gradescope import Document, results
from lab.grade.names import Named
from lab.grade.reading import Assigned, check_names, read
from lab.grade.result import CaseResult, CheckSeen, Graded, RunResult

STARTER = Path(__file__).parents[3] / "scenarios" / "starter_assignment"
BLOCKED = CaseResult("pieces", blocked="echo")


@pytest.fixture
def assigned(tmp_path: Path) -> Assigned:
    """The starter; its second check is shown after the deadline, its second scenario is hidden."""
    shutil.copytree(STARTER, tmp_path, dirs_exist_ok=True)
    echo = tmp_path / "echo.yaml"
    echo.write_text(echo.read_text().replace("  points: 4\n", "  points: 4\n  visibility: after_due_date\n"))
    return read(tmp_path / "assignment.yaml")


def run(assigned: Assigned, *outcomes: str, case: int = 0) -> RunResult:
    """A run with these outcomes, the script's first."""
    names = check_names(assigned.played[case].loaded)
    checks = tuple(
        CheckSeen(name, outcome, expected=f"expected {name}", observed="\x1b[31mred")
        for name, outcome in zip(names, outcomes, strict=True)
    )
    kind = "failed" if "fail" in outcomes else "passed" if set(outcomes) == {"pass"} else "inconclusive"
    return RunResult(kind, checks)  # type: ignore[arg-type]


def document(assigned: Assigned, *cases: CaseResult) -> dict[str, Any]:
    row = row_of(Submission(Named("ann"), "ann", "d"), Graded(cases), assigned)
    text = results(row, assigned)
    msgspec.json.decode(text, type=Document)  # strict: no other key, each of its type
    told: dict[str, Any] = json.loads(text)
    return told


def test_points_and_visibility_of_each_check(assigned: Assigned) -> None:
    runs = run(assigned, "fail", "pass", "pass", "fail"), run(assigned, "pass", "pass", "fail", "pass")
    pieces = CaseResult("pieces", (run(assigned, "pass", "pass", case=1),))
    told = document(assigned, CaseResult("echo", runs), pieces)
    assert told["score"] == 4  # 2 of 8, 2 of 2
    tests = {test["number"]: test for test in told["tests"]}
    keys = ("score", "max_score", "status", "visibility")
    assert {number: tuple(test.get(key) for key in keys) for number, test in tests.items()} == {
        "1.1": (None, None, "failed", "visible"),
        "1.2": (2, 2, "passed", "visible"),
        "1.3": (0, 4, "failed", "after_due_date"),
        "1.4": (0, 2, "failed", "visible"),
        "2": (2, 2, "passed", "hidden"),
        "2.1": (None, None, "passed", "hidden"),
        "2.2": (None, None, "passed", "hidden"),
    }
    assert sum(test.get("score", 0) for test in told["tests"]) == told["score"]
    assert tests["1.4"]["name"] == "echo: The server does not stay in CLOSE_WAIT"
    assert tests["1.4"]["output"].startswith("It passed in 1 of 2 runs.\n    expected: expected The server")
    assert "\x1b" not in tests["1.4"]["output"]
    assert "output" not in tests["1.2"]


def test_what_has_no_checks(assigned: Assigned) -> None:
    broken = document(assigned, CaseResult("echo", (RunResult("not-built", said="x.c:1: error"),)), BLOCKED)
    first, second = broken["tests"]
    assert (first["score"], first["max_score"], first["status"]) == (0, 8, "failed")
    assert first["output"] == "It does not build:\nx.c:1: error"
    assert second["output"] == "It was not played, because echo did not pass."
    assert (second["score"], second["visibility"]) == (0, "hidden")

    own = Submission(Named("ann"), "ann", refused="no file")
    refused = json.loads(results(Row(own, "refused", ("no file",)), assigned))
    assert (refused["score"], refused["tests"]) == (0, [])
    assert refused["output"] == "It was not graded: no file"


def test_what_nobody_can_tell_costs_nothing_and_has_no_status(assigned: Assigned) -> None:
    trouble = document(assigned, CaseResult("echo", (RunResult("trouble", said="the engine"),)), BLOCKED)
    first = trouble["tests"][0]
    assert not {"score", "max_score", "status"} & first.keys()
    assert first["output"] == "It could not be graded. That is no fault of yours."
    assert trouble["output"] == "A person will look at this submission: not all of it could be graded."
    unsure = run(assigned, "pass", "pass", "inconclusive", "pass")
    told = document(assigned, CaseResult("echo", (unsure, unsure)), BLOCKED)
    tests = {test["number"]: test for test in told["tests"]}
    assert (told["score"], tests["1.2"]["score"], tests["1.3"].get("status")) == (4, 2, None)


def test_the_best_run_is_the_one_that_counts(assigned: Assigned) -> None:
    file = assigned.file
    file.write_text(file.read_text().replace("runs: 2 ", "runs: 2\n  rule: best "))
    best = read(file)
    runs = run(best, "pass", "pass", "pass", "fail"), run(best, "fail", "fail", "fail", "pass")
    told = document(best, CaseResult("echo", runs), BLOCKED)
    assert told["score"] == 6
    assert [test.get("score") for test in told["tests"]] == [None, 2, 4, 0, 0]
