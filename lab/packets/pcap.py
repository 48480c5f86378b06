"""The classic capture file: a header, then records (draft-ietf-opsawg-pcap).

The file is read in chunks, so that memory does not grow with it and a pipe will do. Each format has the
same one function: a stream in, records out.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO

from lab.packets.problems import Problems

CHUNK = 1 << 20
LARGEST = 262_144
"""Bytes that no record exceeds (libpcap's MAXIMUM_SNAPLEN): more is damage."""

FILE_HEADER = 24
_RECORD_HEADER = 16
_LINK_MASK = 0xFFFF
"""The link type; the bits above hold the length of a frame check sequence."""

FORMATS = {
    bytes.fromhex("d4c3b2a1"): ("<", 1000),
    bytes.fromhex("a1b2c3d4"): (">", 1000),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
    bytes.fromhex("a1b23c4d"): (">", 1),
}
"""The first four bytes -> byte order, and nanoseconds in a unit of a record's fraction of a second."""


Record = tuple[int, int, bytes, int, int, int, int]
"""A captured frame: its time in ns, the number of its link layer (LINKTYPE_; -1 for a frame that is lost), a
buffer, where in it the frame begins and ends, how many bytes it had on the wire, and the number of the
interface in the file. A bare tuple: there are millions of them."""


def records(stream: BinaryIO, header: bytes, problems: Problems) -> Iterator[Record]:
    """The records of a stream whose first bytes were read; ``problems`` is told what cannot be read."""
    header += stream.read(FILE_HEADER - len(header))
    if len(header) < FILE_HEADER:
        problems.add(0, "the capture ends within its header")
        return
    order, unit = FORMATS[header[:4]]
    link = Struct(order + "I").unpack_from(header, 20)[0] & _LINK_MASK
    yield from _after_header(stream, Struct(order + "IIII"), unit, link, problems)


def whole(header: bytes, data: bytes) -> int:
    """How many bytes of ``data``, from behind the file's header, are whole records; -1 if it is damaged."""
    if header[:4] not in FORMATS:
        return -1
    length = Struct(FORMATS[header[:4]][0] + "8xI").unpack_from
    at = 0
    while at + _RECORD_HEADER <= len(data):
        (captured,) = length(data, at)
        if captured > LARGEST:
            return -1
        if at + _RECORD_HEADER + captured > len(data):
            break
        at += _RECORD_HEADER + captured
    return at


def _after_header(
    stream: BinaryIO, header: Struct, unit: int, link: int, problems: Problems
) -> Iterator[Record]:
    unpack = header.unpack_from
    number, data, at = 0, b"", 0
    while True:
        if len(data) - at < _RECORD_HEADER:
            data, at = data[at:] + stream.read(CHUNK), 0
            if len(data) < _RECORD_HEADER:
                break
        seconds, fraction, captured, wire = unpack(data, at)
        number += 1
        if captured > LARGEST:
            problems.add(number, "its length is absurd: from here on the capture cannot be read")
            return
        at += _RECORD_HEADER
        if len(data) - at < captured:
            data, at = data[at:] + stream.read(CHUNK), 0
            if len(data) < captured:
                problems.add(number, "the capture ends within this frame")
                return
        yield seconds * 1_000_000_000 + fraction * unit, link, data, at, at + captured, wire, 0
        at += captured
    if data:
        problems.add(number + 1, "the capture ends within this frame")
