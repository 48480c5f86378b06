"""``lab grade``: a class of submissions."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lab.cli.documents import Graded, Plan, Planned, SheetDocument
from lab.cli.places import place_at
from lab.cli.screen import Screen
from lab.core.errors import ExitCode, UsageError
from lab.core.escape import one_line
from lab.core.files import opened

if TYPE_CHECKING:
    from lab.grade.batch import BatchOptions, Grading, Row, Submission
    from lab.grade.journal import Journal
    from lab.grade.reading import Assigned
    from lab.grade.sheets import Filled, Sheet

_MOST_OF_TIMES = 16 * 1024**2
"""Bytes of a table of times."""


class Wanted(Struct, frozen=True):
    """What the person asks for."""

    out: Path
    only: tuple[str, ...] = ()
    again: str = ""
    jobs: int = 0
    times: Path | None = None
    dry_run: bool = False
    moodle_sheet: Path | None = None
    canvas_sheet: Path | None = None
    canvas_column: str = ""
    for_gradescope: bool = False
    scheduler: str = ""

    @property
    def asked(self) -> BatchOptions:
        """What the batch needs of it."""
        from msgspec import convert

        from lab.grade.batch import Again, BatchOptions

        return BatchOptions(self.only, convert(self.again, Again), self.jobs)


class _Told:
    """Tells what goes on: a line for each submission that is done, with -v for each thing that is done."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def say(self, text: str) -> None:
        """Progress in words."""
        self._screen.say(text)

    def at_work(self, student: str, text: str) -> None:
        """What is done with a submission."""
        if self._screen.verbose:
            self._screen.say(f"{student}: {text}")

    def done(self, row: Row, number: int, total: int, left: float) -> None:
        """A submission was graded."""
        name = one_line(row.submission.student.name)
        self._screen.tell(f"[{number}/{total}] {name}: {_outcome(row)}{time_left(left, number < total)}")


def time_left(seconds: float, any_left: bool) -> str:
    """How long it still takes, behind a line of progress."""
    told = f"{round(seconds)} s" if seconds < 90 else f"{round(seconds / 60)} min"
    return f", about {told} left" if any_left else ""


def damage_told(kept: Journal, screen: Screen) -> None:
    """Warn of a journal that cannot be read whole."""
    if kept.damaged:
        screen.warn(f"{kept.damaged} lines of the journal cannot be read: what they said is graded again")


@contextmanager
def to_go_on() -> Iterator[None]:
    """Whoever interrupts it is told that nothing is lost."""
    from lab.run.interruption import Interruption

    with Interruption():
        try:
            yield
        except KeyboardInterrupt:
            raise KeyboardInterrupt("what was graded is kept: the same command goes on from there") from None


def _outcome(row: Row) -> str:
    from lab.grade.points import worded

    if row.points is not None:
        return worded(row.points)
    return one_line("; ".join(row.reasons))


def grade(file: Path, submissions: Path, wanted: Wanted, screen: Screen) -> ExitCode:
    """Grade what is not graded yet, and write all results; INCONCLUSIVE if a human has to look at any."""
    from lab.grade import journal
    from lab.grade.batch import Grading
    from lab.grade.reading import read
    from lab.grade.results import document, write
    from lab.grade.sheets import filled
    from lab.grade.summary import summary

    assigned, times = read(file), _times(wanted.times)
    sheets = _sheets(wanted, assigned)
    with journal.opened(wanted.out) as kept:
        damage_told(kept, screen)
        grading = Grading(assigned, submissions, wanted.out, kept)
        _require(grading, wanted)
        if wanted.dry_run:
            return _planned(grading, wanted, screen)
        if any(one.digest for one in grading.submissions):
            with to_go_on(), place_at(wanted.scheduler, screen) as place:
                grading.work(place, wanted.asked, _Told(screen))
        rows = grading.rows(times)
        fillings = [filled(sheet, rows, assigned) for sheet in sheets]
        write(wanted.out, rows, assigned, fillings, for_gradescope=wanted.for_gradescope)
    screen.gap()
    screen.show([*summary(rows, assigned), "", f"results  {wanted.out}"])
    for filling in fillings:
        screen.show(filling.told())
    unsure = any(row.status == "human" for row in rows)
    code = ExitCode.INCONCLUSIVE if unsure else ExitCode.PASSED
    told = [_sheet_as_data(filling) for filling in fillings]
    screen.answer(Graded(out=str(wanted.out), results=document(rows, assigned), sheets=told, exit=code))
    return code


