"""One connection while its segments come in: two ends, and the frames that tell them what happened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from lab.wire.packets.segment import ACK, SYN, Bare, Segment, flow_of, way_back
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.conclusion import Named, connection_of, outcome_of
from lab.wire.tcp.end import End
from lab.wire.tcp.facts import Connection, Forged, Measures, Moment, Outcome, moment
from lab.wire.tcp.pairs import Alone
from lab.wire.tcp.serial import MASK
from lab.wire.tcp.states import ESTABLISHED, SYN_SENT


class Forging(Struct):
    """Frames that one host has sent in the name of one end."""

    first: Moment
    frames: int = 0


_NONE: Mapping[tuple[bool, int], Forging] = MappingProxyType({})
"""Where nobody knows who has sent a frame."""


class Tracker(ABC):
    """A connection in the making. Memory is a fixed amount, however many its segments are.

    ``way`` is that of the client's segments. ``since`` is the frame from which on it waits for its
    turn to be forgotten.
    """

    __slots__ = ("_isn", "began", "client", "server", "since", "way")

    forged: Mapping[tuple[bool, int], Forging] = _NONE
    """Frames in the name of the client or not, by the interface where another host has sent them."""

    def __init__(self, first: Segment, client: End, server: End, since: int) -> None:
        self.began = moment(first[:2])
        self.since = since
        self.client = client
        self.server = server
        self._isn = first.seq if first.flags & (SYN | ACK) == SYN else None
        self.way = way_from_client(first.way, first.flags)
        if not first.flags & SYN:
            client.enter(ESTABLISHED, self.began)
            server.enter(ESTABLISHED, self.began)
        elif first.flags & ACK:
            client.enter(SYN_SENT, self.began)

    @abstractmethod
    def take(self, bare: Bare) -> None:
        """Tell the ends of a segment of either direction; they come in order."""

    def alone(self) -> Iterator[tuple[Alone, bool]]:
        """Frames seen where they entered or left the switch only; whether a later one was seen at both."""
        return iter(())

    def measures(self) -> Measures | None:
        """How it went, where both directions were seen at one place."""
        return None

    @property
    def open(self) -> bool:
        """Whether both ends can still speak."""
        return self.client.state is self.server.state is ESTABLISHED

    @property
    def outcome(self) -> Outcome | None:
        """How it began and ended; None if no frame was seen at a port of either end."""
        return outcome_of(self.client, self.server)

    def continues_with(self, syn: Segment) -> bool:
        """Whether a SYN belongs to this connection.

        It was sent again, it stands behind the SYN-ACK that answers it, or it is the other half of a
        simultaneous open.
        """
        client, server = self.client, self.server
        if syn.way != self.way:
            isn = server.outgoing.isn
            return client.state is SYN_SENT if isn is None else syn.seq == isn
        if self._isn is not None:
            return syn.seq == self._isn
        answered = server.outgoing.syn or client.incoming.syn
        return answered is not None and client.outgoing.next == client.outgoing.acked == (syn.seq + 1) & MASK

    def connection(self, capture: str, point: CapturePoint) -> Connection | None:
        """The facts so far, or None if no frame was seen at a port of either end."""
        flow, host_of = flow_of(self.way), point.host_of
        client = Named(host_of(flow.source), flow.source, flow.source_port)
        server = Named(host_of(flow.target), flow.target, flow.target_port)
        found = connection_of(
            capture,
            self.began,
            ((self.client, client), (self.server, server)),
            self.alone(),
            self.measures(),
        )
        if found is None or not self.forged:
            return found
        forged = tuple(
            Forged(point.ports[port], (client if of_client else server).address, one.first, one.frames)
            for (of_client, port), one in self.forged.items()
        )
        pretended = self.client.outgoing.syn is None and self.began in {one.first for one in forged}
        return replace(found, forged=forged, pretended=pretended)


def way_from_client(way: bytes, flags: int) -> bytes:
    """The way of the first SYN; where the first segment has none, the smaller port is the server's."""
    if flags & SYN:
        return way_back(way) if flags & ACK else way
    return way if way[-4:-2] >= way[-2:] else way_back(way)
