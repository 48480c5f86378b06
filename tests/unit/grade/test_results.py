"""What a batch writes: nothing hidden reaches students, and nothing that a name or a program says is acted on."""

from __future__ import annotations

import csv
import io
import json
import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace

from lab.grade.batch import Row, Submission, as_assigned
from lab.grade.document import Document
from lab.grade.feedback import as_text, inert_markdown, lines
from lab.grade.names import Named
from lab.grade.points import scores
from lab.grade.reading import Assigned, read
from lab.grade.result import CaseResult, CheckSeen, Detail, Graded, RunResult
from lab.grade.results import GRADE_BOOK, JSON, JUNIT, STUDENTS, SUMMARY, cell, write
from lab.grade.showing import LADDER

STARTER = Path(__file__).parents[3] / "scenarios" / "starter_assignment"
FORMULA = "=cmd|' /C calc'!A0"
NASTY = "\x1b[31m<script>``` ]]>\0\ud800 ::error::"


@pytest.fixture
def assigned() -> Assigned:
    return read(STARTER / "assignment.yaml")


def graded(assigned: Assigned, *runs: RunResult) -> Row:
    hidden = RunResult(
        "failed", (CheckSeen("Secret name", "fail", shown=False, expected="Secret text", hint="Secret hint"),)
    )
    result = Graded((CaseResult("echo", runs), CaseResult("pieces", (hidden,))))
    own = Submission(Named(FORMULA, "1", "moodle"), "x", "digest", "same")
    return Row(own, "graded", (), result, scores(assigned.played, result))


def run(assigned: Assigned) -> RunResult:
    names = [check.name or "" for check in assigned.played[0].loaded.scenario.checks]
    seen = (Detail("programs", f"server: asleep\n  | {NASTY}"),)
    checks = (
        CheckSeen(names[0], "pass", 2),
        CheckSeen(
            names[1],
            "fail",
            4,
            expected="15 bytes",
            observed=NASTY,
            causes=("a cause",),
            hint="a hint",
            details=seen,
        ),
        CheckSeen(names[2], "fail", 2, shown=False, observed="Secret seen", hint="Secret too"),
    )
    return RunResult("failed", checks, shown="record", record="record")


def test_everything_of_a_class(assigned: Assigned, tmp_path: Path) -> None:
    record = tmp_path / "records" / "record"
    record.mkdir(parents=True)
    (record / LADDER).write_text(f"ladder {'`' * 5}\n")
    one = graded(assigned, run(assigned), run(assigned))
    ann = Row(Submission(Named("ann"), "ann", refused="+1\nb"), "refused", ("+1\nb",))
    trouble = Graded(
        (
            CaseResult("echo", (RunResult("trouble", said="the engine is gone"),)),
            CaseResult("pieces", blocked="echo"),
        )
    )
    ben = Row(
        Submission(Named("ben"), "ben", "d", "same"), "human", ("echo could not be graded",), trouble,
        scores(assigned.played, trouble),
    )  # fmt: skip
    write(tmp_path, [one, ann, ben], assigned)

    book = list(csv.DictReader(io.StringIO((tmp_path / GRADE_BOOK).read_text(encoding="utf-8"))))
    assert [row["student"] for row in book] == [f"'{FORMULA}", "ann", "ben"]
    assert [row["points"] for row in book] == ["2", "0", ""]
    assert [row["open"] for row in book] == ["0", "0", "10"]
    assert book[1]["remarks"] == "'+1␊b"
    assert [row["echo"] for row in book] == ["2", "", "?"]

    document = json.loads((tmp_path / JSON).read_text(encoding="utf-8"))
    assert msgspec.convert(document, Document).format == 1  # strict: no key is missing, none unknown
    assert document["equal"] == [[FORMULA, "ben"]]
    assert [row["points"] for row in document["students"]] == [2, 0, None]
    suites = ET.fromstring((tmp_path / JUNIT).read_text(encoding="utf-8"))  # noqa: S314 - it is ours
    assert [suite.get("errors") for suite in suites] == ["0", "0", "0", "1", "1", "0"]
    told = (tmp_path / SUMMARY).read_text(encoding="utf-8")
    assert "3 submissions: 1 graded, 1 refused, 1 for a human" in told
    assert "Equal but for comments" in told

    for folder in (tmp_path / STUDENTS).iterdir():
        for file in folder.glob("feedback.*"):
            assert "Secret" not in (text := file.read_text(encoding="utf-8"))
            assert "pieces" not in text
            assert "\x1b" not in text
    own = tmp_path / STUDENTS / one.submission.folder
    text, marked = (own / "feedback.txt").read_text(), (own / "feedback.md").read_text()
    for part in (
        "fail: The same bytes come back",
        "expected: 15 bytes",
        "cause: a cause",
        "hint: a hint",
        "    programs:\n        server: asleep\n          | ",
        "ladder",
    ):
        assert part in text
    assert "    - programs:\n\n      ````text\n      server: asleep\n" in marked
    assert "<script>" not in re.sub(r"(?s)( *)(`{3,})text\n.*?\n\1\2\n", "", marked)
    assert "``````text\nladder `````\n``````" in marked
    assert "no fault of yours" in (tmp_path / STUDENTS / ben.submission.folder / "feedback.txt").read_text()
    assert sorted(path.name for path in (own / "records").iterdir()) == ["echo-1", "echo-2"]


