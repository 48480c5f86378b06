"""IP fragments: put together as far as TCP's header and length need it (RFC 791, 3.2; RFC 8200, 4.5).

Only the first bytes of a datagram are kept, and which of the others have come. It is whole when its last
missing fragment comes; that frame is then the segment's. What lacks a fragment at the end is told.

A fragment that has come already is passed over. One that overlaps what has come in part condemns the
datagram: it is told, and given up. RFC 5722 demands that of IPv6, and Linux does the same with IPv4, for
there is no telling which of both the receiver believed (inet_frag_queue_insert() of its inet_fragment.c).
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from lab.wire.packets.problems import Problems

_HEAD = 512
"""Bytes of a datagram that are kept: a TCP header has 60 at most, and IPv6 may have headers before it."""

_MOST = 256
"""Datagrams that may be under way at once; of more, the oldest are given up."""

_MOST_PIECES = 128
"""Pieces of one datagram that do not touch; of more it is given up."""

_INCOMPLETE = "it is a fragment of an IP packet of which others are missing"
_OVERLAPS = "it is a fragment that overlaps another of its IP packet"


class Fragment(NamedTuple):
    """A part of an IP packet that may hold TCP: its payload lies from ``at`` to ``last`` in the frame.

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
    head: bytearray = field(default_factory=lambda: bytearray(_HEAD))
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
        if part.offset < _HEAD:
            known = data[part.at : min(part.last, end)][: _HEAD - part.offset]
            self.head[part.offset : part.offset + len(known)] = known
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
    """The datagrams of a capture that are not whole yet."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._waiting: dict[tuple[object, ...], _Datagram] = {}

    def add(self, frame: int, part: Fragment, data: bytes, end: int, place: object) -> Whole | None:
        """The packet's payload, if this fragment makes it whole.

        ``end`` is where the captured bytes end, ``place`` where the frame was seen: copies are kept apart.
        """
        key = part.addresses, part.ident, place
        datagram = self._waiting.setdefault(key, _Datagram(frame, part.following))
        try:
            whole = datagram.add(part, data, end)
        except _Overlap:
            del self._waiting[key]
            self._problems.add(frame, _OVERLAPS)
            return None
        if not whole:
            if len(datagram.pieces) > _MOST_PIECES:
                self._give_up(key)
            elif len(self._waiting) > _MOST:
                self._give_up(next(iter(self._waiting)))
            return None
        del self._waiting[key]
        size = datagram.size or 0
        return Whole(bytes(datagram.head[:size]), size, datagram.following)

    def finish(self) -> None:
        """No more frames come: tell of what is not whole."""
        for key in list(self._waiting):
            self._give_up(key)

    def _give_up(self, key: tuple[object, ...]) -> None:
        self._problems.add(self._waiting.pop(key).first, _INCOMPLETE)
