"""The files that a batch leaves: grade book, JSON, JUnit, summary, and a folder for each student.

All of it is made anew from the journal and the records each time: it is the same however often the batch was
interrupted.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from lab.core.errors import DiskFullError, UsageError, is_full
from lab.core.escape import one_line, unicode_json
from lab.core.words import Outcome
from lab.evidence.message import message
from lab.evidence.verdict import CheckResult, Verdict
from lab.grade import gradescope
from lab.grade.batch import Row
from lab.grade.feedback import as_markdown, as_text, lines
from lab.grade.names import feedback_place
from lab.grade.points import shown
from lab.grade.reading import Assigned
from lab.grade.result import CaseResult, CheckSeen
from lab.grade.sheets import CANVAS, MOODLE, Filled
from lab.grade.showing import linked
from lab.grade.summary import equal, summary
from lab.grade.work import RECORDS
from lab.output.reports import Result, formats

FORMAT = 1
GRADE_BOOK, NBGRADER, JSON, JUNIT, SUMMARY, STUDENTS, MOODLE_FEEDBACK = (
    "gradebook.csv", "nbgrader.csv", "results.json", "junit.xml", "summary.txt", "students",
    "moodle-feedback.zip",
)  # fmt: skip

_FEEDBACK = ("feedback.md", "feedback.txt")
"""Of each student."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(
    out: Path,
    rows: Sequence[Row],
    assigned: Assigned,
    sheets: Iterable[Filled] = (),
    *,
    for_gradescope: bool = False,
) -> None:
    """Write all of it. DiskFullError if there is no room, UsageError if it cannot be written."""
    try:
        _remove_old(out)
        if for_gradescope:
            _gradescope(out / gradescope.FOLDER, rows, assigned)
        for sheet in sheets:
            put(out / sheet.name, sheet.text)
        put(out / GRADE_BOOK, grade_book(rows, assigned))
        put(out / NBGRADER, nbgrader_book(rows, assigned))
        put(out / JSON, unicode_json(json.dumps(document(rows, assigned), indent=1) + "\n"))
        put(out / JUNIT, formats()["junit"].document(_suites(rows)))
        put(out / SUMMARY, "\n".join(summary(rows, assigned)) + "\n")
        for row in rows:
            _student(out, row, assigned)
        _remove_gone(out / STUDENTS, rows)
        _zip(out, rows)
    except OSError as error:
        if is_full(error):
            raise DiskFullError(error, str(out)) from error
        what = f"the results cannot be written: {error.strerror}"
        raise UsageError("out", what, where=str(out), fix="name another folder: --out DIR") from error


def put(path: Path, text: str) -> None:
    """Write a file that is whole or not there. OSError."""
    with _replaced(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Where to write a file so that it is whole or not there."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


# The grade book


def grade_book(rows: Iterable[Row], assigned: Assigned) -> str:
    """A row for each student (RFC 4180). No cell is a formula, whatever a student is called."""
    stream = io.StringIO()
    book = csv.writer(stream, lineterminator="\r\n")
    names = [one.name for one in assigned.played]
    heads = ("student", "id", "submission", "status", "points", "of", "open", "penalty", "late")
    book.writerow([*heads, *names, "remarks"])
    for row in rows:
        own = row.submission
        scores = [_cell_of(row, name) for name in names]
        remarks = "; ".join((*row.reasons, *own.remarks))
        points = "" if row.points is None else shown(row.points)
        numbers = (points, shown(assigned.maximum), shown(row.open), shown(row.penalty))
        texts = (own.student.name, own.student.id, own.label, row.status)
        book.writerow([*map(cell, texts), *numbers, cell(row.late), *scores, cell(remarks)])
    return stream.getvalue()


def nbgrader_book(rows: Iterable[Row], assigned: Assigned) -> str:
    """The columns that `nbgrader export` writes; names and addresses are not known."""
    stream = io.StringIO()
    book = csv.writer(stream, lineterminator="\n")
    book.writerow(
        ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
         "raw_score", "late_submission_penalty", "score", "max_score")
    )  # fmt: skip
    late = assigned.assignment.late
    due = _in_utc(late.deadline if late else None)
    title, maximum = cell(assigned.assignment.title), shown(assigned.maximum)
    for row in rows:
        student = row.submission.student
        numbers = () if row.points is None else (row.earned, row.penalty, row.points)
        scores = list(map(shown, numbers)) or ["", "", ""]
        texts = (title, due, _in_utc(row.handed_in), cell(student.id or student.name), "", "", "")
        book.writerow([*texts, *scores, maximum])
    return stream.getvalue()


