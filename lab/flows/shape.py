"""What ordinary connections have in common: the order of their segments, whatever their numbers are.

A connection is ordinary if each segment begins where the one before it in its direction ended, and
acknowledges all that had come, or a part of it. Then every question that :class:`~lab.flows.end.End` asks is
which of two numbers comes first, and the answer follows from the order of the segments alone; times are asked
for only where something came late. So of all connections of one shape one is replayed. The others went
through the same states at the same places in their own segments, and differ in names, times, first sequence
numbers and in how much was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.flows.facts import Connection, Outcome
from lab.flows.serial import MASK
from lab.flows.tracker import Tracker, way_from_client
from lab.flows.vantage import Vantage
from lab.packets.segment import (
    ACK,
    FIN,
    FLAGS,
    LENGTH,
    PLACE,
    RST,
    SEQ,
    SYN,
    WAY,
    Bare,
    Place,
    Segment,
)

_KIND = FIN | SYN | RST | ACK
_SYN_ACK, _RST_ACK = SYN | ACK, RST | ACK
_PLAIN = frozenset({ACK, FIN | ACK})
_ANSWERS = frozenset({SYN, _SYN_ACK, _RST_ACK})
_DATA, _SERVER, _ACKS_SOME, _ACKS_NOTHING = 8, 32, 64, 128
"""Bits of a segment's sign, beside those of its kind: all of them are different, and make one byte."""

_LONE_SYN = bytes([SYN]), (0, 0)
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


Said = tuple[int, int]
"""Bytes that a client and a server sent."""


class Shapes:
    """The shapes that were met."""

    def __init__(self) -> None:
        self._known: dict[bytes, Shape] = {}

    def of(self, segments: Sequence[Bare]) -> tuple[Shape, Said] | None:
        """The shape of a connection that these segments are all there is of; None if it is not ordinary."""
        found = _signature(segments)
        if found is None:
            return None
        signature, said = found
        shape = self._known.get(signature)
        if shape is None:
            if len(self._known) >= _MOST_SHAPES:
                self._known.clear()
            shape = self._known[signature] = _learned(segments)
        return shape, said


def _learned(segments: Sequence[Bare]) -> Shape:
    numbered = [(index, 0, *bare[2:]) for index, bare in enumerate(segments)]
    tracker = Tracker(Segment._make(numbered[0]), Vantage())
    tracker.take(numbered)
    pattern = tracker.connection("")
    assert pattern is not None  # noqa: S101 - seen at one place, every segment is one of its ends'
    return Shape(pattern, len(segments), tracker.open, Outcome(pattern.handshake, pattern.close))


_Begun = tuple[list[int], int, bool, int, int, int, int]
"""How a connection begins: the signs of the segments that set its numbers, the side that was seen first,
whether both SYNs were seen; the next number of that side and of the other, and from where on what each sent
is not acknowledged."""


def _signature(segments: Sequence[Bare]) -> tuple[bytes, Said] | None:
    """A byte for each segment, equal for equal shapes, and the bytes said; None if it is not ordinary."""
    first = segments[0]
    if len(segments) == 1 and first[FLAGS] & _KIND == SYN and not first[LENGTH]:  # a flood is made of these
        return _LONE_SYN
    begun = _begun(segments)
    if begun is None or not _at_one_place(segments):
        return None
    signs, side, *_ = begun
    if len(signs) == len(segments):
        return bytes(signs), (0, 0)
    found = _in_line(segments, begun)
    if found is None:
        return None
    said, others_said = found
    return bytes(signs), (others_said, said) if side else (said, others_said)


def _in_line(segments: Sequence[Bare], begun: _Begun) -> Said | None:
    """Put the signs of all segments to those there are; how much the side seen first said, and the other.

    The numbers of both sides change their roles as the direction does.
    """
    signs, side, opened, mine, yours, mine_acked, yours_acked = begun
    way = there = segments[0][WAY]
    said = others_said = ended = 0
    for _, _, _, direction, seq, ack, flags, length, _, _, _ in segments[len(signs) :]:
        if direction != way:
            way, side = direction, side ^ _SERVER
            mine, yours = yours, mine
            mine_acked, yours_acked = yours_acked, mine_acked
            said, others_said = others_said, said
        kind = flags & _KIND
        sign = kind | side
        if kind in _PLAIN:
            behind = (yours - ack) & MASK
            if seq != mine or (behind and (kind != ACK or ended or behind > (yours - yours_acked) & MASK)):
                return None
            if behind:
                sign |= _ACKS_NOTHING if ack == yours_acked else _ACKS_SOME
            yours_acked = ack
            mine = (seq + length + (kind & FIN)) & MASK
            said += length
            ended |= kind & FIN
        elif length or not _stands(kind, (seq - mine) & MASK, acks_all=ack == yours, opened=opened):
            return None
        signs.append(sign | _DATA if length else sign)
    return (said, others_said) if way == there else (others_said, said)


def _stands(kind: int, offset: int, *, acks_all: bool, opened: bool) -> bool:
    """Whether an RST is where it has to be, or a SYN was sent again before anything followed it."""
    if kind & ACK and not acks_all:
        return False
    return offset == 0 if kind in (RST, _RST_ACK) else opened and offset == MASK and kind in (SYN, _SYN_ACK)


def _begun(segments: Sequence[Bare]) -> _Begun | None:
    _, _, _, way, seq, ack, flags, length, _, _, _ = segments[0]
    kind = flags & _KIND
    if kind == SYN:
        return None if length else _opened(segments)
    if kind == _SYN_ACK:
        return None if length else ([kind | _SERVER], _SERVER, False, (seq + 1) & MASK, ack, seq, ack)
    if kind & SYN or not kind & ACK:
        return None
    side = 0 if way_from_client(way, flags) == way else _SERVER  # the capture began late
    return [], side, False, seq, ack, seq, ack


def _opened(segments: Sequence[Bare]) -> _Begun | None:
    """From the client's SYN to the first word of the server."""
    way, isn = segments[0][WAY], segments[0][SEQ]
    mine, signs = (isn + 1) & MASK, [SYN]
    for _, _, _, direction, seq, ack, flags, length, _, _, _ in segments[1:]:
        kind = flags & _KIND
        if direction != way:
            if length or kind not in _ANSWERS or (kind & ACK and ack != mine):
                return None
            signs.append(kind | _SERVER)
            if kind & RST:
                return signs, 0, False, mine, seq, isn, seq
            return signs, 0, True, mine, (seq + 1) & MASK, mine if kind & ACK else isn, seq
        if kind != SYN or seq != isn or length:
            return None
        signs.append(SYN)
    return signs, 0, False, mine, 0, isn, 0


def _at_one_place(segments: Sequence[Bare]) -> bool:
    """Whether all segments of a direction were seen at the same place."""
    places = [bare[PLACE] for bare in segments]
    if places.count(places[0]) == len(places):  # nearly always
        return True
    of_way: dict[bytes, Place] = {}
    return all(of_way.setdefault(bare[WAY], bare[PLACE]) == bare[PLACE] for bare in segments)
