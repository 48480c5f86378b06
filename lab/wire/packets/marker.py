"""The frames by which the agent proves that a capture misses nothing (lab.agent.capture)."""

from __future__ import annotations

import struct

from lab.wire.packets.link import network
from lab.wire.packets.problems import Damage

_TYPE, _TEXT = 0x88B5, b"tcp-lab sentinel"
"""The EtherType, and how the frame goes on."""


def is_marker(link: int, frame: bytes) -> bool:
    """Whether a frame looks like one. A host that may open raw sockets can send such a frame, too."""
    try:
        kind, start, *_ = network(link, frame, 0)
    except (Damage, IndexError, struct.error):
        return False
    return kind == _TYPE and frame[start:].startswith(_TEXT)