def _in_utc(moment: datetime | None) -> str:
    """A time as nbgrader has it: in UTC, without a zone."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if moment else ""


def _cell_of(row: Row, name: str) -> str:
    score = row.scores.get(name)
    if score is None:
        return ""
    return shown(score.earned) if not score.open else "?"


def cell(text: str) -> str:
    """A text in one line that no spreadsheet takes for a formula."""
    plain = one_line(text)
    return f"'{plain}" if text.startswith(_FORMULA) or plain.lstrip().startswith(_FORMULA) else plain


# JSON


def document(rows: Sequence[Row], assigned: Assigned, records: str = RECORDS) -> dict[str, Any]:
    """The results for programs, as ``lab.grade.document`` says; ``records`` is the folder of the records."""
    return {
        "format": FORMAT,
        "title": assigned.assignment.title,
        "maximum": float(assigned.maximum),
        "scenarios": [_scenario_as_data(one.name, one.case.worth, one.is_hidden) for one in assigned.played],
        "students": [_row_as_data(row, records) for row in rows],
        "equal": [[row.submission.student.name for row in group] for group in equal(rows)],
    }


def _scenario_as_data(name: str, worth: Fraction, hidden: bool) -> dict[str, Any]:
    return {"name": name, "points": float(worth), "hidden": hidden}


def _row_as_data(row: Row, records: str) -> dict[str, Any]:
    own = row.submission
    return {
        "student": own.student.name,
        "id": own.student.id,
        "submission": own.label,
        "folder": own.folder,
        "digest": own.digest,
        "status": row.status,
        "points": None if row.points is None else float(row.points),
        "open": float(row.open),
        "penalty": float(row.penalty),
        "late": row.late,
        "reasons": list(row.reasons),
        "remarks": list(own.remarks),
        "scenarios": [_case_as_data(case, row, records) for case in (row.graded.cases if row.graded else ())],
    }


def _case_as_data(case: CaseResult, row: Row, records: str) -> dict[str, Any]:
    score = row.scores[case.name]
    return {
        "name": case.name,
        "points": float(score.earned),
        "open": float(score.open),
        "blocked": case.blocked,
        "advice": [{"what": one.what, "place": one.place} for one in case.advice],
        "runs": [
            {
                "outcome": run.outcome,
                "said": run.said,
                "record": f"{records}/{run.record}" if run.record else "",
                "checks": [
                    {
                        "name": one.name, "outcome": one.outcome, "points": one.points, "shown": one.shown,
                        "expected": one.expected, "observed": one.observed, "causes": list(one.causes),
                        "hint": one.hint, "follows": one.follows,
                    }
                    for one in run.checks
                ],
            }
            for run in case.runs
        ],
    }  # fmt: skip


# JUnit


def _suites(rows: Iterable[Row]) -> Iterator[Result]:
    """A suite for each scenario of each student."""
    for row in rows:
        own = row.submission
        if row.graded is None:
            yield Result(own.folder, trouble="; ".join(row.reasons))
        for case in row.graded.cases if row.graded else ():
            yield from _suite(f"{own.folder}/{case.name}", case)


def _suite(name: str, case: CaseResult) -> Iterator[Result]:
    if case.blocked:
        yield Result(
            name, _verdict(name, (_check("played", Outcome.SKIPPED, f"{case.blocked} did not pass"),))
        )
    for number, run in enumerate(case.runs, start=1):
        own = name if len(case.runs) == 1 else f"{name} run {number}"
        if run.outcome == "trouble":
            yield Result(own, trouble=run.said)
        elif run.outcome == "not-built":
            yield Result(own, _verdict(own, (_check("built", Outcome.FAIL, run.said),)))
        else:
            yield Result(own, _verdict(own, tuple(map(_seen, run.checks))))


def _verdict(name: str, results: tuple[CheckResult, ...]) -> Verdict:
    return Verdict(name, Outcome.SKIPPED, results)


def _check(name: str, outcome: Outcome, observed: str) -> CheckResult:
    return _seen(CheckSeen(name, outcome.value, observed=observed))


def _seen(one: CheckSeen) -> CheckResult:
    told = tuple(message("text", text=text) for text in one.causes)
    wanted, there = message("text", text=one.expected), message("text", text=one.observed)
    outcome = Outcome(one.outcome)
    hint = one.hint if outcome is Outcome.FAIL else ""
    return CheckResult(one.name, "", outcome, (wanted,), (there,), hint=hint, causes=told)


# Students


def _student(out: Path, row: Row, assigned: Assigned) -> None:
    """A student's folder: feedback, and the records that they may have."""
    folder = out / STUDENTS / row.submission.folder
    folder.mkdir(parents=True, exist_ok=True)
    told = list(lines(row, assigned, out / RECORDS))
    markdown, text = _FEEDBACK
    put(folder / markdown, as_markdown(told))
    put(folder / text, as_text(told))
    target = folder / RECORDS
    shutil.rmtree(target, ignore_errors=True)
    for name, source in _records(row, assigned, out):
        (target / name).mkdir(parents=True)
        for file in sorted(source.iterdir()):
            linked(file, target / name / file.name)


