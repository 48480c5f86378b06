"""Sequence numbers that were not seen although later ones were: each place, and what came to fill it.

What fills a hole was overtaken on its way, or was lost on its way and sent again. The IP identification tells
which, where the sender counts its packets with it. Otherwise time does: a sender that is told of a loss can
answer no sooner than after a round trip.
"""

from __future__ import annotations

from lab.wire.tcp.serial import MASK, distance

MOST_HOLES = 64
"""Holes of one direction that are kept; of more, the oldest are only counted."""

_UNKNOWN_RTT = 3_000_000
"""ns that stand for a round trip where none was seen (Wireshark takes the same)."""

_ASKED_OFTEN = 3
"""Duplicate acknowledgements that make a sender send again (RFC 5681, section 3.2)."""

_NEAR = 1000
"""Packets of other connections that a sender may have counted between two of this one."""

_IDENT = 0xFFFF

_LONG_AGO = 1_000_000_000
"""ns after which nothing comes any more for a hole that is acknowledged."""


class Hole:
    """``size`` numbers from ``start`` on that were not seen.

    ``time`` is when what lies beyond was first seen or acknowledged (ns); ``before`` and ``after`` are the IP
    identifications of what was seen on either side, 0 where there is none.
    """

    __slots__ = ("_asked", "_asked_at", "after", "before", "size", "start", "time")

    def __init__(self, start: int, size: int, time: int, before: int = 0, after: int = 0) -> None:
        self.start = start
        self.size = size
        self.time = time
        self.before = before
        self.after = after
        self._asked = self._asked_at = 0

    @property
    def end(self) -> int:
        """The number behind it."""
        return (self.start + self.size) & MASK

    def part(self, start: int, size: int) -> Hole:
        """A part of it."""
        part = Hole(start, size, self.time, self.before, self.after)
        part._asked, part._asked_at = self._asked, self._asked_at
        return part

    def ask(self, time: int) -> None:
        """The receiver repeats its acknowledgement of what lies before."""
        self._asked += 1
        if self._asked <= _ASKED_OFTEN:
            self._asked_at = time

    def overtaken(self, time: int, ident: int, there: int | None, back: int | None) -> bool:
        """Whether what fills it was sent before what lies beyond, not again.

        ``there`` is the least time (ns) from the place of the capture to the receiver and back, ``back`` that
        to the sender and back.
        """
        by_ident = self._before_beyond(ident)
        if by_ident is not None:
            return by_ident
        if self._asked >= _ASKED_OFTEN:
            return time - self._asked_at < (back or 0)
        if there is None or back is None:
            return time - self.time < max(there or 0, back or 0, _UNKNOWN_RTT)
        return time - self.time < there + back

    def _before_beyond(self, ident: int) -> bool | None:
        """What the sender's count of its packets tells; None if it does not count so, or has wrapped."""
        if not (self.before and self.after and ident):
            return None
        beyond, here = (self.after - self.before) & _IDENT, (ident - self.before) & _IDENT
        if not (0 < beyond <= _NEAR and 0 < here <= 2 * _NEAR) or here == beyond:
            return None
        return here < beyond


class Holes:
    """The holes of a direction, the lowest first. ``count`` and ``missing`` include those no longer kept."""

    __slots__ = ("_given_up", "_given_up_size", "_kept")

    def __init__(self) -> None:
        self._kept: list[Hole] = []
        self._given_up = self._given_up_size = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    @property
    def count(self) -> int:
        """How many there are."""
        return self._given_up + len(self._kept)

    @property
    def missing(self) -> int:
        """How many numbers lie in them."""
        return self._given_up_size + sum(hole.size for hole in self._kept)

    @property
    def last(self) -> Hole:
        """The highest."""
        return self._kept[-1]

    def add(self, hole: Hole, acked: int) -> None:
        """Another one, above all others; nothing will fill what was ``acked`` long before."""
        kept = self._kept
        while kept and (
            len(kept) >= MOST_HOLES
            or (distance(kept[0].end, acked) >= 0 and hole.time - kept[0].time > _LONG_AGO)
        ):
            self._given_up_size += kept.pop(0).size
            self._given_up += 1
        kept.append(hole)

    def fill(self, start: int, size: int) -> tuple[int, Hole | None]:
        """How many of these numbers were missing until now, and the first hole they lie in."""
        end, filled, first = (start + size) & MASK, 0, None
        rest: list[Hole] = []
        for hole in self._kept:
            low, high = max(0, distance(hole.start, start)), min(hole.size, distance(hole.start, end))
            if low >= high:
                rest.append(hole)
                continue
            first = first or hole
            filled += high - low
            if low:
                rest.append(hole.part(hole.start, low))
            if high < hole.size:
                rest.append(hole.part((hole.start + high) & MASK, hole.size - high))
        self._kept = rest
        return filled, first

    def asked_for(self, number: int) -> Hole | None:
        """The hole that begins there."""
        return next((hole for hole in self._kept if hole.start == number), None)

    def first_beyond(self, acked: int, top: int) -> int:
        """The first number that is neither seen nor acknowledged; ``top`` is the one after the highest."""
        for hole in self._kept:
            if distance(acked, hole.end) > 0:
                return hole.start if distance(acked, hole.start) > 0 else acked
        return top

    def acknowledged(self, acked: int) -> int:
        """How many begin below a number; those that are no longer kept do."""
        return self._given_up + sum(distance(hole.start, acked) > 0 for hole in self._kept)

    def at_top(self, top: int | None) -> bool:
        """Whether the highest reaches up to ``top``."""
        return bool(self._kept) and self._kept[-1].end == top
