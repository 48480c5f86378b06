"""ICMP errors: what a router or a host says of a TCP segment that it did not pass on (RFC 792, RFC 4443)."""

from __future__ import annotations

from ipaddress import ip_address
from struct import Struct
from typing import NamedTuple

from lab.wire.packets.internet import TCP
from lab.wire.packets.link import IPV4, IPV6
from lab.wire.packets.segment import FourTuple, flow_of

_ICMP, _ICMPV6 = 1, 58
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_HEADER = 8
_MOST_TELLING = 8
"""Bytes of the segment that every message quotes, at the least: its ports and its sequence number."""

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
"""What the messages mean, by type and code; those of other types are no errors or not about a segment."""

_errors = Struct("!BBHHH").unpack_from
_wide = Struct("!I").unpack_from


class IcmpError(NamedTuple):
    """A message about a segment of the ``flow`` that began at ``seq``: from whom, and what it means.

    ``frame`` and ``time`` are those of the message (ns).
    """

    frame: int
    time: int
    source: str
    meaning: str
    flow: FourTuple
    seq: int


def icmp_error(frame: int, time: int, kind: int, data: bytes, at: int) -> IcmpError | None:
    """The error message in the packet at ``at``, if it is one about a TCP segment.

    Raises IndexError or struct.error if it ends within its headers.
    """
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
    flow, seq = quoted
    source = data[at + 12 : at + 16] if kind == IPV4 else data[at + 8 : at + 24]
    return IcmpError(frame, time, str(ip_address(source)), meaning, flow, seq)


def _message(kind: int, data: bytes, at: int) -> int | None:
    """Where the ICMP message of a packet begins; None if it holds none, or a part of one."""
    if kind == IPV4:
        fragment = int.from_bytes(data[at + 6 : at + 8], "big") & 0x1FFF
        return at + (data[at] & 15) * 4 if data[at + 9] == _ICMP and not fragment else None
    if kind == IPV6:
        return at + _IPV6_HEADER if data[at + 6] == _ICMPV6 else None
    return None


def _quoted(kind: int, data: bytes, at: int) -> tuple[FourTuple, int] | None:
    """The flow and the sequence number of the segment that a message quotes; None if it quotes none."""
    if kind == IPV4:
        is_tcp, begin = data[at] >> 4 == 4 and data[at + 9] == TCP, at + (data[at] & 15) * 4
        addresses = data[at + 12 : at + _IPV4_HEADER]
    else:
        is_tcp, begin = data[at] >> 4 == 6 and data[at + 6] == TCP, at + _IPV6_HEADER
        addresses = data[at + 8 : at + _IPV6_HEADER]
    head = data[begin : begin + _MOST_TELLING]
    if not is_tcp or len(head) < _MOST_TELLING:
        return None
    return flow_of(addresses + head[:4]), int(_wide(head, 4)[0])
