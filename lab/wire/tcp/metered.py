"""How a direction of a connection went: what an engineer looks for first.

The definitions are those of Wireshark's analysis (``tcp.analysis.*`` of its display filters), as far as it
has them; of a connection whose segments are all captured, and once, the counts are the same. A round trip is
timed as RFC 6298 has it: one segment at a time, and none that was sent again (Karn's algorithm, section 3).
"""

from __future__ import annotations

from lab.wire.packets.options import SynOptions, syn_options
from lab.wire.packets.segment import ACK, FIN, RST, SYN, Segment
from lab.wire.tcp.facts import Measured, RoundTrips
from lab.wire.tcp.serial import MASK
from lab.wire.tcp.stream import Stream

_HALF = 1 << 31
_UNKNOWN = 64
"""Stands for the scale of a window whose SYN was not seen: no number reaches such a window's edge."""

_LARGEST_SCALE = 14
"""RFC 7323, section 2.3: more counts as this."""

_CONTROL = SYN | FIN | RST
_KEEP_ALIVE, ZERO_PROBE = 1, 2


class Metered(Stream):
    """A direction, with what is counted of it.

    ``shift`` is the scale that its window has now. ``probe`` says that its last segment was a keep-alive or
    a zero window probe. ``timing`` is the acknowledgement that is waited for, ``timed`` since when.
    ``old_ack`` is what its last segment acknowledged, if an earlier one had acknowledged more. ``syn_time``
    is the time of its last SYN.
    """

    __slots__ = (
        "duplicates", "full", "keep_alives", "longest", "old_ack", "options", "probe", "segments", "shift",
        "shortest", "syn_time", "timed", "timing", "trips", "trips_time", "zero_probes", "zero_windows",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.options: SynOptions | None = None
        self.shift = _UNKNOWN
        self.probe = 0
        self.old_ack: int | None = None
        self.segments = self.duplicates = self.full = self.keep_alives = self.zero_windows = (
            self.zero_probes
        ) = 0
        self.timing: int | None = None
        self.timed = self.trips = self.trips_time = self.shortest = self.longest = self.syn_time = 0

    def meter(self, segment: Segment, back: Metered) -> None:
        """Count a segment, before either stream takes it in."""
        self.segments += 1
        self.probe = 0
        flags, length, window = segment.flags, segment.length, segment.window
        repeated = segment.ack == (back.acked if self.old_ack is None else self.old_ack)
        self.old_ack = None
        if flags & ACK:
            self._acknowledge(segment, back)
        if flags & _CONTROL:
            self._begin_again(segment)
            return
        if self.ack is None:
            self.scale(back)
        in_order = segment.seq == self.next
        if length == 1 and in_order and back.window == 0:
            self._probe(segment, back)
            return
        self.zero_windows += not window
        if length <= 1 and not in_order:
            self._keep_alive(segment.seq)
        if length:
            self._send(segment, back, in_order=in_order)
        elif in_order and window and window == self.window and repeated:
            self.duplicates += back.probe != _KEEP_ALIVE

    def _acknowledge(self, segment: Segment, back: Metered) -> None:
        """What a segment acknowledges of the other direction."""
        ack = segment.ack
        if back.timing is not None:
            back.answered(ack, segment.time)
        if back.acked is not None and (ack - back.acked) & MASK >= _HALF:
            self.old_ack = ack
        if back.probe == ZERO_PROBE and back.next is not None and ack == (back.next + 1) & MASK:
            back.next, back.bytes = ack, back.bytes + 1  # there was room for the byte of the probe after all

    def _begin_again(self, segment: Segment) -> None:
        """A SYN, or another segment that begins or ends something."""
        if segment.flags & SYN:
            self.options, self.syn_time = syn_options(segment.options), segment.time
            if self.ack is None:
                self.shift = 0  # the window of a SYN is never scaled (RFC 7323, section 2.2)

    def _probe(self, segment: Segment, back: Metered) -> None:
        """Its byte counts when it is acknowledged: until then the next segment begins with it again."""
        self.probe = ZERO_PROBE
        self.zero_probes += 1
        self.unanswered += 1
        back.unanswered = back.probes = 0
        self.ident, self.window = segment.ident, segment.window

    def _keep_alive(self, seq: int) -> None:
        """A segment of one byte or none: a keep-alive if it begins one byte before what would be next."""
        if self.next is not None and seq == (self.next - 1) & MASK:
            self.probe = _KEEP_ALIVE
            self.keep_alives += 1

    def _send(self, segment: Segment, back: Metered, *, in_order: bool) -> None:
        """A segment with data: it may reach the edge of the window, and it may be timed."""
        end = (segment.seq + segment.length) & MASK
        acked = self.acked if back.old_ack is None else back.old_ack
        reached = None if acked is None else (end - acked) & MASK
        if back.shift != _UNKNOWN and reached == (back.window or 0) << back.shift:
            self.full += 1
        if not in_order:
            self.timing = None
        elif self.timing is None:
            self.timing, self.timed = end, segment.time

    def scale(self, back: Metered) -> None:
        """Its SYN is over: from now on its window has the scale that both ends agreed on."""
        if self.options is None or back.options is None:
            return
        own, theirs = self.options.window_scale, back.options.window_scale
        self.shift = 0 if own is None or theirs is None else min(own, _LARGEST_SCALE)

    def answered(self, ack: int, time: int) -> None:
        """The other side has acknowledged up to a number: a round trip if it is the one that is timed."""
        beyond = (ack - (self.timing or 0)) & MASK
        if beyond >= _HALF:
            return
        if not beyond and time >= self.timed:
            took = time - self.timed
            if not self.trips or took < self.shortest:
                self.shortest = took
            self.longest = max(self.longest, took)
            self.trips += 1
            self.trips_time += took
        self.timing = None

    @property
    def missing(self) -> int:
        """Numbers below ``next`` that no segment of the capture has."""
        return self.holes.missing if self.holes else 0

    def measured(self) -> Measured:
        """What was counted."""
        trips = None
        if self.trips:
            trips = RoundTrips(self.trips, self.shortest, self.trips_time // self.trips, self.longest)
        return Measured(
            self.segments,
            self.options,
            self.missing,
            self.zero_windows,
            self.zero_probes,
            self.full,
            self.keep_alives,
            self.duplicates,
            trips,
        )
