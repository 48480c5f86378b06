"""``lab selfcheck``: a student's own work, before it is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cli.connected import connected
from lab.cli.documents import SelfChecked
from lab.cli.screen import Screen
from lab.core.errors import ExitCode

if TYPE_CHECKING:
    from lab.grade.batch import Row
    from lab.grade.reading import Assigned
    from lab.grade.result import CaseResult


def selfcheck(work: Path, assignment: Path | None, records: Path, screen: Screen) -> ExitCode:
    """Play the visible scenarios with what is there, and tell what a student would read."""
    from lab.grade.batch import Row, Submission, row_of
    from lab.grade.intake import Refused
    from lab.grade.names import named
    from lab.grade.reading import digest_of, read
    from lab.grade.selfcheck import found, played, taken, visible

    file = assignment or found(work)
    assigned = visible(read(file))
    student = named(work.resolve().name or "work", is_folder=work.is_dir())
    screen.say(f"checking {work} by {file}")
    try:
        own = taken(work, assigned, records)
    except Refused as refused:
        row = Row(Submission(student, str(work), refused=refused.reason), "refused", (refused.reason,))
        return _told(row, assigned, records, screen)
    with connected(screen) as engine:
        graded = played(own, assigned, engine, records, screen.say)
    submission = Submission(student, str(work), digest_of(own.tree), remarks=own.remarks)
    return _told(row_of(submission, graded, assigned), assigned, records, screen)


def _told(row: Row, assigned: Assigned, records: Path, screen: Screen) -> ExitCode:
    from msgspec.structs import replace

    from lab.grade.feedback import as_text, lines
    from lab.grade.results import document

    screen.gap()
    # Nobody but the student looks at it: what is open is told with each scenario.
    told = lines(replace(row, status="graded" if row.graded else "refused"), assigned, records)
    screen.show(as_text(list(told)).rstrip("\n").split("\n"))
    code = _code(row.graded.cases if row.graded else (), refused=row.graded is None)
    screen.answer(SelfChecked(results=document([row], assigned, str(records)), exit=code))
    return code


def _code(cases: Sequence[CaseResult], *, refused: bool) -> ExitCode:
    """FAILED outweighs INCONCLUSIVE."""
    outcomes = {run.outcome for case in cases for run in case.runs}
    if refused or outcomes & {"failed", "not-built"}:
        return ExitCode.FAILED
    return ExitCode.PASSED if outcomes == {"passed"} else ExitCode.INCONCLUSIVE
