"""ICMP errors: what a router or a host says of a packet that it did not pass on (RFC 792, RFC 4443)."""

from __future__ import annotations

from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple

from lab.wire.packets.internet import ICMP, ICMPV6, TCP, UDP, Framed
from lab.wire.packets.link import IPV4, IPV6
from lab.wire.packets.segment import FourTuple, flow_of

_QUOTED = frozenset({TCP, UDP})
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_HEADER = 8
_MOST_TELLING = 8
"""Bytes of the packet that every message quotes, at the least: of TCP its ports and its sequence number."""

_TOO_BIG_V4, _TOO_BIG_V6 = (3, 4), (2, 0)
_MEANINGS = {
    IPV4: {
        (3, 0): "destination unreachable: no route to its network",
        (3, 1): "destination unreachable: no answer from that host",
        (3, 2): "destination unreachable: no such protocol there",
        (3, 3): "destination unreachable: nobody has that port",
        _TOO_BIG_V4: "fragmentation needed",
        (3, 9): "destination unreachable: prohibited",
        (3, 10): "destination unreachable: prohibited",
        (3, 13): "destination unreachable: prohibited",
        (11, 0): "time exceeded: it crossed too many routers",
        (11, 1): "time exceeded: a fragment was missing",
        (12, 0): "parameter problem",
    },
    IPV6: {
        (1, 0): "destination unreachable: no route to it",
        (1, 1): "destination unreachable: prohibited",
        (1, 3): "destination unreachable: no answer from that host",
        (1, 4): "destination unreachable: nobody has that port",
        (1, 5): "destination unreachable: prohibited",
        (1, 6): "destination unreachable: no route to it",
        _TOO_BIG_V6: "packet too big",
        (3, 0): "time exceeded: it crossed too many routers",
        (3, 1): "time exceeded: a fragment was missing",
    },
}
"""What the messages mean, by type and code; those of other types are no errors or not about a packet."""

_errors = Struct("!BBHHH").unpack_from
_wide = Struct("!I").unpack_from


class IcmpError(NamedTuple):
    """A message about a packet of the ``flow``: from whom, and what it means.

    ``frame`` and ``time`` are those of the message (ns). ``protocol`` is that of the packet, TCP or UDP;
    a TCP segment began at ``seq``.
    """

    frame: int
    time: int
    source: str
    meaning: str
    protocol: int
    flow: FourTuple
    seq: int


def icmp_error(packet: Framed) -> IcmpError | None:
    """The error message in a packet, if it is one about a TCP segment or a UDP datagram.

    Raises IndexError or struct.error if it ends within its headers.
    """
    frame, time, _, kind, data, at, _ = packet
    inside = _message(kind, data, at)
    if inside is None:
        return None
    type_, code, _, _, mtu = _errors(data, inside)
    meaning = _MEANINGS[kind].get((type_, code))
    quoted = _quoted(kind, data, inside + _HEADER)
    if meaning is None or quoted is None:
        return None
    if kind == IPV4 and (type_, code) == _TOO_BIG_V4:
        meaning += f": the next link takes {mtu} bytes" if mtu else ""
    elif kind == IPV6 and (type_, code) == _TOO_BIG_V6:
        meaning += f": the next link takes {_wide(data, inside + 4)[0]} bytes"
    protocol, flow, seq = quoted
    source = data[at + 12 : at + 16] if kind == IPV4 else data[at + 8 : at + 24]
    return IcmpError(frame, time, str(ip_address(source)), meaning, protocol, flow, seq)


def _message(kind: int, data: bytes, at: int) -> int | None:
    """Where the ICMP message of a packet begins; None if it holds none, or a part of one."""
    if kind == IPV4:
        fragment = int.from_bytes(data[at + 6 : at + 8], "big") & 0x1FFF
        return at + (data[at] & 15) * 4 if data[at + 9] == ICMP and not fragment else None
    if kind == IPV6:
        return at + _IPV6_HEADER if data[at + 6] == ICMPV6 else None
    return None


def _quoted(kind: int, data: bytes, at: int) -> tuple[int, FourTuple, int] | None:
    """The protocol, the flow and a segment's sequence number of what a message quotes; None for others."""
    version, begin = (4, at + (data[at] & 15) * 4) if kind == IPV4 else (6, at + _IPV6_HEADER)
    protocol = data[at + 9] if kind == IPV4 else data[at + 6]
    addresses = data[at + 12 : at + _IPV4_HEADER] if kind == IPV4 else data[at + 8 : at + _IPV6_HEADER]
    head = data[begin : begin + _MOST_TELLING]
    if data[at] >> 4 != version or protocol not in _QUOTED or len(head) < _MOST_TELLING:
        return None
    return protocol, flow_of(addresses + head[:4]), int(_wide(head, 4)[0]) if protocol == TCP else 0
