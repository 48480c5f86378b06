"""Looks at the sockets of every host when something happens there, and tells what changed.

A host is looked at when a segment opened, closed or reset a connection there or its kernel freed a socket,
soon again while it has connections that may change, and otherwise ten times a second. To list all its sockets
costs the kernel 250 microseconds, for it walks a table that all namespaces share; to list the listeners 20,
to ask for one connection 5. So as a rule the listeners are listed and each connection is asked for that is
known or was heard of. All are listed once a second, which shows what leaves TIME_WAIT, and where told so.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import namespaces
from .counters import Counters, Counts
from .destroyed import Destroyed
from .diag import LISTEN, Ends, Row, SocketTable
from .tap import Tap

_DUTY = 20
"""A look at all sockets of a host is followed by so many times its own length of rest."""

_TOGETHER_SECONDS = 0.001
"""From something that happened to the look at it, which then shows what followed at once, and at the peer."""

_IDLE_SECONDS = 0.1, 0.5
"""Between two looks at a host where nothing happens: as a rule, and where there are very many hosts."""

_MANY_HOSTS = 16
"""Hosts from which on these looks are the fewer the more there are."""

_WHOLE_SECONDS = 1.0
"""Between two looks at a host that list all its sockets."""

_MOST_ASKED = 32
"""Connections of a host that are asked for one by one; of more than that all sockets are listed."""

_NEVER = float("inf")
_TIME_WAIT = 6
_TRANSIENT = frozenset({2, 3, 4, 9, 11, 12})
"""SYN_SENT, SYN_RECEIVED, FIN_WAIT_1, LAST_ACK, CLOSING: the kernel is about to leave these by itself."""

_COUNTING_LOOKS = 4
"""Looks at which the counters are read after an RST: the kernel counts some things late.

