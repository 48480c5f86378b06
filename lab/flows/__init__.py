"""Segments to connections: both ends' states replayed, each from the frames at its own port.

::

    flows = Flows(vantage)
    for segment in reader: flows.add(segment)
    flows.connections()      # at any time; memory grows with connections, not with segments
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from lab.flows.facts import (
    CloseKind,
    Connection,
    Fin,
    Handshake,
    Moment,
    Resent,
    Reset,
    ResetCause,
    Retransmissions,
    Side,
    Sighting,
    StateChange,
)
from lab.flows.tracker import OneView, Tracker, TwoViews
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, SYN, FourTuple, Segment

__all__ = [
    "MOST_CONNECTIONS", "CloseKind", "Connection", "Fin", "Flows", "Handshake", "Moment", "Resent", "Reset",
    "ResetCause", "Retransmissions", "Side", "Sighting", "StateChange", "Vantage",
]  # fmt: skip


MOST_CONNECTIONS = 20_000
"""Connections of one capture that are kept: whoever floods the wire must not eat the memory."""

_CHANCES = 16
"""Connections in a row that are kept because they are open, before one goes all the same."""


class Flows:
    """The connections of one capture, as they grow.

    At most ``most`` are kept, if that is not 0: for each more, the oldest that is not open is given to
    ``retire`` and forgotten. A capture of a flood takes no more memory than one of so many connections.
    """

    def __init__(
        self,
        vantage: Vantage,
        capture: str = "",
        *,
        most: int = 0,
        retire: Callable[[Connection], None] | None = None,
    ) -> None:
        self._vantage = vantage
        self._capture = capture
        self._most = most
        self._retire = retire
        self._trackers: deque[Tracker] = deque()
        self._ways: dict[FourTuple, OneView | TwoViews] = {}

    def add(self, segment: Segment) -> None:
        """Take in one frame."""
        way = self._ways.get(segment.flow)
        if way is None or (segment.flags & (SYN | ACK) == SYN and not way.tracker.continues_with(segment)):
            way = self._open(segment)
        way.see(segment)

    def connections(self) -> tuple[Connection, ...]:
        """What is known so far, in the order of their first frames."""
        trackers = sorted(self._trackers, key=lambda tracker: tracker.began.frame)
        found = (tracker.connection(self._capture) for tracker in trackers)
        return tuple(connection for connection in found if connection is not None)

    def _open(self, segment: Segment) -> OneView | TwoViews:
        if self._most and len(self._trackers) >= self._most:
            self._make_room()
        tracker = Tracker(segment, self._vantage)
        self._trackers.append(tracker)
        self._ways[tracker.flow], self._ways[tracker.flow.reverse] = tracker.ways
        return self._ways[segment.flow]

    def _make_room(self) -> None:
        for _ in range(_CHANCES):
            if not self._trackers[0].open:
                break
            self._trackers.rotate(-1)
        tracker = self._trackers.popleft()
        for flow, way in zip((tracker.flow, tracker.flow.reverse), tracker.ways, strict=True):
            if self._ways.get(flow) is way:
                del self._ways[flow]
        connection = tracker.connection(self._capture)
        tracker.forget()
        if connection is not None and self._retire is not None:
            self._retire(connection)
