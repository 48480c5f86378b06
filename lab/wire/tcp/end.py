"""One end of a connection, replayed from the frames at its own port (RFC 9293, section 3.10.7).

An :class:`End` is told each segment it sent and each that reached it, after the streams of both directions
have taken it in. It keeps the state it must be in. Memory is a fixed amount.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.core.words import TcpState
from lab.wire.packets.segment import ACK, FIN, RST, SYN, Segment
from lab.wire.tcp.facts import Moment, ResetCause, StateChange, state_change
from lab.wire.tcp.serial import distance
from lab.wire.tcp.states import (
    AFTER_FIN_ACKED,
    AFTER_OWN_FIN,
    AFTER_PEER_FIN,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    SYN_RECEIVED,
    SYN_SENT,
)
from lab.wire.tcp.stream import Stream

_MOST_CHANGES = 32
"""States kept; a connection has at most eight unless its frames are nonsense."""

_GIVES_UP = 3
"""Segments sent again without any answer after which an RST says that the sender gave up."""


class ResetSeen:
    """The first RST that an end sent, and what it knew then of both FINs."""

    __slots__ = ("after_own_fin", "after_peer_fin", "cause", "moment")

    def __init__(self, at: Moment, end: End, cause: ResetCause) -> None:
        self.moment = at
        self.cause = cause
        self.after_own_fin = end.outgoing.fin is not None
        self.after_peer_fin = end.incoming.fin is not None


class End:
    """What one end sent and received, and the states that follow from it.

    ``state`` is the one it is in, ``history`` those it went through, each with the frame that led to it.
    Where both directions are seen at one place only, both ends share their streams.
    """

    __slots__ = (
        "_fin_acked", "_fin_received", "_fin_sent", "history", "incoming", "late", "late_seq", "opens",
        "outgoing", "refused", "reset_received", "reset_sent", "state",
    )  # fmt: skip

    def __init__(self, outgoing: Stream, incoming: Stream) -> None:
        self.outgoing = outgoing
        self.incoming = incoming
        self.state = CLOSED
        self.history: list[StateChange] = []
        self.late: Moment | None = None
        """Its first new data after it had acknowledged the peer's FIN."""
        self.late_seq = 0
        self.reset_sent: ResetSeen | None = None
        self.reset_received: Moment | None = None
        self.opens = False
        """Whether it sent a SYN that answers none."""
        self.refused = False
        """Whether an RST answered its SYN."""
        self._fin_sent = self._fin_acked = self._fin_received = False

    @property
    def seen(self) -> bool:
        """Whether any frame was seen at this end's port."""
        if self.outgoing.next is not None or self.incoming.next is not None:
            return True
        return self.reset_sent is not None or self.reset_received is not None

    @property
    def late_acked(self) -> bool:
        """Whether the peer acknowledged what was sent after its FIN."""
        acked = self.outgoing.acked
        return self.late is not None and acked is not None and distance(self.late_seq, acked) > 0

    def enter(self, state: TcpState, at: Moment) -> None:
        """Be in a state from that moment on."""
        if state is not self.state:
            self.state = state
            if len(self.history) < _MOST_CHANGES:
                self.history.append(state_change((state, at)))

    def sent(self, segment: Segment, at: Moment, *, new: bool) -> None:
        """The end sent a segment; ``new`` says that it has data beyond all that it sent before."""
        flags = segment.flags
        if flags & RST:
            self._sends_reset(segment, at)
            return
        if flags & SYN:
            self._sends_syn(segment, at)
        elif new and self.late is None and self.incoming.fin_acked is not None:
            self.late, self.late_seq = at, segment.seq
        if flags & FIN and not self._fin_sent:
            self._fin_sent = True
            self._sends_fin(at)
        if flags & SYN or (self.incoming.fin is not None and not self._fin_received):
            self._progress(at)

    def received(self, segment: Segment, at: Moment) -> None:
        """A segment reached the end."""
        flags = segment.flags
        if flags & RST:
            self._receives_reset(segment, at)
            return
        if flags & SYN:
            self._receives_syn(segment, at)
        self._progress(at)

    def _progress(self, at: Moment) -> None:
        """What the streams have come to leads to other states."""
        outgoing, incoming = self.outgoing, self.incoming
        # The acknowledgement first: a FIN that comes with that of one's own goes to TIME_WAIT, not CLOSING.
        if self.state is SYN_RECEIVED and outgoing.syn_acked is not None:
            self.enter(ESTABLISHED, at)
        if self._fin_sent and not self._fin_acked and outgoing.fin_acked is not None:
            self._fin_acked = True
            self._follow(AFTER_FIN_ACKED, at)
        if incoming.fin is not None and not self._fin_received and incoming.complete:
            self._fin_received = True
            self._follow(AFTER_PEER_FIN, at)

    def _follow(self, after: Mapping[TcpState, TcpState], at: Moment) -> None:
        if state := after.get(self.state):
            self.enter(state, at)

    # SYN

    def _sends_syn(self, segment: Segment, at: Moment) -> None:
        if segment.flags & ACK and (self.state is CLOSED or self.state is SYN_SENT):
            self.enter(SYN_RECEIVED, at)
        elif not self.history:
            self.opens = True
            self.enter(SYN_SENT, at)
            if self.incoming.syn is not None:
                self.enter(SYN_RECEIVED, at)

    def _receives_syn(self, segment: Segment, at: Moment) -> None:
        syn = self.incoming.syn
        if self.state is SYN_SENT:
            if not segment.flags & ACK:
                self.enter(SYN_RECEIVED, at)
            elif self.outgoing.acceptable(segment.ack):
                self.enter(ESTABLISHED, at)
        elif syn == at and self.state is ESTABLISHED and self.history:
            # A SYN-ACK with other numbers takes the place of the one before.
            self.history[-1] = StateChange(ESTABLISHED, at)

    # FIN

    def _sends_fin(self, at: Moment) -> None:
        if self.state is CLOSE_WAIT and self.incoming.fin_acked is None:
            # It could not know of the peer's FIN, which was on its way in: it was no CLOSE_WAIT.
            self.history.pop()
            self.enter(FIN_WAIT_1, at)
            self.enter(CLOSING, at)
        else:
            self._follow(AFTER_OWN_FIN, at)

    # RST

    def _sends_reset(self, segment: Segment, at: Moment) -> None:
        if self.reset_sent is None:
            self.reset_sent = ResetSeen(at, self, self._cause(segment))
        self.enter(CLOSED, at)

    def _cause(self, segment: Segment) -> ResetCause:
        outgoing, incoming = self.outgoing, self.incoming
        if outgoing.isn is None and incoming.isn is not None:
            refuses = segment.flags & ACK and incoming.acceptable(segment.ack)
            return "no_listener" if refuses else "unknown"
        if outgoing.fin_acked and incoming.fin_acked:
            return "after_close"
        if outgoing.unanswered >= _GIVES_UP or (outgoing.unanswered and incoming.next is None):
            return "gave_up"
        if outgoing.fin is not None:
            return "late_data"
        if outgoing.probes:
            return "keepalive_timeout"
        return "abort" if self.state in {ESTABLISHED, CLOSE_WAIT} else "unknown"

    def _receives_reset(self, segment: Segment, at: Moment) -> None:
        if self.reset_received is None:
            self.reset_received = at
        if self.state is SYN_SENT and self.outgoing.isn is not None:
            self.refused = bool(segment.flags & ACK) and self.outgoing.acceptable(segment.ack)
            believed = self.refused
        else:
            believed = self.incoming.next is None or distance(self.incoming.arrived, segment.seq) >= 0
        if believed:
            self.enter(CLOSED, at)
