"""Keeps an eye on the hosts' processes: looks when there is reason to, and tells what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from .losses import Losses
from .processes import UNKNOWN, Processes, Row

_NEVER = float("inf")
_AFTER_SECONDS = 0.02
"""So long after something happened to a host's sockets its programs have done what they do about it."""

_REST_SECONDS = 0.1
"""Between two looks that nobody asked for, at the least."""

_DUTY = 300
"""Nor do these looks take more than one part in so many of a core."""


class Lookout:
    """The processes of all hosts at the last look, and when the next one is due."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], losses: Losses) -> None:
        self._tell = tell
        self._losses = losses
        self._processes = Processes(losses)
        self._told: dict[str, tuple[Row, ...]] = {}
        self._looked = self._cost = 0.0
        self._watching = False
        self.due = _NEVER
        """When to look (time.monotonic); infinity while there is no reason."""

    def start(self, hosts: dict[str, int]) -> None:
        """Watch these hosts, name to the process id of the first process. OSError if one is gone."""
        self._processes.start(hosts)
        self._watching = True

    def stir(self) -> None:
        """Something has happened to a host's sockets: its processes are worth a look."""
        if self._watching:
            rest = max(_REST_SECONDS, self._cost * _DUTY)
            self.due = min(self.due, max(time.monotonic() + _AFTER_SECONDS, self._looked + rest))

    def look(self) -> dict[str, tuple[Row, ...]]:
        """Look at all hosts now; the processes of each, told as an event where they have changed."""
        self.due = _NEVER
        now, spent = time.time_ns(), time.thread_time()
        seen: dict[str, tuple[Row, ...]] = {}
        with self._losses.noted("processes", ""):
            seen = self._processes.look()
        self._looked, self._cost = time.monotonic(), time.thread_time() - spent
        for host, rows in seen.items():
            if rows != self._told.get(host, ()):
                self._told[host] = rows
                self._tell({"event": "processes", "at": now, "host": host, "rows": rows})
        return seen

    def is_clean(self) -> bool:
        """Look: whether no program has ended that its parent has not waited for."""
        return not any(row[5] for rows in self.look().values() for row in rows)

    def sleeps(self, host: str, pid: int, call: str) -> bool:
        """Look: whether a thread of a program, or of a child of it, sleeps in a call; of any, if pid is 0.

        OSError if one sleeps in a call that is not known, so that nobody can tell.
        """
        meant = [row for row in self.look()[host] if pid in (0, row[0], row[1], row[2])]
        calls = {asleep for row in meant for asleep, _ in row[8]}
        if UNKNOWN in calls and call not in calls:
            raise OSError(
                f"where a program for another machine than {os.uname().machine} sleeps is not known"
            )
        return call in calls

    def of_start(self, host: str, mark: int) -> dict[int, frozenset[int]]:
        """The living processes that came from one start, each with the inodes of its sockets."""
        return self._processes.of_start(host, mark)

    def program(self, pid: int) -> int:
        """The program that was started as this process; 0 if it has ended."""
        return self._processes.program(pid)

    def stop(self) -> None:
        """Look no more unless asked."""
        self._watching = False
        self.due = _NEVER
