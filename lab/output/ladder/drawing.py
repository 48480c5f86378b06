"""The ladder of a lab that is up: captures go in while they grow, lines come out.

::

    drawing = Drawing(columns, [point, CapturePoint(alone="server")], origin, style)
    drawing.feed(0, piece)        # of a pcap, cut anywhere
    drawing.lines(now)            # what has waited long enough for what belongs to it
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.output.ladder.live import Live, Wire
from lab.output.ladder.rows import FIRST_BYTES
from lab.output.ladder.scroll import Scroll
from lab.output.style import Style
from lab.wire.packets.tail import TailReader
from lab.wire.tcp import CapturePoint

_PATIENCE = 300_000_000
"""Nanoseconds for which a row waits for what belongs to it: a packet's arrival, a state, an earlier row."""


class Drawing:
    """Draws what captures show, in seconds since ``origin`` (ns); ``live`` is told of what else happens.

    ``columns`` are the hosts, each with an address. Each capture has a capture point.
    """

    def __init__(
        self, columns: Sequence[tuple[str, str]], vantages: Sequence[CapturePoint], origin: int, style: Style
    ) -> None:
        self._wires = [Wire(point) for point in vantages]
        self._captures = [TailReader(wire.hear, wire.hear_icmp, FIRST_BYTES) for wire in self._wires]
        self._scroll = Scroll(columns, origin, style)
        self.live = Live(self._wires)
        self.newest = 0
        """When the last packet was seen (ns)."""

    @property
    def damaged(self) -> bool:
        """Whether a capture cannot be read any further."""
        return any(capture.damaged for capture in self._captures)

    def feed(self, place: int, piece: bytes) -> None:
        """Take in what is new in a capture, by its place."""
        segments = list(self._captures[place].feed(piece))
        self.newest = max(self.newest, self._wires[place].newest, segments[-1].time if segments else 0)
        self.live.see(place, segments)

    def lines(self, now: int) -> Iterator[str]:
        """The next lines: rows are shown that are old enough at that time (ns)."""
        return self._scroll.lines(self.live.due(now - _PATIENCE))

    def rest(self, now: int) -> Iterator[str]:
        """What is still held back: nothing more is waited for."""
        return self.lines(now + _PATIENCE)
