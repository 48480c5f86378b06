"""What one end received: which sequence numbers have arrived, in order and early, and the peer's FIN."""

from __future__ import annotations

from lab.flows.facts import moment_of
from lab.flows.outgoing import MOST_HOLES
from lab.flows.serial import MASK, distance
from lab.packets.segment import Segment


class FinSeen:
    """The first FIN of a direction: its own sequence number, and what it acknowledged."""

    __slots__ = ("ack", "moment", "position")

    def __init__(self, segment: Segment) -> None:
        self.moment = moment_of(segment)
        self.position = (segment.seq + segment.length) & MASK
        self.ack = segment.ack


class Incoming:
    """The sequence numbers of a direction, as its receiver's port saw them. Memory is a fixed amount.

    ``isn`` is the peer's SYN's, ``expected`` the next to arrive in order, ``fin`` the peer's first FIN.
    """

    __slots__ = ("_early", "expected", "fin", "gaps", "isn")

    def __init__(self) -> None:
        self.isn: int | None = None
        self.expected: int | None = None
        self.fin: FinSeen | None = None
        self.gaps = 0
        self._early: list[tuple[int, int]] = []

    def begin(self, syn: Segment) -> None:
        """The peer's first SYN."""
        self.isn = syn.seq
        self.expected = (syn.seq + 1 + syn.length) & MASK

    def take(self, segment: Segment) -> bool:
        """Put a segment's range in its place; whether everything up to the peer's FIN is here now."""
        if self.expected is None:
            self.expected = segment.seq
        start, end = segment.seq, (segment.seq + segment.length) & MASK
        if distance(self.expected, start) > 0:
            if segment.length and len(self._early) < MOST_HOLES:
                self._early.append((start, end))
        elif distance(self.expected, end) > 0:
            self.expected = end
        return self._move_on(self.expected)

    def acknowledged(self, ack: int) -> bool:
        """The end acknowledges what lies before a number, which proves arrival even of what was not seen.

        Whether everything up to the peer's FIN is here now.
        """
        if self.expected is None or distance(self.expected, ack) <= 0:
            return False
        self.gaps += 1
        return self._move_on(ack)

    def _move_on(self, at: int) -> bool:
        """Take in what had arrived early, then the peer's FIN if everything before it is here."""
        if self._early:
            for start, end in sorted(self._early, key=lambda early: distance(at, early[0])):
                if distance(at, start) <= 0 < distance(at, end):
                    at = end
            self._early = [early for early in self._early if distance(at, early[1]) > 0]
        self.expected = at
        if self.fin is None or distance(self.fin.position, at) not in {0, 1}:
            return False
        self.expected = (self.fin.position + 1) & MASK
        return True
