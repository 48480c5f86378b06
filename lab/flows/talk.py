"""A connection: while it is short the segments it is made of, later two ends that have taken them in."""

from __future__ import annotations

from lab.flows.facts import Connection
from lab.flows.shape import Said, Shape, Shapes
from lab.flows.tracker import Tracker, way_from_client
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, FLAGS, SEQ, SYN, WAY, Bare, Segment, way_back

_MOST_HELD = 24
"""Segments of a connection that are kept, as long as they may be all: most connections have fewer."""


class Talk:
    """A connection in the making.

    ``segments`` are those it has not taken in; more are put there. When they are more than ``room`` it is to
    take them in.
    """

    __slots__ = ("_tracker", "_vantage", "back", "first", "room", "segments")

    def __init__(self, first: Bare, vantage: Vantage) -> None:
        self.first = first
        self.back = way_back(first[WAY])
        """The way of what answers the first segment."""
        self.segments = [first]
        self.room = _MOST_HELD
        self._vantage = vantage
        self._tracker: Tracker | None = None

    def digest(self) -> Tracker:
        """Take in what is there, and keep it no longer."""
        if self._tracker is None:
            self._tracker = Tracker(Segment._make(self.first), self._vantage)
            self.room = 0
        self._tracker.take(self.segments)
        self.segments.clear()
        return self._tracker

    def shaped(self, shapes: Shapes) -> tuple[Shape, Said] | None:
        """What shape it has, if it is short and ordinary and seen at one place; ``segments`` are then all."""
        if self._tracker is not None or self._vantage.ports or len(self.segments) > _MOST_HELD:
            return None
        return shapes.of(self.segments)

    def standing(self, shapes: Shapes) -> Shape | Tracker:
        """What tells whether it is open, and its outcome."""
        shaped = self.shaped(shapes)
        return shaped[0] if shaped else self.digest()

    def connection(self, capture: str) -> Connection | None:
        """The facts so far; None if no frame was seen at a port of either end."""
        return self.digest().connection(capture)

    def continues_with(self, syn: Bare) -> bool:
        """Whether a SYN belongs to this connection: sent again, or the other half of a simultaneous open."""
        first = self.first
        if syn[WAY] == way_from_client(first[WAY], first[FLAGS]):
            return first[FLAGS] & (SYN | ACK) == SYN and syn[SEQ] == first[SEQ]
        return self.digest().continues_with(Segment._make(syn))
