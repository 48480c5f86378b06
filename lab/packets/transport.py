"""TCP headers (RFC 9293, section 3.1).

Nearly every segment is ordinary: whole headers, IPv4 without options, no SYN. Those are read with one look at
both headers, everything else step by step. Both ways give the same.
"""

from __future__ import annotations

from struct import Struct

from lab.packets.internet import FRAGMENTED, TCP
from lab.packets.problems import Damage
from lab.packets.segment import SYN

_HEADER = 20
_SMALLEST_OFFSET = _HEADER // 4 << 4
_IPV4_WITHOUT_OPTIONS = 0x45

_unpack_both = Struct("!BxHxxHxBxx12sIIBBHH").unpack_from
"""An IPv4 header without options and TCP's up to the checksum; addresses and ports lie side by side."""

_unpack_tcp = Struct("!IIBBHH").unpack_from

ORDINARY = 2 * _HEADER
"""Bytes that :func:`ordinary` needs from the packet's beginning on."""

Header = tuple[bytes, int, int, int, int, int, int, bytes]
"""Addresses and ports as they stand there; seq, ack, flags, the payload's length, window, checksum; then
the options of a SYN."""


def ordinary(data: bytes, at: int, wire_end: int) -> Header | None:
    """The segment in an IPv4 packet if nothing about it is out of the ordinary, else None."""
    first, total, fragment, protocol, key, seq, ack, offset, flags, window, checksum = _unpack_both(data, at)
    length = total - _HEADER - (offset >> 4) * 4
    if (
        first != _IPV4_WITHOUT_OPTIONS
        or protocol != TCP
        or fragment & FRAGMENTED
        or flags & SYN
        or offset < _SMALLEST_OFFSET
        or length < 0
        or at + total > wire_end
    ):
        return None
    return key, seq, ack, flags, length, window, checksum, b""


def any_segment(data: bytes, end: int, addresses: bytes, at: int, last: int) -> Header:
    """The segment at ``at``; its packet ends at ``last`` and what was captured at ``end``. Raises Damage."""
    if at + _HEADER > min(end, last):
        raise Damage("it ends within the TCP header")
    seq, ack, offset, flags, window, checksum = _unpack_tcp(data, at + 4)
    payload = at + (offset >> 4) * 4
    if payload < at + _HEADER or payload > last:
        raise Damage("its TCP header is damaged")
    options = data[at + _HEADER : min(payload, end)] if flags & SYN else b""
    return addresses + data[at : at + 4], seq, ack, flags, last - payload, window, checksum, options
