"""What one end sent: its sequence numbers, new and again, and what of them the capture lacks."""

from __future__ import annotations

from typing import Literal

from lab.flows.facts import Resent, moment_of
from lab.flows.serial import MASK, distance
from lab.packets.segment import Segment

MOST_HOLES = 64
"""Ranges of one direction that are kept: beyond them the acknowledgements must tell."""

_REORDERED_WITHIN = 3_000_000
"""ns within which a segment that fills a gap was reordered; later, it was lost on its way and sent again."""

_MOST_RESENT = 8
"""Retransmissions that are named; all are counted."""


class Outgoing:
    """The sequence numbers of a direction, as its sender's port saw them. Memory is a fixed amount.

    ``isn`` is its SYN's, ``next`` the one after the last that was sent, ``unacked`` the first that the peer
    has not acknowledged. ``bytes`` is the payload, each byte once.
    """

    __slots__ = (
        "_skipped", "_skipped_at", "bytes", "gaps", "isn", "next", "reordered", "resent", "resent_data",
        "resent_fin", "resent_syn", "unacked",
    )  # fmt: skip

    def __init__(self) -> None:
        self.isn: int | None = None
        self.next: int | None = None
        self.unacked: int | None = None
        self.bytes = self.gaps = self.reordered = 0
        self.resent_syn = self.resent_data = self.resent_fin = 0
        self.resent: tuple[Resent, ...] = ()
        self._skipped: list[tuple[int, int]] = []
        """Ranges that it must have sent and that were not seen."""
        self._skipped_at = 0
        """When something beyond such a range was first seen (ns)."""

    def begin(self, syn: Segment) -> None:
        """Its first SYN."""
        self.isn = self.unacked = syn.seq
        self.next = (syn.seq + 1 + syn.length) & MASK
        self.bytes = syn.length

    def take(self, segment: Segment) -> bool:
        """Take in a segment's payload; whether anything in it is new."""
        if self.next is None:
            self.next = segment.seq
            self.unacked = segment.seq if self.unacked is None else self.unacked
        start = distance(self.next, segment.seq)
        fresh = start + segment.length
        if start > 0:
            self._skip(self.next, segment)
        elif self._repeats(segment, start):
            self.resent_data += 1
            self.note("data", segment)
        if fresh <= 0:
            return False
        # A gap was sent too, though not seen: it counts, up to where this segment ends.
        self.next = (segment.seq + segment.length) & MASK
        self.bytes += fresh
        return True

    def note(self, what: Literal["syn", "data", "fin"], segment: Segment) -> None:
        """Name a segment that was sent again."""
        if len(self.resent) < _MOST_RESENT:
            self.resent += (Resent(what, moment_of(segment)),)

    def acknowledged(self, ack: int) -> bool:
        """The peer acknowledges what lies before a number; whether it had not done so before."""
        if self.unacked is None:
            self.unacked = ack
            self.next = ack if self.next is None else self.next
            return False
        if distance(self.unacked, ack) <= 0:
            return False
        if self.next is not None and distance(self.next, ack) > 0:
            self.gaps += 1
            self.next = ack
        self.unacked = ack
        return True

    def _skip(self, start: int, segment: Segment) -> None:
        """What lies before the segment was not seen: it may come late, or the capture lacks it."""
        self.gaps += 1
        if len(self._skipped) < MOST_HOLES:
            self._skipped.append((start, segment.seq))
            self._skipped_at = segment.time

    def _repeats(self, segment: Segment, start: int) -> bool:
        if start >= 0 or not segment.length or self._keeps_alive(segment, start):
            return False
        return start + segment.length > 0 or not self._comes_late(segment)

    def _keeps_alive(self, segment: Segment, start: int) -> bool:
        return start == -1 and segment.length == 1 and self.unacked == self.next

    def _comes_late(self, segment: Segment) -> bool:
        """Whether a segment fills a gap, and so soon that it was but reordered on its way."""
        start, end = segment.seq, (segment.seq + segment.length) & MASK
        for index, (low, high) in enumerate(self._skipped):
            if distance(low, start) >= 0 and distance(end, high) >= 0:
                rest = [(low, start)] * (low != start) + [(end, high)] * (end != high)
                self._skipped[index : index + 1] = rest
                self.gaps += len(rest) - 1
                late = segment.time - self._skipped_at < _REORDERED_WITHIN
                self.reordered += late
                return late
        return False
