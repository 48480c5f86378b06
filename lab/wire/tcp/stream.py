"""One direction of a connection: which of its sequence numbers were seen at one place, and in what order."""

from __future__ import annotations

from typing import Literal

from lab.wire.packets.segment import ACK, FIN, SYN, Segment
from lab.wire.tcp.facts import Moment, Resent
from lab.wire.tcp.holes import Hole, Holes
from lab.wire.tcp.serial import MASK, distance

_MOST_RESENT = 8
"""Retransmissions that are named; all are counted."""

_MOST_RIVALS = 4
"""SYN-ACKs with other numbers that are kept until one of them is acknowledged."""

_FAR = 1 << 30
"""Numbers that no acknowledgement jumps over: the largest window (RFC 7323, section 2.3)."""


class FinSeen:
    """The first FIN of a direction: its own sequence number, and what its sender had acknowledged by then."""

    __slots__ = ("ack", "moment", "position")

    def __init__(self, segment: Segment, at: Moment, acked: int | None) -> None:
        self.moment = at
        self.position = (segment.seq + segment.length) & MASK
        self.ack = segment.ack if acked is None else acked


class Stream:
    """The sequence numbers of a direction, as one place saw them. Memory is a fixed amount.

    ``isn`` is its SYN's. ``next`` is the number after the highest that was seen, or that the other side
    has acknowledged; ``acked`` the first that it has not. ``holes`` are what lies below ``next`` and
    was not seen. ``bytes`` is the payload up to ``next``, each byte once. ``heard`` is where the last
    segment with data was seen; ``ident`` and ``window`` are those of the last of any kind. ``unanswered``
    counts what was sent again, and ``probes`` the keep-alives, since the other side was heard of.
    """

    __slots__ = (
        "_rivals", "_syn_ack", "ack", "acked", "bytes", "fin", "fin_acked", "heard", "holes", "ident", "isn",
        "next", "probes", "refilled", "reordered", "resent", "resent_data", "resent_fin", "resent_syn", "rtt",
        "stale", "syn", "syn_acked", "unanswered", "window",
    )  # fmt: skip

    def __init__(self) -> None:
        self.isn: int | None = None
        self.next: int | None = None
        self.acked: int | None = None
        self.holes: Holes | None = None
        self.bytes = self.reordered = self.refilled = 0
        self.unanswered = self.probes = 0
        self.resent_syn = self.resent_data = self.resent_fin = 0
        self.resent: tuple[Resent, ...] = ()
        self.heard: tuple[int, int] | None = None
        self.ident = 0
        self.window: int | None = None
        self.syn: Moment | None = None
        self.syn_acked: Moment | None = None
        self.ack: Moment | None = None
        """The first segment without SYN that acknowledges."""
        self.fin: FinSeen | None = None
        self.fin_acked: Moment | None = None
        self.rtt: int | None = None
        """How long it took at least from a segment of this direction to what it caused (ns)."""
        self.stale: int | None = None
        """What the other side's old connection acknowledged (RFC 9293, section 3.5.1)."""
        self._rivals: tuple[tuple[int, Moment], ...] = ()
        self._syn_ack = False

    @property
    def arrived(self) -> int:
        """The number up to which everything was seen or acknowledged; only if there is a ``next``."""
        top, acked = self.next or 0, self.acked or 0
        return top if self.holes is None else self.holes.first_beyond(acked, top)

    @property
    def complete(self) -> bool:
        """Whether its FIN, and everything before it, has passed."""
        return self.fin is not None and distance(self.fin.position, self.arrived) > 0

    @property
    def gaps(self) -> int:
        """Places where something is missing."""
        return self.holes.count if self.holes else 0

    @property
    def proven_gaps(self) -> int:
        """Those of them that the other side has acknowledged: they are not the wire's."""
        return self.holes.acknowledged(self.acked) if self.holes and self.acked is not None else 0

    @property
    def uncertain(self) -> int:
        """Bytes that may be none: the highest number, if it was not seen, may be that of a FIN."""
        return int(self.fin is None and self.holes is not None and self.holes.at_top(self.next))

    @property
    def payload(self) -> int:
        """The bytes, unless the only one that is uncertain stands alone."""
        return self.bytes - (self.holes is not None and self.uncertain and self.holes.last.size == 1)

    def take(self, segment: Segment, at: Moment, back: Stream) -> bool:
        """Take in a segment; whether it brings data beyond ``next``. ``back`` is the other direction."""
        back.unanswered = back.probes = 0
        if segment.flags & SYN:
            self._take_syn(segment, at)
            return False
        if segment.flags & ACK and self.ack is None:
            self.ack = at
        new = self._take_data(segment, at, back)
        if segment.flags & FIN and self.fin is None:
            self._end(segment, at, back)
        self.ident, self.window = segment.ident, segment.window
        return new

    def acknowledge(self, segment: Segment, at: Moment) -> None:
        """The other side acknowledges what lies before a number."""
        ack = segment.ack
        if self.acked is None:
            self._join(ack)
            return
        moved = (ack - self.acked) & MASK
        if not 0 < moved <= _FAR:
            if not moved and self.holes and not segment.length:
                self._duplicate(segment)
            return
        if self._rivals and self.syn_acked is None:
            self._choose(ack)
        if ack != self.next:
            self._seen_up_to(ack, segment)
        self.acked = ack
        if self.syn_acked is None and self.isn is not None:
            self._acknowledge_syn(at)
        if self.fin is not None and self.fin_acked is None and distance(self.fin.position, ack) > 0:
            self.fin_acked = at

    def acceptable(self, ack: int) -> bool:
        """Whether the other side may acknowledge this in answer to the SYN."""
        if self.isn is None or self.next is None:
            return True
        return 0 < distance(self.isn, ack) <= distance(self.isn, self.next)

    def _note(self, what: Literal["syn", "data", "fin"], at: Moment) -> None:
        """Name a segment that was sent again."""
        self.unanswered += 1
        if len(self.resent) < _MOST_RESENT:
            self.resent += (Resent(what, at),)

    # The SYN

    def _take_syn(self, segment: Segment, at: Moment) -> None:
        answers = bool(segment.flags & ACK)
        if self.syn is None:
            self._begin(segment, at)
        elif segment.seq == self.isn:
            if answers is self._syn_ack:
                self.resent_syn += 1
                self._note("syn", at)
        elif answers and self.syn_acked is None:
            rivals = (*self._rivals, (self.isn or 0, self.syn))
            self._rivals = rivals[-_MOST_RIVALS:]
            self.next = self.holes = None
            self._begin(segment, at)
        self._syn_ack = answers
        if segment.length:
            self.heard = at

    def _begin(self, syn: Segment, at: Moment) -> None:
        self.syn, self.isn, self.ident, self.window = at, syn.seq, syn.ident, syn.window
        first = (syn.seq + 1) & MASK
        known = self.next
        if known is not None and 0 <= distance(first, known) <= _FAR:
            # What follows it was seen before it.
            self.bytes = distance(first, known) - (self.fin is not None)
            if self.acked is not None and distance(syn.seq, self.acked) > 0:
                self.syn_acked = self.syn
            return
        self.acked, self.next = syn.seq, (first + syn.length) & MASK
        self.bytes = syn.length

    def _choose(self, ack: int) -> None:
        """Of SYN-ACKs with different numbers, the other side has taken the one that it acknowledges."""
        if self.acceptable(ack):
            return
        for isn, moment in self._rivals:
            if ack == (isn + 1) & MASK:
                self.isn, self.syn = isn, moment
                self.acked, self.next, self.bytes, self.holes = isn, ack, 0, None

    def _acknowledge_syn(self, at: Moment) -> None:
        self.syn_acked = at
        if self.syn is not None and not self.resent_syn:
            self.rtt = max(0, at.time - self.syn.time)

    # Data

    def _join(self, number: int) -> None:
        """What is seen first of a direction whose SYN was not."""
        self.next = self.acked = number

    def _take_data(self, segment: Segment, at: Moment, back: Stream) -> bool:
        if self.next is None:
            self._join(segment.seq)
        length, seq = segment.length, segment.seq
        start = 0 if seq == self.next else distance(self.next or 0, seq)
        if length:
            self.heard = at
        if start > 0:
            self._jump(segment, start)
        elif start < 0:
            self._go_back(segment, at, -start, back)
        if start + length <= 0:
            return False
        self.next = (seq + length) & MASK
        self.bytes += start + length
        return True

    def _jump(self, segment: Segment, size: int) -> None:
        """What lies before the segment was not seen: it may come late, or the capture lacks it."""
        hole = Hole(self.next or 0, size, segment.time, self.ident, segment.ident)
        self._holes().add(hole, self.acked or 0)

    def _seen_up_to(self, ack: int, segment: Segment) -> None:
        """Everything before a number was sent, whether it was seen or not."""
        beyond = distance(self.next or 0, ack)
        if beyond > 0:
            self._holes().add(Hole(self.next or 0, beyond, segment.time), self.acked or 0)
            self.bytes += beyond
            self.next = ack

    def _holes(self) -> Holes:
        if self.holes is None:
            self.holes = Holes()
        return self.holes

    def _go_back(self, segment: Segment, at: Moment, below: int, back: Stream) -> None:
        """A segment begins before what was seen: it fills a hole, probes, or is sent again."""
        length, fin = segment.length, bool(segment.flags & FIN)
        low = min(length + fin, below)
        filled, hole = self.holes.fill(segment.seq, low) if self.holes else (0, None)
        if self.holes is not None and not self.holes.count:
            self.holes = None
        if hole is not None and filled == low and self._overtaken(hole, segment, back):
            self.reordered += 1
        elif not filled and below == 1 and length <= 1 and not fin and self._probes(back):
            pass
        elif length and not (fin and self.fin is not None):
            self.resent_data += 1
            self.refilled += filled == low
            self._note("data", at)
        elif fin:
            self.resent_fin += 1
            self._note("fin", at)

    def _probes(self, back: Stream) -> bool:
        """Whether a segment of one byte that was seen, or of none, asks whether the other side is there."""
        if back.window == 0:
            self.unanswered += 1  # a window probe: the other side had no room left
            return True
        self.probes += self.acked == self.next
        return self.acked == self.next

    def _overtaken(self, hole: Hole, segment: Segment, back: Stream) -> bool:
        return hole.overtaken(segment.time, segment.ident, self.rtt, back.rtt)

    def _duplicate(self, segment: Segment) -> None:
        """An acknowledgement is repeated: what it asks for has not arrived."""
        hole = self.holes.asked_for(self.acked or 0) if self.holes else None
        if hole is not None:
            hole.ask(segment.time)
            took = segment.time - hole.time
            self.rtt = took if self.rtt is None else min(self.rtt, took)

    def _end(self, segment: Segment, at: Moment, back: Stream) -> None:
        self.fin = fin = FinSeen(segment, at, back.acked)
        if distance(fin.position, self.next or 0) > 0:
            self.bytes -= 1  # its number was taken for a byte's, as long as it was not seen
        else:
            self.next = (fin.position + 1) & MASK
        if self.acked is not None and distance(fin.position, self.acked) > 0:
            self.fin_acked = fin.moment
