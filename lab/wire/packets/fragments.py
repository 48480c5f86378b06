"""IP fragments: put together as far as is asked for (RFC 791, 3.2; RFC 8200, 4.5).

Of TCP only the first bytes of a packet are kept, and which of the others have come. It is whole when its last
missing fragment comes; that frame is then the segment's. What lacks a fragment at the end is told.

A fragment that has come already is passed over. One that overlaps what has come in part condemns the
datagram: it is told, and given up. RFC 5722 demands that of IPv6, and Linux does the same with IPv4, for
there is no telling which of both the receiver believed (inet_frag_queue_insert() of its inet_fragment.c).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct, field

from lab.wire.packets.problems import Kind, Problems, Where
from lab.wire.packets.segment import Place

HEADERS = 512
"""Bytes that hold all headers: a TCP header has 60 at most, and IPv6 may have headers before it."""

WHOLE = 1 << 16
"""Bytes of the largest packet that can be put together."""

_MOST, _MOST_OF_ONE = 512, 64
"""Datagrams that may be under way at once, and those from one address at one place.

Of more, the oldest of that address are given up, or of the one that has the most.
"""

_MOST_PIECES = 128
"""Pieces of one datagram that do not touch; of more it is given up."""

_INCOMPLETE: Final = "fragments-missing"
_OVERLAPS: Final = "fragments-overlap"
_CROWDED: Final = "fragments-crowded"


class Fragment(NamedTuple):
    """A part of an IP packet that may hold what is asked for: its payload lies from ``at`` to ``last``.

    ``following`` is the number of the header that the whole packet's payload begins with.
    """

    addresses: bytes
    ident: int
    offset: int
    more: bool
    at: int
    last: int
    following: int


class Whole(NamedTuple):
    """A payload that was put together: its first bytes, its size, the number of the header it begins with."""

    head: bytes
    size: int
    following: int


class _Datagram(Struct):
    first: int
    following: int
    head: bytearray
    most: int
    """So many bytes are kept."""
    captured: int
    """Up to here ``head`` has what was captured."""
    pieces: list[tuple[int, int]] = field(default_factory=list)
    size: int | None = None

    def add(self, part: Fragment, data: bytes, end: int) -> bool:
        """Take a fragment in; True if nothing is missing now. _Overlap if a part of it had come."""
        stop = part.offset + part.last - part.at
        for start, reached in self.pieces:
            if start <= part.offset and stop <= reached:
                return False
            if start < stop and part.offset < reached:
                raise _Overlap
        if not part.more and self.size is None:
            self.size = stop
        if not part.offset:
            self.following = part.following  # what other fragments say of it counts for nothing
        if part.offset < self.most:
            known = data[part.at : min(part.last, end)][: self.most - part.offset]
            self.head.extend(bytes(max(0, part.offset + len(known) - len(self.head))))
            self.head[part.offset : part.offset + len(known)] = known
            if part.offset + len(known) < stop:
                self.captured = min(self.captured, part.offset + len(known))
        self.pieces = _joined([*self.pieces, (part.offset, stop)])
        start, reached = self.pieces[0]
        return self.size is not None and start == 0 and reached >= self.size


def _joined(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


class _Overlap(Exception):  # noqa: N818 - a fact about a datagram; it never leaves this module
    """A fragment lies over what has come, in part."""


class Fragments:
    """The datagrams of a capture that are not whole yet. Of each so many bytes are kept as ``most``."""

    def __init__(self, problems: Problems, most: int = HEADERS) -> None:
        self._problems = problems
        self._most = most
        self._waiting: dict[_Key, _Datagram] = {}
        self._of_each: dict[Where | None, dict[_Key, None]] = {}
        """Those from each address at each place, the oldest first."""

    def add(self, frame: int, part: Fragment, data: bytes, end: int, place: Place) -> Whole | None:
        """The packet's payload, if this fragment makes it whole.

        ``end`` is where the captured bytes end, ``place`` where the frame was seen: copies are kept apart.
        """
        key = part.addresses, part.ident, place
        datagram = self._waiting.get(key)
        if datagram is None:
            datagram = self._waiting[key] = _Datagram(
                frame, part.following, bytearray(), self._most, self._most
            )
            self._of_each.setdefault(_whose(key), {})[key] = None
        try:
            whole = datagram.add(part, data, end)
        except _Overlap:
            self._take(key)
            self._problems.add(frame, _OVERLAPS, _seen(key))
            return None
        if not whole:
            if len(datagram.pieces) > _MOST_PIECES:
                self._give_up(key, _INCOMPLETE)
            else:
                self._make_room(_whose(key))
            return None
        self._take(key)
        size = datagram.size or 0
        return Whole(bytes(datagram.head[: min(size, datagram.captured)]), size, datagram.following)

    def finish(self) -> None:
        """No more frames come: tell of what is not whole."""
        for key in list(self._waiting):
            self._give_up(key, _INCOMPLETE)

    def _make_room(self, whose: Where | None) -> None:
        """Who sends many keeps no room from others."""
        if len(self._waiting) > _MOST:
            whose = max(self._of_each, key=lambda one: len(self._of_each[one]))
        elif len(self._of_each[whose]) <= _MOST_OF_ONE:
            return
        self._give_up(next(iter(self._of_each[whose])), _CROWDED)

    def _give_up(self, key: _Key, kind: Kind) -> None:
        self._problems.add(self._take(key).first, kind, _seen(key))

    def _take(self, key: _Key) -> _Datagram:
        own = self._of_each[_whose(key)]
        del own[key]
        if not own:
            del self._of_each[_whose(key)]
        return self._waiting.pop(key)


_Key = tuple[bytes, int, Place]
"""Source and target address, identification, and where it was seen."""


def where(place: Place, source: bytes = b"", target: bytes = b"") -> Where | None:
    """A place at which a frame was seen; None if that is not known."""
    interface, leaving, _ = place
    return None if leaving is None else Where(interface, leaving, source, target)


def _seen(key: _Key) -> Where | None:
    addresses, _, place = key
    half = len(addresses) // 2
    return where(place, addresses[:half], addresses[half:])


def _whose(key: _Key) -> Where | None:
    addresses, _, place = key
    return where(place, addresses[: len(addresses) // 2])
