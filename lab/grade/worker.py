"""A process that grades: ``python -m lab.grade.worker ASSIGNMENT DIGEST SUBMISSIONS RECORDS``.

With ``--parcel FILE RECORDS`` the assignment and what was handed in are in a file of their own.

It reads a task a line and answers in lines of JSON. It ends with its input, whoever ends that: the labs that
it has up are taken down first. So a batch that is killed leaves nothing running.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec

from lab.core.archive import Tree
from lab.core.errors import DiskFullError, LabError
from lab.engine import connect
from lab.grade.accepting import accept
from lab.grade.intake import Batch, Refused, handed_in, opened_batch, tree_of
from lab.grade.pairing import REFERENCE, Pairing, paired
from lab.grade.parcel import opened
from lab.grade.reading import Assigned, digest_of, read
from lab.grade.task import Answer, Task, encoded
from lab.grade.unit import grade
from lab.run.interruption import handle, leave

Found = tuple[Assigned, Mapping[str, Tree]]
"""What is played, and the programs that were handed in."""


def main() -> None:
    """Grade until the input ends."""
    handle(leave)
    tasks = _tasks()
    try:
        if sys.argv[1] == "--parcel":
            parcel = opened(Path(sys.argv[2]))
            _work(tasks, lambda _: (parcel.assigned, parcel.given), Path(sys.argv[3]))
            return
        assignment, digest, submissions, records = sys.argv[1:]
        assigned = read(Path(assignment))
        if assigned.digest != digest:
            for _ in tasks:
                _answer(Answer("trouble", "the assignment was changed while the batch went on"))
            return
        with opened_batch(Path(submissions)) as batch:
            _work(tasks, Finder(assigned, batch).find, Path(records))
    except KeyboardInterrupt:
        return


def _work(tasks: Iterator[Any], find: Callable[[Task], Found | None], records: Path) -> None:
    """Grade what comes."""
    with connect() as engine:
        for line in tasks:
            task = msgspec.convert(line, Task)
            try:
                found = find(task)
                if found is None:
                    _answer(Answer("changed"))
                    continue
                assigned, programs = found
                done = grade(programs, assigned, engine, records, _say, before=task.before)
                _answer(Answer("done", graded=done))
            except DiskFullError as error:
                _answer(Answer("full", error.where))
            except LabError as error:
                _answer(Answer("trouble", str(error)))


class Finder:
    """Finds what a task is about among the submissions."""

    def __init__(self, assigned: Assigned, batch: Batch) -> None:
        self._assigned, self._batch = assigned, batch
        self._pairing: Pairing | None = None

    def find(self, task: Task) -> Found | None:
        """What is played with which programs; None if they are not what they were. LabError."""
        if task.client:
            self._pairing = self._pairing or paired(self._assigned)
        pairing = self._pairing if task.client else None
        programs = _given(task, self._assigned, pairing, self._batch)
        return None if programs is None else (pairing.assigned if pairing else self._assigned, programs)


def _given(task: Task, assigned: Assigned, pairing: Pairing | None, batch: Batch) -> dict[str, Tree] | None:
    """The programs that are to be graded; None if they are not what they were."""
    if pairing is None:
        tree = _tree(task.student, task.digest, assigned, batch)
        return None if tree is None else dict.fromkeys(assigned.assignment.submit.programs, tree)
    ends = ((pairing.server, task.student, task.digest), (pairing.client, task.client, task.client_digest))
    found = {}
    for program, student, digest in ends:
        if student == REFERENCE:
            if digest != pairing.reference.digest:
                return None
            continue
        tree = _tree(student, digest, assigned, batch)
        if tree is None:
            return None
        found[program] = tree
    return found


def _tree(student: str, digest: str, assigned: Assigned, batch: Batch) -> Tree | None:
    """What a student handed in; None if it is not what it was."""
    handed = next((one for one in handed_in(batch) if one.student.key == student), None)
    if handed is None:
        return None
    submit = assigned.assignment.submit
    try:
        tree = accept(tree_of(batch, handed, submit.limits.bytes), submit).tree
    except Refused:
        return None
    return tree if digest_of(tree) == digest else None


def _tasks() -> Iterator[Any]:
    """The tasks as they come. When the input ends this process gets SIGTERM, which takes a lab down first."""
    lines: SimpleQueue[Any] = SimpleQueue()

    def listen() -> None:
        for line in sys.stdin.buffer:
            lines.put(json.loads(line))
        lines.put(None)  # a process that waits for a task, and one that could not end at the signal
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()
    while (line := lines.get()) is not None:
        yield line


def _say(text: str) -> None:
    _answer(Answer("say", text))


def _answer(answer: Answer) -> None:
    try:
        sys.stdout.buffer.write(encoded(answer))
        sys.stdout.buffer.flush()
    except OSError:  # nobody reads any more: the end of the input says so, too
        return


if __name__ == "__main__":
    main()
