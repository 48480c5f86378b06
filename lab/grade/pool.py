"""Processes that grade side by side. One that dies costs its submission another try with a new one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import IO

import msgspec
from msgspec import Struct

from lab.core.errors import DiskFullError
from lab.grade.task import Answer, Task, encoded

DEATHS = 2
"""How often a submission may end its process before it is left to a human."""

_END_SECONDS = 120.0
"""For a process to take its labs down."""

_PIECE = 1 << 20


class Came(Struct, frozen=True):
    """The answer to a task that is done, and how long it took."""

    task: Task
    answer: Answer
    seconds: float


class _Process:
    """A process that grades, and what it is at."""

    def __init__(self, words: Sequence[str]) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab.grade.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            start_new_session=True,  # ^C is for the one who tells it to end
        )
        self.task: Task | None = None
        self.began = 0.0
        self._rest = b""

    def give(self, task: Task) -> None:
        """Let it grade a submission."""
        self.task, self.began = task, time.monotonic()
        with contextlib.suppress(OSError):  # that it is dead is told by the end of its output
            stream = self.process.stdin
            assert stream is not None  # noqa: S101 - it is a pipe
            stream.write(encoded(task))
            stream.flush()

    @property
    def output(self) -> IO[bytes]:
        """Where it answers."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        return self.process.stdout

    def answers(self) -> list[Answer] | None:
        """What it says now; None if it has ended."""
        data = os.read(self.output.fileno(), _PIECE)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [msgspec.convert(json.loads(line), Answer) for line in lines]

    def last_words(self) -> str:
        """How it ended, and the end of what it said of it."""
        status = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read()[-2000:].decode(errors="replace").strip()
        return f"the grading process ended with status {status}: {said}".rstrip(": ")

    def close(self) -> None:
        """Tell it to end."""
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it if that does not come."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()
        self.errors.close()


def graded(
    tasks: Sequence[Task], jobs: int, words: Sequence[str], say: Callable[[str, str], None]
) -> Iterator[Came]:
    """Grade all; each answer as it comes. ``say`` is told a task's id and what goes on.

    All processes have ended on every way out. DiskFullError: there is no room for records.
    """
    pool = _Pool(tasks, jobs, words, say)
    try:
        yield from pool.work()
    finally:
        pool.end()


class _Pool:
    """The processes, and the submissions that wait for one."""

    def __init__(
        self, tasks: Sequence[Task], jobs: int, words: Sequence[str], say: Callable[[str, str], None]
    ) -> None:
        self._waiting = deque(tasks)
        self._jobs = jobs
        self._words = words
        self._say = say
        self._deaths: Counter[str] = Counter()
        self._running: list[_Process] = []
        self._selector = selectors.DefaultSelector()

    def work(self) -> Iterator[Came]:
        """Grade all that waits."""
        self._start()
        while self._running:
            for key, _ in self._selector.select():
                yield from self._heard(key.data)
            self._start()

    def end(self) -> None:
        """Tell all processes to end, and wait until their labs are down."""
        for one in self._running:
            one.close()
        latest = time.monotonic() + _END_SECONDS
        for one in self._running:
            one.wait(max(0.1, latest - time.monotonic()))
        self._selector.close()

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._jobs:
            one = _Process(self._words)
            self._running.append(one)
            self._selector.register(one.output, selectors.EVENT_READ, one)
            one.give(self._waiting.popleft())

    def _heard(self, one: _Process) -> Iterator[Came]:
        """A process has said something, or has ended."""
        answers = one.answers()
        for answer in answers or ():
            if came := _taken(one, answer, self._say):
                yield came
        if answers is None:
            self._selector.unregister(one.output)
            self._running.remove(one)
            if came := self._died(one):
                yield came
        elif one.task is None and self._waiting:
            one.give(self._waiting.popleft())
        elif one.task is None:
            one.close()

    def _died(self, one: _Process) -> Came | None:
        """Its submission is tried again with another process, or left to a human after some times."""
        words = one.last_words()
        one.wait(0.1)
        if one.task is None:
            return None
        self._deaths[one.task.id] += 1
        if self._deaths[one.task.id] < DEATHS:
            self._waiting.append(one.task)
            return None
        return Came(one.task, Answer("trouble", words), time.monotonic() - one.began)


def _taken(one: _Process, answer: Answer, say: Callable[[str, str], None]) -> Came | None:
    task = one.task
    if task is None:
        return None
    if answer.kind == "say":
        say(task.id, answer.text)
        return None
    if answer.kind == "full":
        raise DiskFullError(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), answer.text)
    one.task = None
    return Came(task, answer, time.monotonic() - one.began)
