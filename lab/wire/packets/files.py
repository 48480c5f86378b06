"""Capture files of either format: which one it is, its first four bytes tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lab.core.errors import EvidenceError
from lab.core.files import opened as regular
from lab.wire.packets import gzipped, pcap, pcapng
from lab.wire.packets.pcap import Frames
from lab.wire.packets.problems import Problems

_COMPRESSED = (b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"BZh", b"\xfd7zX")
"""How zstd, lz4, bzip2 and xz begin."""

_MAGIC = 4


Record = tuple[int, int, bytes, int, int, int, int]
"""A captured frame: its time in ns, the number of its link layer (LINKTYPE_; -1 for a frame that is lost), a
buffer, where in it the frame begins and ends, how many bytes it had on the wire, and the number of the
interface in the file."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A capture file, to be read. EvidenceError if it cannot be opened, or cannot be read on."""
    try:
        with regular(path) as stream:
            yield stream
    except OSError as error:
        raise EvidenceError(
            "capture-unreadable", f"the capture cannot be read: {error.strerror}", where=str(path)
        ) from error


def frames(stream: BinaryIO, problems: Problems) -> Iterator[Frames]:
    """The frames of a capture, up to its end or to where it cannot be read on: ``problems`` is told."""
    magic = stream.read(_MAGIC)
    if magic.startswith(gzipped.MAGIC):
        stream = gzipped.unpacked(magic, stream, problems)
        magic = stream.read(_MAGIC)
    if magic in pcap.FORMATS:
        yield from pcap.frames(stream, magic, problems)
    elif magic == pcapng.SECTION:
        yield from pcapng.frames(stream, magic, problems)
    elif magic.startswith(_COMPRESSED):
        problems.refuse("compressed")
    else:
        problems.refuse("no-capture")


def records(stream: BinaryIO, problems: Problems) -> Iterator[Record]:
    """The frames of a capture, one at a time."""
    for (data, link, interface, _), spans in frames(stream, problems):
        for time, start, end, wire in spans:
            yield time, link, data, start, end, wire, interface
