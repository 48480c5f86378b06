"""Answers that are not ready yet: conditions that are tried again and again, and ends of processes."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from . import protocol
from .losses import describe

_LOOK_SECONDS = 0.005
"""Between two looks at the processes while somebody waits for one to sleep or to be waited for."""

_DUTY = 10
"""To try a condition is followed by so many times its own length of rest."""

_LITTLE = 0.01
"""Seconds of such a rest that are left out when frames were passed on."""

POLL = 0.001
"""Seconds between two tries of a condition, at the least."""

A = TypeVar("A")

Condition = Callable[[], A | None]
"""Tried until it gives something that is true: the answer."""


class Process(NamedTuple, Generic[A]):
    """A process that is waited for, by its pidfd(2), which becomes readable when it ends."""

    pidfd: int
    answer: Callable[[], A]
    """Called then: what is answered."""


class Waiting:
    """The requests that wait for their answer, by their numbers.

    ``sources`` wakes up for the ends of processes, ``say`` takes the line of each answer.
    """

    def __init__(self, sources: selectors.BaseSelector, say: Callable[[protocol.Line], None]) -> None:
        self._sources = sources
        self._say = say
        self._conditions: dict[int, Condition[Any]] = {}
        self._again: dict[int, float] = {}
        """When to try a condition again (time.monotonic): one that costs much keeps nobody else waiting."""
        self._exits: dict[int, int] = {}
        """The pidfd of the process that each request waits for."""

    @property
    def has_conditions(self) -> bool:
        """Whether there is a condition to try."""
        return bool(self._conditions)

    def answer(self, request: int, answer: object) -> None:
        """Give the answer, now or when what it waits for has come."""
        if isinstance(answer, Process):
            self._exits[request] = answer.pidfd
            ended = partial(self._ended, request, answer.answer)
            self._sources.register(answer.pidfd, selectors.EVENT_READ, ended)
        elif callable(answer):
            self._conditions[request] = answer
        else:
            self._say(protocol.answer(request, answer))

    def cancel(self, request: int) -> None:
        """Nobody waits for this answer any longer."""
        self._forget_condition(request)
        if request in self._exits:
            self._forget_exit(request)

    def try_all(self) -> None:
        """Try each condition whose rest is over, and answer those that are met."""
        for request, condition in list(self._conditions.items()):
            self._try(request, condition)

    def shorten_rests(self) -> None:
        """What a condition waits for may just have come: try it at once, unless it has to rest for long."""
        soon = time.monotonic() + _LITTLE
        self._again = {request: at for request, at in self._again.items() if at > soon}

    def _try(self, request: int, condition: Condition[Any]) -> None:
        if time.monotonic() < self._again.get(request, 0.0):
            return
        spent = time.thread_time()
        try:
            if not (met := condition()):
                self._again[request] = time.monotonic() + _DUTY * (time.thread_time() - spent) - POLL
                return
            line = protocol.answer(request, met)
        except Exception as error:  # noqa: BLE001 - whatever it is, the CLI has to hear of it
            line = protocol.refuse(request, describe(error))
        self._forget_condition(request)
        self._say(line)

    def _forget_condition(self, request: int) -> None:
        self._conditions.pop(request, None)
        self._again.pop(request, None)

    def _ended(self, request: int, answer: Callable[[], Any]) -> None:
        """The process that a request waits for has ended."""
        told = answer()
        self._forget_exit(request)
        self._say(protocol.answer(request, told))

    def _forget_exit(self, request: int) -> None:
        pidfd = self._exits.pop(request)
        self._sources.unregister(pidfd)
        os.close(pidfd)


def now_and_then(condition: Callable[[], bool]) -> Callable[[], bool]:
    """The same condition, not tried as often: it is dear."""
    due = 0.0

    def met() -> bool:
        nonlocal due
        if time.monotonic() < due:
            return False
        due = time.monotonic() + _LOOK_SECONDS
        return condition()

    return met
