"""Frames to packets: what was seen at the sender's port and what was seen at the receiver's, put together."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct, field

from lab.evidence.capture import CaptureFile
from lab.evidence.evidence import Evidence
from lab.output.ladder.rows import Mark
from lab.wire.packets import ACK, FIN, SYN, FourTuple, Segment
from lab.wire.tcp import Connection, Moment, Side
from lab.wire.tcp.serial import MASK, distance

_MOST_WAITING = 256
"""Packets kept while the oldest of them may still arrive: as many as lab.wire.tcp waits for."""


Key = tuple[int, ...]


class MatchedPacket(Struct):
    """A packet on its way. ``index`` is its connection's place in the evidence.

    ``sent`` and ``arrived`` are None where no frame shows that; ``settled`` says that no more is expected.
    """

    index: int
    from_client: bool
    segment: Segment
    seq: int
    ack: int
    mark: Mark
    sent: Moment | None
    arrived: Moment | None
    settled: bool

    @property
    def moment(self) -> Moment:
        """Its first frame."""
        return Moment(self.segment.frame, self.segment.time)

    @property
    def key(self) -> Key:
        """What all frames of it have in common, and hardly those of any other packet."""
        return _key(self.index, self.from_client, self.segment)


def matched_packets(
    segments: Iterable[Segment], capture: CaptureFile, evidence: Evidence
) -> Iterator[MatchedPacket]:
    """The packets of a capture in the order in which they were first seen.

    Memory grows with connections, not with packets.
    """
    ports = {one.index: one.host for one in evidence.info.interfaces if one.host}
    here = {
        index: connection
        for index, connection in enumerate(evidence.connections)
        if connection.capture == capture.path
    }
    atlas = Atlas(here, ports, everywhere=bool(capture.host))
    pairing = Pairing()
    for segment in segments:
        pairing.take(segment, atlas)
        yield from pairing.ready()
    yield from pairing.rest()


class Pairing:
    """Puts frames together, as they come, to the packets they show."""

    def __init__(self) -> None:
        self._numbers: dict[int, _Numbers] = {}
        self._queue: deque[MatchedPacket] = deque()
        self._waiting = _Waiting()

    def take(self, segment: Segment, atlas: Atlas) -> None:
        """A frame: it begins a packet, or is the arrival of one."""
        sighting = atlas.sighting(segment)
        if sighting is None:
            return
        moment = Moment(segment.frame, segment.time)
        key = _key(sighting.connection, sighting.from_client, segment)
        if not sighting.at_sender and (known := self._waiting.take(key)):
            known.arrived, known.settled = moment, True
        else:
            numbers = self._numbers.setdefault(sighting.connection, _Numbers())
            crossing = _begun(sighting, segment, numbers)
            self._queue.append(crossing)
            self._waiting.add(crossing)

    def ready(self, before: int = 0) -> Iterator[MatchedPacket]:
        """The packets whose turn it is; those that began before that time (ns) are not waited for."""
        queue = self._queue
        while queue and (queue[0].settled or len(queue) > _MOST_WAITING or queue[0].segment.time < before):
            self._waiting.drop(queue[0])
            yield queue.popleft()

    def rest(self) -> Iterator[MatchedPacket]:
        """All packets that are left, arrived or not."""
        yield from self._queue

    def forget(self, alive: Collection[int]) -> None:
        """Keep the numbers of these connections only."""
        for gone in self._numbers.keys() - set(alive):
            del self._numbers[gone]


def _key(connection: int, from_client: bool, segment: Segment) -> Key:
    return connection, from_client, segment.seq, segment.ack, segment.flags, segment.length, segment.checksum


class _Sighting(NamedTuple):
    """A frame at the port of an end; ``paired`` says that each of its packets is to be seen at both."""

    connection: int
    from_client: bool
    at_sender: bool
    at_receiver: bool
    paired: bool


def _begun(sighting: _Sighting, segment: Segment, numbers: _Numbers) -> MatchedPacket:
    moment = Moment(segment.frame, segment.time)
    seq, ack, mark = numbers.take(segment, from_client=sighting.from_client)
    return MatchedPacket(
        sighting.connection, sighting.from_client, segment, seq, ack, mark,
        sent=moment if sighting.at_sender else None,
        arrived=moment if sighting.at_receiver else None,
        settled=sighting.at_receiver or not sighting.paired,
    )  # fmt: skip


class _Waiting:
    """Packets that may still arrive."""

    def __init__(self) -> None:
        self._crossings: dict[Key, list[MatchedPacket]] = {}

    def add(self, crossing: MatchedPacket) -> None:
        """Wait for a packet, unless its arrival is known already."""
        if not crossing.settled:
            self._crossings.setdefault(crossing.key, []).append(crossing)

    def take(self, key: Key) -> MatchedPacket | None:
        """The packet that has arrived. One sent again may look the same: of equal ones it is the last."""
        known = self._crossings.get(key)
        if not known:
            return None
        self.drop(last := known[-1])
        return last

    def drop(self, crossing: MatchedPacket) -> None:
        """Wait no longer."""
        known = self._crossings.get(crossing.key, [])
        if any(one is crossing for one in known):
            known[:] = [one for one in known if one is not crossing]
        if not known:
            self._crossings.pop(crossing.key, None)


class Atlas:
    """Whose a segment is, and at whose port it was seen.

    ``connections`` are those of one capture by their index, ``ports`` the host at each interface;
    ``everywhere`` says that each frame shows both ends of its way, as on a loopback.
    """

    def __init__(
        self, connections: Mapping[int, Connection], ports: Mapping[int, str], *, everywhere: bool
    ) -> None:
        self._everywhere = everywhere
        self._ports = ports
        self._seen = frozenset(ports.values())
        """The hosts with a port."""
        self._connections = connections
        self._flows: dict[FourTuple, list[tuple[int, int, bool]]] = {}
        for index, connection in connections.items():
            there = _flow(connection)
            for flow, from_client in ((there, True), (there.reverse, False)):
                self._flows.setdefault(flow, []).append((connection.began.frame, index, from_client))

    def sighting(self, segment: Segment) -> _Sighting | None:
        """None for a frame that was seen at neither end's port, as flooded and forwarded ones are."""
        began = self._flows.get(segment.flow, [])
        # Ports are used again: the segment belongs to the connection that began last.
        position = bisect_right(began, segment.frame, key=lambda one: one[0]) - 1
        if position < 0:
            return None
        _, index, from_client = began[position]
        sender, receiver = self._ends(index, from_client=from_client)
        if self._everywhere or segment.leaving is None:
            return _Sighting(index, from_client, True, True, False)
        owner = self._ports.get(segment.interface, "")
        at_sender = not segment.leaving and owner == sender.host != ""
        at_receiver = segment.leaving and owner == receiver.host != ""
        if not (at_sender or at_receiver):
            return None
        paired = sender.host in self._seen and receiver.host in self._seen
        return _Sighting(index, from_client, at_sender, at_receiver, paired)

    def _ends(self, index: int, *, from_client: bool) -> tuple[Side, Side]:
        client, server = self._connections[index].sides
        return (client, server) if from_client else (server, client)


