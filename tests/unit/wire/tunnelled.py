"""Packets in tunnels of every kind, each around a TCP segment."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.unit import sketch

OUTER, OUTER6 = ("192.0.2.1", "192.0.2.2"), ("fd00:1::1", "fd00:1::2")
INNER, INNER6 = ("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")
PADDING = bytes(9)
"""Behind some packets, as Ethernet pads: it belongs to none of them."""


def segment(number: int) -> bytes:
    """A TCP segment that no other equals."""
    return sketch.tcp((4000 + number, 5000), 100 * number, 7, sketch.BITS["."], b"x" * number)


def outer(protocol: int, payload: bytes, ends: tuple[str, str] = OUTER) -> bytes:
    """What carries it."""
    return sketch.ip(*ends, payload, protocol=protocol)


def datagram(port: int, payload: bytes) -> bytes:
    """A UDP datagram that carries it."""
    return outer(17, sketch.udp((40000, port), payload))


def ethernet(packet: bytes, kind: int | None = None, tags: bytes = b"") -> bytes:
    """An Ethernet frame."""
    if kind is None:
        kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return b"\x02" * 12 + tags + struct.pack("!H", kind) + packet


def authenticated(following: int, payload: bytes) -> bytes:
    """AH with an integrity check of 12 bytes (RFC 4302)."""
    return struct.pack("!BBHII12s", following, 4, 0, 1, 1, b"") + payload


def tunnels() -> Iterator[tuple[str, bytes]]:
    """The name of each, and a frame."""
    v4 = sketch.ip(*INNER, segment(1))
    v6 = sketch.ip(*INNER6, segment(2))
    frame = ethernet(v4)
    yield "IP in IP", ethernet(outer(4, v4) + PADDING)
    yield "IP in IP", ethernet(outer(4, v4, OUTER6))
    yield "IPv6 in IP", ethernet(outer(41, v6) + PADDING)
    yield "IPv6 in IP", ethernet(outer(60, bytes([41]) + bytes(7) + v6, OUTER6))
    yield "GRE", ethernet(outer(47, struct.pack("!HH", 0, 0x0800) + v4))
    yield "GRE", ethernet(outer(47, struct.pack("!HHIII", 0xB000, 0x86DD, 0, 1, 1) + v6))
    yield "GRE", ethernet(outer(47, struct.pack("!HHI", 0x2000, 0x6558, 7) + frame))
    yield "ERSPAN", ethernet(outer(47, struct.pack("!HHIII", 0x1000, 0x88BE, 1, 0x10000001, 0) + frame))
    yield "MPLS", ethernet(struct.pack("!II", 16 << 12 | 64, 17 << 12 | 0x100 | 64) + v4, 0x8847)
    yield "MPLS", ethernet(struct.pack("!I", 17 << 12 | 0x100 | 64) + v6, 0x8847)
    yield "PPPoE", ethernet(struct.pack("!BBHHH", 0x11, 0, 7, len(v4) + 2, 0x0021) + v4, 0x8864)
    yield "AH", ethernet(outer(51, authenticated(6, segment(3))) + PADDING)
    yield "AH", ethernet(outer(51, authenticated(4, v4)))
    yield "EtherIP", ethernet(outer(97, b"\x30\x00" + frame))
    yield "VXLAN", ethernet(datagram(4789, struct.pack("!II", 8 << 24, 7 << 8) + frame))
    yield "VXLAN", ethernet(datagram(4789, struct.pack("!II", 8 << 24, 7 << 8) + ethernet(v6)))
    yield "Geneve", ethernet(datagram(6081, struct.pack("!BBHI", 2, 0, 0x6558, 7 << 8) + bytes(8) + frame))
    yield "GTP", ethernet(datagram(2152, struct.pack("!BBHI", 0x30, 255, len(v4), 7) + v4))
    yield "SNAP", ethernet(bytes.fromhex("aaaa030000000800") + v4, 8 + len(v4))
    yield "VLAN", ethernet(v4, tags=bytes.fromhex("81000064"))
    yield "VLAN in VLAN", ethernet(v6, tags=bytes.fromhex("88a8000181000002"))


def unreadable() -> Iterator[tuple[str, bytes]]:
    """What stays what it is outside, and its name."""
    v4 = sketch.ip(*INNER, segment(1))
    yield "ESP", ethernet(outer(50, bytes(40)))
    yield "GRE", ethernet(outer(47, struct.pack("!HH", 0x4000, 0x0800) + v4))
    yield "IP in IP", ethernet(sketch.ip(*OUTER, v4[:40], protocol=4, fragment=0x2000))
    yield "PPPoE", ethernet(struct.pack("!BBHHH", 0x11, 9, 7, 20, 0x0021) + v4, 0x8864)
    yield "PPP", ethernet(struct.pack("!BBHHH", 0x11, 0, 7, 6, 0xC021) + b"\x01\x01\x00\x04", 0x8864)
    yield "MPLS", ethernet(struct.pack("!I", 17 << 12 | 0x100 | 64) + bytes(30), 0x8847)
    yield "VXLAN in UDP", ethernet(datagram(4789, bytes(8) + v4))
    yield "Geneve in UDP", ethernet(datagram(6081, b"\xff" * 8 + v4))
    yield "LLC", ethernet(b"\x42\x42\x03" + bytes(35), 38)
    yield "EtherType 0x1234", ethernet(bytes(46), 0x1234)
    yield "IP protocol 253", ethernet(outer(253, bytes(20)))
    yield "MACsec", ethernet(bytes(46), 0x88E5)
    yield "ARP", ethernet(datagram(4789, struct.pack("!II", 8 << 24, 7 << 8) + ethernet(bytes(28), 0x0806)))
    yield "UDP", ethernet(outer(4, datagram(5353, b"x")))
