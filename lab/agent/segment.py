"""What of a TCP segment the agent looks at."""

from __future__ import annotations

import struct
from typing import NamedTuple

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

_TCP = 6

Flow = tuple[bytes, bytes, bytes]
"""Source address, target address, and both ports, as in the packet."""


class Segment(NamedTuple):
    """A segment; ``length`` is that of its payload."""

    flow: Flow
    flags: int
    seq: int
    ack: int
    length: int

    @property
    def ports(self) -> tuple[int, int]:
        """Source and target port."""
        source, target = struct.unpack(">HH", self.flow[2])
        return source, target


def segment_in(packet: bytes) -> Segment | None:
    """The segment in a packet of IP, of which the end may be missing.

    None for anything else, fragments and extension headers too.
    """
    try:
        begin = packet[0]  # the version, and how long IPv4's header is
        if 0x45 <= begin <= 0x4F and packet[9] == _TCP and not (packet[6] & 0x1F or packet[7]):
            start, end = (begin & 15) * 4, int.from_bytes(packet[2:4], "big")
            addresses = packet[12:16], packet[16:20]
        elif begin >> 4 == 6 and packet[6] == _TCP:
            start, end = 40, 40 + int.from_bytes(packet[4:6], "big")
            addresses = packet[8:24], packet[24:40]
        else:
            return None
        ports, seq, ack, offset, flags = struct.unpack_from(">4sIIBB", packet, start)
    except (IndexError, struct.error):
        return None
    return Segment((*addresses, ports), flags, seq, ack, end - start - (offset >> 4) * 4)