def _sheet_as_data(filling: Filled) -> SheetDocument:
    return SheetDocument(
        file=filling.name,
        filled=filling.number,
        no_points=filling.no_points,
        no_submission=filling.no_submission,
        no_line=filling.no_line,
        warning=filling.maximum,
    )


def _sheets(wanted: Wanted, assigned: Assigned) -> list[Sheet]:
    """The sheets to fill in, read before anything is played. UsageError."""
    from lab.grade.sheets import canvas_sheet, moodle_sheet

    found = [moodle_sheet(wanted.moodle_sheet)] if wanted.moodle_sheet else []
    if wanted.canvas_sheet:
        found.append(canvas_sheet(wanted.canvas_sheet, wanted.canvas_column, assigned.assignment.title))
    elif wanted.canvas_column:
        fix = "add --canvas-sheet FILE"
        raise UsageError(
            "no-sheet", "--canvas-column is for a sheet of Canvas", where="--canvas-column", fix=fix
        )
    return found


def _require(grading: Grading, wanted: Wanted) -> None:
    """UsageError if there is nothing to grade."""
    from lab.grade.batch import chosen

    if not grading.submissions:
        fix = "name the folder or the archive that holds an entry for each submission"
        raise UsageError("no-submissions", "there are no submissions", fix=fix)
    if not chosen(grading.submissions, wanted.only):
        names = ", ".join(one_line(one.student.name) for one in grading.submissions[:10])
        what = f"no submission is called {' or '.join(wanted.only)}"
        raise UsageError("no-submission", what, where="--only", fix=f"submissions: {names}")


def _planned(grading: Grading, wanted: Wanted, screen: Screen) -> ExitCode:
    """What would be done."""
    from lab.grade.batch import chosen

    todo = {one.student.key for one in grading.to_do(wanted.asked, knows_images=False)}
    found = chosen(grading.submissions, wanted.only)
    rows = [(one_line(one.student.name), one_line(one.label), _plan(one, todo)) for one in found]
    screen.show(screen.style.table(rows, ("STUDENT", "SUBMISSION", "PLAN")))
    plan = [Planned(student=student, submission=label, plan=told) for student, label, told in rows]
    screen.answer(Plan(plan=plan, exit=ExitCode.PASSED))
    return ExitCode.PASSED


def _plan(one: Submission, todo: set[str]) -> str:
    if one.refused:
        return f"{'for a human' if one.human else 'refused'}: {one_line(one.refused)}"
    return "grade" if one.student.key in todo else "has a result"


def _times(file: Path | None) -> Mapping[str, datetime]:
    """Hand-in times by the students' names and ids, as they are compared. UsageError."""
    from lab.grade.assignment import parse_moment
    from lab.grade.names import folded

    if file is None:
        return {}
    found: dict[str, datetime] = {}
    try:
        with opened(file) as stream:
            text = stream.read(_MOST_OF_TIMES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_times(file, f"it cannot be read: {error}") from error
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            found[folded(row["student"])] = parse_moment(row["time"])
        except KeyError as error:
            raise _bad_times(file, f"it has no column {error.args[0]}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise _bad_times(file, f"line {number}: {error}") from error
    return found


def _bad_times(file: Path, why: str) -> UsageError:
    fix = 'a table with the columns student and time: ann,"2026-12-01 23:59 Europe/Berlin"'
    return UsageError("times", f"the hand-in times cannot be used: {why}", where=f"--times {file}", fix=fix)
