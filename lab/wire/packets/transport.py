"""TCP headers (RFC 9293, section 3.1).

Nearly every segment is ordinary: whole headers, IPv4 without options, and before them a link layer's header
that was met before. Those are read with one look at all headers, everything else step by step. Both ways give
the same.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from lab.wire.packets.internet import FRAGMENTED, TCP, UDP
from lab.wire.packets.kinds import UDP_TUNNELS
from lab.wire.packets.link import IPV4, IPV6, PREFIXES, TAGGED, VLAN_TAGS
from lab.wire.packets.pcap import Frame, Run, Span
from lab.wire.packets.problems import Damage
from lab.wire.packets.segment import SYN, Bare, Place

_HEADER = 20
_SMALLEST_OFFSET = _HEADER // 4 << 4
_IPV4_WITHOUT_OPTIONS = 0x45
_MOST_PREFIXES = 4096
_NONE_IS_ORDINARY = 1 << 32

_BOTH = "xHHHxBxx12sIIBBHH"
"""IPv4's header from its second byte on and TCP's up to the checksum: addresses and ports are neighbours."""

_IPV6_HEADER = 40
_UDP_HEADER = 8
_VERSION_6 = 6

_unpack_tcp = Struct("!IIBBHH").unpack_from
_ipv4 = Struct("!2xHHHxBxx12sH").unpack_from
_ipv6 = Struct("!4xHBx36sH").unpack_from
"""IP's header, the ports behind it, and the two bytes that follow."""


Header = tuple[bytes, int, int, int, int, int, int, bytes, bytes]
"""Addresses and ports as they stand there; seq, ack, flags, the payload's length, window and checksum; the
options of a SYN; the first bytes of the payload."""

Study = Callable[[int, Frame], Bare | None]
"""Reads the frame of a number step by step."""


Hear = Callable[[int, int, Place, bytes, int], None]
"""Is told of a UDP datagram: frame, time, place, addresses with ports, and the size of its payload."""


class Ears(NamedTuple):
    """Who is told of ordinary frames that no segment is made of, and of the VLAN tags of a frame."""

    datagram: Hear | None
    tags: Callable[[int], None] | None


