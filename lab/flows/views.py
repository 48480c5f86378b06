"""Where a connection is seen decides what its frames tell: both ends at once, or one end at its own port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from lab.flows.copies import Copies
from lab.flows.end import End
from lab.flows.facts import Moment, moment_of
from lab.flows.pairs import Alone, Pairs
from lab.flows.serial import MASK, distance
from lab.flows.states import ESTABLISHED
from lab.flows.stream import Stream
from lab.packets.segment import ACK, ACKED, FIN, FLAGS, LENGTH, RST, SEQ, SYN, WAY, Bare, Segment, named

_CONTROL_OR_ACK = FIN | SYN | RST | ACK


@dataclass(slots=True)
class Forging:
    """Frames that one host has sent in the name of one end."""

    first: Moment
    frames: int = 0


_NONE: Mapping[tuple[bool, int], Forging] = MappingProxyType({})
"""Where nobody knows who has sent a frame."""


class View(Protocol):
    """How a connection's segments reach its ends."""

    client: End
    server: End

    @property
    def forged(self) -> Mapping[tuple[bool, int], Forging]:
        """Frames in the name of the client or not, by the interface where another host has sent them."""

    def take(self, bare: Bare) -> None:
        """Tell the ends of a segment of either direction; they come in order."""

    def alone(self) -> Iterator[tuple[Alone, bool]]:
        """Frames seen where they entered or left the switch only; whether a later one was seen at both."""


class OneView:
    """Each frame was sent and has arrived, and both directions are seen as one place saw them.

    Copies of a frame tell nothing.
    """

    __slots__ = ("_copies", "_open", "_there", "client", "forged", "server")

    def __init__(self, there: bytes, copies: Copies) -> None:
        own, others = Stream(), Stream()
        self.client, self.server = End(own, others), End(others, own)
        self._there = there
        self._copies = copies
        self._open = False
        """Whether both ends are open, and both were heard of."""
        self.forged: Mapping[tuple[bool, int], Forging] = _NONE

    def take(self, bare: Bare) -> None:
        """Tell both ends of a segment. What comes in order on an open connection changes only numbers."""
        client, server = self.client, self.server
        sender, receiver = (client, server) if bare[WAY] == self._there else (server, client)
        if not self._open or bare[FLAGS] & _CONTROL_OR_ACK != ACK:
            self._study(named(bare), sender, receiver)
            return
        stream, back = sender.outgoing, receiver.outgoing
        seq, ack, length = bare[SEQ], bare[ACKED], bare[LENGTH]
        if (
            seq == stream.next
            and stream.holes is None is back.holes
            and (back.next - ack) & MASK <= (back.next - back.acked) & MASK  # type: ignore[operator]
        ):
            back.acked = ack
            back.unanswered = back.probes = 0
            stream.latest = bare
            if stream.ack is None:
                stream.ack = moment_of(bare)
            if length:
                stream.next = (seq + length) & MASK
                stream.bytes += length
                stream.heard = bare
        else:
            self._study(named(bare), sender, receiver)

    def alone(self) -> Iterator[tuple[Alone, bool]]:
        """None: no frame is to be seen twice."""
        return iter(())

    def _study(self, segment: Segment, sender: End, receiver: End) -> None:
        stream, back = sender.outgoing, receiver.outgoing
        told = stream.next is not None and distance(stream.next, segment.seq) < 0
        if told and self._copies.repeats(segment):
            return
        if (stream.syn is None or stream.stale is not None) and _is_stale(segment, stream, back):
            return
        new = _pass(segment, stream, back)
        sender.sent(segment, new=new)
        receiver.received(segment)
        both_open = sender.states.now is receiver.states.now is ESTABLISHED
        self._open = both_open and stream.next is not None and back.next is not None


class TwoViews:
    """Frames are seen where they enter the switch, at the sender's port, and leave it, at the receiver's.

    Frames at other ports are on their way through a router or flooded by the switch: they tell nothing. Only
    those that enter at a port of ``honest`` were sent there in the name of an end.
    """

    __slots__ = (
        "_client_ports",
        "_honest",
        "_pairs",
        "_server_ports",
        "_there",
        "client",
        "forged",
        "server",
    )

    def __init__(
        self,
        there: bytes,
        client_ports: frozenset[int],
        server_ports: frozenset[int],
        honest: frozenset[int] = frozenset(),
    ) -> None:
        self._there = there
        self.client, self.server = End(Stream(), Stream()), End(Stream(), Stream())
        self._client_ports = client_ports
        self._server_ports = server_ports
        self._honest = honest
        self._pairs = (Pairs(), Pairs()) if client_ports and server_ports else None
        self.forged: dict[tuple[bool, int], Forging] = {}
        """Frames in the name of the client or not, by the interface where they entered."""

    def take(self, bare: Bare) -> None:
        """Tell the end at whose port a segment was seen."""
        segment = named(bare)
        there, leaving = segment.way == self._there, bool(segment.leaving)
        at_client = there is not leaving
        if segment.interface not in (self._client_ports if at_client else self._server_ports):
            if not leaving and segment.interface in self._honest:
                self._note_forged(segment, there=there)
            return
        if self._pairs is not None:
            self._pairs[there].see(segment)
        end = self.client if at_client else self.server
        stream, back = (end.incoming, end.outgoing) if leaving else (end.outgoing, end.incoming)
        if _is_stale(segment, stream, back):
            return
        new = _pass(segment, stream, back)
        if leaving:
            end.received(segment)
        else:
            end.sent(segment, new=new)

    def _note_forged(self, segment: Segment, *, there: bool) -> None:
        forging = self.forged.setdefault((there, segment.interface), Forging(moment_of(segment)))
        forging.frames += 1

    def alone(self) -> Iterator[tuple[Alone, bool]]:
        """Frames seen at one of two ports only; whether a later one of that direction was seen at both."""
        for pairs in self._pairs or ():
            yield from ((one, one.frame < pairs.crossed) for one in pairs.unpaired())


def _pass(segment: Segment, stream: Stream, back: Stream) -> bool:
    """Let both streams of a place take a segment in; whether it brings new data. An RST brings nothing."""
    if segment.flags & RST:
        back.unanswered = back.probes = 0
        return False
    if segment.flags & ACK:
        back.acknowledge(segment)
    return stream.take(segment, back)


def _is_stale(segment: Segment, stream: Stream, back: Stream) -> bool:
    """Whether a segment belongs to an old connection between the same ports (RFC 9293, section 3.5.1).

    Its sender acknowledges what the other side's SYN has not begun, and is answered by an RST.
    """
    if segment.flags & RST:
        return segment.seq == stream.stale
    if segment.flags & (SYN | ACK) != ACK or stream.syn is not None or back.syn is None:
        return False
    if back.syn_acked is not None or back.acceptable(segment.ack):
        return False
    back.stale = segment.ack
    return True