def _flow(connection: Connection) -> FourTuple:
    client, server = connection.sides
    return FourTuple(client.address, client.port, server.address, server.port)


class _Direction(Struct):
    """Where a side's numbers begin, what comes next, how much the peer has acknowledged, its own window."""

    base: int | None = None
    next: int | None = None
    acked: int | None = None
    window: int = 1


class _Numbers(Struct):
    """Relative sequence numbers of a connection: a SYN is 0; without one, what was seen first is 1."""

    client: _Direction = field(default_factory=_Direction)
    server: _Direction = field(default_factory=_Direction)

    def take(self, segment: Segment, *, from_client: bool) -> tuple[int, int, Mark]:
        """The relative numbers of a segment, and whether its sender had sent it before."""
        own, peer = (self.client, self.server) if from_client else (self.server, self.client)
        if own.base is None:
            own.base = segment.seq if segment.flags & SYN else (segment.seq - 1) & MASK
        if own.next is None:
            own.next = segment.seq
        ack = 0
        if segment.flags & ACK:
            peer.base = (segment.ack - 1) & MASK if peer.base is None else peer.base
            peer.acked, ack = segment.ack, (segment.ack - peer.base) & MASK
        own.window = segment.window
        return (segment.seq - own.base) & MASK, ack, _mark(own, segment, closed=not peer.window)


def _mark(own: _Direction, segment: Segment, *, closed: bool) -> Mark:
    """Whether a segment repeats; the direction's next number moves on if it brings something new.

    One that asks whether the peer is there is a window probe if the peer's window is ``closed``.
    """
    size = segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
    start = 0 if own.next is None else distance(own.next, segment.seq)
    asks = start == -1 and segment.flags == ACK and segment.length < 2
    was_acked = own.acked == own.next
    if start + size > 0 or own.next is None:
        own.next = (segment.seq + size) & MASK
    if asks and closed:
        return "window probe"
    if asks and was_acked:
        return "keep-alive"
    return "again" if size and start < 0 else ""
