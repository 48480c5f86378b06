"""A long connection in line: how it opened, a smooth stretch, how it closes."""

from __future__ import annotations

from collections.abc import Iterable

from lab.flows.signs import DATA, SERVER, Reached, Said, follow, said_by
from lab.flows.stretch import Half, Stretch
from lab.flows.tracker import Tracker
from lab.flows.vantage import Vantage
from lab.packets.segment import FIN, FLAGS, RST, Bare, Segment, way_back

_MOST_CLOSING = 24
"""Segments after the stretch that are kept: a close has fewer."""


class Line:
    """A connection whose stretch has begun: what passes there is counted, everything else is kept.

    ``signs`` are those of its opening, and ``reached`` is how far it came by that.
    """

    __slots__ = ("_closing", "_opening", "_reached", "_signs", "_stretch")

    def __init__(self, opening: list[Bare], signs: list[int], reached: Reached) -> None:
        self._opening = opening
        self._signs = signs
        self._reached = _seen_from_client(reached)
        self._stretch = _stretch_from(self._reached)
        self._closing: list[Bare] = []

    def take(self, segments: Iterable[Bare]) -> bool:
        """Take in what comes next; whether it may still be in line. If not, :meth:`replayed` has it all."""
        closing = self._closing
        if closing:
            closing += segments
            return len(closing) <= _MOST_CLOSING
        rest = iter(segments)
        odd = self._stretch.take(rest)
        if odd is None:
            return True
        closing += [odd, *rest]
        return bool(odd[FLAGS] & (FIN | RST)) and len(closing) <= _MOST_CLOSING

    def replayed(self, vantage: Vantage) -> Tracker:
        """Its ends, which have taken in everything."""
        return _replayed(self._opening, self._stretch, self._closing, vantage)

    def pattern(self) -> Tracker:
        """The same with the indices of :attr:`kept` in place of frames, and 0 in place of times."""
        kept = [(index, 0, *bare[2:]) for index, bare in enumerate(self.kept)]
        size = len(self._opening)
        client, server = (
            (*half[:3], last if half[3] else None)
            for half, last in zip(self._stretch.halves, kept[size:], strict=False)
        )
        stretch = Stretch((client, server), self._stretch.places, self._reached[0])
        return _replayed(kept[:size], stretch, kept[size + 2 :], Vantage())

    @property
    def kept(self) -> list[Bare]:
        """The segments that its story is about.

        Those around the stretch, and between them its last with data from the client and from the server.
        Where there is none, the first stands in its place.
        """
        first = self._opening[0]
        lasts = (last or first for _, _, _, last in self._stretch.halves)
        return [*self._opening, *lasts, *self._closing]

    def signature(self) -> tuple[bytes, Said] | None:
        """A sign for each segment but those of the stretch, which has one; None if it is not in line."""
        way, _, _, place, others_place, *_, said, others_said = self._reached
        mine, yours = self._stretch.halves
        stretch = DATA * (mine[3] is not None) | SERVER * (yours[3] is not None)
        numbers = mine[0], yours[0], mine[1], yours[1], said + mine[2], others_said + yours[2]
        signs = [*self._signs, stretch]
        reached = follow(self._closing, (way, 0, False, place, others_place, *numbers), signs)
        return None if reached is None else (bytes(signs), said_by(reached))


def _seen_from_client(reached: Reached) -> Reached:
    way, side, opened, place, others_place, mine, yours, mine_acked, yours_acked, *said = reached
    if not side or others_place is None:
        return reached
    numbers = yours, mine, yours_acked, mine_acked
    return way_back(way), 0, opened, others_place, place, *numbers, said[1], said[0]


def _stretch_from(reached: Reached) -> Stretch:
    way, _, _, place, others_place, mine, yours, mine_acked, yours_acked, _, _ = reached
    halves: tuple[Half, Half] = (mine, mine_acked, 0, None), (yours, yours_acked, 0, None)
    return Stretch(halves, {way: place, way_back(way): others_place or place}, way)


def _replayed(opening: list[Bare], stretch: Stretch, closing: list[Bare], vantage: Vantage) -> Tracker:
    tracker = Tracker(Segment._make(opening[0]), vantage)
    tracker.take(opening)
    tracker.resume(stretch)
    tracker.take(closing)
    return tracker
