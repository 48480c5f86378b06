"""Looks at the sockets of every host when something happens there, and tells what changed.

A host is looked at when a segment opened, closed or reset a connection there or its kernel freed a socket,
soon again while it has connections that may change, and otherwise ten times a second.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Mapping

from .losses import Losses
from .protocol import DatagramRow, DatagramSocketsChanged, SamplingEnd, SocketRow, SocketsChanged
from .socket_monitor import Difference, Listed, SocketMonitor

_DUTY = 20
"""A look that lists the sockets of a host is followed by so many times its own length of rest."""

_LONGEST_LISTING_REST = 0.5
"""Seconds of rest after it at the most: the next look lists less."""

_TOGETHER_SECONDS = 0.001
"""From something that happened to the look at it, which then shows what followed at once, and at the peer."""

_IDLE_SECONDS = 0.1, 0.5
"""Between two looks at a host where nothing happens: as a rule, and where there are very many hosts."""

_JUST_SECONDS = 0.05
"""A host that was looked at so shortly before such a look is left out of it."""

_MANY_HOSTS = 16
"""Hosts from which on these looks are the fewer the more there are."""

_SHARE = 0.015
"""The part of a core that looks take in the long run; to wake up for them and to tell of them takes half as
much again. Where more happens than can be looked at for it, a look shows what has happened since the last."""

_SAVED_SECONDS = 0.05
"""Of a processor that may be spent at once after a time when little happened: on a hundred looks or so."""

_LONGEST_REST = 0.1
"""Seconds after which it may be looked again, whatever the last looks have cost."""

_NEVER = float("inf")


class Sampler:
    """The hosts that are watched, and how often they were looked at."""

    def __init__(
        self, tell: Callable[[SocketsChanged | DatagramSocketsChanged], None], losses: Losses
    ) -> None:
        self._tell = tell
        self._losses = losses
        self._hosts: dict[str, SocketMonitor] = {}
        self._sources = select.epoll()
        self._by_source: dict[int, SocketMonitor] = {}
        self._due = _NEVER
        self._saved, self._saved_at = _SAVED_SECONDS, time.monotonic()
        """Seconds of a processor that may be spent on looks, and when that was so; a debt is below 0."""
        self._interval = self._idle = 0.0
        self._began = 0
        self._looks = self._worst_gap = 0

    def fileno(self) -> int:
        """For epoll(7): readable when something has happened at a host."""
        return self._sources.fileno()

    @property
    def due(self) -> float:
        """When to come back (time.monotonic): for the next look, or to hear again of what has happened.

        Infinity while nothing is sampled.
        """
        return self._due if self.attentive else self._rested

    @property
    def attentive(self) -> bool:
        """Whether to wake up for what happens: not as long as it may not be looked at anyway."""
        return time.monotonic() >= self._rested

    @property
    def _rested(self) -> float:
        """When a debt is paid off."""
        return self._saved_at - min(0.0, self._saved) / _SHARE

    def _spend(self, seconds: float) -> None:
        """So much of a processor was spent on looks."""
        now = time.monotonic()
        saved = min(_SAVED_SECONDS, self._saved + (now - self._saved_at) * _SHARE)
        self._saved, self._saved_at = max(saved - seconds, -_LONGEST_REST * _SHARE), now

    def start(self, hosts: Mapping[str, int], interval: float) -> None:
        """Watch these hosts (name to process id), none oftener than every ``interval`` seconds."""
        self._interval = interval
        self._began = time.time_ns()
        self._looks = self._worst_gap = 0
        self._by_source.clear()
        shortest, longest = _IDLE_SECONDS
        self._idle = min(max(shortest, len(hosts) / _MANY_HOSTS * shortest), longest)
        for name, pid in hosts.items():
            with self._losses.noted("sockets", name):
                self._watch(name, SocketMonitor(name, pid, self._began, self._losses, len(hosts)))
        self.look_everywhere()

    def _watch(self, name: str, host: SocketMonitor) -> None:
        self._hosts[name] = host
        for source in host.sources:
            self._by_source[source] = host
            self._sources.register(source, select.EPOLLIN | select.EPOLLONESHOT)

    def wake(self) -> None:
        """Something has happened at some hosts: they are due when what follows at once has happened, too."""
        time.sleep(_TOGETHER_SECONDS)
        self._hear()

    def _hear(self) -> None:
        """The hosts where something has happened since the last time are due as soon as they may be."""
        for source, _ in self._sources.poll(0):
            host = self._by_source[source]
            host.stirred.add(source)
            host.due = min(host.due, host.free)
            self._due = min(self._due, host.due)

    def look_where_due(self) -> None:
        """Look at every host whose time has come."""
        spent, now = time.thread_time(), time.monotonic()
        self._hear()
        for name, host in self._hosts.items():
            if host.due <= now:
                self.look(name, whole=False)
        self._due = min([host.due for host in self._hosts.values()], default=_NEVER)
        self._spend(time.thread_time() - spent)

    def look_everywhere(self) -> None:
        """Look at every host, whatever has happened."""
        for name in self._hosts:
            self.look(name)

    def look(self, name: str, *, whole: bool = True, last: bool = False) -> Iterable[SocketRow]:
        """The sockets of a host as they are now; told as an event if they have changed, and the last time.

        Without ``whole`` only what may have changed is asked for.
        """
        host, now = self._hosts[name], time.time_ns()
        self._hear()  # whatever happened before ``now`` is taken into account
        self._looks += 1
        self._worst_gap = max(self._worst_gap, now - host.looked)
        host.looked = now
        self._look_at_datagrams(name, host, last=last)
        try:
            difference = host.look(whole=whole, last=last)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other hosts are looked at
            self._losses.note("sockets", name, error)
            self._plan_next(host, changed=False)
            return ()
        took = time.time_ns() - now
        if difference or last:
            self._tell_of(name, host, took, difference or Difference(whole=False, rows=[], gone=[]))
            host.longest = 0
        host.same_until, host.longest = now, max(host.longest, took)
        self._plan_next(host, changed=difference is not None)
        return host.rows

    def _look_at_datagrams(self, name: str, host: SocketMonitor, *, last: bool) -> None:
        """Look at the UDP sockets of a host if that is due: what fails there costs no other evidence."""
        with self._losses.noted("datagrams", name):
            if difference := host.datagrams.look(last=last):
                rows, gone = difference
                self._tell(DatagramSocketsChanged(at=host.looked, host=name, rows=rows, gone=gone))

    def _tell_of(self, name: str, host: SocketMonitor, took: int, difference: Difference) -> None:
        """What a host shows now, and how long what was told of it before had been so."""
        whole, rows, gone = difference
        self._tell(
            SocketsChanged(
                at=host.looked, host=name, took=took, whole=whole, rows=rows, gone=gone, counts=host.counts,
                before_until=host.same_until, before_took=host.longest,
            )
        )  # fmt: skip

    def _plan_next(self, host: SocketMonitor, *, changed: bool) -> None:
        """Soon after a change, then ever later, unless something happens.

        Where nothing can change unheard there is no hurry.
        """
        now, idle = time.monotonic(), self._idle
        host.wait = min(self._interval if changed else 2 * host.wait, idle) if host.restless else idle
        host.free = now + max(self._interval, min(host.cost * _DUTY, _LONGEST_LISTING_REST))
        # Where nothing happens all hosts are looked at together: to wake up is what costs most.
        beat = ((now + _JUST_SECONDS) // idle + 1) * idle
        host.due = max(beat if host.wait == idle else now + host.wait, host.free)
        self._due = min(self._due, host.due)
        for source in host.stirred:
            self._sources.modify(source, select.EPOLLIN | select.EPOLLONESHOT)
        host.stirred.clear()

    def now_in(self, name: str, states: frozenset[str]) -> tuple[SocketRow, ...]:
        """The sockets of a host in one of these states; nothing is told."""
        try:
            return self._hosts[name].now_in(states)
        except OSError:
            return ()  # the next look tells

    def datagrams(self, name: str) -> tuple[DatagramRow, ...]:
        """The UDP sockets of a host; OSError if its kernel does not say."""
        return self._hosts[name].datagrams.listed()

    def listed(self, name: str) -> Listed:
        """All sockets of a host, UDP too; nothing is told. OSError if its kernel does not say."""
        return self._hosts[name].listed()

    def settled(self) -> bool:
        """Whether no socket of any host is in a state that the kernel is about to leave by itself."""
        self._hear()
        for name, host in self._hosts.items():
            if host.due <= time.monotonic() or host.passing:
                self.look(name, whole=False)
        return not any(host.passing for host in self._hosts.values())

    def stop(self) -> SamplingEnd:
        """Look a last time and end; how well it was done."""
        for name in self._hosts:
            self.look(name, last=True)
        for host in self._hosts.values():
            for source in host.sources:
                self._sources.unregister(source)
        self._due = _NEVER
        ended = time.time_ns()
        return SamplingEnd(
            began=self._began,
            ended=ended,
            mean_gap=(ended - self._began) * len(self._hosts) // max(1, self._looks),
            worst_gap=self._worst_gap,
            lost=self._losses.told(),
        )
