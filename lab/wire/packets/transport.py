"""TCP headers (RFC 9293, section 3.1).

Nearly every segment is ordinary: whole headers, IPv4 without options, and before them a link layer's header
that was met before. Those are read with one look at all headers, everything else step by step. Both ways give
the same.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from lab.wire.packets.internet import FRAGMENTED, TCP
from lab.wire.packets.link import IPV4, PREFIXES
from lab.wire.packets.pcap import Frame, Run, Span
from lab.wire.packets.problems import Damage
from lab.wire.packets.segment import Bare, Place

_HEADER = 20
_SMALLEST_OFFSET = _HEADER // 4 << 4
_IPV4_WITHOUT_OPTIONS = 0x45
_MOST_PREFIXES = 4096
_NONE_IS_ORDINARY = 1 << 32

_BOTH = "xHHHxBxx12sIIBBHH"
"""IPv4's header from its second byte on and TCP's up to the checksum: addresses and ports are neighbours."""

_unpack_tcp = Struct("!IIBBHH").unpack_from


Header = tuple[bytes, int, int, int, int, int, int]
"""Addresses and ports as they stand there; seq, ack, flags, the payload's length, window and checksum."""

Study = Callable[[int, Frame], Bare | None]
"""Reads the frame of a number step by step."""


class Ordinary:
    """Ordinary frames of one kind, known by how they begin; where each was seen follows from that.

    It is learned from frames that were read step by step.
    """

    def __init__(self, link: int) -> None:
        skipped, kept = PREFIXES.get(link, (0, 0))
        self._size = kept
        self._internet = skipped + kept - 1
        self._unpack = Struct(f"!{skipped}x{kept}s{_BOTH}").unpack_from
        self._least = self._internet + 2 * _HEADER if kept else _NONE_IS_ORDINARY
        self._places: dict[bytes, Place] = {}

    def learn(self, frame: bytes, kind: int, at: int, place: Place) -> None:
        """A frame whose network packet begins at ``at`` was seen at that place."""
        if kind == IPV4 and at == self._internet and frame[at : at + 1] == bytes([_IPV4_WITHOUT_OPTIONS]):
            if len(self._places) >= _MOST_PREFIXES:
                self._places.clear()
            self._places[frame[at + 1 - self._size : at + 1]] = place

    def segments(self, run: Run, spans: list[Span], number: int, study: Study) -> list[Bare]:
        """The segments in frames that follow on frame ``number``; ``study`` reads what is not ordinary.

        Nearly every frame of a large capture passes here: the loop calls nothing but what unpacks.
        """
        unpack, least, internet, places = self._unpack, self._least, self._internet, self._places
        data, found = run.data, list[Bare]()
        for time, start, end, wire in spans:
            number += 1
            if end - start >= least:
                (
                    prefix, total, ident, fragment, protocol, way, seq, ack, offset, flags, window, checksum,
                ) = unpack(data, start)  # fmt: skip
                place, length = places.get(prefix), total - _HEADER - (offset >> 2 & 60)
                if (
                    place is not None
                    and protocol == TCP
                    and not fragment & FRAGMENTED
                    and offset >= _SMALLEST_OFFSET
                    and length >= 0
                    and internet + total <= wire
                ):
                    found.append((number, time, place, way, seq, ack, flags, length, window, checksum, ident))
                    continue
            studied = study(number, (run, (time, start, end, wire)))
            if studied is not None:
                found.append(studied)
        return found


def any_segment(data: bytes, end: int, addresses: bytes, at: int, last: int) -> Header:
    """The segment at ``at``; its packet ends at ``last`` and what was captured at ``end``. Raises Damage."""
    if at + _HEADER > min(end, last):
        raise Damage("it ends within the TCP header")
    seq, ack, offset, flags, window, checksum = _unpack_tcp(data, at + 4)
    payload = at + (offset >> 4) * 4
    if payload < at + _HEADER or payload > last:
        raise Damage("its TCP header is damaged")
    return addresses + data[at : at + 4], seq, ack, flags, last - payload, window, checksum
