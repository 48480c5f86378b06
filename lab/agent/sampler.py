"""Looks at the sockets of every host when something happens there, and tells what changed.

A look costs the kernel 150 microseconds, for it walks a table that all namespaces share. So a host is
looked at when a segment opened, closed or reset a connection there, soon again after whatever changed, and
otherwise ten times a second.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from . import namespaces
from .diag import LISTEN, Row, SocketTable
from .tap import Tap

_DUTY = 20
"""A look is followed by at least so many times its own length of rest: under 5 % of a core for a host."""

_IDLE_DUTY = 60
"""Looks at hosts where nothing happens take less than one part in so many of a core, all hosts together."""

_IDLE_SECONDS = 0.1, 0.5
"""Between two looks at a host where nothing happens: as a rule, and where there are very many hosts."""

_NEVER = float("inf")
_TRANSIENT = frozenset({2, 3, 4, 9, 11, 12})
"""SYN_SENT, SYN_RECEIVED, FIN_WAIT_1, LAST_ACK, CLOSING: the kernel is about to leave these by itself."""

_OVERFLOWS, _DROPS = b"ListenOverflows", b"ListenDrops"


class Watched:
    """A host whose sockets are watched: what they were at the last look, and when the next one is due."""

    def __init__(self, pid: int, now: int) -> None:
        self.tap = Tap(pid)
        with namespaces.inside(pid):
            self._table = SocketTable()
        self._counters = open(f"/proc/{pid}/net/netstat", "rb", buffering=0)  # noqa: SIM115 - stays open
        self._known = False
        self.rows: tuple[Row, ...] = ()
        self.refused = 0, 0
        """ListenOverflows and ListenDrops of the host since it came up (/proc/net/netstat)."""
        self.looked = now
        """When it was looked at last (ns since the epoch)."""
        self.wait = self.due = self.free = 0.0
        """Seconds to the next look; when that is due, and when it may be at the earliest (time.monotonic)."""

    def look(self) -> bool:
        """Look now; whether anything has changed. OSError if the kernel does not say."""
        self.tap.drain()
        before, was_full = (self.rows, self.refused), self._is_full()
        self.rows = self._table.rows()
        # The counters move only while a queue is full: at other times they need not be read.
        if was_full or self._is_full() or not self._known:
            self.refused = self._read_refused()
        changed = before != (self.rows, self.refused) or not self._known
        self._known = True
        return changed

    def has(self, states: frozenset[int]) -> bool:
        """Whether there is a socket in one of the states: cheap for LISTEN alone. OSError."""
        return bool(self._table.rows(states))

    @property
    def passing(self) -> bool:
        """Whether a socket was in a state that the kernel is about to leave by itself."""
        return any(row[0] in _TRANSIENT for row in self.rows)

    def _is_full(self) -> bool:
        """Whether a listener's accept queue holds one more than its limit, and so takes no more."""
        return any(row[0] == LISTEN and row[5] > row[6] for row in self.rows)

    def _read_refused(self) -> tuple[int, int]:
        self._counters.seek(0)
        names, values = (line.split() for line in self._counters.read().splitlines()[:2])
        counters = dict(zip(names, values, strict=False))
        return int(counters.get(_OVERFLOWS, 0)), int(counters.get(_DROPS, 0))


class Sampler:
    """The hosts that are watched, and how often they were looked at."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._hosts: dict[str, Watched] = {}
        self._taps = select.epoll()
        self._by_tap: dict[int, Watched] = {}
        self.due = _NEVER
        """When the next look is due (time.monotonic); infinity while nothing is sampled."""
        self._interval = 0.0
        self._began = 0
        self._looks = self._worst_gap = 0
        self._trouble = ""

    def fileno(self) -> int:
        """For select(2): readable when something has happened at a host."""
        return self._taps.fileno()

    def start(self, hosts: dict[str, int], interval: float) -> None:
        """Watch these hosts (name to process id), none oftener than every ``interval`` seconds. OSError."""
        self._interval = interval
        self._began = time.time_ns()
        for name, pid in hosts.items():
            host = self._hosts[name] = Watched(pid, self._began)
            self._by_tap[host.tap.fileno()] = host
            self._taps.register(host.tap, 0)
        self.look_everywhere()

    def wake(self) -> None:
        """Something has happened at some hosts: look at them as soon as it may be."""
        for tap, _ in self._taps.poll(0):
            host = self._by_tap[tap]
            host.due = min(host.due, host.free)
            self.due = min(self.due, host.due)

    def look_where_due(self) -> None:
        """Look at every host whose time has come."""
        now = time.monotonic()
        for name, host in self._hosts.items():
            if host.due <= now:
                self.look(name)
        self.due = min((host.due for host in self._hosts.values()), default=_NEVER)

    def look_everywhere(self) -> None:
        """Look at every host, whatever has happened."""
        for name in self._hosts:
            self.look(name)

    def look(self, name: str) -> tuple[Row, ...]:
        """The sockets of a host as they are now; told as an event if they have changed."""
        host, spent, now = self._hosts[name], time.thread_time(), time.time_ns()
        self._looks += 1
        self._worst_gap = max(self._worst_gap, now - host.looked)
        host.looked = now
        try:
            changed = host.look()
        except OSError as error:
            self._trouble = self._trouble or f"the sockets of {name} could not be read: {error}"
            return ()
        if changed:
            overflows, drops = host.refused
            event = {"event": "sockets", "at": now, "host": name, "rows": host.rows}
            self._tell({**event, "overflows": overflows, "drops": drops})
        self._plan_next(host, time.thread_time() - spent, changed=changed)
        return host.rows

    def _plan_next(self, host: Watched, cost: float, *, changed: bool) -> None:
        """Soon after a change, then ever later, unless something happens; the look took ``cost`` seconds."""
        now = time.monotonic()
        shortest, longest = _IDLE_SECONDS
        idle = min(max(cost * len(self._hosts) * _IDLE_DUTY, shortest), longest)
        host.wait = self._interval if changed else min(2 * host.wait, idle)
        host.free = now + max(self._interval, cost * _DUTY)
        host.due = max(now + host.wait, host.free)
        self.due = min(self.due, host.due)
        self._taps.modify(host.tap, select.EPOLLIN | select.EPOLLONESHOT)

    def has(self, name: str, states: frozenset[int]) -> bool:
        """Whether a host has a socket in one of these states."""
        try:
            return self._hosts[name].has(states)
        except OSError:
            return False  # the next look tells

    def settled(self) -> bool:
        """Whether no socket of any host is in a state that the kernel is about to leave by itself."""
        self.wake()
        for name, host in self._hosts.items():
            if host.due <= time.monotonic() or host.passing:
                self.look(name)
        return not any(host.passing for host in self._hosts.values())

    def stop(self) -> dict[str, Any]:
        """Look a last time and end; how well it was done (all times in nanoseconds)."""
        self.look_everywhere()
        for host in self._hosts.values():
            self._taps.unregister(host.tap)
        self.due = _NEVER
        ended = time.time_ns()
        return {
            "began": self._began,
            "ended": ended,
            "mean_gap": (ended - self._began) * len(self._hosts) // max(1, self._looks),
            "worst_gap": self._worst_gap,
            "trouble": self._trouble,
        }
