"""Where a connection is seen decides what its frames tell: both ends at once, or one end at its own port."""

from __future__ import annotations

from collections.abc import Iterator

from lab.wire.packets.segment import (
    ACK,
    FIN,
    RST,
    SYN,
    Bare,
    Segment,
    flow_of,
    named,
)
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.copies import Copies
from lab.wire.tcp.end import End
from lab.wire.tcp.facts import Measures, Moment, moment
from lab.wire.tcp.metered import ZERO_PROBE, Metered
from lab.wire.tcp.pairs import Alone, Pairs
from lab.wire.tcp.serial import MASK, distance
from lab.wire.tcp.states import ESTABLISHED
from lab.wire.tcp.stream import Stream
from lab.wire.tcp.tracker import Forging, Tracker, way_from_client

_CONTROL_OR_ACK = FIN | SYN | RST | ACK


def tracker_of(first: Segment, point: CapturePoint, copies: Copies, since: int) -> Tracker:
    """A connection that begins with that segment."""
    if point.ports:
        flow = flow_of(way_from_client(first.way, first.flags))
        client, server = point.ports_of(flow.source), point.ports_of(flow.target)
        if client or server:
            return TwoViews(first, client, server, point.honest, since)
    return OneView(first, copies, since)


class OneView(Tracker):
    """Each frame was sent and has arrived, and both directions are seen as one place saw them.

    Copies of a frame tell nothing.
    """

    __slots__ = ("_copies", "_last", "_open", "_others", "_own")

    def __init__(self, first: Segment, copies: Copies, since: int) -> None:
        self._own, self._others = own, others = Metered(), Metered()
        super().__init__(first, End(own, others), End(others, own), since)
        self._copies = copies
        self._last = first.time
        self._open = False
        """Whether both ends are open, were heard of, have room for data, and do not probe each other."""

    def take(self, bare: Bare) -> None:
        """Tell both ends of a segment. What comes in order on an open connection changes only numbers."""
        _, time, _, way, seq, ack, flags, length, window, _, ident, _, _ = bare
        there = way == self.way
        if not self._open or flags & _CONTROL_OR_ACK != ACK:
            self._study(named(bare), there=there)
            return
        stream, back = (self._own, self._others) if there else (self._others, self._own)
        if (
            seq == stream.next
            and stream.holes is None is back.holes
            and window
            and (length or ack != back.acked or window != stream.window)
            and (back.next - ack) & MASK <= (back.next - back.acked) & MASK  # type: ignore[operator]
        ):
            self._last = time
            if back.timing is not None and ack != back.acked:
                back.answered(ack, time)
            back.acked = ack
            back.unanswered = back.probes = 0
            stream.ident, stream.window = ident, window
            stream.segments += 1
            if stream.ack is None:
                stream.ack = moment(bare[:2])
                stream.scale(back)
            if length:
                stream.next = end = (seq + length) & MASK
                stream.bytes += length
                stream.heard = bare[:2]
                if (end - stream.acked) & MASK == back.window << back.shift:  # type: ignore[operator]
                    stream.full += 1
                if stream.timing is None:
                    stream.timing, stream.timed = end, time
        else:
            self._study(named(bare), there=there)

    def _study(self, segment: Segment, *, there: bool) -> None:
        if there:
            sender, receiver, stream, back = self.client, self.server, self._own, self._others
        else:
            sender, receiver, stream, back = self.server, self.client, self._others, self._own
        seq, expected = segment.seq, stream.next
        if seq == expected:
            told = not segment.length and segment.ack == back.acked and segment.window == stream.window
        else:
            told = expected is not None and distance(expected, seq) < 0
        if told and self._copies.repeats(segment):
            return
        if (stream.syn is None or stream.stale is not None) and _is_stale(segment, stream, back):
            return
        at = moment(segment[:2])
        self._last = segment.time
        stream.meter(segment, back)
        if stream.probe == ZERO_PROBE:
            back.acknowledge(segment, at)
            self._open = False
            return
        new = _pass(segment, at, stream, back)
        sender.sent(segment, at, new=new)
        receiver.received(segment, at)
        self._open = (
            sender.state is receiver.state is ESTABLISHED
            and stream.next is not None
            and back.next is not None
            and bool(stream.window and back.window)
            and not (stream.probe or back.probe)
            and stream.old_ack is None is back.old_ack
        )

    def measures(self) -> Measures:
        """How it went."""
        own, others, began = self._own, self._others, self._own.ack
        refused, handshake = self.server.reset_sent, None
        if own.syn and began:
            handshake = began.time - own.syn_time
        elif own.syn and refused and not others.syn:
            handshake = refused.moment.time - own.syn_time
        return Measures(self._last, handshake, own.measured(), others.measured())


class TwoViews(Tracker):
    """Frames are seen where they enter the switch, at the sender's port, and leave it, at the receiver's.

    Frames at other ports are on their way through a router or flooded by the switch: they tell nothing. Only
    those that enter at a port of ``honest`` were sent there in the name of an end.
    """

    __slots__ = ("_client_ports", "_honest", "_pairs", "_server_ports", "forged")

    def __init__(
        self,
        first: Segment,
        client_ports: frozenset[int],
        server_ports: frozenset[int],
        honest: frozenset[int],
        since: int,
    ) -> None:
        super().__init__(first, End(Stream(), Stream()), End(Stream(), Stream()), since)
        self._client_ports = client_ports
        self._server_ports = server_ports
        self._honest = honest
        self._pairs = (Pairs(), Pairs()) if client_ports and server_ports else None
        self.forged: dict[tuple[bool, int], Forging] = {}

    def take(self, bare: Bare) -> None:
        """Tell the end at whose port a segment was seen."""
        segment = named(bare)
        there, leaving = segment.way == self.way, bool(segment.leaving)
        at_client = there is not leaving
        at = moment(segment[:2])
        if segment.interface not in (self._client_ports if at_client else self._server_ports):
            if not leaving and segment.interface in self._honest:
                self.forged.setdefault((there, segment.interface), Forging(at)).frames += 1
            return
        if self._pairs is not None:
            self._pairs[there].see(segment)
        end = self.client if at_client else self.server
        stream, back = (end.incoming, end.outgoing) if leaving else (end.outgoing, end.incoming)
        if _is_stale(segment, stream, back):
            return
        new = _pass(segment, at, stream, back)
        if leaving:
            end.received(segment, at)
        else:
            end.sent(segment, at, new=new)

    def alone(self) -> Iterator[tuple[Alone, bool]]:
        """Frames seen at one of two ports only; whether a later one of that direction was seen at both."""
        for pairs in self._pairs or ():
            yield from ((one, one.frame < pairs.crossed) for one in pairs.unpaired())


def _pass(segment: Segment, at: Moment, stream: Stream, back: Stream) -> bool:
    """Let both streams of a place take a segment in; whether it brings new data. An RST brings nothing."""
    if segment.flags & RST:
        back.unanswered = back.probes = 0
        return False
    if segment.flags & ACK:
        back.acknowledge(segment, at)
    return stream.take(segment, at, back)


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
