"""The sockets of one host as its kernel told them last, and what a look finds to be different.

To list all its sockets costs the kernel 250 microseconds, for it walks a table that all namespaces share; to
list the listeners 20, to ask for one connection 5. So as a rule the listeners are listed and each connection
is asked for that is known or was heard of. All are listed every few seconds, for what nobody heard of.

There may be thousands in TIME_WAIT, and nothing happens to them that the filter does not hear: what a kernel
tells of one is true until its timer ends it, and whether it has is asked from then on. To list these, too, is
for the beginning, for when something may have been missed, and else for as long as it costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import NamedTuple

from . import namespaces
from .counters import Counters
from .datagrams import DatagramWatch
from .destroyed import Destroyed
from .diag import ALL_STATES, LISTEN, TIME_WAIT, Found, SocketTable
from .losses import Losses
from .packet_filter import PacketFilter
from .protocol import Counts, DatagramRow, Ends, SocketRow

_LISTED_SECONDS = 5.0
"""Between two looks at a host that list its sockets unasked, at the least."""

_DUTY = 10_000
"""Nor do they take more than one part in so many of a core."""

_MOST_ASKED = 32
"""Connections of a host that are asked for one by one at a look; of more than that all sockets are listed."""

_QUESTION = 4
"""Rows of a list that cost about as much as to ask for one connection."""

_MISSED_DUTY = 100
"""To list all because something was missed takes no more than one part in so many of a core."""

_OVERDUE_SECONDS = 0.1
"""Between two questions for a connection that should have left TIME_WAIT and has not."""

_TRANSIENT = frozenset({"SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "LAST_ACK", "CLOSING"})
"""The kernel is about to leave these by itself."""

_COUNTING_LOOKS = 4
"""Looks at which the counters are read after an RST: the kernel counts some things late.

