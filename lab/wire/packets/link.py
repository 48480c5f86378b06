"""Link layers: where the network packet begins in a frame, and at which interface the frame was seen.

Each function takes the buffer and where the frame begins and ends in it. IndexError and struct.error mean
that the frame ends too soon.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from lab.wire.packets.problems import Damage

IPV4, IPV6 = 0x0800, 0x86DD
PPP, ETHERNET = 0x880B, 0x6558
"""What holds a packet of PPP, and a bridged Ethernet frame."""

NO_IP = 1 << 16
"""Stands for the EtherType of what has none and is no IP."""

LARGEST_LENGTH = 0x05DC
"""Up to this an EtherType is a length: the frame is one of IEEE 802.3 (LLC)."""

_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
VLAN_TAGS = frozenset(kind.to_bytes(2, "big") for kind in _VLAN_TAGS)
"""The same as they stand in a frame."""

_OUTGOING = 4
"""The cooked packet type of a frame that the machine itself sent (packet(7), PACKET_OUTGOING)."""

_VLAN_ID = 0xFFF
_short = Struct("!H").unpack_from
_tag = Struct("!HH").unpack_from
_cooked1 = Struct("!H12xH").unpack_from
_cooked2 = Struct("!H2xI2xB").unpack_from

_FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}
"""Address families at the head of a loopback frame; IPv6 has another number on each system."""


Network = tuple[int, int, int, bool | None, int]
"""A network packet in a frame: its EtherType, where it begins; the interface, whether it left there, and what
else of the link layer tells one place from another (VLAN tags, the cooked packet type), as a number."""


def _untagged(data: bytes, kind: int, at: int, mark: int = 0) -> tuple[int, int, int]:
    while kind in _VLAN_TAGS:
        tag, kind = _tag(data, at)
        mark, at = mark << 12 | tag & _VLAN_ID, at + 4
    return kind, at, mark


def ethernet(data: bytes, start: int) -> Network:
    """An Ethernet frame (IEEE 802.3), its VLAN tags passed over."""
    kind, at, mark = _untagged(data, _short(data, start + 12)[0], start + 14)
    return kind, at, 0, None, mark


def _linux_cooked(data: bytes, start: int) -> Network:
    packet, kind = _cooked1(data, start)
    kind, at, mark = _untagged(data, kind, start + 16, packet)
    return kind, at, 0, packet == _OUTGOING, mark


def _linux_cooked2(data: bytes, start: int) -> Network:
    kind, interface, packet = _cooked2(data, start)
    kind, at, mark = _untagged(data, kind, start + 20, packet)
    return kind, at, interface, packet == _OUTGOING, mark


def _raw(data: bytes, start: int) -> Network:
    version = data[start] >> 4
    return {4: IPV4, 6: IPV6}.get(version, NO_IP), start, 0, None, 0


def _loopback(data: bytes, start: int) -> Network:
    family = data[start : start + 4]
    # In the byte order of the machine that captured; OpenBSD's variant always has the network's.
    number = int.from_bytes(family, "big" if not family[0] else "little")
    return _FAMILIES.get(number, NO_IP), start + 4, 0, None, 0


def ppp(data: bytes, at: int) -> tuple[int, int]:
    """The EtherType of what a PPP frame holds, and where that begins (RFC 1661, 1662); PPP if it is no IP."""
    begin = at + 2 if data[at : at + 2] == b"\xff\x03" else at
    if data[begin] & 1:  # a compressed protocol field
        number, begin = data[begin], begin + 1
    else:
        number, begin = _short(data, begin)[0], begin + 2
    kind = {0x21: IPV4, 0x57: IPV6}.get(number)
    return (kind, begin) if kind else (PPP, at)


def _ppp(data: bytes, start: int) -> Network:
    kind, at = ppp(data, start)
    return kind, at, 0, None, 0


def _hdlc(data: bytes, start: int) -> Network:
    if data[start] == 0xFF:
        return _ppp(data, start)
    return _short(data, start + 2)[0], start + 4, 0, None, 0


LINKS: dict[int, Callable[[bytes, int], Network]] = {
    0: _loopback,
    1: ethernet,
    9: _ppp,
    12: _raw,
    14: _raw,
    50: _hdlc,
    101: _raw,
    104: _hdlc,
    108: _loopback,
    113: _linux_cooked,
    228: _raw,
    229: _raw,
    276: _linux_cooked2,
}
"""LINKTYPE_ number (www.tcpdump.org/linktypes.html) -> how its frames are read."""


TAGGED = frozenset({1, 113})
"""LINKTYPE_ numbers whose frames have the EtherType right before the packet, and VLAN tags between them."""

PREFIXES = {
    0: (0, 5),
    1: (12, 3),
    12: (0, 1),
    14: (0, 1),
    101: (0, 1),
    108: (0, 5),
    113: (0, 17),
    228: (0, 1),
    229: (0, 1),
    276: (0, 21),
}
"""LINKTYPE_ number -> how many bytes of a frame tell nothing, and how many after them, the network packet's
first byte included, tell all that :func:`network` does of a frame without VLAN tags."""


def tags(link: int, start: int, at: int) -> int:
    """How many VLAN tags lie before the network packet that was found at ``at``."""
    skipped, kept = PREFIXES.get(link, (0, 0))
    return (at - start - skipped - kept + 1) // 4 if kept else 0


def network(link: int, data: bytes, start: int) -> Network:
    """The network packet of a frame; Damage for a link layer that is not read here."""
    read = LINKS.get(link)
    if read is None:
        raise Damage("unknown-link-layer")
    return read(data, start)
