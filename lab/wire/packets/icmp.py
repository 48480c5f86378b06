"""ICMP and ICMPv6: echoes, and what a router or a host says of a packet that it did not pass on.

RFC 792 and RFC 4443. A message whose checksum is wrong is told as that: its receiver drops it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from struct import Struct
from typing import Literal, NamedTuple, TypeAlias

from lab.core.icmp import ERRORS, ICMP, ICMPV6
from lab.wire.packets.internet import TCP, UDP, Framed, ident_of, ttl_of
from lab.wire.packets.link import IPV4, IPV6
from lab.wire.packets.problems import Damage
from lab.wire.packets.protocol import ProtocolReader
from lab.wire.packets.segment import FourTuple, Place, flow_of

_NUMBERED = {ICMP: frozenset({0, 8, 13, 14}), ICMPV6: frozenset({128, 129})}
"""The types with an identifier and a sequence number."""

_IPV4_HEADER, _IPV6_HEADER = 20, 40
_HEADER = 8
_MOST_TELLING = 8
"""Bytes of the packet that every message quotes, at the least: of TCP its ports and its sequence number."""

_OFFSET = 0x1FFF
"""Of a fragment, in an IPv4 header: only the first has ports."""

Meaning: TypeAlias = Literal[
    "net-unreachable",
    "host-unreachable",
    "protocol-unreachable",
    "port-unreachable",
    "fragmentation-needed",
    "prohibited",
    "hop-limit-exceeded",
    "reassembly-time-exceeded",
    "parameter-problem",
    "no-route",
    "packet-too-big",
]
"""What errors mean; ``lab.output.sentences.icmp`` has the sentences."""

_TOO_BIG_V4, _TOO_BIG_V6 = (3, 4), (2, 0)
_MEANINGS: Mapping[int, Mapping[tuple[int, int], Meaning]] = {
    ICMP: {
        (3, 0): "net-unreachable",
        (3, 1): "host-unreachable",
        (3, 2): "protocol-unreachable",
        (3, 3): "port-unreachable",
        _TOO_BIG_V4: "fragmentation-needed",
        (3, 9): "prohibited",
        (3, 10): "prohibited",
        (3, 13): "prohibited",
        (11, 0): "hop-limit-exceeded",
        (11, 1): "reassembly-time-exceeded",
        (12, 0): "parameter-problem",
    },
    ICMPV6: {
        (1, 0): "no-route",
        (1, 1): "prohibited",
        (1, 3): "host-unreachable",
        (1, 4): "port-unreachable",
        (1, 5): "prohibited",
        (1, 6): "no-route",
        _TOO_BIG_V6: "packet-too-big",
        (3, 0): "hop-limit-exceeded",
        (3, 1): "reassembly-time-exceeded",
    },
}
"""What the messages mean, by type and code; those of other types are no errors or not about a packet."""


_fixed = Struct("!BBHHH").unpack_from
_wide = Struct("!I").unpack_from
_short = Struct("!H").unpack_from


class Quoted(NamedTuple):
    """The packet that an error speaks of: its protocol and its ends, without ports where it has none.

    A TCP segment began at ``seq``; of an echo ``ident`` and ``seq`` are the identifier and the sequence
    number.
    """

    protocol: int
    flow: FourTuple
    ident: int = 0
    seq: int = 0


class IcmpPacket(NamedTuple):
    """One sighting of an ICMP message.

    ``frame``, ``time`` and ``place`` are as those of a ``Segment``; of a message in fragments they are those
    of the fragment that made it whole. ``protocol`` is ICMP or ICMPv6. ``rest`` are the four bytes of the
    header behind the checksum. ``size`` is that of what follows the header (bytes), ``payload`` as much of
    it as was captured. ``packet`` is the IPv4 identification, 0 where there is none. ``wrong`` says that the
    checksum is; what was not captured whole is not known to be wrong.
    """

    frame: int
    time: int
    place: Place
    ends: bytes
    protocol: int
    type: int
    code: int
    checksum: int
    rest: bytes
    size: int
    payload: bytes
    packet: int
    ttl: int
    wrong: bool

    @property
    def addresses(self) -> tuple[str, str]:
        """Where it comes from and goes to, as text."""
        flow = flow_of(self.ends + bytes(4))
        return flow.source, flow.target

    @property
    def key(self) -> tuple[bytes, int, int, int, int, bytes, int, bytes]:
        """What all sightings of the message have in common."""
        return (
            self.ends, self.type, self.code, self.packet, self.checksum, self.rest, self.size, self.payload,
        )  # fmt: skip

    @property
    def echo(self) -> tuple[int, int] | None:
        """The identifier and the sequence number, of a type that has them."""
        if self.type not in _NUMBERED[self.protocol]:
            return None
        return _short(self.rest)[0], _short(self.rest, 2)[0]

    @property
    def meaning(self) -> Meaning | None:
        """What an error means; None for what is none, or has a code that is not known."""
        return _MEANINGS[self.protocol].get((self.type, self.code))

    @property
    def mtu(self) -> int:
        """Bytes that the next link takes, of an error that says so; else 0."""
        match self.meaning:
            case "fragmentation-needed":
                return int(_short(self.rest, 2)[0])
            case "packet-too-big":
                return int(_wide(self.rest)[0])
        return 0

    @property
    def about(self) -> Quoted | None:
        """The packet that an error quotes, as far as that can be read."""
        if self.type not in ERRORS[self.protocol]:
            return None
        try:
            return _quoted(self.protocol, self.payload)
        except (IndexError, struct.error, ValueError):
            return None


class IcmpReader(ProtocolReader[IcmpPacket]):
    """The ICMP messages in the frames of a capture."""

    def _packet(self, framed: Framed) -> IcmpPacket | None:
        number, time, place, kind, packet, at = framed[:6]
        protocol = {IPV4: ICMP, IPV6: ICMPV6}.get(kind)
        content = None if protocol is None else self._content(framed, protocol)
        if protocol is None or content is None:
            return None
        ends, data, begin, last = content
        if begin + _HEADER > min(len(data), last):
            raise Damage("ends-in-icmp-header")
        type_, code, checksum, _, _ = _fixed(data, begin)
        size, payload = last - begin - _HEADER, data[begin + _HEADER : last]
        whole_message = data[begin:last] if len(payload) == size else b""
        return IcmpPacket(
            number, time, place, ends, protocol, type_, code, checksum, data[begin + 4 : begin + _HEADER],
            size, payload, ident_of(kind, packet, at), ttl_of(kind, packet, at),
            bool(whole_message) and not _is_sound(protocol, ends, whole_message),
        )  # fmt: skip


def _is_sound(protocol: int, ends: bytes, message: bytes) -> bool:
    """Whether the checksum is right (RFC 1071): the sum of all 16-bit words is then all ones."""
    pseudo = ends + struct.pack("!II", len(message), protocol) if protocol == ICMPV6 else b""
    summed = pseudo + message + bytes(len(message) % 2)
    return any(message) and int.from_bytes(summed, "big") % 0xFFFF == 0


def _quoted(protocol: int, data: bytes) -> Quoted | None:
    """The packet that is quoted; None if too little of it is there."""
    if protocol == ICMP:
        version, begin, inner, ends = 4, (data[0] & 15) * 4, data[9], data[12:_IPV4_HEADER]
        part = _short(data, 6)[0] & _OFFSET
    else:
        version, begin, inner, ends, part = 6, _IPV6_HEADER, data[6], data[8:_IPV6_HEADER], 0
    head = data[begin : begin + _MOST_TELLING]
    if data[0] >> 4 != version or len(head) < _MOST_TELLING:
        return None
    if inner in {TCP, UDP} and not part:
        return Quoted(inner, flow_of(ends + head[:4]), 0, int(_wide(head, 4)[0]) if inner == TCP else 0)
    numbered = inner == protocol and not part and head[0] in _NUMBERED[protocol]
    ident, seq = (_short(head, 4)[0], _short(head, 6)[0]) if numbered else (0, 0)
    return Quoted(inner, flow_of(ends + bytes(4)), ident, seq)
