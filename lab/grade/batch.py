"""A batch from its submissions to a row for each: graded once, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

import lab
from lab.grade.accepting import accept
from lab.grade.intake import Batch, Handed, Refused, handed_in, opened_batch, tree_of
from lab.grade.journal import Entry, Journal
from lab.grade.names import Named, folded, folder_for
from lab.grade.place import Images, Lot, Place, Watcher
from lab.grade.points import Score, penalty, scores
from lab.grade.reading import Assigned, Played, digest_of
from lab.grade.result import CaseResult, CheckSeen, Graded
from lab.grade.sameness import sameness
from lab.grade.task import Task
from lab.grade.work import RECORDS, Unit, Work, key_of, sweep
from lab.scenario.languages import language_of

Again = Literal["", "failed", "inconclusive", "all"]
Status = Literal["graded", "refused", "human", "waiting"]


class Submission(Struct, frozen=True):
    """What was handed in, without its files: who, what it is called, and its hashes; or why it is refused."""

    student: Named
    label: str
    digest: str = ""
    sameness: str = ""
    language: str = ""
    remarks: tuple[str, ...] = ()
    refused: str = ""
    human: bool = False

    @property
    def folder(self) -> str:
        """What the student's folder is called."""
        return folder_for(self.student.name, self.student.key)


class Row(Struct, frozen=True):
    """What became of one student.

    ``reasons`` say why it was refused or what a human has to look at.
    """

    submission: Submission
    status: Status
    reasons: tuple[str, ...] = ()
    graded: Graded | None = None
    scores: Mapping[str, Score] = {}
    penalty: Fraction = Fraction(0)
    late: str = ""
    handed_in: datetime | None = None
    seconds: float = 0.0

    @property
    def earned(self) -> Fraction:
        """The points that are sure, without a penalty."""
        return sum((one.earned for one in self.scores.values()), Fraction(0))

    @property
    def open(self) -> Fraction:
        """The points that nobody can tell yet."""
        return sum((one.open for one in self.scores.values()), Fraction(0))

    @property
    def points(self) -> Fraction | None:
        """The points for the grade book; None if a human has to tell them."""
        if self.status in ("human", "waiting"):
            return None
        return max(Fraction(0), self.earned - self.penalty)


class BatchOptions(Struct, frozen=True):
    """Which submissions to grade, which of them again, and how many at once (0: as the machine bears)."""

    only: tuple[str, ...] = ()
    again: Again = ""
    jobs: int = 0


class Listener(Watcher, Protocol):
    """Who is told what goes on."""

    def done(self, row: Row, number: int, total: int, left: float) -> None:
        """A submission was graded; so many seconds are left, as far as is known."""


def taken_in(batch: Batch, assigned: Assigned) -> list[Submission]:
    """What there is to grade, each read once and let go of."""
    return [_submission(batch, handed, assigned) for handed in handed_in(batch)]


def _submission(batch: Batch, handed: Handed, assigned: Assigned) -> Submission:
    submit = assigned.assignment.submit
    try:
        taken = accept(tree_of(batch, handed, submit.limits.bytes), submit)
    except Refused as refused:
        return Submission(handed.student, handed.label, refused=refused.reason, human=refused.human)
    tree = taken.tree
    return Submission(
        handed.student, handed.label, digest_of(tree), sameness(tree), language_of(tree), taken.remarks
    )


def chosen(submissions: Iterable[Submission], only: Sequence[str]) -> list[Submission]:
    """Those whose student, id, file or folder is named, or fits a glob; all if none is."""
    wanted = [folded(one) for one in only]
    return [one for one in submissions if not wanted or any(_is_meant(one, text) for text in wanted)]


def _is_meant(one: Submission, text: str) -> bool:
    names = (one.student.name, one.student.id, one.label, one.folder)
    return any(name and fnmatchcase(folded(name), text) for name in names)


def is_done(one: Submission, journal: Journal, assigned: Assigned, images: Mapping[str, str] | None) -> bool:
    """Whether the journal has a result of just this; of images that are not known nothing is asked."""
    entry = journal.entries.get(one.student.key)
    if entry is None or entry.key is None:
        return False
    key = entry.key
    same = (key.submission, key.assignment, key.lab) == (one.digest, assigned.digest, lab.__version__)
    return same and (images is None or key.images == images)


