"""The grade sheets of Moodle and Canvas, as they were downloaded, with the points filled in.

Nothing but numbers is written into them, so that no cell becomes a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from msgspec import Struct

from lab.core.escape import one_line
from lab.grade.batch import Row
from lab.grade.points import shown
from lab.grade.reading import Assigned
from lab.grade.table import Table, read_table, refusal

MOODLE, CANVAS = "moodle-grades.csv", "canvas-grades.csv"
"""What the filled sheets are called."""

_MOODLE_OPTION, _CANVAS_OPTION = "--moodle-sheet", "--canvas-sheet"
_PARTICIPANT = re.compile(r"\D*(\d{1,18})")
_OF_CANVAS = re.compile(r"(?P<title>.*) \((?P<id>\d+)\)", re.DOTALL)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SHOWN = 10


class Sheet(Struct, frozen=True):
    """A sheet that can be filled in: the line of each student by the id, and the column of points."""

    platform: str
    table: Table
    students: dict[str, int]
    names: int | None
    points: int
    maximum: Fraction | None


class Filled(Struct, frozen=True):
    """A sheet that was filled in, under its name, and who is not in it: in words, and as names."""

    name: str
    text: str
    number: int
    no_submission: tuple[str, ...]
    no_line: tuple[str, ...]
    no_points: tuple[str, ...]
    maximum: str

    def told(self) -> Iterator[str]:
        """What a teacher should know of it."""
        yield f"{self.name}: points of {self.number} filled in"
        if self.maximum:
            yield f"  {self.maximum}"
        for text, names in (
            ("without points yet", self.no_points),
            ("without a submission, left as they are", self.no_submission),
            ("with a submission, but not in the sheet", self.no_line),
        ):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                yield f"  {text}: {', '.join(map(one_line, names[:_SHOWN]))}{more}"


def moodle_sheet(file: Path) -> Sheet:
    """Moodle's grading worksheet. UsageError."""
    table = read_table(file, _MOODLE_OPTION, ("Identifier", "Grade"))
    own = table.column("Identifier")
    students = _by_id(
        table,
        (
            (found[1], line)
            for line in range(1, len(table.lines))
            if (found := _PARTICIPANT.fullmatch(table.cell(line, own)))
        ),
        _MOODLE_OPTION,
    )
    limit = table.column("Maximum Grade")
    limits = (table.cell(line, limit).strip() for line in students.values())
    points = _wide_enough(table, students, table.heads.index("Grade"), _MOODLE_OPTION)
    return Sheet("moodle", table, students, table.column("Full name"), points, _only_number(limits))


def canvas_sheet(file: Path, column: str, title: str) -> Sheet:
    """Canvas's grade book; the points go to the column of that title or id, else to the assignment's.

    UsageError if it is none, or has no such column.
    """
    table = read_table(file, _CANVAS_OPTION, ("Student", "ID"))
    own, names = table.column("ID"), table.column("Student")
    ids = ((table.cell(line, own).strip(), line) for line in range(1, len(table.lines)))
    students = _by_id(table, ((id_, line) for id_, line in ids if id_.isdecimal()), _CANVAS_OPTION)
    points = _wide_enough(table, students, _column_of(table, column, title), _CANVAS_OPTION)
    above = range(1, min(students.values()))
    limits = (table.cell(line, points).strip() for line in above if _is_limit(table.cell(line, names)))
    return Sheet("canvas", table, students, names, points, _only_number(limits))


def _is_limit(name: str) -> bool:
    return name.strip() == "Points Possible"


def _column_of(table: Table, column: str, title: str) -> int:
    """The place of the column for the points."""
    found = {place: parts for place, head in enumerate(table.heads) if (parts := _OF_CANVAS.fullmatch(head))}
    wanted = column or title
    fitting = [
        place for place, parts in found.items() if wanted in (parts["title"], parts["id"], parts.group())
    ]
    if not fitting and not column and len(found) == 1:
        fitting = list(found)
    if len(fitting) != 1:
        there = ", ".join(one_line(parts.group()) for parts in list(found.values())[:_SHOWN]) or "none"
        how = "several columns are" if fitting else "no column is"
        why = f'{how} called "{one_line(wanted)}"; name one with --canvas-column: {there}'
        raise refusal(table.file, _CANVAS_OPTION, why)
    return fitting[0]


def _by_id(table: Table, found: Iterable[tuple[str, int]], option: str) -> dict[str, int]:
    students: dict[str, int] = {}
    for id_, line in found:
        if id_ in students:
            raise refusal(table.file, option, f"two lines are of the student {id_}")
        students[id_] = line
    if not students:
        raise refusal(table.file, option, "no line is of a student")
    return students


def _wide_enough(table: Table, students: dict[str, int], points: int, option: str) -> int:
    """The column of points, which each student's line has."""
    short = next((line for line in students.values() if points >= len(table.lines[line])), None)
    if short is not None:
        raise refusal(table.file, option, f"line {short + 1} has too few cells")
    return points


def _only_number(texts: Iterable[str]) -> Fraction | None:
    """The number that all texts that are one have in common."""
    numbers = {Fraction(text) for text in texts if _NUMBER.fullmatch(text)}
    return numbers.pop() if len(numbers) == 1 else None


def filled(sheet: Sheet, rows: Sequence[Row], assigned: Assigned) -> Filled:
    """The sheet with the points of all whose points are known."""
    own = {
        row.submission.student.id: row for row in rows if row.submission.student.platform == sheet.platform
    }
    cells: dict[tuple[int, int], str] = {}
    no_points = []
    for id_, row in own.items():
        if id_ not in sheet.students:
            continue
        if row.points is None:
            no_points.append(_called(row))
        else:
            cells[sheet.students[id_], sheet.points] = shown(row.points)
    there = {line for id_, line in sheet.students.items() if id_ in own}
    return Filled(
        MOODLE if sheet.platform == "moodle" else CANVAS,
        sheet.table.filled(cells),
        len(cells),
        tuple(_name_in(sheet, id_) for id_, line in sheet.students.items() if line not in there),
        tuple(_called(row) for row in rows if not _is_in(sheet, row)),
        tuple(no_points),
        _maximum_told(sheet, assigned),
    )


def _is_in(sheet: Sheet, row: Row) -> bool:
    student = row.submission.student
    return student.platform == sheet.platform and student.id in sheet.students


def _called(row: Row) -> str:
    student = row.submission.student
    return f"{student.name} ({student.id})" if student.id else student.name


def _name_in(sheet: Sheet, id_: str) -> str:
    name = sheet.table.cell(sheet.students[id_], sheet.names).strip()
    return f"{name} ({id_})" if name else id_


def _maximum_told(sheet: Sheet, assigned: Assigned) -> str:
    if sheet.maximum is None or sheet.maximum == assigned.maximum:
        return ""
    theirs, ours = shown(sheet.maximum), shown(assigned.maximum)
    return f"the sheet has a maximum of {theirs} points, the assignment of {ours}: the points are not scaled"
