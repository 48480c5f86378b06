"""Segments to connections: both ends' states replayed, each from the frames at its own port.

::

    flows = Flows(vantage)
    for batch in reader.batches(): flows.take(batch)
    flows.connections()      # at any time; memory grows with connections, not with segments
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain

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
from lab.flows.shape import Shape, Shapes
from lab.flows.signs import Said
from lab.flows.talk import MOST_SHORT, Talk
from lab.flows.tracker import way_from_client
from lab.flows.vantage import Vantage
from lab.packets.segment import ACK, FIN, FLAGS, FRAME, KIND, RST, SYN, WAY, Bare, way_back

__all__ = [
    "MOST_CONNECTIONS", "CloseKind", "Connection", "Fin", "Flows", "Handshake", "Moment", "Outcome", "Resent",
    "Reset", "ResetCause", "Retransmissions", "Said", "Shape", "Shapes", "Side",
    "Sighting", "StateChange", "Talk", "Vantage", "way_from_client",
]  # fmt: skip


MOST_CONNECTIONS = 20_000
"""Connections of one capture that are kept: whoever floods the wire must not eat the memory."""

_SPARE = 1024
"""Connections more than are kept that there may be while segments come: they are forgotten many at once."""

_CHANCES = 16
"""Connections in a row that are kept because they are open, before one goes all the same."""

_MOST_HELD = 1024
"""Segments that are held back before the connections take them in: as many as are still in a processor's
cache, and as many more as there are connections that will not take theirs in yet."""

_BEGINS_OR_ENDS = SYN | FIN | RST
_UNANSWERED = Outcome("no_reply", "still_open")


class Flows:
    """The connections of one capture, as they grow.

    At most ``most`` are kept, if that is not 0: for each more, the oldest that is not open is forgotten, and
    ``retire`` is told how those began and ended. A connection is as old as the first frame that followed its
    SYN, or as the SYN if none did. A flood takes no more memory than so many connections.
    """

    def __init__(
        self,
        vantage: Vantage,
        capture: str = "",
        *,
        most: int = 0,
        retire: Callable[[list[Outcome]], None] | None = None,
    ) -> None:
        self._vantage = vantage
        self._capture = capture
        self._most = most
        self._retire = retire
        self._lone: dict[bytes, Bare] = {}
        """SYNs that nothing has followed yet, by their ways: a flood is made of them, so they cost little."""
        self._talks: deque[Talk] = deque()
        """All other connections, in the order in which they came to be more than a SYN."""
        self._ways: dict[bytes, Talk] = {}
        """The latest of them by the ways of both directions."""
        self._short: list[Talk] = []
        """Those of the latter that still have all of their segments."""
        self._waiting: list[Talk] = []
        """Those of the others that have segments which they did not take in."""
        self._ending: list[Talk] = []
        """Those that may be at their end since the last time that all was tidied."""
        self._ended: list[Talk] = []
        """Those of the time before."""
        self._held, self._most_held = 0, _MOST_HELD
        self._latest = 0
        """The frame that was taken in last."""
        self.shapes = Shapes()

    def add(self, segment: Bare) -> None:
        """Take in one frame."""
        self.take((segment,))

    def take(self, segments: Sequence[Bare]) -> None:
        """Take in frames, in order."""
        talk_of, lone = self._ways.get, self._lone
        waiting, ending = self._waiting, self._ending
        for bare in segments:
            way = bare[WAY]
            talk = talk_of(way)
            if talk is None:
                if bare[FLAGS] & KIND == SYN and way not in lone and way_back(way) not in lone:
                    lone[way] = bare
                else:
                    self._meet(bare)
                continue
            if bare[FLAGS] & _BEGINS_OR_ENDS:
                if self._begins_anew(talk, bare):
                    continue
                ending.append(talk)
            held = talk.segments
            if not held:
                waiting.append(talk)
            held.append(bare)
        if segments:
            self._make_room(segments[-1][FRAME], len(segments))

    def connections(self) -> tuple[Connection, ...]:
        """What is known so far, in the order of their first frames."""
        found = (talk.connection(self._capture) for talk in self.talks())
        return tuple(connection for connection in found if connection is not None)

    def talks(self) -> list[Talk]:
        """The same connections, each to be asked for what is wanted of it."""
        if self._most:
            self._forget()
        lone = (Talk(syn, self._vantage, syn[FRAME]) for syn in self._lone.values())
        return sorted(chain(self._talks, lone), key=lambda talk: talk.first[FRAME])

    def _make_room(self, latest: int, segments: int) -> None:
        """So many segments were taken in: hold no more, and know of no more connections, than is allowed."""
        self._latest = latest
        self._held += segments
        if self._held > self._most_held:
            self._tidy()
        if self._most and len(self._lone) + len(self._talks) > self._most + _SPARE:
            self._forget()

    def _tidy(self) -> None:
        """Let those connections take their segments in that will not be asked for them."""
        long = [talk for talk in self._short if len(talk.segments) > MOST_SHORT]
        for talk in chain(self._waiting, long):
            talk.take_in(self.shapes)
        for talk in self._ended:
            talk.settle(self.shapes)
        self._ended, self._ending = self._ending, []
        self._short = [talk for talk in chain(self._short, self._waiting) if talk.segments]
        self._waiting = []
        self._held, self._most_held = 0, _MOST_HELD + len(self._short)

    def _begins_anew(self, talk: Talk, syn: Bare) -> bool:
        """Whether a segment is the SYN of another connection between the ports of one."""
        if syn[FLAGS] & (SYN | ACK) != SYN or talk.continues_with(syn):
            return False
        self._drop(syn[WAY])
        self._lone[syn[WAY]] = syn
        return True

    def _meet(self, bare: Bare) -> None:
        """Take in a segment of which no more is known than a lone SYN before it, if that."""
        way, lone = bare[WAY], self._lone
        back = way_back(way)
        syn = lone.pop(back, None) or lone.pop(way, None)
        talk = Talk(syn or bare, self._vantage, bare[FRAME])
        self._talks.append(talk)
        self._short.append(talk)
        if syn is not None:
            if bare[FLAGS] & (SYN | ACK) == SYN and not talk.continues_with(bare):
                lone[way] = bare
                return
            if not talk.segments:
                self._waiting.append(talk)
            talk.segments.append(bare)
        self._ways[way] = self._ways[back] = talk
        if bare[FLAGS] & RST:
            self._ending.append(talk)

    def _forget(self) -> None:
        """Keep no more connections than are to be kept."""
        lone, talks = self._lone, self._talks
        outcomes: list[Outcome] = []
        gone: list[Bare] = []
        syns = iter(lone.values())
        syn = next(syns, None)
        for _ in range(len(lone) + len(talks) - self._most):
            if syn is not None and (not talks or syn[FRAME] < talks[0].since):
                gone.append(syn)
                syn = next(syns, None)
            elif outcome := self._forget_talk():
                outcomes.append(outcome)
        for syn in gone:
            del lone[syn[WAY]]
        if self._retire is not None:
            self._retire(outcomes + self._unanswered(gone))

    def _forget_talk(self) -> Outcome | None:
        """Take away the oldest connection that is not open."""
        talks, chances = self._talks, _CHANCES
        talk = talks.popleft()
        standing = talk.standing(self.shapes)
        while standing.open and chances:
            chances -= 1
            talk.since = self._latest
            talks.append(talk)
            talk = talks.popleft()
            standing = talk.standing(self.shapes)
        if self._ways.get(talk.first[WAY]) is talk:
            self._drop(talk.first[WAY])
        outcome = standing.outcome
        talk.segments.clear()
        return outcome

    def _unanswered(self, syns: Sequence[Bare]) -> list[Outcome]:
        """How SYNs that nothing followed began and ended."""
        if not self._vantage.ports:
            return [_UNANSWERED] * len(syns)
        found = (Talk(syn, self._vantage, syn[FRAME]).digest().outcome for syn in syns)
        return [outcome for outcome in found if outcome is not None]

    def _drop(self, way: bytes) -> None:
        self._ways.pop(way, None)
        self._ways.pop(way_back(way), None)
