"""Frames cross the switch: each is seen where it enters and where it leaves, unless it got lost."""

from __future__ import annotations

from typing import NamedTuple

from lab.wire.packets.segment import Segment

_MOST = 4096
"""Frames under way between two ports that are kept; more are told as unpaired at once, the oldest first.

A kernel queues 1,000 frames for each processor (net.core.netdev_max_backlog); a burst that routers drop lies
here too.
"""

_MOST_TOLD = 64
"""Unpaired frames that are named, of those that entered the switch only and of those that left it only."""


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

    __slots__ = ("_entered", "_kept", "_left", "_waiting", "crossed")

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, ...], list[Alone]] = {}
        self._kept = 0
        self._entered: list[Alone] = []
        self._left: list[Alone] = []
        self.crossed = 0
        """The latest frame that entered the switch and was seen to leave it: none before it is under way."""

    def see(self, segment: Segment) -> None:
        """Take in a sighting at either port."""
        key = segment.seq, segment.ack, segment.flags, segment.length, segment.checksum, segment.ident
        here = Alone(segment.frame, segment.time, bool(segment.leaving), segment.seq)
        waiting = self._waiting.get(key)
        if waiting is None or waiting[0].leaving == here.leaving:
            self._waiting.setdefault(key, []).append(here)
            self._kept += 1
            if self._kept > _MOST:
                self._give_up()
        else:
            there = waiting.pop()
            self._kept -= 1
            self.crossed = max(self.crossed, min(here.frame, there.frame))
            if not waiting:
                del self._waiting[key]

    def unpaired(self) -> list[Alone]:
        """Frames seen at one port only; those under way when the capture ended are among them.

        Of each kind the first are named, and the last: that it got lost is the least certain.
        """
        waiting = [frame for frames in self._waiting.values() for frame in frames]
        entered = self._entered + [frame for frame in waiting if not frame.leaving]
        left = self._left + [frame for frame in waiting if frame.leaving]
        return [*_named(entered), *_named(left)]

    def _give_up(self) -> None:
        oldest = next(iter(self._waiting))
        frames = self._waiting.pop(oldest)
        self._kept -= len(frames)
        given_up = self._left if frames[0].leaving else self._entered
        if len(given_up) < _MOST_TOLD:
            given_up.extend(frames)


def _named(frames: list[Alone]) -> list[Alone]:
    return frames if len(frames) <= _MOST_TOLD else [*frames[: _MOST_TOLD - 1], frames[-1]]
