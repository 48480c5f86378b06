"""What became of a host's sockets in a run: each row once, with the samples from which to which it stood.

Thousands of sockets that wait, looked at for minutes, are thousands of rows here and not that many for each
look: what a check has to go through is what changed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar

from msgspec import Struct

from lab.core.words import TcpState
from lab.evidence.sockets import SocketEnds, SocketRow, SocketSample

Ends = tuple[str, int, str, int]
"""Address and port here, address and port there."""

Ports = tuple[int, int]
"""Port here, port there."""

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class RowSpan(Struct, frozen=True):
    """A row, and the numbers of the first and the last sample that show it; all between them do, too."""

    row: SocketRow
    first: int
    last: int


class SocketHistory(Struct, frozen=True, dict=True):
    """The samples of one host in the order in which they were taken, and the rows that they show."""

    samples: tuple[SocketSample, ...] = ()

    @cached_property
    def spans(self) -> Sequence[RowSpan]:
        """What the samples show, in the order of their first samples, and as these have them."""
        return tuple(_stands(self.samples))

    def in_state(self, state: TcpState) -> Sequence[RowSpan]:
        """What stood in a state."""
        return self._by_state.get(state, ())

    def of(self, ends: Ends) -> Sequence[RowSpan]:
        """What stood of one connection, or of others that had the same ends."""
        return self._by_ends.get(ends, ())

    def between(self, ports: Ports, numbers: range) -> Iterator[tuple[RowSpan, range]]:
        """What stood of the connections with these ports in some samples, and in which of them."""
        spans, lasts = self._by_ports.get(ports, ((), ()))
        before = bisect_left(spans, numbers.stop, key=lambda stand: stand.first)
        # Those before none of which reaches so far are passed over.
        for stand in spans[bisect_left(lasts, numbers.start, hi=before) : before]:
            shown = range(max(stand.first, numbers.start), min(stand.last + 1, numbers.stop))
            if shown:
                yield stand, shown

    def owned(self, ports: Ports) -> SocketRow | None:
        """The last row of the connections with these ports that a process held."""
        return self._owned.get(ports)

    def shown(self, ends: Ends, number: int) -> RowSpan | None:
        """What a sample shows of a connection."""
        spans = self.of(ends)
        place = bisect_right(spans, number, key=lambda stand: stand.first)
        return spans[place - 1] if place and spans[place - 1].last >= number else None

    def within(self, began: int, ended: int) -> range:
        """The numbers of the samples that show something of a time (ns), looks taking their time."""
        times, lasts = self._told_from_to
        return range(bisect_left(lasts, began), bisect_right(times, ended))

    @cached_property
    def _by_state(self) -> Mapping[TcpState, Sequence[RowSpan]]:
        return grouped((stand.row.state, stand) for stand in self.spans)

    @cached_property
    def _by_ends(self) -> Mapping[Ends, Sequence[RowSpan]]:
        return grouped((ends_of(stand.row), stand) for stand in self.spans)

    @cached_property
    def _by_ports(self) -> Mapping[Ports, tuple[Sequence[RowSpan], Sequence[int]]]:
        """The stands of each pair of ports, and how far those up to each reach."""
        groups = grouped((_ports(stand), stand) for stand in self.spans)
        return {
            ports: (spans, list(accumulate((stand.last for stand in spans), max)))
            for ports, spans in groups.items()
        }

    @cached_property
    def _owned(self) -> Mapping[Ports, SocketRow]:
        groups = grouped((_ports(stand), stand) for stand in self.spans if stand.row.inode)
        last = {
            ports: max(spans, key=lambda one: (one.last, order_of(one.row)))
            for ports, spans in groups.items()
        }
        return {ports: stand.row for ports, stand in last.items()}

    @cached_property
    def _told_from_to(self) -> tuple[Sequence[int], Sequence[int]]:
        """When each sample was taken, and until when what it shows may have been seen to be so still."""
        lasts = (max(sample.at, sample.until) + sample.took for sample in self.samples)
        return list(accumulate((sample.at for sample in self.samples), max)), list(accumulate(lasts, max))


def ends_of(one: SocketRow | SocketEnds) -> Ends:
    """Where a socket is, and where its peer is."""
    return one.local, one.local_port, one.remote, one.remote_port


def order_of(row: SocketRow) -> tuple[Any, ...]:
    """The order in which the rows of a look are told."""
    return row.state, *ends_of(row), row.recv_queue, row.send_queue, row.inode


def histories(samples: Iterable[SocketSample]) -> Mapping[str, SocketHistory]:
    """The history of each host that was sampled."""
    of_hosts: dict[str, list[SocketSample]] = {}
    for sample in samples:
        of_hosts.setdefault(sample.host, []).append(sample)
    return {host: SocketHistory(tuple(taken)) for host, taken in of_hosts.items()}


def grouped(items: Iterable[tuple[Key, Item]]) -> Mapping[Key, Sequence[Item]]:
    """What belongs to each key, in order."""
    groups: dict[Key, list[Item]] = {}
    for key, item in items:
        groups.setdefault(key, []).append(item)
    return groups


def _ports(stand: RowSpan) -> Ports:
    return stand.row.local_port, stand.row.remote_port


class _Standing(Struct):
    row: SocketRow
    first: int
    last: int


def _stands(samples: Sequence[SocketSample]) -> Iterator[RowSpan]:
    """The rows in the order in which they came, each with the first and the last sample that shows it."""
    came: list[_Standing] = []
    there: dict[Ends, list[_Standing]] = {}
    for number, sample in enumerate(samples):
        for ends, rows in _told(sample, there).items():
            standing = there.pop(ends, [])
            for one in standing:
                one.last = one.last if one.row in rows else number - 1
            known = [one.row for one in standing]
            new = [_Standing(row, number, len(samples) - 1) for row in rows if row not in known]
            came += new
            if rows:
                there[ends] = [one for one in standing if one.row in rows] + new
    return (RowSpan(one.row, one.first, one.last) for one in came)


def _told(sample: SocketSample, there: Iterable[Ends]) -> Mapping[Ends, Sequence[SocketRow]]:
    """The rows that there are now, for all ends that a sample tells of; there were some ``there`` before."""
    told: dict[Ends, list[SocketRow]] = {}
    for row in sample.rows:
        told.setdefault(ends_of(row), []).append(row)
    for ends in there if sample.whole else map(ends_of, sample.gone):
        told.setdefault(ends, [])
    return told