def _remove_gone(students: Path, rows: Iterable[Row]) -> None:
    """Remove what an earlier run wrote for submissions that are gone; what others put beside it stays."""
    there = {row.submission.folder for row in rows}
    for folder in sorted(students.glob("*")):
        if folder.name in there or folder.is_symlink() or not folder.is_dir():
            continue
        for name in _FEEDBACK:
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / RECORDS, ignore_errors=True)
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def _remove_old(out: Path) -> None:
    """Remove what is written on demand only: points of an earlier run are not to be uploaded."""
    for name in (MOODLE, CANVAS):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / gradescope.FOLDER, ignore_errors=True)


def _gradescope(folder: Path, rows: Iterable[Row], assigned: Assigned) -> None:
    """A ``results.json`` for each student."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        if row.status != "waiting":
            put(folder / f"{row.submission.folder}.json", gradescope.results(row, assigned))


def _zip(out: Path, rows: Iterable[Row]) -> None:
    """The feedback as Moodle takes it, under the names that its download had; no file without such names."""
    places = ((feedback_place(row.submission.label), row) for row in rows if row.status != "waiting")
    wanted = [(place, row) for place, row in places if place]
    target = out / MOODLE_FEEDBACK
    if not wanted:
        target.unlink(missing_ok=True)
        return
    with _replaced(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, row in wanted:
            text = (out / STUDENTS / row.submission.folder / "feedback.txt").read_bytes()
            name = f"{place}feedback.txt".encode(errors="backslashreplace").decode()
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o644 << 16
            archive.writestr(info, text)


def _records(row: Row, assigned: Assigned, out: Path) -> Iterator[tuple[str, Path]]:
    hidden = {one.name for one in assigned.played if one.is_hidden}
    for case in row.graded.cases if row.graded else ():
        for number, run in enumerate(case.runs, start=1):
            source = out / RECORDS / run.shown
            if run.shown and case.name not in hidden and source.is_dir():
                yield (case.name if len(case.runs) == 1 else f"{case.name}-{number}"), source
