"""Keeps an eye on the hosts' processes: looks when there is reason to, and tells what changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .processes import Processes, Row

_NEVER = float("inf")
_AFTER_SECONDS = 0.02
"""So long after something happened to a host's sockets its programs have done what they do about it."""

_REST_SECONDS = 0.1
"""Between two looks that nobody asked for."""


class Lookout:
    """The processes of all hosts at the last look, and when the next one is due."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._processes = Processes()
        self._told: dict[str, tuple[Row, ...]] = {}
        self._looked = 0.0
        self._watching = False
        self.due = _NEVER
        """When to look (time.monotonic); infinity while there is no reason."""

    @property
    def trouble(self) -> str:
        """What of the processes could not be seen; empty if all could."""
        return self._processes.trouble

    def start(self, hosts: dict[str, int]) -> None:
        """Watch these hosts, name to the process id of the first process. OSError if one is gone."""
        self._processes.start(hosts)
        self._watching = True

    def stir(self) -> None:
        """Something has happened to a host's sockets: its processes are worth a look."""
        if self._watching:
            self.due = min(self.due, max(time.monotonic() + _AFTER_SECONDS, self._looked + _REST_SECONDS))

    def look(self) -> dict[str, tuple[Row, ...]]:
        """Look at all hosts now; the processes of each, told as an event where they have changed."""
        self.due = _NEVER
        now = time.time_ns()
        seen = self._processes.look()
        self._looked = time.monotonic()
        for host, rows in seen.items():
            if rows != self._told.get(host, ()):
                self._told[host] = rows
                self._tell({"event": "processes", "at": now, "host": host, "rows": rows})
        return seen

    def is_clean(self) -> bool:
        """Look: whether no program has ended that its parent has not waited for."""
        return not any(row[5] for rows in self.look().values() for row in rows)

    def sleeps(self, host: str, pid: int, call: str) -> bool:
        """Look: whether a thread of a program, or of a child of it, sleeps in a call; of any, if pid is 0."""
        return any(
            call == asleep
            for row in self.look()[host]
            if pid in (0, row[0], row[1], row[2])
            for asleep, _ in row[8]
        )

    def stop(self) -> None:
        """Look no more unless asked."""
        self._watching = False
        self.due = _NEVER
