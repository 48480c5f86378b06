"""Looks at the hosts' processes when there is reason to, and tells what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping

from .connector import Connector
from .exits import Exits
from .losses import Losses
from .processes import HIDDEN, UNKNOWN, Processes
from .protocol import ProcessesChanged, ProcessKilled, ProcessRow

_NEVER = float("inf")
_SOON_SECONDS = 0.002, 0.006
"""So long after something happened at a host its programs do something about it: a child is there."""

_LATER_SECONDS = 0.02
"""So long after the last thing that happened there they have done it, and sleep again."""

_CHILDREN_SECONDS, _PEEK_SECONDS = 0.05, 0.001
"""So long, and so often, is asked after that whether a program has a child that is not known."""

_LONGEST_REST = 0.25
"""Seconds after which what happened is looked at, whatever the last looks have cost."""

_SHARE = 1 / 300
"""The part of a core that looks which nobody asked for take in the long run."""

_SAVED_SECONDS = 0.05
"""Of a processor that may be spent on them at once after a time without: on a hundred looks or so."""


class ProcessMonitor:
    """The processes of all hosts at the last look, and when the next one is due."""

    def __init__(self, tell: Callable[[ProcessesChanged | ProcessKilled], None], losses: Losses) -> None:
        self._tell = tell
        self._losses = losses
        self.processes = Processes(losses)
        self.exits = _exits(tell, self.processes, losses)
        self._told: dict[str, tuple[ProcessRow, ...]] = {}
        self._soon: tuple[dict[str, float], ...] = tuple({} for _ in _SOON_SECONDS)
        self._later: dict[str, float] = {}
        """When to look at a host where something happened (time.monotonic)."""
        self._children: dict[str, float] = {}
        """Until when to ask for children at a host."""
        self._peeked = 0.0
        self._saved, self._saved_at = _SAVED_SECONDS, time.monotonic()
        """Seconds of a processor that may be spent, and when that was so; a debt is below 0."""
        self._watching = False

    @property
    def due(self) -> float:
        """When to look (time.monotonic); infinity while there is no reason."""
        first = min([at for dues in (*self._soon, self._later) for at in dues.values()], default=_NEVER)
        peek = self._peeked + _PEEK_SECONDS if self._children else _NEVER
        return max(min(first, peek), self._rested)

    def start(self, hosts: Mapping[str, int]) -> None:
        """Watch these hosts, name to the process id of the first process. OSError if one is gone."""
        self.processes.start(hosts)
        self._watching = True

    def stir(self, host: str) -> None:
        """Something has happened at a host: its processes are worth a look."""
        if self._watching:
            now = time.monotonic()
            for dues, seconds in zip(self._soon, _SOON_SECONDS, strict=True):
                dues.setdefault(host, now + seconds)
            self._later[host] = now + _LATER_SECONDS
            self._children[host] = now + _CHILDREN_SECONDS

    def begun(self, pid: int) -> None:
        """A program was started: how it ends is heard, however soon, and whatever looks have cost."""
        if host := self.processes.host_of(pid):
            with self._losses.noted("ends", host):
                self.exits.hold(self.processes.look({host}), self.processes.process_of)
            self.stir(host)

    def look_where_due(self) -> None:
        """Look at the hosts whose time has come."""
        now = time.monotonic()
        due = {host for dues in (*self._soon, self._later) for host, at in dues.items() if at <= now}
        spent = time.thread_time()
        due |= {host for host in self._children if host not in due and self.processes.has_new_child(host)}
        self._children = {host: until for host, until in self._children.items() if until > now}
        self._peeked = now
        self._spend(time.thread_time() - spent)
        if due:
            self._look_within_budget(due)

    def glance(self, host: str) -> None:
        """Look at a host if that may be afforded: something is about to happen to a program there."""
        if self._rested <= time.monotonic():
            self._look_within_budget({host})

    def _look_within_budget(self, hosts: Collection[str]) -> None:
        spent = time.thread_time()
        self.look(hosts)
        self._spend(time.thread_time() - spent)

    def _spend(self, seconds: float) -> None:
        now = time.monotonic()
        saved = min(_SAVED_SECONDS, self._saved + (now - self._saved_at) * _SHARE)
        self._saved, self._saved_at = max(saved - seconds, -_LONGEST_REST * _SHARE), now

    @property
    def _rested(self) -> float:
        """When a debt is paid off."""
        return self._saved_at - min(0.0, self._saved) / _SHARE

    def look(self, hosts: Collection[str] | None = None) -> dict[str, tuple[ProcessRow, ...]]:
        """Look at some hosts now, or at all; the processes of each, told as an event if they have changed."""
        at, now = time.time_ns(), time.monotonic()
        seen: dict[str, tuple[ProcessRow, ...]] = {}
        with self._losses.noted("processes", ""):
            seen = self.processes.look(hosts)
        with self._losses.noted("ends", ""):
            self.exits.hold(seen, self.processes.process_of)
        for host, rows in seen.items():
            for dues in (*self._soon, self._later):
                if dues.get(host, _NEVER) <= now:
                    del dues[host]
            if rows != self._told.get(host, ()):
                self._told[host] = rows
                self._tell(ProcessesChanged(at=at, host=host, rows=rows))
        return seen

    def is_clean(self) -> bool:
        """Look: whether no program has ended that its parent has not waited for."""
        return not any(row[5] for rows in self.look().values() for row in rows)

    def sleeps(self, host: str, pid: int, call: str) -> bool:
        """Look: whether a thread of what came from a program sleeps in a call; of any program, if pid is 0.

        OSError if one sleeps in a call that is not known, so that nobody can tell.
        """
        rows = self.look({host})[host]
        marks = {row[9] for row in rows if row[0] == pid} - {0, HIDDEN}
        meant = [row for row in rows if pid in (0, row[0], row[1], row[2]) or row[9] in marks]
        calls = {asleep for row in meant for asleep, _ in row[8]}
        if UNKNOWN in calls and call not in calls:
            raise OSError(
                f"where a program for another machine than {os.uname().machine} sleeps is not known"
            )
        return call in calls

    def of_start(self, host: str, mark: int) -> dict[int, frozenset[int]]:
        """The living processes that came from one start, each with the inodes of its sockets."""
        return self.processes.of_start(host, mark)

    def runs_any(self, host: str) -> bool:
        """Whether a program, or what came from one, runs on a host."""
        return any(not row[5] for row in self.processes.look({host})[host])

    def program(self, pid: int) -> int:
        """The program that was started as this process; 0 if it has ended."""
        return self.processes.program(pid)

    def stop(self) -> None:
        """Look no more unless asked."""
        self._watching = False
        for dues in (*self._soon, self._later, self._children):
            dues.clear()


def _exits(tell: Callable[[ProcessKilled], None], seen: Processes, losses: Losses) -> Connector | Exits:
    """The kernel's own words of what ends; where it says none, what looks show."""
    try:
        return Connector(tell, seen.host_of, losses)
    except OSError:
        return Exits(tell, losses)
