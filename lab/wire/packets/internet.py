"""IPv4 and IPv6: where the header of a transport begins in a packet and where the packet ends.

A packet's end is what its IP header says: an Ethernet frame is padded, and a capture may hold less than
there was. Only where the header gives no length (segmentation offload, jumbograms) the frame's counts.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from lab.wire.packets.fragments import Fragment, Whole
from lab.wire.packets.link import IPV4, IPV6
from lab.wire.packets.problems import Damage
from lab.wire.packets.segment import Place

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_FRAGMENT = 44
_AUTHENTICATION = 51
_EXTENSIONS = frozenset({0, 43, _FRAGMENT, _AUTHENTICATION, 60, 135, 139, 140})
"""IPv6 extension headers that may stand before a transport's (RFC 8200, and IANA's list)."""

FRAGMENTED = 0x3FFF
"""More fragments to come, or an offset, in an IPv4 header."""

_IPV6_OFFSET_OR_MORE, _IPV6_OFFSET = 0xFFF9, 0xFFF8

_IPV4_MORE, _IPV4_OFFSET = 0x2000, 0x1FFF

_ipv4 = Struct("!BxHHHxB").unpack_from
_ipv6 = Struct("!IHB").unpack_from
_ident = Struct("!H").unpack_from
_extension = Struct("!BBHI").unpack_from


Packet = tuple[bytes, int, int]
"""What a packet holds: both addresses as they stand there, where the transport's header begins, its end."""


class Framed(NamedTuple):
    """A network packet of a ``kind`` (EtherType) that begins at ``at`` in the captured bytes of a frame.

    ``wire`` is how many bytes the frame had, ``number`` its place in the capture; ``time`` in ns.
    """

    number: int
    time: int
    place: Place
    kind: int
    data: bytes
    at: int
    wire: int


def content_of(packet: Framed, protocol: int) -> Packet | Fragment | None:
    """What a packet holds of a protocol, or a part of that, or None if it holds another. Raises Damage."""
    if packet.kind == IPV4:
        return _from_ipv4(packet, protocol)
    if packet.kind == IPV6:
        return _from_ipv6(packet, protocol)
    return None


def ident_of(kind: int, data: bytes, at: int) -> int:
    """The identification of an IPv4 packet; 0 for IPv6, and where the sender gives none."""
    return _ident(data, at + 4)[0] if kind == IPV4 else 0


def _from_ipv4(packet: Framed, wanted: int) -> Packet | Fragment | None:
    data, at = packet.data, packet.at
    if at + _IPV4_HEADER > len(data):
        raise Damage("it ends within the IPv4 header")
    first, total, ident, fragment, protocol = _ipv4(data, at)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < _IPV4_HEADER:
        raise Damage("its IPv4 header is damaged")
    if protocol != wanted:
        return None
    addresses, inner, last = data[at + 12 : at + 20], at + header, _packet_end(at, total, header, packet.wire)
    if fragment & FRAGMENTED:
        offset = (fragment & _IPV4_OFFSET) * 8
        return Fragment(addresses, ident, offset, bool(fragment & _IPV4_MORE), inner, last, protocol)
    return addresses, inner, last


def _packet_end(at: int, total: int, header: int, wire_end: int) -> int:
    if not total:
        return wire_end
    if total < header or at + total > wire_end:
        raise Damage("its IP header gives a length that cannot be")
    return at + total


def _from_ipv6(packet: Framed, wanted: int) -> Packet | Fragment | None:
    data, at, end = packet.data, packet.at, len(packet.data)
    if at + _IPV6_HEADER > end:
        raise Damage("it ends within the IPv6 header")
    first, length, following = _ipv6(data, at)
    if first >> 28 != 6:
        raise Damage("its IPv6 header is damaged")
    last = _packet_end(at, length and length + _IPV6_HEADER, _IPV6_HEADER, packet.wire)
    addresses = data[at + 8 : at + 40]
    following, inner, part = _past_extensions(data, at + _IPV6_HEADER, end, following)
    if part is None:
        return (addresses, inner, last) if following == wanted else None
    if inner > last:
        raise Damage("its IP header gives a length that cannot be")
    if following != wanted and following not in _EXTENSIONS:
        return None
    offset, ident = part
    return Fragment(addresses, ident, offset & _IPV6_OFFSET, bool(offset & 1), inner, last, following)


def content_of_fragments(addresses: bytes, whole: Whole, protocol: int) -> Packet | None:
    """What a packet that was put together holds of a protocol, or None if that is nothing. Raises Damage.

    Its part that was fragmented may begin with further extension headers (RFC 8200, section 4.5).
    """
    following, at, part = _past_extensions(whole.head, 0, len(whole.head), whole.following)
    if part is not None:
        raise Damage("it is a fragment within another")
    return (addresses, at, whole.size) if following == protocol else None


def _past_extensions(
    data: bytes, at: int, end: int, following: int
) -> tuple[int, int, tuple[int, int] | None]:
    """What follows IPv6's extension headers, and where: after that of a fragment if one is among them.

    Of a fragment also its offset, with the bit that tells whether there are more, and its identification.
    """
    while following in _EXTENSIONS:
        if at + 8 > end:
            raise Damage("it ends within an IPv6 extension header")
        kind, (following, length, offset, ident) = following, _extension(data, at)
        at += _extension_size(kind, length)
        if kind == _FRAGMENT and offset & _IPV6_OFFSET_OR_MORE:
            return following, at, (offset, ident)
    return following, at, None


def _extension_size(kind: int, length: int) -> int:
    if kind == _FRAGMENT:
        return 8
    return (length + 2) * 4 if kind == _AUTHENTICATION else (length + 1) * 8