TCPAbortOnData goes up behind the RST that it is about (tcp_close() of net/ipv4/tcp.c).
"""

_LISTENERS = frozenset({LISTEN})


class Watched:
    """A host whose sockets are watched: what they were at the last look, and when the next one is due."""

    def __init__(self, pid: int, now: int) -> None:
        self.tap = Tap(pid)
        self.destroyed = Destroyed(pid)
        with namespaces.inside(pid):
            self._table = SocketTable()
        self._counters = Counters(pid)
        self._counting = _COUNTING_LOOKS
        self._known = False
        self._whole_due = 0.0
        self._waiting: dict[Ends, Row] = {}
        self._live: dict[Ends, Row] = {}
        self._bound: dict[Ends, int] = {}
        """The connections in TIME_WAIT, which a look at all sockets alone tells to have ended; the others;
        and at which interface to ask for each, if it matters."""
        self.rows: tuple[Row, ...] = ()
        self.counts = Counts()
        self.looked = now
        """When it was looked at last (ns since the epoch)."""
        self.same_until = now
        self.longest = 0
        """Of the looks that showed what the last did: when the last began, and how long the longest took."""
        self.cost = 0.0
        """Seconds of processor that the last look took if it listed all sockets; to ask for some is cheap."""
        self.wait = self.due = self.free = 0.0
        """Seconds to the next look; when that is due, and when it may be at the earliest (time.monotonic)."""

    def look(self, *, whole: bool) -> bool:
        """Look now, at the ``whole`` table if told; whether anything has changed. OSError."""
        before = self.rows, self.counts
        heard = self.tap.drain()
        self.destroyed.drain()
        asked = {**{ends: self._bound.get(ends, 0) for ends in self._live}, **heard.ends}
        if whole or heard.lost or len(asked) > _MOST_ASKED or self._whole_due <= time.monotonic():
            spent = time.thread_time()
            listeners = tuple(self._list_all())
            self.cost = time.thread_time() - spent
        else:
            self.cost, listeners = 0.0, self._ask_for(asked)
        self.rows = tuple(sorted((*listeners, *self._live.values(), *self._waiting.values())))
        if heard.reset:
            self._counting = _COUNTING_LOOKS
        # At other times the counters stand still: they need not be read.
        if self._counting or any(row[5] > row[6] for row in listeners):
            self.counts = self._counters.read()
            self._counting = max(0, self._counting - 1)
        changed = before != (self.rows, self.counts) or not self._known
        self._known = True
        return changed

    def _list_all(self) -> Iterator[Row]:
        """Learn all sockets anew; the listeners among them."""
        self._live.clear()
        self._waiting.clear()
        rows = self._table.rows()
        self._bound = self._table.bound
        for row in rows:
            if row[0] == LISTEN:
                yield row
            else:
                self._keep(row[1:5], row)
        self._whole_due = time.monotonic() + _WHOLE_SECONDS

    def _ask_for(self, asked: Mapping[Ends, int]) -> tuple[Row, ...]:
        """Learn what became of some connections, at an interface each; the listeners there are."""
        for ends, interface in asked.items():
            row = self._table.row(ends, interface)
            self._live.pop(ends, None)
            self._waiting.pop(ends, None)
            if row is not None:
                self._keep(ends, row)
                self._bound[ends] = interface
        return self._table.rows(_LISTENERS)

    def _keep(self, ends: Ends, row: Row) -> None:
        (self._waiting if row[0] == _TIME_WAIT else self._live)[ends] = row

    def has(self, states: frozenset[int]) -> bool:
        """Whether there is a socket in one of the states: cheap for LISTEN alone. OSError."""
        return bool(self._table.rows(states))

    @property
    def sources(self) -> tuple[int, int]:
        """Descriptors for epoll(7): one is readable when something happened that asks for a look."""
        return self.tap.fileno(), self.destroyed.fileno()

    @property
    def passing(self) -> bool:
        """Whether a socket was in a state that the kernel is about to leave by itself."""
        return any(row[0] in _TRANSIENT for row in self._live.values())

    @property
    def restless(self) -> bool:
        """Whether something may change there without anything that the tap hears."""
        return bool(self._live or self._counting)


class Sampler:
    """The hosts that are watched, and how often they were looked at."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._hosts: dict[str, Watched] = {}
        self._sources = select.epoll()
        self._by_source: dict[int, Watched] = {}
        self.due = _NEVER
        """When the next look is due (time.monotonic); infinity while nothing is sampled."""
        self._interval = 0.0
        self._began = 0
        self._looks = self._worst_gap = 0
        self._trouble = ""

    def fileno(self) -> int:
        """For select(2): readable when something has happened at a host."""
        return self._sources.fileno()

    def start(self, hosts: dict[str, int], interval: float) -> None:
        """Watch these hosts (name to process id), none oftener than every ``interval`` seconds. OSError."""
        self._interval = interval
        self._began = time.time_ns()
        self._looks = self._worst_gap = 0
        self._by_source.clear()
        for name, pid in hosts.items():
            host = self._hosts[name] = Watched(pid, self._began)
            for source in host.sources:
                self._by_source[source] = host
                self._sources.register(source, 0)
        self.look_everywhere()

    def wake(self) -> None:
        """Something has happened at some hosts: look at them soon, all together."""
        soon = time.monotonic() + _TOGETHER_SECONDS
        for source, _ in self._sources.poll(0):
            host = self._by_source[source]
            host.due = min(host.due, max(host.free, soon))
            self.due = min(self.due, host.due)

    def look_where_due(self) -> None:
        """Look at every host whose time has come."""
        now = time.monotonic()
        for name, host in self._hosts.items():
            if host.due <= now:
                self.look(name, whole=False)
        self.due = min((host.due for host in self._hosts.values()), default=_NEVER)

    def look_everywhere(self) -> None:
        """Look at every host, whatever has happened."""
        for name in self._hosts:
            self.look(name)

    def look(self, name: str, *, whole: bool = True, last: bool = False) -> tuple[Row, ...]:
        """The sockets of a host as they are now; told as an event if they have changed, and the last time.

        Without ``whole`` only what may have changed is asked for.
        """
        host, now = self._hosts[name], time.time_ns()
        self._looks += 1
        self._worst_gap = max(self._worst_gap, now - host.looked)
        host.looked = now
        try:
            changed = host.look(whole=whole)
        except OSError as error:
            self._trouble = self._trouble or f"the sockets of {name} could not be read: {error}"
            return ()
        took = time.time_ns() - now
        if changed or last:
            self._tell_of(name, host, took)
            host.longest = 0
        host.same_until, host.longest = now, max(host.longest, took)
        self._plan_next(host, changed=changed)
        return host.rows

    def _tell_of(self, name: str, host: Watched, took: int) -> None:
        """What a host shows now, and how long what was told of it before had been so."""
        before = {"until": host.same_until, "took": host.longest}
        event = {"event": "sockets", "at": host.looked, "took": took, "host": name, "rows": host.rows}
        self._tell({**event, "counts": host.counts._asdict(), "before": before})

    def _plan_next(self, host: Watched, *, changed: bool) -> None:
        """Soon after a change, then ever later, unless something happens.

        Where nothing can change unheard there is no hurry.
        """
        now, (shortest, longest) = time.monotonic(), _IDLE_SECONDS
        idle = min(max(shortest, len(self._hosts) / _MANY_HOSTS * shortest), longest)
        host.wait = min(self._interval if changed else 2 * host.wait, idle) if host.restless else idle
        host.free = now + max(self._interval, host.cost * _DUTY)
        # Where nothing happens all hosts are looked at together: to wake up is what costs most.
        beat = (now // idle + 1) * idle
        host.due = max(beat if host.wait == idle else now + host.wait, host.free)
        self.due = min(self.due, host.due)
        for source in host.sources:
            self._sources.modify(source, select.EPOLLIN | select.EPOLLONESHOT)

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
                self.look(name, whole=False)
        return not any(host.passing for host in self._hosts.values())

    def stop(self) -> dict[str, Any]:
        """Look a last time and end; how well it was done (all times in nanoseconds)."""
        for name in self._hosts:
            self.look(name, last=True)
        for host in self._hosts.values():
            for source in host.sources:
                self._sources.unregister(source)
        self.due = _NEVER
        ended = time.time_ns()
        return {
            "began": self._began,
            "ended": ended,
            "mean_gap": (ended - self._began) * len(self._hosts) // max(1, self._looks),
            "worst_gap": self._worst_gap,
            "trouble": self._trouble,
        }
