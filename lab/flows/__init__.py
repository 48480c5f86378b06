"""Segments to connections: both ends' states replayed, each from the frames at its own port.

::

    flows = Flows(vantage)
    for batch in reader.batches(): flows.take(batch)
    flows.connections()      # at any time; memory grows with connections, not with segments
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from lab.flows.facts import (
    CloseKind,
    Connection,
    Fin,
    Handshake,
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
from lab.flows.shape import Said, Shape, Shapes
from lab.flows.talk import Talk
from lab.flows.tracker import way_from_client
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, FLAGS, FRAME, SYN, WAY, Bare

__all__ = [
    "MOST_CONNECTIONS", "CloseKind", "Connection", "Fin", "Flows", "Handshake", "Moment", "Outcome", "Resent",
    "Reset", "ResetCause", "Retransmissions", "Said", "Shape", "Shapes", "Side",
    "Sighting", "StateChange", "Talk", "Vantage", "way_from_client",
]  # fmt: skip


MOST_CONNECTIONS = 20_000
"""Connections of one capture that are kept: whoever floods the wire must not eat the memory."""

_CHANCES = 16
"""Connections in a row that are kept because they are open, before one goes all the same."""


_MOST_HELD = 1024
"""Segments that are held back before the connections take them in: as many as are still in a processor's
cache, and as many more as there are connections that will not take theirs in yet."""


class Flows:
    """The connections of one capture, as they grow.

    At most ``most`` are kept, if that is not 0: for each more, the oldest that is not open is forgotten, and
    ``retire`` is told how it began and ended. A capture of a flood takes no more memory than one of so many
    connections.
    """

    def __init__(
        self,
        vantage: Vantage,
        capture: str = "",
        *,
        most: int = 0,
        retire: Callable[[Outcome], None] | None = None,
    ) -> None:
        self._vantage = vantage
        self._capture = capture
        self._most = most
        self._retire = retire
        self._talks: deque[Talk] = deque()
        self._ways: dict[bytes, Talk] = {}
        self._waiting: list[Talk] = []
        """Those that have segments which they did not take in."""
        self._held, self._most_held = 0, _MOST_HELD
        self.shapes = Shapes()

    def add(self, segment: Bare) -> None:
        """Take in one frame."""
        self.take((segment,))

    def take(self, segments: Sequence[Bare]) -> None:
        """Take in frames, in order."""
        talk_of = self._ways.get
        for bare in segments:
            talk = talk_of(bare[WAY])
            if talk is None or (bare[FLAGS] & (SYN | ACK) == SYN and not talk.continues_with(bare)):
                self._open(bare)
                continue
            held = talk.segments
            if not held:
                self._waiting.append(talk)
            held.append(bare)
        self._held += len(segments)
        if self._held > self._most_held:
            self._tidy()

    def connections(self) -> tuple[Connection, ...]:
        """What is known so far, in the order of their first frames."""
        found = (talk.connection(self._capture) for talk in self.talks())
        return tuple(connection for connection in found if connection is not None)

    def talks(self) -> list[Talk]:
        """The same connections, each to be asked for what is wanted of it."""
        return sorted(self._talks, key=lambda talk: talk.first[FRAME])

    def _tidy(self) -> None:
        for talk in self._waiting:
            if len(talk.segments) > talk.room:
                talk.digest()
        self._waiting = [talk for talk in self._waiting if talk.segments]
        self._held, self._most_held = 0, _MOST_HELD + len(self._waiting)

    def _open(self, first: Bare) -> None:
        if self._most and len(self._talks) >= self._most:
            self._make_room()
        talk = Talk(first, self._vantage)
        self._talks.append(talk)
        self._waiting.append(talk)
        self._ways[first[WAY]] = self._ways[talk.back] = talk

    def _make_room(self) -> None:
        talks, chances = self._talks, _CHANCES
        standing = talks[0].standing(self.shapes)
        while standing.open and chances:
            chances -= 1
            talks.rotate(-1)
            standing = talks[0].standing(self.shapes)
        talk = talks.popleft()
        for way in (talk.first[WAY], talk.back):
            if self._ways.get(way) is talk:
                del self._ways[way]
        if self._retire is not None and (outcome := standing.outcome):
            self._retire(outcome)
        talk.segments.clear()
