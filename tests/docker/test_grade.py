"""``lab grade``: a class of three, its grade book and feedback; ``lab selfcheck`` says the same."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.core.assets import ASSIGNMENT_STARTER
from lab.grade.results import GRADE_BOOK, JSON, SUMMARY
from tests.docker.stage import Stage


@pytest.fixture
def course(stage: Stage) -> Stage:
    """The starter with a fourth submission that is none."""
    shutil.copytree(ASSIGNMENT_STARTER, stage.folder, dirs_exist_ok=True)
    (stage.folder / "submissions" / "=none").mkdir()
    echo = stage.folder / "echo.yaml"
    echo.write_text(f"{echo.read_text()}\ntimeouts: {{step: 2s}}\n")
    return stage


def test_a_class(course: Stage) -> None:
    done = course.lab("grade", "assignment.yaml", "submissions", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    out = course.folder / "grades"
    book = (out / GRADE_BOOK).read_text()
    rows = {row["student"]: row for row in csv.DictReader(book.splitlines())}
    assert {name: row["points"] for name, row in rows.items()} == {
        "ann": "10",
        "ben": "6",
        "eve": "0",
        "'=none": "0",
    }
    assert rows["'=none"]["status"] == "refused"
    summary = (out / SUMMARY).read_text()
    assert "echo: The server does not stay in CLOSE_WAIT" in summary
    assert "error: expected" in summary
    _assert_feedback(course, out)
    _assert_selfchecks(course, out)


def _assert_feedback(course: Stage, out: Path) -> None:
    document = json.loads((out / JSON).read_text())
    folders = {row["student"]: out / "students" / row["folder"] for row in document["students"]}
    ben = (folders["ben"] / "feedback.txt").read_text()
    for part in ("6 of 8 points", "recv returns 0 when the client has closed", "CLOSE_WAIT", "FIN"):
        assert part in ben
    eve = (folders["eve"] / "feedback.md").read_text()
    assert "server.c:5" in eve
    for folder in folders.values():
        for file in folder.rglob("*"):
            if file.is_file():
                assert b"Nobody waits for a client" not in file.read_bytes(), file  # the hidden check
    checked = course.lab("check", folders["ben"] / "records" / "echo-1", "--json")
    assert checked.returncode == 1
    assert json.loads(checked.stdout)["records"][0]["as_recorded"] is True


def _assert_selfchecks(course: Stage, out: Path) -> None:
    """A student's own check comes to the visible points and outcomes of the grade, in the same words."""
    assert course.lab("publish", "assignment.yaml", "handout").returncode == 0
    graded = {row["student"]: row for row in json.loads((out / JSON).read_text())["students"]}
    for name, code, points in (("ann", 0, 8), ("ben", 1, 6), ("eve", 1, 0)):
        work = course.folder / "own" / name
        shutil.copytree(course.folder / "submissions" / name, work)
        where: tuple[str, ...] = ("--assignment", "handout/assignment.yaml")
        if name == "ann":  # the handout is unpacked where the work is
            shutil.copytree(course.folder / "handout", work, dirs_exist_ok=True)
            where = ()
        said = course.lab("selfcheck", f"own/{name}", *where, "--json", "--records", f"own/{name}/runs")
        assert said.returncode == code, said.stderr
        (own,) = json.loads(said.stdout)["results"]["students"]
        assert own["points"] == points
        assert own["digest"] == graded[name]["digest"]
        (ours,), theirs = own["scenarios"], graded[name]["scenarios"][0]
        assert ours["points"] == theirs["points"]
        assert [_of_run(run) for run in ours["runs"]] == [_of_run(run) for run in theirs["runs"]]


def _of_run(run: dict[str, Any]) -> tuple[str, list[tuple[str, str, str]]]:
    seen = [(one["name"], one["outcome"], one["expected"]) for one in run["checks"] if one["shown"]]
    return run["outcome"], seen
