"""What connections in line have in common: the order of their segments, whatever their numbers are.

The story of a connection whose segments are all in line follows from their order alone (see
:mod:`lab.flows.signs`); times are asked for only where something came late. So of all connections of one
shape one is replayed. The others went through the same states at the same places in their own segments, and
differ in names, times, first sequence numbers and in how much was said. Where both ends are open and nothing
is amiss not even the number of segments matters: a long connection has the shape of its opening and close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.flows.facts import Connection, Outcome
from lab.flows.line import Line
from lab.flows.signs import Said, said_by, signs_of
from lab.flows.tracker import Tracker
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, FLAGS, KIND, WAY, Bare, Segment

_MOST_SHAPES = 4096
"""Shapes that are remembered; of more, all are learned anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A connection that stands for all of its shape.

    ``pattern`` has indices into the connection's segments in place of frames, and 0 in place of times; its
    names, bytes and first sequence numbers are those of the one that was replayed. ``segments`` is their
    number, ``open`` says whether both ends can still speak.
    """

    pattern: Connection
    segments: int
    open: bool
    outcome: Outcome


class Shapes:
    """The shapes that were met."""

    def __init__(self) -> None:
        self._known: dict[bytes, Shape] = {}
        self._openings: dict[bytes, bool] = {}
        """Whether a stretch may begin after segments of these signs."""

    def of(self, segments: Sequence[Bare]) -> tuple[Shape, Said] | None:
        """The shape of a connection that these segments are all there is of; None if they are not in line."""
        found = signs_of(segments)
        if found is None:
            return None
        signs, reached = found
        signature = bytes(signs)
        shape = self._known.get(signature) or self._learned(signature, len(segments), _replayed(segments))
        return shape, said_by(reached)

    def of_line(self, line: Line) -> tuple[Shape, Said] | None:
        """The shape of a long connection; None if it is not in line."""
        found = line.signature()
        if found is None:
            return None
        signature, said = found
        shape = self._known.get(signature) or self._learned(signature, len(line.kept), line.pattern())
        return shape, said

    def line_of(self, segments: list[Bare]) -> Line | None:
        """The connection that begins with these segments, if they are in line up to a possible stretch.

        Those are taken away.
        """
        size = _opened_by(segments)
        found = signs_of(segments[:size]) if size else None
        if found is None:
            return None
        signs, reached = found
        signature = bytes(signs)
        smooth = self._openings.get(signature)
        if smooth is None:
            if len(self._openings) >= _MOST_SHAPES:
                self._openings.clear()
            smooth = self._openings[signature] = _replayed(segments[:size]).smooth
        if not smooth:
            return None
        opening = segments[:size]
        del segments[:size]
        return Line(opening, signs, reached)

    def _learned(self, signature: bytes, segments: int, tracker: Tracker) -> Shape:
        pattern = tracker.connection("")
        assert pattern is not None  # noqa: S101 - seen at one place, every segment is one of its ends'
        if len(self._known) >= _MOST_SHAPES:
            self._known.clear()
        outcome = Outcome(pattern.handshake, pattern.close)
        shape = self._known[signature] = Shape(pattern, segments, tracker.open, outcome)
        return shape


def _replayed(segments: Sequence[Bare]) -> Tracker:
    numbered = [(index, 0, *bare[2:]) for index, bare in enumerate(segments)]
    tracker = Tracker(Segment._make(numbered[0]), Vantage())
    tracker.take(numbered)
    return tracker


def _opened_by(segments: Sequence[Bare]) -> int:
    """How many segments it takes until both sides have acknowledged something; 0 if they have not."""
    spoke = b""
    for number, bare in enumerate(segments, start=1):
        if bare[FLAGS] & KIND == ACK and bare[WAY] != spoke:
            if spoke:
                return number
            spoke = bare[WAY]
    return 0
