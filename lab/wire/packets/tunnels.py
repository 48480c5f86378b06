"""Packets within packets: what lies openly behind a header of known length is read as if it were alone.

IP in IP (RFC 2003), IPv6 in IP (RFC 4213), GRE (RFC 2784, 2890; version 1: RFC 2637) and ERSPAN in it, MPLS
(RFC 3032), PPPoE sessions (RFC 2516), AH (RFC 4302), EtherIP (RFC 3378), VXLAN (RFC 7348), VXLAN-GPE, Geneve
(RFC 8926) and GTP-U (3GPP TS 29.281) on their UDP ports, SNAP (IEEE 802). What cannot be read so, ciphers and
fragments among it, stays what it is outside.

Each step takes a packet and gives the name of what it went through and the packet within, or None.
IndexError and struct.error mean that it ends too soon.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from struct import Struct

from lab.wire.packets.internet import (
    AUTHENTICATION,
    EXTENSIONS,
    FRAGMENTED,
    TCP,
    UDP,
    Framed,
    claimed_end,
    past_extensions,
)
from lab.wire.packets.link import ETHERNET, IPV4, IPV6, LARGEST_LENGTH, PPP, ethernet, ppp
from lab.wire.packets.problems import Damage

_DEEPEST = 8
"""Packets within packets that are followed."""

MPLS, MPLS_UPSTREAM, PPPOE, ERSPAN2, ERSPAN3 = 0x8847, 0x8848, 0x8864, 0x88BE, 0x22EB
_UDP_HEADER = 8
_SNAP = bytes.fromhex("aaaa03000000")
"""LLC's header of a SNAP frame, and the organisation whose numbers are EtherTypes."""

_IPV4_FIRST = range(0x45, 0x50)
"""The first byte of an IPv4 header: version 4, five words at least."""

_IPV6_HEADER = 40
_VERSIONS = {4: IPV4, 6: IPV6}

Inner = tuple[str, Framed]

_short = Struct("!H").unpack_from
_ports = Struct("!HH").unpack_from
_wide = Struct("!I").unpack_from


class Tunnels:
    """Finds the innermost packet of a frame; ``counts`` has how many packets went through what."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def tag(self, tags: int) -> None:
        """Count a frame that has so many VLAN tags."""
        self.counts["VLAN" if tags == 1 else "VLAN in VLAN"] += 1

    def innermost(self, packet: Framed) -> Framed:
        """The packet that no other holds, as far as that can be read."""
        for _ in range(_DEEPEST):
            try:
                found = _within(packet)
            except (Damage, IndexError, struct.error):
                return packet
            if found is None:
                return packet
            name, packet = found
            self.counts[name] += 1
        return packet


def _within(packet: Framed) -> Inner | None:
    kind = packet.kind
    if kind == IPV4:
        return _in_ipv4(packet)
    if kind == IPV6:
        return _in_ipv6(packet)
    if kind <= LARGEST_LENGTH:
        return _in_llc(packet)
    step = _BEHIND.get(kind)
    return step(packet, packet.at) if step else None


def _inner(packet: Framed, kind: int, at: int, mark: int = 0) -> Framed:
    """The packet of a kind at ``at``. Its place is another one than that of a packet which stands alone."""
    interface, leaving, outer = packet.place
    return packet._replace(kind=kind, at=at, place=(interface, leaving, (outer << 12 | mark) << 1 | 1))


def _bounded(packet: Framed) -> Framed:
    """An IP packet whose frame ends where its own header says: a frame may be padded."""
    end = claimed_end(packet.kind, packet.data, packet.at)
    return packet._replace(wire=min(end, packet.wire)) if end else packet


def _by_version(name: str, packet: Framed, at: int) -> Inner | None:
    """An IP packet that only its first four bits tell."""
    kind = _VERSIONS.get(packet.data[at] >> 4)
    return (name, _inner(packet, kind, at)) if kind else None


def _frame(name: str, packet: Framed, at: int) -> Inner:
    """An Ethernet frame."""
    kind, inner, _, _, mark = ethernet(packet.data, at)
    return name, _inner(packet, kind, inner, mark)


# In IP


def _in_ipv4(packet: Framed) -> Inner | None:
    data, at = packet.data, packet.at
    protocol = data[at + 9]
    step = None if protocol == TCP else _IN_IP.get(protocol)
    if step is None or _short(data, at + 6)[0] & FRAGMENTED or data[at] not in _IPV4_FIRST:
        return None
    return step(_bounded(packet), at + (data[at] & 15) * 4)


def _in_ipv6(packet: Framed) -> Inner | None:
    data, at = packet.data, packet.at
    protocol = data[at + 6]
    if protocol == TCP or (protocol not in _IN_IP and protocol not in EXTENSIONS):
        return None
    protocol, begin, fragment = past_extensions(data, at + _IPV6_HEADER, len(data), protocol)
    step = None if fragment else _IN_IP.get(protocol)
    return step(_bounded(packet), begin) if step else None


def _in_authentication(packet: Framed, at: int) -> Inner:
    """The same packet without its AH. IPv6's other headers are passed over where those are."""
    data, outer = packet.data, packet.at
    size = (data[at + 1] + 2) * 4
    total = max(0, _short(data, outer + 2)[0] - size)
    head = (
        data[outer : outer + 2] + total.to_bytes(2, "big") + data[outer + 4 : outer + 9] + data[at : at + 1]
    )
    without = data[:outer] + head + data[outer + 10 : at] + data[at + size :]
    return "AH", packet._replace(data=without, wire=packet.wire - size)