def test_hints_and_visibility_are_those_of_the_assignment_now(assigned: Assigned) -> None:
    seen = (CheckSeen("The server does not stay in CLOSE_WAIT", "fail", hint="of the scenario"),
            CheckSeen("other", "fail", hint="of the scenario"), CheckSeen("x", "fail", shown=False))  # fmt: skip
    cases = tuple(CaseResult(name, (RunResult("failed", seen),)) for name in ("echo", "pieces"))
    echo, pieces = (case.runs[0].checks for case in as_assigned(Graded(cases), assigned).cases)
    assert [one.hint for one in echo][:2] == ["recv returns 0 when the client has closed.", "of the scenario"]
    assert [one.shown for one in echo] == [True, True, False]
    assert [one.shown for one in pieces] == [False, False, False]


def test_the_words_of_a_compiler_are_shown_once(assigned: Assigned, tmp_path: Path) -> None:
    run = RunResult("not-built", said="server.c:5: error")
    shown = [
        replace(one, case=one.case.model_copy(update={"visibility": "visible"})) for one in assigned.played
    ]
    result = Graded((CaseResult("echo", (run,)), CaseResult("pieces", (run,))))
    row = Row(Submission(Named("eve"), "eve", "d"), "graded", (), result, scores(shown, result))
    told = as_text(list(lines(row, replace(assigned, played=tuple(shown)), tmp_path)))
    assert told.count("server.c:5: error") == 1
    assert "It does not build, as above." in told


def test_late_points_are_never_below_nothing(assigned: Assigned) -> None:
    row = graded(assigned, run(assigned))
    assert row.points == 2
    late = Row(row.submission, "graded", (), row.graded, row.scores, Fraction(5), "late")
    assert late.points == 0


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text)[0] not in "=+-@\t\r\n "
    assert "\n" not in cell(text)


def test_markdown_is_inert() -> None:
    assert inert_markdown("[a](http://x) <b> `c` &amp;") == r"\[a\]\(http\://x\) &lt;b\> \`c\` &amp;amp;"


def test_what_was_written_for_a_submission_that_is_gone_goes(assigned: Assigned, tmp_path: Path) -> None:
    rows = [
        Row(Submission(Named(name), name, refused="x"), "refused", ("x",)) for name in ("ann", "ben", "eve")
    ]
    write(tmp_path, rows, assigned)
    students = tmp_path / STUDENTS
    ann, ben, eve = (students / row.submission.folder for row in rows)
    (ben / "records" / "echo").mkdir(parents=True)
    (eve / "mine.txt").write_text("notes")
    other = tmp_path / "elsewhere" / "feedback.md"
    other.parent.mkdir()
    other.write_text("not ours")
    (students / "link").symlink_to(other.parent)
    write(tmp_path, rows[:1], assigned)
    assert set(students.iterdir()) == {ann, eve, students / "link"}
    assert len(list(ann.iterdir())) == 2
    assert list(eve.iterdir()) == [eve / "mine.txt"]
    assert other.exists()
