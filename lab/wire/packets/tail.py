"""A capture that is still being written, read as it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

from lab.wire.packets import IcmpPacket, Reader, Segment, UdpPacket
from lab.wire.packets.pcap import FILE_HEADER, FORMATS, Layout, Run, walk


class TailReader(Reader):
    """The segments of a pcap whose bytes come in pieces, cut anywhere.

    Of the file only a record that is not whole yet is kept. After damage to the file itself nothing more is
    read, as in a file that lies there.
    """

    def __init__(
        self,
        hear: Callable[[UdpPacket], None] | None = None,
        hear_icmp: Callable[[IcmpPacket], None] | None = None,
        kept: int = 0,
    ) -> None:
        super().__init__(BytesIO(), hear, hear_icmp, kept=kept)
        self._rest = b""
        self._layout: Layout | None = None
        self.damaged = False

    def feed(self, piece: bytes) -> Iterator[Segment]:
        """The segments that this piece made whole."""
        data = self._rest + piece
        if self._layout is None and len(data) >= FILE_HEADER and not self.damaged:
            if data[:4] in FORMATS:
                self._layout, data = Layout.of(data[:FILE_HEADER]), data[FILE_HEADER:]
            self.damaged = self._layout is None
        if self._layout is None or self.damaged:
            self._rest = b"" if self.damaged else data
            return
        spans, end, sound = walk(data, self._layout)
        self.damaged, self._rest = not sound, data[end:] if sound else b""
        yield from map(Segment._make, self.taken(Run(data, self._layout.link), spans))
