"""Frames cross the switch: each is seen where it enters and where it leaves, unless it got lost."""

from __future__ import annotations

from typing import NamedTuple

from lab.packets.segment import Segment

_MOST = 256
"""Frames under way between two ports that are kept; more are told as unpaired at once, the oldest first."""

_MOST_TOLD = 64
"""Unpaired frames that are named: a connection with so many is beyond judging anyway."""


class Alone(NamedTuple):
    """A frame that was seen at one of two ports: where it entered the switch, or was ``leaving`` it."""

    frame: int
    time: int
    leaving: bool
    seq: int


class Pairs:
    """The frames of one direction that were seen at one port and not yet at the other.

    Two sightings belong together if sequence numbers, flags, length, checksum and IP identification agree. A
    segment that is sent again may look the same: of equal ones the last is taken, since crossing takes
    microseconds.
    """

    __slots__ = ("_alone", "_waiting", "crossed")

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, ...], list[Alone]] = {}
        self._alone: list[Alone] = []
        self.crossed = 0
        """The latest frame that entered the switch and was seen to leave it: none before it is under way."""

    def see(self, segment: Segment) -> None:
        """Take in a sighting at either port."""
        key = segment.seq, segment.ack, segment.flags, segment.length, segment.checksum, segment.ident
        here = Alone(segment.frame, segment.time, bool(segment.leaving), segment.seq)
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [here]
            if len(self._waiting) > _MOST:
                self._give_up()
        elif waiting[0].leaving == here.leaving:
            if len(waiting) < _MOST_TOLD:
                waiting.append(here)
        else:
            there = waiting.pop()
            self.crossed = max(self.crossed, min(here.frame, there.frame))
            if not waiting:
                del self._waiting[key]

    def unpaired(self) -> list[Alone]:
        """Frames seen at one port only; those under way when the capture ended are among them."""
        waiting = [frame for frames in self._waiting.values() for frame in frames]
        return (self._alone + waiting)[:_MOST_TOLD]

    def _give_up(self) -> None:
        oldest = next(iter(self._waiting))
        frames = self._waiting.pop(oldest)
        if len(self._alone) < _MOST_TOLD:
            self._alone.extend(frames)
