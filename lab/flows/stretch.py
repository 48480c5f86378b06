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


_Half = tuple[int, int, int, Bare | None]
"""A direction: what its sender sends next, from where on it is not acknowledged, how many bytes came, and the
last segment with data."""


class Stretch:
    """What changes of two ends while their segments come in line. They learn of it at the end."""

    __slots__ = ("_halves", "_places", "_way")

    def __init__(self, client: End, server: End, places: dict[bytes, Place], there: bytes) -> None:
        self._way = there
        self._halves: tuple[_Half, _Half] = _half(client), _half(server)
        """The direction of ``_way``, and the other."""
        self._places = places

    def take(self, segments: Iterator[Bare]) -> Bare | None:
        """Take in the segments that come next in line, up to one that does not: that one is the answer.

        The numbers of both directions are kept in variables that change their roles as the direction does:
        nearly all of a large capture goes through here.
        """
        (next_, acked, size, last), (other_next, other_acked, other_size, other_last) = self._halves
        way, odd = self._way, None
        place = self._places[way]
        for bare in segments:
            _, _, seen_at, direction, seq, ack, flags, length, _, _, _ = bare
            if direction != way:
                way, place = direction, self._places[direction]
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

    def end(self, client: End, server: End, there: bytes) -> None:
        """Let both ends know."""
        half, other = self._halves if self._way == there else self._halves[::-1]
        _put(half, client, server)
        _put(other, server, client)


def _half(end: End) -> _Half:
    return end.outgoing.next or 0, end.outgoing.unacked or 0, 0, None


def _put(half: _Half, sender: End, receiver: End) -> None:
    outgoing = sender.outgoing
    outgoing.next, outgoing.unacked, size, last = half
    receiver.incoming.expected = outgoing.next
    outgoing.bytes += size
    if last is not None:
        receiver.heard = Moment(last[FRAME], last[TIME])
