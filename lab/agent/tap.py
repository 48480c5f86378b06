"""Hears that a host opens, closes or resets a TCP connection, without looking at its sockets."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

from . import namespaces

_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_RECEIVE_BUFFER = 1 << 14
"""Bytes of frames that may wait: that there was one is all that counts."""

_SYN_FIN_RST = 0x07
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
    (_RETURN, 0, 0, 1),
)


class Tap:
    """A packet socket on all interfaces of a host that receives segments with SYN, FIN or RST only."""

    def __init__(self, pid: int) -> None:
        with namespaces.inside(pid):
            self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._packets.setblocking(False)
        self._packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        _filter(self._packets)
        self.drain()  # what came before the filter

    def fileno(self) -> int:
        """For select(2): readable when there was such a segment."""
        return self._packets.fileno()

    def drain(self) -> None:
        """Forget the segments there were."""
        with contextlib.suppress(OSError):
            while True:
                self._packets.recv(1)


def _filter(packets: socket.socket) -> None:
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _PROGRAM)
    code = ctypes.create_string_buffer(program)
    description = struct.pack("HP", len(_PROGRAM), ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, description)
