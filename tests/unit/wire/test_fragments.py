"""Fragments of IP packets that come twice, or lie over one another."""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import pytest

from lab.wire.packets import ACK, Reader
from tests.judged import damages
from tests.unit import sketch

SEGMENT = sketch.tcp((40000, 80), 7, 9, ACK, bytes(range(44)))
"""64 bytes, as 8 units of a fragment's offset."""


def piece(version: int, first: int, end: int, *, data: bytes = SEGMENT) -> bytes:
    """A fragment of the segment, from one offset to another, in units of 8 bytes."""
    payload, more = data[first * 8 : end * 8], end * 8 < len(data)
    if version == 4:
        return sketch.ip("10.0.0.1", "10.0.0.2", payload, fragment=first | (0x2000 if more else 0))
    header = struct.pack("!BBHI", 6, 0, first << 3 | more, 1)
    packet = bytearray(sketch.ip("fd00::1", "fd00::2", header + payload))
    packet[6] = 44
    return bytes(packet)


def read(*packets: bytes) -> tuple[list[int], tuple[str, ...]]:
    """How many bytes each segment says, and what could not be read."""
    frames = [(sketch.EPOCH, packet) for packet in packets]
    reader = Reader(io.BytesIO(sketch.pcap(frames, sketch.RAW)))
    return [segment.length for segment in reader], damages(reader.unsound)


@pytest.mark.parametrize("version", [4, 6])
def test_in_any_order(version: int) -> None:
    parts = [piece(version, first, end) for first, end in pairwise((0, 3, 5, 8))]
    assert read(*parts) == ([44], ())
    assert read(*reversed(parts)) == ([44], ())


@pytest.mark.parametrize("version", [4, 6])
def test_what_came_already_is_passed_over(version: int) -> None:
    other = bytes(64)
    parts = [
        piece(version, 0, 3), piece(version, 0, 3), piece(version, 3, 5), piece(version, 0, 3, data=other),
        piece(version, 5, 8),
    ]  # fmt: skip
    assert read(*parts) == ([44], ())


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("over", [(2, 5), (2, 8), (0, 4), (4, 8)])
def test_what_lies_over_another_in_part_condemns_the_packet(version: int, over: tuple[int, int]) -> None:
    begun = [piece(version, 0, 3), piece(version, 5, 8)]
    segments, (overlap, *_) = read(*begun, piece(version, *over))
    assert segments == []
    assert overlap == "frame 3: it is a fragment that overlaps another of its IP packet"


@pytest.mark.parametrize("version", [4, 6])
def test_the_rest_of_a_condemned_packet_is_no_packet(version: int) -> None:
    segments, (_, rest) = read(piece(version, 0, 3), piece(version, 2, 5), piece(version, 5, 8))
    assert segments == []
    assert rest == "frame 3: it is a fragment of an IP packet of which others are missing"
