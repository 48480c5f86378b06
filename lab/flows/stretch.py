"""A stretch of a connection in which both ends are open and nothing is amiss."""

from __future__ import annotations

from collections.abc import Iterator

from lab.flows.end import End
from lab.flows.facts import Moment
from lab.flows.serial import MASK
from lab.packets.segment import ACK, FIN, FRAME, RST, SYN, TIME, Bare, Place

_CONTROL_OR_ACK = FIN | SYN | RST | ACK


def smooth(client: End, server: End) -> bool:
    """Whether all that was sent has arrived, and whatever comes next in line needs no study."""
    return (
        client.flowing
        and server.flowing
        and client.outgoing.next == server.incoming.expected
        and server.outgoing.next == client.incoming.expected
    )


Half = tuple[int, int, int, Bare | None]
"""A direction: what its sender sends next, from where on it is not acknowledged, how many bytes came, and the
last segment with data."""


class Stretch:
    """What changes of two ends while their segments come in line. They learn of it at the end."""

    __slots__ = ("_halves", "_there", "_way", "places")

    def __init__(self, halves: tuple[Half, Half], places: dict[bytes, Place], there: bytes) -> None:
        self._way = self._there = there
        self._halves = halves
        """The direction of ``_way``, and the other."""
        self.places = places
        """Where the segments of each direction are seen: copies that are seen elsewhere tell nothing."""

    @classmethod
    def between(cls, client: End, server: End, places: dict[bytes, Place], there: bytes) -> Stretch:
        """The one that begins where two ends are."""
        return cls((_half(client), _half(server)), places, there)

    @property
    def halves(self) -> tuple[Half, Half]:
        """The client's direction and the server's."""
        first, second = self._halves
        return (first, second) if self._way == self._there else (second, first)

    def take(self, segments: Iterator[Bare]) -> Bare | None:
        """Take in the segments that come next in line, up to one that does not: that one is the answer.

        The numbers of both directions are kept in variables that change their roles as the direction does:
        nearly all of a large capture goes through here.
        """
        (next_, acked, size, last), (other_next, other_acked, other_size, other_last) = self._halves
        way, odd = self._way, None
        place = self.places[way]
        for bare in segments:
            _, _, seen_at, direction, seq, ack, flags, length, _ = bare
            if direction != way:
                way, place = direction, self.places[direction]
                next_, other_next = other_next, next_
                acked, other_acked = other_acked, acked
                size, other_size = other_size, size
                last, other_last = other_last, last
            if seen_at is not place and seen_at != place:
                continue
            if (
                seq != next_
                or flags & _CONTROL_OR_ACK != ACK
                or (other_next - ack) & MASK > (other_next - other_acked) & MASK
            ):
                odd = bare
                break
            other_acked = ack
            if length:
                next_ = (seq + length) & MASK
                size += length
                last = bare
        self._way = way
        self._halves = (next_, acked, size, last), (other_next, other_acked, other_size, other_last)
        return odd

    def end(self, client: End, server: End) -> None:
        """Let both ends know."""
        half, other = self.halves
        _put(half, client, server)
        _put(other, server, client)


def _half(end: End) -> Half:
    return end.outgoing.next or 0, end.outgoing.unacked or 0, 0, None


def _put(half: Half, sender: End, receiver: End) -> None:
    outgoing = sender.outgoing
    outgoing.next, outgoing.unacked, size, last = half
    receiver.incoming.expected = outgoing.next
    outgoing.bytes += size
    if last is not None:
        receiver.heard = Moment(last[FRAME], last[TIME])
