"""A capture that goes on, as pcapng: each frame at the interface of the host that sent it.

::

    live = LiveCapture("echo", {7: "client eth0"}, {"10.0.0.2": "client"})
    stream.write(live.head)
    stream.write(live.feed(piece of a pcap))
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from lab.core.errors import EvidenceError
from lab.output import blocks
from lab.wire.packets.link import network
from lab.wire.packets.pcap import FILE_HEADER, FORMATS, Layout, Span, walk
from lab.wire.packets.problems import Damage

LOOPBACK = 1
"""The number of a network namespace's loopback on Linux: the first interface that is made."""


class LiveCapture:
    """Makes pcapng of a pcap whose bytes come in pieces, cut anywhere.

    ``places`` are the interfaces by their numbers in the capture; frames at others are left out. Seen from
    the switch (``at_host`` is false), what enters at a port is what its host sent, and what leaves there
    was written already.
    """

    def __init__(
        self, title: str, places: Mapping[int, str], names: Mapping[str, str], *, at_host: bool = False
    ) -> None:
        self._places = places
        self._at_host = at_host
        self._numbers: dict[tuple[str, int], int] = {}
        self._layout: Layout | None = None
        self._rest = b""
        self.head = blocks.section(title) + blocks.names(names)
        """What comes first."""

    def feed(self, piece: bytes) -> bytes:
        """The blocks of the frames that this piece made whole. EvidenceError for what is no pcap."""
        data = self._rest + piece
        if self._layout is None:
            if len(data) < FILE_HEADER:
                self._rest = data
                return b""
            if data[:4] not in FORMATS:
                raise EvidenceError("no-capture", "the lab's sidecar sends no capture")
            self._layout, data = Layout.of(data[:FILE_HEADER]), data[FILE_HEADER:]
        spans, end, sound = walk(data, self._layout)
        if not sound:
            raise EvidenceError("no-capture", "the capture of the lab's sidecar came through damaged")
        self._rest = data[end:]
        return b"".join(part for span in spans for part in self._frame(data, span, self._layout.link))

    def _frame(self, data: bytes, span: Span, link: int) -> Iterator[bytes]:
        time, start, end, wire = span
        frame = data[start:end]
        try:
            _, _, index, leaving, _ = network(link, frame, 0)
        except (Damage, IndexError, struct.error):
            return
        name = self._places.get(index, "")
        if not name or (leaving and not self._at_host):
            return
        way = blocks.OUTBOUND if leaving is self._at_host else blocks.INBOUND
        place = f"{name} {'sent' if way == blocks.OUTBOUND else 'received'}"
        if self._at_host and index == LOOPBACK:
            way, place = 0, name
        if (place, link) not in self._numbers:
            self._numbers[place, link] = len(self._numbers)
            yield blocks.interface(place, link)
        number = self._numbers[place, link]
        yield blocks.packet(number, time, frame, max(wire, len(frame)), direction=way)
