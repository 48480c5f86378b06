"""Segments to connections: both ends' states replayed, each from the frames at its own port.

::

    flows = Flows(point)
    for batch in reader.batches(): flows.take(batch)
    flows.connections()      # at any time; memory grows with connections, not with segments
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from lab.wire.packets.segment import ACK, FLAGS, FRAME, KIND, SYN, WAY, Bare, named, way_back
from lab.wire.tcp.capture_point import CapturePoint
from lab.wire.tcp.copies import Copies
from lab.wire.tcp.facts import (
    CloseKind,
    Connection,
    Fin,
    Forged,
    Handshake,
    Lost,
    Moment,
    Outcome,
    Resent,
    Reset,
    ResetCause,
    Retransmissions,
    Side,
    Sighting,
    StateChange,
)
from lab.wire.tcp.tracker import Tracker
from lab.wire.tcp.views import tracker_of

__all__ = [
    "MOST_CONNECTIONS",
    "CapturePoint",
    "CloseKind",
    "Connection",
    "Fin",
    "Flows",
    "Forged",
    "Handshake",
    "Lost",
    "Moment",
    "Outcome",
    "Resent",
    "Reset",
    "ResetCause",
    "Retransmissions",
    "Side",
    "Sighting",
    "StateChange",
]  # fmt: skip


MOST_CONNECTIONS = 20_000
"""Connections of one capture that are kept: whoever floods the wire must not eat the memory."""

_SPARE = 1024
"""Connections more than are kept that there may be while segments come: they are forgotten many at once."""

_CHANCES = 16
"""Connections in a row that are kept because they are open, before one goes all the same."""

_UNANSWERED = Outcome("no_reply", "still_open")


class Flows:
    """The connections of one capture, as they grow.

    At most ``most`` are kept, if that is not 0: for each more, the oldest that is not open is forgotten, and
    ``retire`` is told how those began and ended. A connection is as old as the first frame that followed its
    SYN, or as the SYN if none did. A flood takes no more memory than so many connections.
    """

    def __init__(
        self,
        point: CapturePoint,
        capture: str = "",
        *,
        most: int = 0,
        retire: Callable[[list[Outcome]], None] | None = None,
    ) -> None:
        self._vantage = point
        self._capture = capture
        self._most = most
        self._retire = retire
        self._lone: dict[bytes, Bare] = {}
        """SYNs that nothing has followed yet, by their ways: a flood is made of them, so they cost little."""
        self._trackers: deque[Tracker] = deque()
        """All other connections, in the order in which they came to be more than a SYN."""
        self._ways: dict[bytes, Tracker] = {}
        """The latest of them by the ways of both directions."""
        self._copies = Copies()
        self._latest = 0
        """The frame that was taken in last."""

    def add(self, segment: Bare) -> None:
        """Take in one frame."""
        self.take((segment,))

    def take(self, segments: Sequence[Bare]) -> None:
        """Take in frames, in order."""
        tracker_of, lone = self._ways.get, self._lone
        self._copies.add(segments)
        for bare in segments:
            way = bare[WAY]
            tracker = tracker_of(way)
            if tracker is not None and (
                bare[FLAGS] & (SYN | ACK) != SYN or not self._begins_anew(tracker, bare)
            ):
                tracker.take(bare)
            elif bare[FLAGS] & KIND == SYN and way not in lone and way_back(way) not in lone:
                lone[way] = bare
            else:
                self._meet(bare)
        if segments:
            self._latest = segments[-1][FRAME]
            if self._most and len(lone) + len(self._trackers) > self._most + _SPARE:
                self.forget()

    def connections(self) -> tuple[Connection, ...]:
        """What is known so far, in the order of their first frames."""
        self.forget()
        return tuple(self.told())

    @property
    def count(self) -> int:
        """How many connections are kept."""
        return len(self._trackers) + len(self._lone)

    def told(self) -> Iterator[Connection]:
        """The same, one after the other: each is made when its turn comes."""
        trackers = {tracker.began.frame: tracker for tracker in self._trackers}
        lone = {syn[FRAME]: syn for syn in self._lone.values()}
        for frame in sorted([*trackers, *lone]):
            tracker = trackers.get(frame) or self._tracker(lone[frame])
            found = tracker.connection(self._capture, self._vantage)
            if found is not None:
                yield found

    def _tracker(self, first: Bare, since: int = 0) -> Tracker:
        tracker = tracker_of(named(first), self._vantage, self._copies, since)
        tracker.take(first)
        return tracker

    def _begins_anew(self, tracker: Tracker, bare: Bare) -> bool:
        """Whether a SYN is that of another connection between the ports of one."""
        if tracker.continues_with(named(bare)):
            return False
        self._drop(bare[WAY])
        return True

    def _meet(self, bare: Bare) -> None:
        """Take in a segment of which no more is known than a lone SYN before it, if that."""
        way, lone = bare[WAY], self._lone
        back = way_back(way)
        syn = lone.pop(back, None) or lone.pop(way, None)
        tracker = self._tracker(syn or bare, bare[FRAME])
        self._trackers.append(tracker)
        if syn is not None:
            if bare[FLAGS] & (SYN | ACK) == SYN and not tracker.continues_with(named(bare)):
                lone[way] = bare
                return
            tracker.take(bare)
        self._ways[way] = self._ways[back] = tracker

    def forget(self) -> None:
        """Keep no more connections than ``most``: while segments come there may be some more."""
        if not self._most:
            return
        lone, trackers = self._lone, self._trackers
        outcomes: list[Outcome] = []
        gone: list[Bare] = []
        syns = iter(lone.values())
        syn = next(syns, None)
        for _ in range(len(lone) + len(trackers) - self._most):
            if syn is not None and (not trackers or syn[FRAME] < trackers[0].since):
                gone.append(syn)
                syn = next(syns, None)
            elif outcome := self._forget_tracker():
                outcomes.append(outcome)
        for syn in gone:
            del lone[syn[WAY]]
        if self._retire is not None:
            self._retire(outcomes + self._unanswered(gone))

    def _forget_tracker(self) -> Outcome | None:
        """Take away the oldest connection that is not open."""
        trackers, chances = self._trackers, _CHANCES
        tracker = trackers.popleft()
        while tracker.open and chances:
            chances -= 1
            tracker.since = self._latest
            trackers.append(tracker)
            tracker = trackers.popleft()
        if self._ways.get(tracker.way) is tracker:
            self._drop(tracker.way)
        return tracker.outcome

    def _unanswered(self, syns: Iterable[Bare]) -> list[Outcome]:
        """How SYNs that nothing followed began and ended."""
        if not self._vantage.ports:
            return [_UNANSWERED for _ in syns]
        found = (self._tracker(syn).outcome for syn in syns)
        return [outcome for outcome in found if outcome is not None]

    def _drop(self, way: bytes) -> None:
        self._ways.pop(way, None)
        self._ways.pop(way_back(way), None)