class Ordinary:
    """Ordinary frames of one kind, known by how they begin; where each was seen follows from that.

    It is learned from frames that were read step by step. Of each payload so many
    bytes of the ``beginning`` are kept.
    """

    def __init__(self, link: int, ears: Ears, beginning: int = 0) -> None:
        self._kept = beginning
        skipped, kept = PREFIXES.get(link, (0, 0))
        self._skipped = skipped
        self._internet = skipped + kept - 1
        self._tagged = link in TAGGED
        self._hear, self._hear_tags = ears
        self._unpack = Struct(f"!{skipped}x{kept}s{_BOTH}").unpack_from
        self._least = self._internet + 2 * _HEADER if kept else _NONE_IS_ORDINARY
        self._places: dict[bytes, Place] = {}
        """Of IPv4 without VLAN tags, where no payload is kept."""
        self._others: dict[bytes, Place] = {}
        """Of all that is known."""

    def learn(self, frame: bytes, kind: int, at: int, place: Place) -> None:
        """A frame whose network packet begins at ``at`` was seen at that place."""
        first = frame[at] if at < len(frame) else 0
        if first == _IPV4_WITHOUT_OPTIONS if kind == IPV4 else kind == IPV6 and first >> 4 == _VERSION_6:
            if len(self._others) >= _MOST_PREFIXES:
                self._others.clear()
                self._places.clear()
            self._others[frame[self._skipped : at + 1]] = place
            if kind == IPV4 and at == self._internet and not self._kept:
                self._places[frame[self._skipped : at + 1]] = place

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
                    protocol == TCP
                    and place is not None
                    and not fragment & FRAGMENTED
                    and offset >= _SMALLEST_OFFSET
                    and length >= 0
                    and internet + total <= wire
                ):
                    options = (
                        data[start + least : min(end, start + internet + total - length)]
                        if flags & SYN
                        else b""
                    )
                    found.append(
                        (
                            number, time, place, way, seq, ack, flags, length, window, checksum, ident,
                            options, b"",
                        )
                    )  # fmt: skip
                    continue
                told = self._other(data, (time, start, end, wire), number)
                if told is not None:
                    if told:
                        found.append(told)
                    continue
            studied = study(number, (run, (time, start, end, wire)))
            if studied is not None:
                found.append(studied)
        return found

    def _other(self, data: bytes, span: Span, number: int) -> Bare | tuple[()] | None:
        """What is ordinary, too: IPv6 without extension headers, VLAN tags, and UDP.

        An empty one for what was heard; None for what is to be read step by step.
        """
        time, start, end, wire = span
        untagged = at = start + self._internet
        if self._tagged:
            while data[at - 2 : at] in VLAN_TAGS:
                at += 4
        place = self._others.get(data[start + self._skipped : at + 1])
        packet = None if place is None else _packet(data, at, end, start + wire)
        if place is None or packet is None:
            return None
        protocol, way, _, inner, last, following = packet
        found: Bare | tuple[()] | None = None
        if protocol == TCP:
            found = _segment(data, end, (number, time, place), packet, self._kept)
        elif protocol == UDP and self._hear is not None:
            size = last - inner
            if following == size and way[-2:] not in UDP_TUNNELS and way[-4:-2] not in UDP_TUNNELS:
                self._hear(number, time, place, way, size - _UDP_HEADER)
                found = ()
        if found is not None and at != untagged and self._hear_tags is not None:
            self._hear_tags((at - untagged) // 4)
        return found


_Packet = tuple[int, bytes, int, int, int, int]
"""What an IP packet holds: the protocol; addresses and ports as they stand there; the identification; where
the transport's header begins and the packet ends; what follows the ports (the length of a UDP datagram)."""


def _packet(data: bytes, at: int, end: int, most: int) -> _Packet | None:
    """An IP packet, if it is no fragment and at least eight bytes of what it holds were captured.

    What was captured ends at ``end``, the packet at ``most`` or before.
    """
    if at + _IPV6_HEADER > end:
        return None
    if data[at] == _IPV4_WITHOUT_OPTIONS:
        total, ident, fragment, protocol, way, following = _ipv4(data, at)
        inner, last = at + _HEADER, at + total
        if fragment & FRAGMENTED:
            return None
    elif at + _IPV6_HEADER + _UDP_HEADER <= end:
        length, protocol, way, following = _ipv6(data, at)
        ident, inner = 0, at + _IPV6_HEADER
        last = inner + length if length else at
    else:
        return None
    return (protocol, way, ident, inner, last, following) if inner + _UDP_HEADER <= last <= most else None


def _segment(data: bytes, end: int, seen: tuple[int, int, Place], packet: _Packet, kept: int) -> Bare | None:
    """The segment that a packet holds, if its whole header was captured and is sound."""
    _, way, ident, inner, last, _ = packet
    if inner + _HEADER > end or inner + _HEADER > last:
        return None
    seq, ack, offset, flags, window, checksum = _unpack_tcp(data, inner + 4)
    payload = inner + (offset >> 2 & 60)
    if offset < _SMALLEST_OFFSET or payload > last:
        return None
    options = data[inner + _HEADER : min(payload, end)] if flags & SYN else b""
    number, time, place = seen
    length, first = last - payload, data[payload : min(payload + kept, last, end)] if kept else b""
    return number, time, place, way, seq, ack, flags, length, window, checksum, ident, options, first


def any_segment(data: bytes, end: int, addresses: bytes, at: int, last: int, *, kept: int = 0) -> Header:
    """The segment at ``at``; its packet ends at ``last`` and what was captured at ``end``. Raises Damage."""
    if at + _HEADER > min(end, last):
        raise Damage("ends-in-tcp-header")
    seq, ack, offset, flags, window, checksum = _unpack_tcp(data, at + 4)
    payload = at + (offset >> 4) * 4
    if payload < at + _HEADER or payload > last:
        raise Damage("bad-tcp-header")
    options = data[at + _HEADER : min(payload, end)] if flags & SYN else b""
    way, first = addresses + data[at : at + 4], data[payload : min(payload + kept, last, end)]
    return way, seq, ack, flags, last - payload, window, checksum, options, first
