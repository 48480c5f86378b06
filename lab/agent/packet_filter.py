"""Hears which TCP connections a host opens, closes or resets, without looking at its sockets."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import namespaces
from .diag import text_of
from .protocol import Ends
from .segment import FIN, RST, SYN, segment_in

_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_RECEIVE_BUFFER = 1 << 17
"""Bytes of frames that may wait, about a hundred; that some were lost is known."""

_HEAD = 74
"""Bytes of a packet that are enough for an IP header with options and the flags of TCP."""

_ANOTHER_HOSTS, _OUTGOING = 3, 4
"""PACKET_OTHERHOST and PACKET_OUTGOING (packet(7)): what a switch floods, and what the host itself sends."""

_SYN_FIN_RST = SYN | FIN | RST
_TCP = socket.IPPROTO_TCP
_LOAD_BYTE, _LOAD_HALF, _LOAD_BYTE_AT_X, _LOAD_HEADER_LENGTH = 0x30, 0x28, 0x50, 0xB1
_AND, _EQUAL, _ANY_BIT, _RETURN = 0x54, 0x15, 0x45, 0x06
# Classic BPF (linux/filter.h): code, jump if true, jump if false, operand; offsets from the IP header.
_PROGRAM = (
    (_LOAD_BYTE, 0, 0, 0),
    (_AND, 0, 0, 0xF0),
    (_EQUAL, 0, 7, 0x40),
    (_LOAD_BYTE, 0, 0, 9),  # IPv4: protocol, fragment offset, header length, flags
    (_EQUAL, 0, 10, _TCP),
    (_LOAD_HALF, 0, 0, 6),
    (_ANY_BIT, 8, 0, 0x1FFF),
    (_LOAD_HEADER_LENGTH, 0, 0, 0),
    (_LOAD_BYTE_AT_X, 0, 0, 13),
    (_ANY_BIT, 6, 5, _SYN_FIN_RST),
    (_EQUAL, 0, 4, 0x60),
    (_LOAD_BYTE, 0, 0, 6),  # IPv6 without extension headers: next header, flags
    (_EQUAL, 0, 2, _TCP),
    (_LOAD_BYTE, 0, 0, 53),
    (_ANY_BIT, 1, 0, _SYN_FIN_RST),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, _HEAD),
)


class Heard(NamedTuple):
    """Segments with SYN, FIN or RST: the connections they were of, as the host sees them.

    Each has the number of the interface where it was seen. ``reset`` tells whether there was an RST, ``lost``
    whether there were more of them than could be kept.
    """

    ends: Mapping[Ends, int]
    reset: bool
    lost: bool


class PacketFilter:
    """A packet socket on all interfaces of a host that receives segments with SYN, FIN or RST only."""

    def __init__(self, pid: int) -> None:
        with namespaces.inside(pid):
            self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
            self._interfaces = {name: index for index, name in socket.if_nameindex()}
        self._packets.setblocking(False)
        self._packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        _filter(self._packets)
        self.drain()  # what came before the filter

    def fileno(self) -> int:
        """For select(2): readable when there was such a segment."""
        return self._packets.fileno()

    def drain(self) -> Heard:
        """The segments since it was asked last."""
        ends: dict[Ends, int] = {}
        lost = self._lost()
        reset = lost
        for head, (name, _, kind, *_) in self._received():
            segment = segment_in(head)
            if segment is None:
                lost = reset = True  # nobody's header is like that
                continue
            addresses = map(text_of, segment.flow[:2])
            source, target = zip(addresses, segment.ports, strict=True)
            # On a loopback a segment comes twice, as it goes and as it arrives.
            here, there = (source, target) if kind == _OUTGOING else (target, source)
            ends[*here, *there] = self._interfaces.get(name, 0)
            reset |= bool(segment.flags & RST)
        return Heard(ends, reset, lost)

    def _received(self) -> list[tuple[bytes, Any]]:
        received = []
        with contextlib.suppress(OSError):
            while True:
                received.append(self._packets.recvfrom(_HEAD))
        return [(head, address) for head, address in received if address[2] != _ANOTHER_HOSTS]

    def _lost(self) -> bool:
        """Whether frames found no room (packet(7), PACKET_STATISTICS, which begins anew each time)."""
        _, drops = struct.unpack("II", self._packets.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return bool(drops)


def _filter(packets: socket.socket) -> None:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _PROGRAM)
    code = ctypes.create_string_buffer(program)
    description = struct.pack("HP", len(_PROGRAM), ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, description)
