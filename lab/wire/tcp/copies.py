"""Frames that show a segment once more: what crosses several interfaces is captured at each.

A segment that is sent again has another IP identification, or is seen at a place that has seen it before. A
copy has the same identification, or is seen at another place right after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import itemgetter

from lab.wire.packets.segment import FRAME, IDENT, PLACE, TIME, WAY, Bare, Place

_WINDOW = 4096
"""Frames of a capture among which copies of one segment lie."""

_MOST_EQUAL = 8
"""Equal segments that are kept."""

_CLOSE = 100_000_000
"""ns between copies. What nobody answered is not sent again so soon: Linux waits for 200 ms."""

_Seen = tuple[int, Place]

_place = itemgetter(PLACE)


class Copies:
    """The latest frames of a capture; what is equal among them is looked for only where that matters."""

    def __init__(self) -> None:
        self._new: deque[Bare] = deque(maxlen=_WINDOW)
        """Frames that neither index has yet."""
        self._index: dict[tuple[object, ...], list[_Seen]] = {}
        self._older: dict[tuple[object, ...], list[_Seen]] = {}
        self._indexed = 0
        self._places: set[Place] = set()
        """Where frames were seen; of more than one place not all are here."""

    def add(self, segments: Sequence[Bare]) -> None:
        """Frames that come next."""
        self._new.extend(segments)
        if len(self._places) < 2:
            self._places.update(map(_place, segments))

    def repeats(self, bare: Bare) -> bool:
        """Whether a frame is a copy of one before it."""
        if not bare[IDENT] and len(self._places) == 1:
            return False
        self._index_before(bare[FRAME])
        key = bare[WAY:]
        around: list[Place] = []
        for time, place in (*self._older.get(key, ()), *self._index.get(key, ())):
            if abs(bare[TIME] - time) > _CLOSE:
                continue
            if bare[IDENT]:
                return True
            if place in around:
                around.clear()
            around.append(place)
        return bool(around) and bare[PLACE] not in around

    def _index_before(self, frame: int) -> None:
        while self._new and self._new[0][FRAME] < frame:
            bare = self._new.popleft()
            equal = self._index.setdefault(bare[WAY:], [])
            equal.append((bare[TIME], bare[PLACE]))
            if len(equal) > _MOST_EQUAL:
                del equal[0]
            self._indexed += 1
        if self._indexed > _WINDOW:
            self._older, self._index, self._indexed = self._index, {}, 0
