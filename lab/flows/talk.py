"""A connection: its segments while they are few, later what they came to."""

from __future__ import annotations

from collections.abc import Sequence

from lab.flows.facts import Connection
from lab.flows.line import Line
from lab.flows.shape import Shape, Shapes
from lab.flows.signs import Said
from lab.flows.tracker import Tracker, way_from_client
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, FLAGS, SEQ, SYN, WAY, Bare, Segment

MOST_SHORT = 24
"""Segments of a connection that are kept, as long as they may be all: most connections have fewer."""


_Settled = tuple[Shape, Said, list[Bare]]
"""A connection that is at its end: what is told of it, before it is asked for, and its segments."""


class Talk:
    """A connection in the making.

    ``segments`` are those it has not taken in; more are put there. ``since`` is the frame from which on it
    waits for its turn to be forgotten.
    """

    __slots__ = ("_taken", "_vantage", "first", "segments", "since")

    def __init__(self, first: Bare, vantage: Vantage, since: int) -> None:
        self.first = first
        self.segments = [first]
        self.since = since
        self._vantage = vantage
        self._taken: _Settled | Line | Tracker | None = None

    def take_in(self, shapes: Shapes) -> None:
        """Take in what is there and keep it no longer, unless that may be all there ever is."""
        self._unsettle()
        if self._taken is None and len(self.segments) > MOST_SHORT and not self._vantage.ports:
            self._taken = shapes.line_of(self.segments)
        if isinstance(self._taken, Line):
            self._go_on(self._taken)
        elif self._taken is not None or len(self.segments) > MOST_SHORT:
            self.digest()

    def settle(self, shapes: Shapes) -> None:
        """Learn what shape it has, if it is at its end: now its segments are still in a processor's cache."""
        if self._taken is None and self.segments:
            shaped = self.shaped(shapes)
            if shaped is not None and shaped[0].outcome.close != "still_open":
                self._taken = *shaped, self.segments
                self.segments = []

    def _unsettle(self) -> None:
        if isinstance(self._taken, tuple):
            self.segments[:0] = self._taken[2]
            self._taken = None

    def _go_on(self, line: Line) -> None:
        in_line = line.take(self.segments)
        self.segments.clear()
        if not in_line:
            self._taken = line.replayed(self._vantage)

    def digest(self) -> Tracker:
        """The two ends, which have taken in what is there."""
        self._unsettle()
        taken = self._taken
        if isinstance(taken, Line):
            taken.take(self.segments)
            self.segments.clear()
            taken = taken.replayed(self._vantage)
        if not isinstance(taken, Tracker):
            taken = Tracker(Segment._make(self.first), self._vantage)
        taken.take(self.segments)
        self.segments.clear()
        self._taken = taken
        return taken

    def shaped(self, shapes: Shapes) -> tuple[Shape, Said] | None:
        """What shape it has, if it is in line and seen at one place; its story is that of ``kept``."""
        if isinstance(self._taken, tuple) and not self.segments:
            return self._taken[:2]
        self._unsettle()
        if isinstance(self._taken, Line):
            self._go_on(self._taken)
        if isinstance(self._taken, Line):
            return shapes.of_line(self._taken)
        if self._taken is not None or self._vantage.ports or len(self.segments) > MOST_SHORT:
            return None
        return shapes.of(self.segments)

    @property
    def kept(self) -> Sequence[Bare]:
        """The segments that the story of one that is in line is about."""
        taken = self._taken
        if isinstance(taken, Line):
            return taken.kept
        return taken[2] if isinstance(taken, tuple) else self.segments

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