TCPAbortOnData goes up behind the RST that it is about (tcp_close() of net/ipv4/tcp.c).
"""

_WITHOUT_WAITING = ALL_STATES - {TIME_WAIT}


class Difference(NamedTuple):
    """What is not as it was told before: for some ends all sockets there are now, and which have none left.

    A ``whole`` one is not held against anything: it tells all sockets of a host.
    """

    whole: bool
    rows: list[SocketRow]
    gone: list[Ends]


class Listed(NamedTuple):
    """The sockets of a host: TCP; TCP that is bound and neither listens nor connects; UDP."""

    tcp: tuple[SocketRow, ...] = ()
    bound: tuple[SocketRow, ...] = ()
    udp: tuple[DatagramRow, ...] = ()


class SocketMonitor:
    """A host whose sockets are watched: what they were at the last look, and when the next one is due."""

    def __init__(self, name: str, pid: int, now: int, losses: Losses, hosts: int = 1) -> None:
        self._name, self._losses = name, losses
        self.filter = PacketFilter(pid)
        self.destroyed = Destroyed(pid)
        self.sources = self.filter.fileno(), self.destroyed.fileno()
        """Descriptors for epoll(7): one is readable when something happened that asks for a look."""
        with namespaces.inside(pid):
            self._table = SocketTable()
        self.datagrams = DatagramWatch(pid, hosts)
        self._counters = Counters(pid)
        self._counting = _COUNTING_LOOKS
        self._known = False
        self._failed = False
        """Whether the last look came to no end: what it heard of is not known."""
        self._listed_due = self._all_due = self._overdue_due = 0.0
        self._missed, self._missed_due = False, 0.0
        """Whether something may have happened that nobody heard of, and when all are listed if so."""
        self._listing = 0.0
        """What it costs to list all sockets but those in TIME_WAIT (seconds of processor)."""
        self._overdue = False
        self._listeners: tuple[SocketRow, ...] = ()
        self._overfull = False
        """Whether more connections wait to be accepted than a listener wants."""
        self._live: dict[Ends, Found] = {}
        self._waiting: dict[Ends, tuple[Found, float]] = {}
        """The connections in TIME_WAIT with the time when that should end (time.monotonic), in the order of
        these; and the others."""
        self._news: dict[Ends, tuple[SocketRow, ...]] = {}
        self.counts = Counts()
        self.stirred = {*self.sources}
        """Those of the sources where something happened since the last look."""
        self.looked = now
        """When it was looked at last (ns since the epoch)."""
        self.same_until = now
        self.longest = 0
        """Of the looks that showed what the last did: when the last began, and how long the longest took."""
        self.cost = 0.0
        """Seconds of processor that the last look took if it listed sockets; to ask for some is cheap."""
        self.wait = self.due = self.free = 0.0
        """Seconds to the next look; when that is due, and when it may be at the earliest (time.monotonic)."""

    def look(self, *, whole: bool, last: bool = False) -> Difference | None:
        """Look now, at the ``whole`` table if told; what has changed, None if nothing has.

        The ``last`` look reads the counters whatever happened.

        It may raise anything, for what the kernel says may be as nobody thought.
        """
        before, now = self.counts, time.monotonic()
        whole, self._failed = whole or self._failed, True
        heard, reset = self._hear()
        if reset:
            self._counting = _COUNTING_LOOKS
        self.cost = 0.0
        listed_long_ago = now >= self._listed_due
        missed = self._missed and now >= self._missed_due
        if whole or missed or (listed_long_ago and now >= self._all_due):
            self._list_all()
        elif self._missed or listed_long_ago or len(self._live) + len(heard) > _MOST_ASKED:
            self._list(heard)
        else:
            self._ask_for({**self._interfaces(), **heard} if self._live else heard)
            self._take_listeners(self._table.listeners())
        self._overdue = bool(self._waiting) and now >= self._overdue_due and self._ask_overdue(now)
        # At other times the counters stand still: they need not be read.
        if self._counting or self._overfull or last:
            with self._losses.noted("counters", self._name):
                self.counts = self._counters.read()
            self._counting = max(0, self._counting - 1)
        self._failed = False
        return self._difference() if self._news or before != self.counts or not self._known else None

    def _hear(self) -> tuple[Mapping[Ends, int], bool]:
        """The connections something happened to, and whether an RST is among it."""
        of_tap, of_destroyed = self.sources
        if of_destroyed in self.stirred:
            self.destroyed.drain()
        if of_tap not in self.stirred:
            return {}, False
        heard = self.filter.drain()
        self._missed = self._missed or heard.lost
        return heard.ends, heard.reset

    def _difference(self) -> Difference:
        """What has changed since this was asked last; the whole table the first time."""
        whole, self._known = not self._known, True
        news, self._news = self._news, {}
        rows = self.rows if whole else chain.from_iterable(news.values())
        return Difference(
            whole, sorted(rows), [] if whole else sorted(ends for ends in news if not news[ends])
        )

    # --- asking --------------------------------------------------------------------------------

    def _list_all(self) -> None:
        """Learn all sockets anew."""
        spent = time.thread_time()
        sockets = self._table.sockets()
        self._take_listeners(_listeners(sockets))
        there = {found.row[1:5]: found for found in sockets if found.row[0] != LISTEN}
        for ends in (self._live.keys() | self._waiting.keys()) - there.keys():
            self._keep(ends, None)
        for ends in sorted(there, key=lambda ends: (there[ends].left, self._ends_at(ends))):
            self._keep(ends, there[ends])
        self.cost = time.thread_time() - spent
        self._missed, self._missed_due = False, time.monotonic() + _MISSED_DUTY * self.cost
        self._all_due = time.monotonic() + _DUTY * self.cost
        self._listed_due = time.monotonic() + max(_LISTED_SECONDS, _DUTY * self._listing)

    def _list(self, heard: Mapping[Ends, int]) -> None:
        """Learn all sockets but those in TIME_WAIT anew; what came to be in it is asked for, or is gone."""
        spent = time.thread_time()
        sockets = self._table.sockets(_WITHOUT_WAITING)
        there = {found.row[1:5]: found for found in sockets if found.row[0] != LISTEN}
        asked = {ends: at for ends, at in {**self._interfaces(), **heard}.items() if ends not in there}
        if len(asked) > max(_MOST_ASKED, len(self._waiting) // _QUESTION):
            self._list_all()
            return
        self._take_listeners(_listeners(sockets))
        for ends, found in there.items():
            self._keep(ends, found)
        self._ask_for(asked)
        self.cost = self._listing = time.thread_time() - spent
        self._listed_due = time.monotonic() + max(_LISTED_SECONDS, _DUTY * self._listing)

    def _interfaces(self) -> dict[Ends, int]:
        """At which interface to ask for each connection that may change."""
        return {ends: found.interface for ends, found in self._live.items()}

    def _ask_for(self, asked: Mapping[Ends, int]) -> None:
        """Learn what became of some connections, at an interface each."""
        for ends, interface in asked.items():
            self._keep(ends, self._table.find(ends, interface))

    def _ask_overdue(self, now: float) -> bool:
        """Learn which connections have left TIME_WAIT; whether there may be more of them.

        The kernel ends it in the order in which it should end: where one is still there, so are those behind.
        """
        for ends, (known, ends_at) in list(islice(self._waiting.items(), _MOST_ASKED)):
            if ends_at > now:
                return False
            found = self._table.find(ends, known.interface)
            if found is not None and found.row == known.row and found.left < _OVERDUE_SECONDS:
                self._overdue_due = now + _OVERDUE_SECONDS
                return False
            self._keep(ends, found)
        return True

    # --- keeping -------------------------------------------------------------------------------

    def _keep(self, ends: Ends, found: Found | None) -> None:
        """Of a connection this is known now."""
        waited = self._waiting.pop(ends, None)
        before = self._live.pop(ends, None) or (waited[0] if waited else None)
        row = found.row if found else None
        if found is None:
            pass
        elif found.row[0] == TIME_WAIT:
            now = time.monotonic()
            self._waiting[ends] = found, now + found.left if found.left or not waited else min(now, waited[1])
        else:
            self._live[ends] = found
        if row != (before.row if before else None):
            self._news[ends] = (row,) if row else ()

    def _ends_at(self, ends: Ends) -> float:
        return self._waiting[ends][1] if ends in self._waiting else 0.0

    def _take_listeners(self, listeners: tuple[SocketRow, ...]) -> None:
        """These are the listeners now; some may share an address and a port."""
        if listeners == self._listeners:
            return
        there: dict[Ends, list[SocketRow]] = {}
        for row in listeners:
            there.setdefault(row[1:5], []).append(row)
        for ends in {row[1:5] for row in {*self._listeners} ^ {*listeners}}:
            self._news[ends] = tuple(there.get(ends, ()))
        self._listeners = listeners
        self._overfull = any(row[5] > row[6] for row in listeners)

    # --- telling -------------------------------------------------------------------------------

    @property
    def rows(self) -> Iterator[SocketRow]:
        """All sockets that are known."""
        yield from self._listeners
        yield from (found.row for found in self._live.values())
        yield from (found.row for found, _ in self._waiting.values())

    def now_in(self, states: frozenset[str]) -> tuple[SocketRow, ...]:
        """The sockets in some of the states: cheap for LISTEN alone. OSError."""
        return self._table.rows(states)

    def listed(self) -> Listed:
        """All sockets as the kernel lists them now; nothing is told. OSError."""
        return Listed(self._table.rows(), self._table.bound(), self.datagrams.listed())

    @property
    def passing(self) -> bool:
        """Whether a socket was seen in a state that the kernel is about to leave by itself."""
        return not self._failed and any(found.row[0] in _TRANSIENT for found in self._live.values())

    @property
    def restless(self) -> bool:
        """Whether something may change there without anything that the filter hears."""
        return bool(self._live or self._counting or self._overdue)


def _listeners(sockets: Iterable[Found]) -> tuple[SocketRow, ...]:
    return tuple(sorted(found.row for found in sockets if found.row[0] == LISTEN))
