"""The states of one end (RFC 9293, section 3.3.2), entered as its segments come and go."""

from __future__ import annotations

from lab.packets.segment import FRAME, TIME, Segment
from lab.words import TcpState

# To look a word up in its class costs as much as everything else that is done with it.
CLOSED, SYN_SENT, SYN_RECEIVED = TcpState.CLOSED, TcpState.SYN_SENT, TcpState.SYN_RECEIVED
ESTABLISHED, CLOSE_WAIT, LAST_ACK = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT, TcpState.LAST_ACK
FIN_WAIT_1, FIN_WAIT_2 = TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2
CLOSING, TIME_WAIT = TcpState.CLOSING, TcpState.TIME_WAIT

_MOST_CHANGES = 32
"""States kept; a connection has at most eight unless its frames are nonsense."""

_AFTER_OWN_FIN = {
    ESTABLISHED: FIN_WAIT_1,
    SYN_RECEIVED: FIN_WAIT_1,
    CLOSE_WAIT: LAST_ACK,
}
_AFTER_PEER_FIN = {
    ESTABLISHED: CLOSE_WAIT,
    SYN_RECEIVED: CLOSE_WAIT,
    FIN_WAIT_1: CLOSING,
    FIN_WAIT_2: TIME_WAIT,
}
_AFTER_FIN_ACKED = {
    FIN_WAIT_1: FIN_WAIT_2,
    CLOSING: TIME_WAIT,
    LAST_ACK: CLOSED,
}


class States:
    """The state an end is in, and those it went through: each with the frame and the time that led to it."""

    __slots__ = ("history", "now")

    def __init__(self) -> None:
        self.now = CLOSED
        self.history: list[tuple[TcpState, int, int]] = []

    def enter(self, state: TcpState, segment: Segment) -> None:
        """Be in a state from that segment on."""
        if state is not self.now:
            self.now = state
            if len(self.history) < _MOST_CHANGES:
                self.history.append((state, segment[FRAME], segment[TIME]))

    def enter_again(self, state: TcpState, segment: Segment) -> None:
        """Be in the state that was the last from that segment on, not from where it was entered."""
        if self.now == state and self.history:
            self.history[-1] = state, segment[FRAME], segment[TIME]

    def own_fin(self, segment: Segment, *, crossing: bool) -> None:
        """It sent its FIN; ``crossing`` says that it did so before it could know of the peer's."""
        if crossing and self.now == CLOSE_WAIT:
            # The peer's FIN was on its way in: it was no CLOSE_WAIT.
            self.history.pop()
            self.enter(FIN_WAIT_1, segment)
            self.enter(CLOSING, segment)
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
