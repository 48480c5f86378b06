"""The assignments that come with the lab: what docs/assignments.md says of each submission is what it gets.

Each assignment is laid down by ``lab init``, and its whole class is graded at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from lab.core.assets import ASSIGNMENTS
from lab.grade.results import JSON, STUDENTS
from tests.docker.stage import CHECKOUT, Stage

PAGE = CHECKOUT / "docs" / "assignments.md"
NAMES = sorted(file.parent.name for file in ASSIGNMENTS.glob("*/assignment.yaml"))
PATIENCE = 600.0
"""Seconds after which a class counts as hanging: it is some thirty labs."""

NOTHING_FAILS = "-"
_CAUSE = re.compile(r"( +\d+ of them)(?:, like this)?:(.*)")
_VARIES = re.compile(r"'(?:hex:|[^']*\\x)[^']*(?:'|$)|[\w.]*\d[\w.]*")
"""What varies in a cause: times, processes, bytes and texts that are new in each run."""

_COMPARED = 90
"""Characters of a line: where a longer one is cut depends on how long its numbers are."""


class Claim(Struct, frozen=True):
    """A row of the page: a check that fails, and words that the student reads."""

    submission: str
    points: float
    check: str
    words: str


def section(name: str) -> str:
    """What the page says of an assignment."""
    return PAGE.read_text(encoding="utf-8").partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def claims(name: str) -> Iterator[Claim]:
    for line in section(name).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"\d+(\.\d+)?", cells[1]):
            yield Claim(cells[0], float(cells[1]), cells[2], cells[3].strip("`"))


def printed(text: str) -> list[str]:
    """What ``lab grade`` prints, without what differs from run to run.

    Whether the script as a whole fails or nobody can tell depends, for a program that uses a whole
    processor, on how busy the machine is: those lines are left out.
    """
    lines = iter(text.strip().splitlines())
    found = []
    for line in lines:
        if re.fullmatch(r" +\d+  \S+: conversation", line):
            next(lines)
            continue
        if not line.startswith("results "):
            cause = _CAUSE.fullmatch(line)
            found.append(line if cause is None else f"{cause[1]}:{_VARIES.sub('#', cause[2])}"[:_COMPARED])
    return found


def test_each_has_a_section() -> None:
    assert sorted(re.findall(r"^## (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == NAMES


@pytest.mark.alone  # as many labs at once as the machine bears, and wrong programs differ in their times
@pytest.mark.parametrize("name", NAMES)
def test_a_class(stage: Stage, name: str) -> None:
    rows = sorted(claims(name), key=lambda row: row.submission)
    expected = {submission: list(group) for submission, group in groupby(rows, lambda row: row.submission)}
    assert stage.lab("init", "--from", name, "class").returncode == 0
    grading = stage.popen("grade", "class/assignment.yaml", "class/submissions")
    summary, progress = grading.communicate(timeout=PATIENCE)
    assert grading.returncode == 0, summary + progress
    results: Any = json.loads((stage.folder / "grades" / JSON).read_text(encoding="utf-8"))
    students = {student["student"]: student for student in results["students"]}

    full = [name for name, student in students.items() if student["points"] == results["maximum"]]
    assert len(full) == 2
    assert len(students) - len(full) >= 8
    points = {name: student["points"] for name, student in students.items()}
    assert points == {submission: group[0].points for submission, group in expected.items()}
    for submission, group in expected.items():
        folder = stage.folder / "grades" / STUDENTS / students[submission]["folder"]
        failed = set(failures(students[submission]))
        assert bool(failed) is (submission not in full), failed
        feedback = (folder / "feedback.txt").read_text(encoding="utf-8")
        for row in group:
            assert (row.check in failed) or (row.check == NOTHING_FAILS and submission in full), (row, failed)
            assert row.words in feedback, (row, feedback)

    (block,) = re.findall(r"```text\n(.*?)```", section(name), re.DOTALL)
    assert printed(block) == printed(summary)
    _assert_judged_again(stage, stage.folder / "grades" / "records")


def failures(student: dict[str, Any]) -> Iterator[str]:
    """The checks that failed, and ``does not build``."""
    for scenario in student["scenarios"]:
        for run in scenario["runs"]:
            if run["outcome"] == "not-built":
                yield "does not build"
            yield from (check["name"] for check in run["checks"] if check["outcome"] == "fail")


def _assert_judged_again(stage: Stage, records: Path) -> None:
    """The nonce is in each record: the verdict is the same without an engine."""
    folders = [path for path in sorted(records.iterdir()) if not path.name.endswith("-shown")]
    checked = stage.lab("check", "--json", *folders)
    told = json.loads(checked.stdout)["records"]
    assert len(told) == len(folders)
    assert all(record["as_recorded"] for record in told)
