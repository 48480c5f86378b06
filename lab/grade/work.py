"""Units of work done side by side: each result is in the journal before anybody is told of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

import lab
from lab.grade.journal import Entry, Journal, Key
from lab.grade.place import Lot, Place, Watcher
from lab.grade.pool import Came
from lab.grade.reading import Assigned
from lab.grade.result import CaseResult, Graded, RunResult
from lab.grade.task import Task

RECORDS = "records"


class Unit(Struct, frozen=True):
    """A task, what people call it, and what its result depends on."""

    task: Task
    name: str
    key: Key


Done = Callable[[Unit, int, int, float], None]
"""Is told of a result, of how many it is which, and how many seconds are left as far as is known."""


class Work:
    """What is to be done with an assignment and submissions, with the journal that remembers it."""

    def __init__(self, place: Place, lot: Lot, journal: Journal, watcher: Watcher) -> None:
        self._place, self._lot = place, lot
        self._journal = journal
        self._watcher = watcher
        self._number = self._total = 0
        self._seconds: list[float] = []

    def do(self, todo: Sequence[Unit], every: Sequence[Unit], jobs: int, done: Done) -> None:
        """Do what is to be done, and once more by itself what came to no result, of ``every`` unit.

        Raises:
            DiskFullError: there is no room for a record or the journal.
        """
        self._lot.records.mkdir(parents=True, exist_ok=True)
        self._total += len(todo)
        self._pass(todo, min(jobs, max(1, len(todo))), done)
        unsure = [one for one in every if self._is_unsure(one)]
        if unsure:
            self._watcher.say(f"{len(unsure)} without a result: graded once more, one at a time")
            self._total += len(unsure)
            self._pass(unsure, 1, done, again=True)

    def _is_unsure(self, unit: Unit) -> bool:
        entry = self._journal.entries.get(unit.task.id)
        return bool(
            entry and entry.key == unit.key and entry.graded and entry.graded.undecided and not entry.quiet
        )

    def _pass(self, units: Sequence[Unit], jobs: int, done: Done, *, again: bool = False) -> None:
        """Do each; ``again`` only what came to no result, one at a time."""
        by_id = {one.task.id: one for one in units}
        known = self._journal.entries
        tasks = [
            one.task.after(known[key].graded) if again and key in known else one.task
            for key, one in by_id.items()
        ]

        def say(task: str, text: str) -> None:
            self._watcher.at_work(by_id[task].name, text)

        for came in self._place.graded(self._lot, tasks, jobs, say):
            unit = by_id[came.task.id]
            self._journal.write(self._entry(unit, came, quiet=again))
            self._number += 1
            self._seconds.append(came.seconds)
            left = sum(self._seconds) / len(self._seconds) * (self._total - self._number) / jobs
            done(unit, self._number, self._total, left)

    def _entry(self, unit: Unit, came: Came, *, quiet: bool) -> Entry:
        """What the journal keeps. Trouble of the whole unit is that of each of its scenarios."""
        result = came.answer.graded
        if result is None:
            why = came.answer.text or "the submission was changed while the batch went on"
            trouble = (RunResult("trouble", said=why),)
            result = Graded(tuple(CaseResult(one.name, trouble) for one in self._lot.assigned.played))
        return Entry(unit.task.id, unit.key, result, quiet, round(came.seconds, 3))


def sweep(out: Path, journal: Journal) -> None:
    """Remove the records that no result names: of runs that were interrupted, or made again."""
    named = {
        name
        for entry in journal.entries.values()
        for case in (entry.graded.cases if entry.graded else ())
        for run in case.runs
        for name in (run.record, run.shown)
    }
    folder = out / RECORDS
    for name in os.listdir(folder) if folder.is_dir() else ():  # noqa: PTH208 - names are wanted
        if name not in named:
            shutil.rmtree(folder / name, ignore_errors=True)


def key_of(submission: str, assigned: Assigned, images: Mapping[str, str]) -> Key:
    """What a result depends on."""
    return Key(submission, assigned.digest, lab.__version__, dict(images))
