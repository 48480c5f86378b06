"""Segments in line, and the sign of each.

In line is a segment that begins where the one before it in its direction ended, and acknowledges all that
had come, or a part of it. Such a segment needs one byte to tell what matters of it, its sign. Equal signs in
equal order mean equal stories, whatever the numbers are: every question that :class:`~lab.flows.end.End` asks
is which of two numbers comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.flows.serial import MASK
from lab.flows.tracker import way_from_client
from lab.packets.segment import ACK, FIN, KIND, RST, SEQ, SYN, WAY, Bare, Place

_SYN_ACK, _RST_ACK, _FIN_ACK = SYN | ACK, RST | ACK, FIN | ACK
_ANSWERS = frozenset({SYN, _SYN_ACK, _RST_ACK})
DATA, SERVER, _ACKS_SOME, _ACKS_NOTHING = 8, 32, 64, 128
"""Bits of a segment's sign, beside those of its kind: all of them are different, and make one byte."""

Said = tuple[int, int]
"""Bytes that a client and a server sent."""

Reached = tuple[bytes, int, bool, Place, Place | None, int, int, int, int, int, int]
"""How far a connection in line has come. Of the side that spoke last: its way, and 0 or ``SERVER``; whether
both SYNs were seen; where that side was seen, and the other; the next number of each; from where on what
each sent is not acknowledged; how many bytes each sent."""


def signs_of(segments: Sequence[Bare]) -> tuple[list[int], Reached] | None:
    """The signs of a connection's first segments, and how far it came by them; None if one is out of line."""
    begun = _begun(segments)
    if begun is None:
        return None
    signs, reached = begun
    followed = follow(segments[len(signs) :], reached, signs)
    return None if followed is None else (signs, followed)


def said_by(reached: Reached) -> Said:
    """What the client said, and the server."""
    side, said, others_said = reached[1], reached[-2], reached[-1]
    return (others_said, said) if side else (said, others_said)


def follow(  # noqa: C901 - one loop that calls nothing: every segment of a short connection passes here
    segments: Sequence[Bare], reached: Reached, signs: list[int]
) -> Reached | None:
    """Put the signs of what comes next to those there are; None if it is out of line.

    The numbers of both sides change their roles as the direction does.
    """
    (
        way, side, opened, place, others_place, mine, yours, mine_acked, yours_acked, said, others_said,
    ) = reached  # fmt: skip
    ended = 0
    for _, _, seen_at, direction, seq, ack, flags, length, _ in segments:
        if direction != way:
            way, side = direction, side ^ SERVER
            place, others_place = others_place or seen_at, place
            mine, yours = yours, mine
            mine_acked, yours_acked = yours_acked, mine_acked
            said, others_said = others_said, said
        if seen_at is not place and seen_at != place:
            return None
        kind = flags & KIND
        sign = kind | side
        if kind == ACK and seq == mine and ack == yours:  # nearly always
            yours_acked = ack
        elif kind in (ACK, _FIN_ACK):
            behind = (yours - ack) & MASK
            if seq != mine or (behind and (kind != ACK or ended or behind > (yours - yours_acked) & MASK)):
                return None
            if behind:
                sign |= _ACKS_NOTHING if ack == yours_acked else _ACKS_SOME
            yours_acked = ack
            mine = (mine + (kind & FIN)) & MASK
            ended |= kind & FIN
        elif length or not _stands(kind, (seq - mine) & MASK, acks_all=ack == yours, opened=opened):
            return None
        if length:
            mine = (mine + length) & MASK
            said += length
            sign |= DATA
        signs.append(sign)
    return way, side, opened, place, others_place, mine, yours, mine_acked, yours_acked, said, others_said


def _stands(kind: int, offset: int, *, acks_all: bool, opened: bool) -> bool:
    """Whether an RST is where it has to be, or a SYN was sent again before anything followed it."""
    if kind & ACK and not acks_all:
        return False
    return offset == 0 if kind in (RST, _RST_ACK) else opened and offset == MASK and kind in (SYN, _SYN_ACK)


def _begun(segments: Sequence[Bare]) -> tuple[list[int], Reached] | None:
    """The signs of the segments that set the numbers of a connection."""
    _, _, place, way, seq, ack, flags, length, _ = segments[0]
    kind = flags & KIND
    if kind == SYN:
        return None if length else _opened(segments, place)
    if kind == _SYN_ACK:
        begun = way, SERVER, False, place, None, (seq + 1) & MASK, ack, seq, ack, 0, 0
        return None if length else ([kind | SERVER], begun)
    if kind & SYN or not kind & ACK:
        return None
    side = 0 if way_from_client(way, flags) == way else SERVER  # the capture began late
    return [], (way, side, False, place, None, seq, ack, seq, ack, 0, 0)


def _opened(segments: Sequence[Bare], place: Place) -> tuple[list[int], Reached] | None:
    """From the client's SYN to the first word of the server, seen from the client."""
    way, isn = segments[0][WAY], segments[0][SEQ]
    mine, signs = (isn + 1) & MASK, [SYN]
    for _, _, seen_at, direction, seq, ack, flags, length, _ in segments[1:]:
        kind = flags & KIND
        if direction != way:
            if length or kind not in _ANSWERS or (kind & ACK and ack != mine):
                return None
            signs.append(kind | SERVER)
            if kind & RST:
                return signs, (way, 0, False, place, seen_at, mine, seq, isn, seq, 0, 0)
            acked = mine if kind & ACK else isn
            return signs, (way, 0, True, place, seen_at, mine, (seq + 1) & MASK, acked, seq, 0, 0)
        if kind != SYN or seq != isn or length or seen_at != place:
            return None
        signs.append(SYN)
    return signs, (way, 0, False, place, None, mine, 0, isn, 0, 0, 0)