def _in_gre(packet: Framed, at: int) -> Inner | None:
    data = packet.data
    flags, kind = _ports(data, at)
    version, sequenced = flags & 7, bool(flags & 0x1000)
    if flags & 0x4000 or version > 1:  # source routes of RFC 1701 were never of a fixed length
        return None
    begin = at + 4 + 4 * (bool(flags & 0x8000) + bool(flags & 0x2000) + sequenced + bool(flags & 0x80))
    if kind == ERSPAN2:
        return _frame("ERSPAN", packet, begin + 8 * sequenced)
    if kind == ERSPAN3:
        return _frame("ERSPAN", packet, begin + (20 if data[begin + 11] & 1 else 12))
    return _of_type("GRE", packet, kind, begin)


def _of_type(name: str, packet: Framed, kind: int, at: int) -> Inner | None:
    """A packet of an EtherType."""
    if kind == ETHERNET:
        return _frame(name, packet, at)
    return (name, _inner(packet, kind, at)) if kind > LARGEST_LENGTH else None


def _in_udp(packet: Framed, at: int) -> Inner | None:
    step = _IN_UDP.get(_ports(packet.data, at)[1])
    return step(packet, at + _UDP_HEADER) if step else None


def _in_vxlan(packet: Framed, at: int) -> Inner | None:
    flags, tail = packet.data[at], packet.data[at + 7]
    return _frame("VXLAN", packet, at + 8) if flags & 8 and not tail else None


def _in_vxlan_gpe(packet: Framed, at: int) -> Inner | None:
    kind = {1: IPV4, 2: IPV6, 3: ETHERNET}.get(packet.data[at + 3])
    return _of_type("VXLAN-GPE", packet, kind, at + 8) if kind and packet.data[at] & 12 == 12 else None


def _in_geneve(packet: Framed, at: int) -> Inner | None:
    first = packet.data[at]
    return (
        None if first >> 6 else _of_type("Geneve", packet, _short(packet.data, at + 2)[0], at + 8 + first * 4)
    )


def _in_gtp(packet: Framed, at: int) -> Inner | None:
    data = packet.data
    flags, kind = data[at], data[at + 1]
    if flags >> 4 != 3 or kind != 255:  # version 1 of GTP, a packet of a user
        return None
    at, following = at + 8, 0
    if flags & 7:
        at, following = at + 4, data[at + 3] if flags & 4 else 0
    while following:
        size = data[at] * 4 or len(data)
        at, following = at + size, data[at + size - 1]
    return _by_version("GTP", packet, at)


# Below IP


def _in_llc(packet: Framed) -> Inner | None:
    data, at = packet.data, packet.at
    if data[at : at + 6] != _SNAP:
        return None
    return _of_type("SNAP", packet, _short(data, at + 6)[0], at + 8)


def _in_mpls(packet: Framed, at: int) -> Inner | None:
    while not packet.data[at + 2] & 1:  # the bit that tells the last label
        at += 4
    return _by_version("MPLS", packet, at + 4)


def _in_pppoe(packet: Framed, at: int) -> Inner | None:
    if packet.data[at : at + 2] != b"\x11\x00":
        return None
    kind, at = ppp(packet.data, at + 6)
    return "PPPoE", _inner(packet, kind, at)


def _in_ppp(packet: Framed, at: int) -> Inner | None:
    kind, at = ppp(packet.data, at)
    return None if kind == PPP else ("PPP", _inner(packet, kind, at))


_BEHIND: dict[int, Callable[[Framed, int], Inner | None]] = {
    MPLS: _in_mpls,
    MPLS_UPSTREAM: _in_mpls,
    PPPOE: _in_pppoe,
    PPP: _in_ppp,
}
"""EtherType -> what goes through its header."""

_IN_IP: dict[int, Callable[[Framed, int], Inner | None]] = {
    4: lambda packet, at: ("IP in IP", _inner(packet, IPV4, at)),
    UDP: _in_udp,
    41: lambda packet, at: ("IPv6 in IP", _inner(packet, IPV6, at)),
    47: _in_gre,
    AUTHENTICATION: _in_authentication,
    97: lambda packet, at: _frame("EtherIP", packet, at + 2),
    137: _in_mpls,
}
"""Protocol of IP -> the same."""

_IN_UDP: dict[int, Callable[[Framed, int], Inner | None]] = {
    2152: _in_gtp,
    4789: _in_vxlan,
    4790: _in_vxlan_gpe,
    6081: _in_geneve,
    8472: _in_vxlan,
}
"""UDP port of the receiver -> the same. Linux has VXLAN on 8472 unless it is told otherwise."""
