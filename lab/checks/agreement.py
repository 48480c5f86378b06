"""Wire and kernel laid beside each other: whether looks at a socket show the state that the frames say.

A frame at a host's port and the state that goes with it in the host's kernel are two events, and a busy
machine may leave a moment between them. So a look is held against the wire only where the replayed state had
lasted, and was to last, for :data:`LAG`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from lab.checks.proofs import named
from lab.checks.select import history_of
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import Ends
from lab.evidence.message import Message, message
from lab.evidence.sockets import SocketSample
from lab.wire.tcp import Connection, Side

LAG = 20_000_000
"""ns between a frame at a port and the state that goes with it in the kernel behind it, at the most."""

_LASTING = frozenset(
    {
        TcpState.ESTABLISHED,
        TcpState.FIN_WAIT_1,
        TcpState.FIN_WAIT_2,
        TcpState.CLOSE_WAIT,
        TcpState.CLOSING,
        TcpState.LAST_ACK,
    }
)
"""States that a kernel leaves only with a frame. A SYN may be given up, and TIME_WAIT ends by a timer."""


def looks_of(sample: SocketSample) -> tuple[int, ...]:
    """When the first look began that showed what a sample says, and when the last did (ns)."""
    return (sample.at,) if sample.until <= sample.at else (sample.at, sample.until)


_MOST = 100
"""Connections of a run that are laid beside the kernel whether a check speaks of them or not."""


class _Look(NamedTuple):
    """A look at a host's sockets, from when to when it took, and the number of the sample it is of."""

    began: int
    ended: int
    number: int


class Agreement:
    """The looks at a host's kernel, ready to be held against the wire."""

    def __init__(self, host: str, evidence: Evidence) -> None:
        self._host = host
        self._evidence = evidence
        self._history = history_of(evidence, host)

    def dispute(self, connection: Connection, side: Side, only: TcpState | None = None) -> Message | None:
        """Where a look shows another state than the frames say; None if none does.

        ``only`` is the one state that matters.
        """
        peer = connection.peer_of(side)
        ends = side.address, side.port, peer.address, peer.port
        for state, began, ended in self._stays(connection, side):
            if state in _LASTING and only in {None, state}:
                told = self._otherwise(ends, state, began + LAG, ended - LAG)
                if told:
                    return told
        return None

    def _otherwise(self, ends: Ends, state: TcpState, began: int, ended: int) -> Message | None:
        """The first look of a time that shows another state."""
        looks = self._looks
        place = bisect_left(looks, (began,))
        while place < len(looks) and looks[place].began <= ended:
            stand = self._history.shown(ends, looks[place].number)
            if stand is not None and stand.row.state is state:
                # So do all looks of this stand.
                place = max(place + 1, bisect_right(self._numbers, stand.last))
            elif looks[place].ended > ended:
                place += 1
            else:
                shown = stand.row.state if stand else None
                at = looks[place].began
                return message("wire-and-kernel", host=self._host, shown=shown, at=at, state=state)
        return None

    def _stays(self, connection: Connection, side: Side) -> Iterator[tuple[TcpState, int, int]]:
        """Each state of a side, and from when to when."""
        last = min(self._evidence.info.ended, self._evidence.until_reused(connection))
        ends = [*[change.at.time for change in side.history[1:]], last]
        for change, ended in zip(side.history, ends, strict=False):
            yield change.state, change.at.time, ended

    @cached_property
    def _looks(self) -> list[_Look]:
        """Of each sample the first look, which it is, and the last that showed the same, in order."""
        return [
            _Look(began, began + sample.took, number)
            for number, sample in sorted(enumerate(self._history.samples), key=lambda each: each[1].at)
            for began in looks_of(sample)
        ]

    @cached_property
    def _numbers(self) -> list[int]:
        return [look.number for look in self._looks]


def disagreements(evidence: Evidence) -> Iterator[Message]:
    """Where wire and kernel disagree about an end of a connection; of many some are held."""
    hosts = {host: Agreement(host, evidence) for host in evidence.scenario.hosts}
    for connection in evidence.connections[:_MOST]:
        for side in connection.sides:
            if side.seen and side.host in hosts and (told := hosts[side.host].dispute(connection, side)):
                end, peer = f"{named(side)}:{side.port}", named(connection.peer_of(side))
                yield message("disagreement", end=end, peer=peer, what=told)
