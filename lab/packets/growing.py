"""A capture that is still being written, read as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from lab.packets import Reader, Segment
from lab.packets.pcap import FILE_HEADER, records, whole


class Growing(Reader):
    """The segments of a pcap whose bytes come in pieces, cut anywhere.

    Of the file only a record that is not whole yet is kept. After damage to the file itself nothing more is
    read, as in a file that lies there.
    """

    def __init__(self) -> None:
        super().__init__(BytesIO())
        self._rest = b""
        self._header = b""
        self.damaged = False

    def feed(self, piece: bytes) -> Iterator[Segment]:
        """The segments that this piece made whole."""
        data = self._rest + piece
        if not self._header and len(data) >= FILE_HEADER:
            self._header, data = data[:FILE_HEADER], data[FILE_HEADER:]
        end = whole(self._header, data) if self._header else 0
        self.damaged |= end < 0
        self._rest = b"" if self.damaged else data[end:]
        if self._header and not self.damaged:
            stream = BytesIO(self._header[4:] + data[:end])
            yield from self._segments(records(stream, self._header[:4], self._problems))