class Grading:
    """One batch that is being graded."""

    def __init__(self, assigned: Assigned, submissions: Path, out: Path, journal: Journal) -> None:
        self._assigned = assigned
        self._place = submissions
        self._out = out
        self._journal = journal
        with opened_batch(submissions) as batch:
            self.submissions = taken_in(batch, assigned)
        self._images = Images()

    def to_do(self, asked: BatchOptions, *, knows_images: bool = True) -> list[Submission]:
        """The submissions that are to be graded now."""
        wanted = [one for one in chosen(self.submissions, asked.only) if one.digest]
        return [
            one for one in wanted if not self._is_done(one, knows_images) or self._again(one, asked.again)
        ]

    def _is_done(self, one: Submission, knows_images: bool) -> bool:
        images = self._images.of(one.language) if knows_images else None
        return is_done(one, self._journal, self._assigned, images)

    def _again(self, one: Submission, again: Again) -> bool:
        entry = self._journal.entries[one.student.key]
        if entry.graded is None or not again:
            return False
        if again == "all":
            return True
        if again == "inconclusive":
            return entry.graded.undecided
        row = self._row(one)
        return not entry.graded.undecided and row.earned < self._assigned.maximum

    def work(self, place: Place, asked: BatchOptions, listener: Listener) -> None:
        """Grade what is to be graded, and once more by itself what came to no result.

        Raises:
            DiskFullError: there is no room for a record or the journal.
            LabError: the images cannot be had.
        """
        sweep(self._out, self._journal)
        wanted = [one for one in chosen(self.submissions, asked.only) if one.digest]
        languages = [one.language for one in wanted]
        self._images = place.images(self._assigned, languages, listener)
        todo = self.to_do(asked)
        for one in todo:
            if one.student.key in self._journal.entries and asked.again:
                self._journal.write(Entry(one.student.key))  # from now on it has no result
        own = {one.student.key: one for one in wanted}

        def done(unit: Unit, number: int, total: int, left: float) -> None:
            listener.done(self._row(own[unit.task.student]), number, total, left)

        lot = Lot(self._assigned, self._place, self._out / RECORDS)
        work = Work(place, lot, self._journal, listener)
        jobs = asked.jobs or place.jobs
        work.do([self._unit(one) for one in todo], [self._unit(one) for one in wanted], jobs, done)
        sweep(self._out, self._journal)

    def _unit(self, one: Submission) -> Unit:
        key = key_of(one.digest, self._assigned, self._images.of(one.language))
        return Unit(Task(one.student.key, one.digest), one.student.name, key)

    # Results

    def rows(self, times: Mapping[str, datetime] | None = None) -> list[Row]:
        """A row for each student, in the order of their names."""
        rows = [self._row(one, times or {}) for one in self.submissions]
        return sorted(rows, key=lambda row: (folded(row.submission.student.name), row.submission.label))

    def _row(self, one: Submission, times: Mapping[str, datetime] | None = None) -> Row:
        if one.refused:
            return Row(one, "human" if one.human else "refused", (one.refused,))
        entry = self._journal.entries.get(one.student.key)
        if entry is None or entry.graded is None or not is_done(one, self._journal, self._assigned, None):
            return Row(one, "waiting", ("it is not graded yet",))
        row = replace(row_of(one, entry.graded, self._assigned), seconds=entry.seconds)
        return self._with_lateness(row, times or {})

    def _with_lateness(self, row: Row, times: Mapping[str, datetime]) -> Row:
        """The row with what lateness costs, or what only a human can tell of it."""
        policy, own = self._assigned.assignment.late, row.submission
        names = (own.student.id, folded(own.student.name), folded(own.label))
        when = next((times[name] for name in names if name and name in times), None)
        if policy is None:
            return replace(row, handed_in=when)
        if when is None:
            if not own.student.late:
                return row
            unsure = "the platform says that it is late, and not by how much: give the time with --times"
            return replace(row, status="human", reasons=(*row.reasons, unsure), late="late")
        cost = penalty(policy, when, self._assigned.maximum)
        over = (when - policy.deadline).total_seconds() - policy.grace
        late = f"handed in at {when.isoformat(sep=' ')}, late" if over > 0 else "in time"
        return replace(row, penalty=cost, late=late, handed_in=when)


def row_of(one: Submission, result: Graded, assigned: Assigned) -> Row:
    """What became of a student whose submission was graded, however late it was."""
    result = as_assigned(result, assigned)
    reasons = tuple(_open_reasons(result))
    return Row(one, "human" if reasons else "graded", reasons, result, scores(assigned.played, result))


def as_assigned(result: Graded, assigned: Assigned) -> Graded:
    """A result of the journal with the hints and the visibility that the assignment gives now."""
    cases = {one.name: one for one in assigned.played}
    return Graded(tuple(_case_as_assigned(case, cases[case.name]) for case in result.cases))


def _case_as_assigned(result: CaseResult, one: Played) -> CaseResult:
    hints, visible = one.case.hints, not one.is_hidden

    def check(seen: CheckSeen) -> CheckSeen:
        return replace(seen, hint=hints.get(seen.name) or seen.hint, shown=seen.shown and visible)

    runs = (replace(run, checks=tuple(map(check, run.checks))) for run in result.runs)
    return replace(result, runs=tuple(runs))


def _open_reasons(result: Graded) -> Iterable[str]:
    """What a human has to look at."""
    for case in result.cases:
        run = next((run for run in case.runs if run.undecided), None)
        if run is None:
            continue
        if run.outcome == "trouble":
            first = run.said.strip().partition("\n")[0]
            yield f"{case.name} could not be graded: {first}"
        else:
            unsure = [one.name for one in run.checks if one.outcome == "inconclusive"]
            yield f"{case.name} came to no result: {', '.join(unsure)}"
