"""The engine's framing of a program's pipes: stdout and stderr in one connection."""

from __future__ import annotations

from collections.abc import Iterator

_HEADER = 8
STDOUT, STDERR = 1, 2


class Frames:
    """Takes the connection's bytes as they come and gives each pipe's bytes as they come.

    A frame is one byte for the pipe, three of zero, four for the length (big-endian), then the data
    (Docker Engine API, "Attach to a container"). Nothing is kept but a header that is not complete yet.
    """

    def __init__(self) -> None:
        self._header = b""
        self._pipe = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The pieces in ``data``: which pipe, and its bytes."""
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                yield self._pipe, piece
                continue
            missing = _HEADER - len(self._header)
            self._header, data = self._header + data[:missing], data[missing:]
            if len(self._header) == _HEADER:
                self._pipe, self._left = self._header[0], int.from_bytes(self._header[4:], "big")
                self._header = b""
