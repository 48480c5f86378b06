"""The classic capture file: a header, then records (draft-ietf-opsawg-pcap).

The file is read in chunks, so that memory does not grow with it and a pipe will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, NamedTuple

from lab.wire.packets.problems import Problems

CHUNK = 1 << 16
"""Bytes read at once: what is made of them still fits into a processor's cache."""

LARGEST = 262_144
"""Bytes that no record exceeds (libpcap's MAXIMUM_SNAPLEN): more is damage."""

FILE_HEADER = 24
RECORD_HEADER = 16
_LINK_MASK = 0xFFFF
"""The link type; the bits above hold the length of a frame check sequence."""

SECOND = 1_000_000_000

FORMATS = {
    bytes.fromhex("d4c3b2a1"): ("<", 1000),
    bytes.fromhex("a1b2c3d4"): (">", 1000),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
    bytes.fromhex("a1b23c4d"): (">", 1),
}
"""The first four bytes -> byte order, and nanoseconds in a unit of a record's fraction of a second."""


Span = tuple[int, int, int, int]
"""A frame in a buffer: its time in ns, where it begins and ends, and how many bytes it had on the wire. A
bare tuple: there are millions of them."""


class Run(NamedTuple):
    """Where frames lie that were captured alike.

    ``link`` is the number of their link layer (LINKTYPE_; -1 for a frame that is lost), ``interface`` that of
    the interface in the file, ``leaving`` the direction there if the file tells it.
    """

    data: bytes
    link: int
    interface: int = 0
    leaving: bool | None = None


Frame = tuple[Run, Span]
Frames = tuple[Run, list[Span]]
"""Frames that follow each other and were captured alike."""


class Layout(NamedTuple):
    """How records lie in a file: their header, the nanoseconds of a unit of time, the link layer."""

    header: Struct
    unit: int
    link: int

    @classmethod
    def of(cls, header: bytes) -> Layout:
        """What a file's header says. KeyError if it is none."""
        order, unit = FORMATS[header[:4]]
        link = Struct(order + "I").unpack_from(header, 20)[0] & _LINK_MASK
        return cls(Struct(order + "IIII"), unit, link)


def frames(stream: BinaryIO, header: bytes, problems: Problems) -> Iterator[Frames]:
    """The frames of a stream whose first bytes were read; ``problems`` is told what cannot be read."""
    header += stream.read(FILE_HEADER - len(header))
    if len(header) < FILE_HEADER:
        problems.add(0, "file-ends-in-header")
        return
    layout = Layout.of(header)
    number, data = 0, b""
    while chunk := stream.read(CHUNK):
        data += chunk
        spans, end, sound = walk(data, layout)
        yield Run(data, layout.link), spans
        number += len(spans)
        if not sound:
            problems.add(number + 1, "absurd-length")
            return
        data = data[end:]
    if data:
        problems.add(number + 1, "file-ends-in-frame")


def walk(data: bytes, layout: Layout) -> tuple[list[Span], int, bool]:
    """The frames that lie whole in a buffer, where the next record begins, and whether it can be one."""
    record, unit, size = layout.header.unpack_from, layout.unit, len(data)
    spans, at, last = list[Span](), 0, size - RECORD_HEADER
    since, whole = -1, 0
    while at <= last:
        seconds, fraction, captured, wire = record(data, at)
        start = at + RECORD_HEADER
        end = start + captured
        if end > size or captured > LARGEST:
            return spans, at, captured <= LARGEST
        if seconds != since:  # numbers beyond 30 bits are slow: most frames share their second
            since, whole = seconds, seconds * SECOND
        spans.append((whole + fraction * unit, start, end, wire))
        at = end
    return spans, at, True
