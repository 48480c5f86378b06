"""The states of one end (RFC 9293, section 3.3.2), entered as its segments come and go."""

from __future__ import annotations

from lab.flows.facts import StateChange, moment_of
from lab.packets.segment import Segment
from lab.words import TcpState

_MOST_CHANGES = 32
"""States kept; a connection has at most eight unless its frames are nonsense."""

_AFTER_OWN_FIN = {
    TcpState.ESTABLISHED: TcpState.FIN_WAIT_1,
    TcpState.SYN_RECEIVED: TcpState.FIN_WAIT_1,
    TcpState.CLOSE_WAIT: TcpState.LAST_ACK,
}
_AFTER_PEER_FIN = {
    TcpState.ESTABLISHED: TcpState.CLOSE_WAIT,
    TcpState.SYN_RECEIVED: TcpState.CLOSE_WAIT,
    TcpState.FIN_WAIT_1: TcpState.CLOSING,
    TcpState.FIN_WAIT_2: TcpState.TIME_WAIT,
}
_AFTER_FIN_ACKED = {
    TcpState.FIN_WAIT_1: TcpState.FIN_WAIT_2,
    TcpState.CLOSING: TcpState.TIME_WAIT,
    TcpState.LAST_ACK: TcpState.CLOSED,
}


class States:
    """The state an end is in, and those it went through."""

    __slots__ = ("history", "now")

    def __init__(self) -> None:
        self.now = TcpState.CLOSED
        self.history: list[StateChange] = []

    def enter(self, state: TcpState, segment: Segment) -> None:
        """Be in a state from that segment on."""
        if state is not self.now:
            self.now = state
            if len(self.history) < _MOST_CHANGES:
                self.history.append(tuple.__new__(StateChange, (state, moment_of(segment))))

    def enter_again(self, state: TcpState, segment: Segment) -> None:
        """Be in the state that was the last from that segment on, not from where it was entered."""
        if self.now == state and self.history:
            self.history[-1] = StateChange(state, moment_of(segment))

    def own_fin(self, segment: Segment, *, crossing: bool) -> None:
        """It sent its FIN; ``crossing`` says that it did so before it could know of the peer's."""
        if crossing and self.now == TcpState.CLOSE_WAIT:
            # The peer's FIN was on its way in: it was no CLOSE_WAIT.
            self.history.pop()
            self.enter(TcpState.FIN_WAIT_1, segment)
            self.enter(TcpState.CLOSING, segment)
        else:
            self._go_on(_AFTER_OWN_FIN, segment)

    def peer_fin(self, segment: Segment) -> None:
        """The peer's FIN has arrived, and everything before it."""
        self._go_on(_AFTER_PEER_FIN, segment)

    def fin_acked(self, segment: Segment) -> None:
        """Its FIN was acknowledged."""
        self._go_on(_AFTER_FIN_ACKED, segment)

    def _go_on(self, after: dict[TcpState, TcpState], segment: Segment) -> None:
        if state := after.get(self.now):
            self.enter(state, segment)
