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

TCP, UDP = 6, 17
AUTHENTICATION = 51
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_FRAGMENT = 44
EXTENSIONS = frozenset({0, 43, _FRAGMENT, AUTHENTICATION, 60, 135, 139, 140})
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
    ``clip`` says that a packet which claims to be longer than its frame ends with that; otherwise it cannot
    be read.
    """

    number: int
    time: int
    place: Place
    kind: int
    data: bytes
    at: int
    wire: int
    clip: bool = False


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


def ttl_of(kind: int, data: bytes, at: int) -> int:
    """The time to live of an IPv4 packet, the hop limit of an IPv6 packet; 0 of another."""
    if kind == IPV4:
        return data[at + 8]
    return data[at + 7] if kind == IPV6 else 0


def next_header(packet: Framed) -> tuple[bytes, int, int] | None:
    """The addresses of an IP packet, the protocol that it holds, and where that begins. None for others.

    Of a fragment but the first it begins nowhere: at the end of the captured bytes. Raises Damage.
    """
    kind, data, at = packet.kind, packet.data, packet.at
    if kind == IPV4:
        part = _ident(data, at + 6)[0] & _IPV4_OFFSET
        return data[at + 12 : at + 20], data[at + 9], len(data) if part else at + (data[at] & 15) * 4
    if kind != IPV6:
        return None
    following, inner, fragment = past_extensions(data, at + _IPV6_HEADER, len(data), data[at + 6])
    later = fragment is not None and fragment[0] & _IPV6_OFFSET
    return data[at + 8 : at + 40], following, len(data) if later else inner


def _from_ipv4(packet: Framed, wanted: int) -> Packet | Fragment | None:
    data, at = packet.data, packet.at
    if at + _IPV4_HEADER > len(data):
        raise Damage("ends-in-ipv4-header")
    first, total, ident, fragment, protocol = _ipv4(data, at)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < _IPV4_HEADER:
        raise Damage("bad-ipv4-header")
    if protocol != wanted:
        return None
    addresses, inner, last = data[at + 12 : at + 20], at + header, _packet_end(packet, total, header)
    if fragment & FRAGMENTED:
        offset = (fragment & _IPV4_OFFSET) * 8
        return Fragment(addresses, ident, offset, bool(fragment & _IPV4_MORE), inner, last, protocol)
    return addresses, inner, last


def claimed_end(kind: int, data: bytes, at: int) -> int:
    """Where an IP packet that begins at ``at`` ends, as its header has it; 0 where that does not say."""
    total: int = _ident(data, at + (2 if kind == IPV4 else 4))[0]
    if not total:
        return 0
    return at + total if kind == IPV4 else at + _IPV6_HEADER + total


def _packet_end(packet: Framed, total: int, header: int) -> int:
    if not total:
        return packet.wire
    end = packet.at + total
    if total < header or (end > packet.wire and not packet.clip):
        raise Damage("bad-ip-length")
    return min(end, packet.wire)


def _from_ipv6(packet: Framed, wanted: int) -> Packet | Fragment | None:
    data, at, end = packet.data, packet.at, len(packet.data)
    if at + _IPV6_HEADER > end:
        raise Damage("ends-in-ipv6-header")
    first, length, following = _ipv6(data, at)
    if first >> 28 != 6:
        raise Damage("bad-ipv6-header")
    last = _packet_end(packet, length and length + _IPV6_HEADER, _IPV6_HEADER)
    addresses = data[at + 8 : at + 40]
    following, inner, part = past_extensions(data, at + _IPV6_HEADER, end, following)
    if part is None:
        return (addresses, inner, last) if following == wanted else None
    if inner > last:
        raise Damage("bad-ip-length")
    if following != wanted and following not in EXTENSIONS:
        return None
    offset, ident = part
    return Fragment(addresses, ident, offset & _IPV6_OFFSET, bool(offset & 1), inner, last, following)


def content_of_fragments(addresses: bytes, whole: Whole, protocol: int) -> Packet | None:
    """What a packet that was put together holds of a protocol, or None if that is nothing. Raises Damage.

    Its part that was fragmented may begin with further extension headers (RFC 8200, section 4.5).
    """
    following, at, part = past_extensions(whole.head, 0, len(whole.head), whole.following)
    if part is not None:
        raise Damage("fragment-in-fragment")
    return (addresses, at, whole.size) if following == protocol else None


def past_extensions(
    data: bytes, at: int, end: int, following: int
) -> tuple[int, int, tuple[int, int] | None]:
    """What follows IPv6's extension headers, and where: after that of a fragment if one is among them.

    Of a fragment also its offset, with the bit that tells whether there are more, and its identification.
    """
    while following in EXTENSIONS:
        if at + 8 > end:
            raise Damage("ends-in-ipv6-extension")
        kind, (following, length, offset, ident) = following, _extension(data, at)
        at += _extension_size(kind, length)
        if kind == _FRAGMENT and offset & _IPV6_OFFSET_OR_MORE:
            return following, at, (offset, ident)
    return following, at, None


def _extension_size(kind: int, length: int) -> int:
    if kind == _FRAGMENT:
        return 8
    return (length + 2) * 4 if kind == AUTHENTICATION else (length + 1) * 8
