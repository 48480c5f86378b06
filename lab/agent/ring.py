"""The frames that a packet socket receives, read where the kernel writes them (packet(7), PACKET_RX_RING).

To receive them one by one would cost two system calls each: one is Python's own, for an interface's name.
"""

from __future__ import annotations

import mmap
import socket
import struct

_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION, _VERSION_2 = 263, 5, 6, 10, 1
"""linux/if_packet.h"""

_USER, _LOSING = 1, 4
"""Bits of a frame's status: it is ours to read; others found no room since the statistics were asked for."""

_KERNEL = bytes(4)
"""The status that gives a frame's place back."""

FRAME = 256
"""Bytes of a frame's place: header, address, and more of the packet than a filter lets through."""

_BLOCK = mmap.PAGESIZE
_BLOCKS = max(1, (1 << 15) // _BLOCK)
FRAMES = _BLOCK // FRAME * _BLOCKS
"""Frames that may wait; that more came is known."""

HEADER = struct.Struct("=IIIHH16x2xHiHB")
"""struct tpacket2_hdr and struct sockaddr_ll.

Status, length, captured length, where the link layer and where the packet begins; protocol, interface, link
type, packet type.
"""


Arrival = tuple[bytes, int, int]
"""The head of a packet, the number of the interface it was seen at, and its packet type."""


class Ring:
    """The frames of a packet socket; what it has received before is thrown away."""

    def __init__(self, packets: socket.socket) -> None:
        self._packets = packets
        packets.setsockopt(_SOL_PACKET, _VERSION, struct.pack("i", _VERSION_2))
        packets.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("IIII", _BLOCK, _BLOCKS, FRAME, FRAMES))
        self._memory = mmap.mmap(packets.fileno(), FRAMES * FRAME)
        self._next = 0

    def take(self) -> tuple[list[Arrival], bool]:
        """What has arrived since it was asked last, and whether frames found no room."""
        arrived: list[Arrival]
        memory, arrived, losing = self._memory, [], 0
        while len(arrived) < FRAMES and memory[at := self._next * FRAME] & _USER:
            status, _, captured, _, start, _, interface, _, kind = HEADER.unpack_from(memory, at)
            arrived.append((memory[at + start : at + start + captured], interface, kind))
            memory[at : at + len(_KERNEL)] = _KERNEL
            self._next = (self._next + 1) % FRAMES
            losing |= status & _LOSING
        return arrived, bool((losing or len(arrived) == FRAMES) and self._lost())

    def _lost(self) -> bool:
        """Whether frames found no room since this was asked last."""
        _, drops = struct.unpack("II", self._packets.getsockopt(_SOL_PACKET, _STATISTICS, 8))
        return bool(drops)
