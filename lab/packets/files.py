"""Capture files of either format: which one it is, its first four bytes tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lab.packets import pcap, pcapng
from lab.packets.problems import Problems

_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")
"""How gzip, zstd and lz4 begin."""


def records(stream: BinaryIO, problems: Problems) -> Iterator[pcap.Record]:
    """The records of a capture, up to its end or to where it cannot be read on: ``problems`` is told."""
    magic = stream.read(4)
    if magic in pcap.FORMATS:
        yield from pcap.records(stream, magic, problems)
    elif magic == pcapng.SECTION:
        yield from pcapng.records(stream, magic, problems)
    elif magic.startswith(_COMPRESSED):
        problems.add(0, "this is a compressed file: unpack it first")
    else:
        problems.add(0, "this is no capture, neither pcap nor pcapng")
