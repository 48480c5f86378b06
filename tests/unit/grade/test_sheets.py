"""The sheets of Moodle and Canvas: points are filled in, and no other byte changes."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from lab.core.errors import UsageError
from lab.grade.batch import Row, Submission
from lab.grade.names import feedback_place, named
from lab.grade.points import Score
from lab.grade.reading import Assigned, read
from lab.grade.results import MOODLE_FEEDBACK, NBGRADER, nbgrader_book, write
from lab.grade.sheets import canvas_sheet, filled, moodle_sheet

STARTER = Path(__file__).parents[3] / "scenarios" / "starter_assignment"

MOODLE = (
    '\ufeffIdentifier,"Full name","Email address",Status,Grade,"Maximum Grade","Last modified (grade)","Feedback comments"\n'
    '"Participant 11","Ada ""A."" Byron",ada@x,"Submitted for grading - ",,10.00,-,"=1+1, or\r\nso"\n'
    '"Participant 12",=Bob,b@x,-,3.00,10.00,-,\n'
    '"Participant 13",Eve,e@x,-,"4.00",10.00,-,\n'
    '"Participant 14","Zoë",z@x,-,,10.00,-,'
)
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,An echo server (77),Other (78),Final Score\r\n"
    "    Points Possible,,,,,5.00,1.00,(read only)\r\n"
    '"Byron, Ada",11,s11,ada,"CN, 1",,1,\r\n'
    '"Student, Test",99,,x,CN,,,\r\n'
)


@pytest.fixture
def assigned() -> Assigned:
    return read(STARTER / "assignment.yaml")


def row(label: str, points: str | None, *, is_folder: bool = True) -> Row:
    own = Submission(named(label, is_folder=is_folder), label, "digest")
    score = {"echo": Score(Fraction(points or 0))}
    when = datetime(2026, 12, 1, 23, 0, tzinfo=UTC)
    return Row(own, "human" if points is None else "graded", scores=score, handed_in=when)


def moodle_rows() -> list[Row]:
    return [
        row("Ada A. Byron_11_assignsubmission_file", "7.125"),
        row("Bob_12_assignsubmission_file_server.c", "0", is_folder=False),
        row("Eve_13_assignsubmission_file_", None),
        row("Joe_15_assignsubmission_file", "1"),
        row("ann", "2"),
    ]


def test_moodle(assigned: Assigned, tmp_path: Path) -> None:
    file = tmp_path / "grades.csv"
    file.write_bytes(MOODLE.encode())
    told = filled(moodle_sheet(file), moodle_rows(), assigned)
    expected = MOODLE.replace('for grading - ",,', 'for grading - ",7.13,').replace("-,3.00", "-,0")
    assert told.text.encode() == expected.encode()
    assert (told.number, told.no_submission, told.no_points) == (2, ("Zoë (14)",), ("Eve (13)",))
    assert told.no_line == ("Joe (15)", "ann")
    assert told.maximum == ""

    write(tmp_path, moodle_rows(), assigned, [told])
    assert (tmp_path / "moodle-grades.csv").read_bytes() == expected.encode()
    with zipfile.ZipFile(tmp_path / MOODLE_FEEDBACK) as archive:
        assert archive.namelist() == [
            "Ada A. Byron_11_assignsubmission_file/feedback.txt",
            "Bob_12_assignsubmission_file_feedback.txt",
            "Eve_13_assignsubmission_file_/feedback.txt",
            "Joe_15_assignsubmission_file/feedback.txt",
        ]
        assert b"An echo server" in archive.read("Eve_13_assignsubmission_file_/feedback.txt")
    first = (tmp_path / MOODLE_FEEDBACK).read_bytes()
    write(tmp_path, moodle_rows(), assigned, for_gradescope=True)
    assert not (tmp_path / "moodle-grades.csv").exists()  # it was not asked for this time
    assert len(list((tmp_path / "gradescope").iterdir())) == 5
    assert (tmp_path / MOODLE_FEEDBACK).read_bytes() == first
    write(tmp_path, moodle_rows()[-1:], assigned)
    assert not (tmp_path / MOODLE_FEEDBACK).exists()
    assert not (tmp_path / "gradescope").exists()


def test_a_sheet_that_a_spreadsheet_saved_with_semicolons(assigned: Assigned, tmp_path: Path) -> None:
    file = tmp_path / "grades.csv"
    text = '"Identifier";"Full name";"Grade"\r\n"Participant 11";"Byron, A; B";\r\n'
    file.write_bytes(text.encode())
    told = filled(moodle_sheet(file), moodle_rows()[:1], assigned)
    assert told.text == text.replace('B";', 'B";7.13')


def test_canvas(assigned: Assigned, tmp_path: Path) -> None:
    file = tmp_path / "grades.csv"
    file.write_bytes(CANVAS.encode())
    rows = [row("byronada_LATE_11_555_server-1.c", "7.5", is_folder=False)]
    for column, expected in (
        ("", CANVAS.replace('"CN, 1",,', '"CN, 1",7.5,')),
        ("Other", CANVAS.replace('"CN, 1",,1,', '"CN, 1",,7.5,')),
        ("78", CANVAS.replace('"CN, 1",,1,', '"CN, 1",,7.5,')),
    ):
        told = filled(canvas_sheet(file, column, assigned.assignment.title), rows, assigned)
        assert told.text.encode() == expected.encode()
        assert told.no_submission == ("Student, Test (99)",)
        assert f"a maximum of {'1' if column else '5'} points, the assignment of 10" in told.maximum
    alone = CANVAS.replace("Other (78)", "Other")
    file.write_bytes(alone.encode())
    assert filled(canvas_sheet(file, "", "Another title"), rows, assigned).number == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"Identifier,Note\nParticipant 1,", "no column Grade", id="no column"),
        pytest.param(b"", "no column Identifier", id="empty"),
        pytest.param(b'Identifier,Grade\n"Participant 1,', "line 2: a quoted cell", id="open quote"),
        pytest.param(b"Identifier,Grade\n\xff,", "not UTF-8", id="not utf-8"),
        pytest.param(b"Identifier,Grade\nParticipant 1,\nParticipant 1,", "the student 1", id="twice"),
        pytest.param(b"Identifier,Grade\nsum,", "no line is of a student", id="nobody"),
        pytest.param(b"Identifier,Grade\nParticipant 1", "line 2 has too few cells", id="short line"),
    ],
)
def test_what_is_no_sheet_of_moodle(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "grades.csv"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=why):
        moodle_sheet(file)


def test_a_column_of_canvas_that_is_not_clear(tmp_path: Path) -> None:
    file = tmp_path / "grades.csv"
    file.write_bytes(CANVAS.encode())
    with pytest.raises(UsageError, match=r'no column is called "x".*: An echo server \(77\), Other \(78\)'):
        canvas_sheet(file, "", "x")
    file.write_bytes(CANVAS.replace("Other (78)", "An echo server (79)").encode())
    with pytest.raises(UsageError, match="several columns are"):
        canvas_sheet(file, "", "An echo server")


def test_nbgrader(assigned: Assigned) -> None:
    (ann, eve) = csv.DictReader(io.StringIO(nbgrader_book([row("ann", "7.5"), row("=eve", None)], assigned)))
    assert ann == {
        "assignment": "An echo server", "duedate": "2026-12-01 22:59:00", "timestamp": "2026-12-01 23:00:00",
        "student_id": "ann", "last_name": "", "first_name": "", "email": "", "raw_score": "7.5",
        "late_submission_penalty": "0", "score": "7.5", "max_score": "10",
    }  # fmt: skip
    assert (eve["student_id"], eve["score"], NBGRADER) == ("'=eve", "", "nbgrader.csv")


@pytest.mark.parametrize("name", ["ann", "a_1_2_server.c", "x/y_1_assignsubmission_file"])
def test_only_names_of_moodle_have_a_place_for_feedback(name: str) -> None:
    assert feedback_place(name) == ""
