"""gzip as the bytes that are packed in it (RFC 1952), as far as it can be unpacked."""

from __future__ import annotations

import zlib
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, BinaryIO

from lab.wire.packets.pcap import CHUNK
from lab.wire.packets.problems import Kind, Problems

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


def unpacked(begin: bytes, packed: BinaryIO, problems: Problems) -> BufferedReader:
    """What is packed in a stream of which ``begin`` was read; ``problems`` is told what it lacks."""
    return BufferedReader(_Unpacked(begin, packed, problems), CHUNK)


class _Unpacked(RawIOBase):
    """Members that follow each other are one stream; no more is unpacked at once than is asked for."""

    def __init__(self, begin: bytes, packed: BinaryIO, problems: Problems) -> None:
        self._packed = packed
        self._rest = begin
        self._member = zlib.decompressobj(_GZIP)
        self._problems = problems
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer).cast("B")
        piece = b""
        while not piece and not self._ended:
            piece = self._more(len(room))
        room[: len(piece)] = piece
        return len(piece)

    def _more(self, most: int) -> bytes:
        """The next bytes, at most so many; none where the next piece of the file is needed, or at the end."""
        if self._member.eof and (self._rest or self._fill()):
            if not self._rest.startswith(MAGIC[: len(self._rest)]):
                return self._end("more-behind-gzip")
            self._member = zlib.decompressobj(_GZIP)
        elif self._member.eof:
            return self._end()
        elif not self._rest and not self._fill():
            return self._end("gzip-ends-early")
        try:
            piece = self._member.decompress(self._rest, most)
        except zlib.error:
            return self._end("gzip-damaged")
        self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return piece

    def _fill(self) -> bool:
        self._rest = self._packed.read(CHUNK)
        return bool(self._rest)

    def _end(self, damage: Kind | None = None) -> bytes:
        if damage is not None:
            self._problems.add(0, damage)
        self._ended = True
        return b""
