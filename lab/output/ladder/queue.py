"""Which connections wait in an accept queue, as the kernels showed it: no process holds their sockets.

From listen(2) on the kernel finishes handshakes by itself. A connection gets a process, and so an inode, when
its program takes it out of the queue by accept(2). What was accepted between two looks was never shown to
wait: nothing is told of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import Ends, ends_of, grouped
from lab.evidence.sockets import SocketSample
from lab.output.ladder.rows import Accepted, Packet, Queued, Row
from lab.wire.packets import FIN
from lab.wire.tcp import Connection

_FINISHED = frozenset({TcpState.ESTABLISHED, TcpState.CLOSE_WAIT})
"""Where a connection in the queue may be: its handshake is complete, and its client may have closed."""


class Change(Struct, frozen=True):
    """A look from ``at`` to ``until`` showed a socket to wait, or to be ``held`` and to wait no longer.

    ``since`` is when the look before began.
    """

    host: str
    ends: Ends
    held: bool
    at: int
    until: int
    since: int


class Waiting:
    """The connections in the accept queues of a host, look by look."""

    def __init__(self) -> None:
        self._waiting: set[Ends] = set()

    def take(self, sample: SocketSample, since: int) -> Iterator[Change]:
        """What a look shows to have changed; the look before began at ``since``."""
        told = {ends_of(row): row for row in sample.rows}
        if sample.whole:
            self._waiting &= told.keys()
        self._waiting.difference_update(map(ends_of, sample.gone))
        for ends, row in told.items():
            waits = row.state in _FINISHED and not row.inode
            if waits == (ends in self._waiting):
                continue
            (self._waiting.add if waits else self._waiting.remove)(ends)
            if waits or row.inode:
                until = sample.at + sample.took
                yield Change(sample.host, ends, bool(row.inode), sample.at, until, since)


Number = Callable[[Change], tuple[int, Connection] | None]
"""Tells the connection whose server's socket has changed, and its number, if it is known."""


def recorded(evidence: Evidence, only: int) -> list[Queued | Accepted]:
    """What the samples of a run show, in order of time; ``only`` is the number of a connection, or 0."""
    number = _numbers(evidence, only)
    found = [
        row
        for history in evidence.sockets.values()
        for change in _changes(history.samples)
        for row in row_of(change, number)
    ]
    return sorted(found, key=attrgetter("time"))


def _changes(samples: Sequence[SocketSample]) -> Iterator[Change]:
    waiting = Waiting()
    for before, sample in pairwise([*samples[:1], *samples]):
        yield from waiting.take(sample, max(before.at, before.until))


def _numbers(evidence: Evidence, only: int) -> Number:
    known = grouped(
        (server_of(connection), (connection.began.time, number))
        for number, connection in enumerate(evidence.connections, start=1)
        if only in {0, number}
    )

    def number(change: Change) -> tuple[int, Connection] | None:
        began = known.get((change.host, change.ends), ())
        # Ports are used again: it is the connection that began last.
        place = bisect_right(began, change.until, key=lambda one: one[0])
        return (began[place - 1][1], evidence.connections[began[place - 1][1] - 1]) if place else None

    return number


def server_of(connection: Connection) -> tuple[str, Ends]:
    """The host of a connection's server, and the ends of the socket there."""
    client, server = connection.sides
    return server.host, (server.address, server.port, client.address, client.port)


def row_of(change: Change, number: Number) -> Iterator[Queued | Accepted]:
    """The row of a change; none if its connection is not known."""
    found = number(change)
    if found is None:
        return
    index, connection = found
    server = connection.server
    gone = server.entered(TcpState.CLOSED) or server.entered(TcpState.TIME_WAIT)
    if gone and gone.time < change.since:
        return  # an earlier one with the same ends
    if change.held:
        yield Accepted(change.until, index, server.host, server.port, change.since)
        return
    # A look takes its time: what it showed to be finished was so on the wire before.
    finished = server.entered(TcpState.ESTABLISHED)
    time = min(max(change.at, finished.time if finished else 0), change.until)
    yield Queued(time, index, server.host, server.port)


def in_time(rows: Iterable[Row], accepted: Iterable[Row]) -> Iterator[Row]:
    """The rows in order, each that is ``Accepted`` no later than what its program sent then.

    The look comes some time after accept(2): the first data, or the FIN, is the proof that came before it.
    """
    later: dict[int, Accepted] = {row.number: row for row in accepted if isinstance(row, Accepted)}
    for row in rows:
        if isinstance(row, Packet):
            known = later.get(row.number)
            if known and _proves(row, known):
                del later[row.number]
                yield replace(known, time=row.time)
        if not isinstance(row, Accepted) or later.pop(row.number, None) is not None:
            yield row


def _proves(packet: Packet, known: Accepted) -> bool:
    """Whether only the program that has accepted a connection can have sent it."""
    own = (packet.source, packet.ports[0]) == (known.host, known.port)
    return own and bool(packet.length or packet.flags & FIN) and known.since < packet.time
