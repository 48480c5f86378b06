"""One end of a connection, replayed from the frames at its own port (RFC 9293, section 3.10.7).

An :class:`End` is told each segment it sent and each that reached it, after the streams of both directions
have taken it in. It keeps the state it must be in. Memory is a fixed amount.
"""

from __future__ import annotations

from lab.flows.facts import Moment, ResetCause, moment_of
from lab.flows.serial import distance
from lab.flows.states import CLOSE_WAIT, CLOSED, ESTABLISHED, SYN_RECEIVED, SYN_SENT, States
from lab.flows.stream import Stream
from lab.packets.segment import ACK, FIN, RST, SYN, Segment

_GIVES_UP = 3
"""Segments sent again without any answer after which an RST says that the sender gave up."""


class ResetSeen:
    """The first RST that an end sent, and what it knew then of both FINs."""

    __slots__ = ("after_own_fin", "after_peer_fin", "cause", "moment")

    def __init__(self, segment: Segment, end: End, cause: ResetCause) -> None:
        self.moment = moment_of(segment)
        self.cause = cause
        self.after_own_fin = end.outgoing.fin is not None
        self.after_peer_fin = end.incoming.fin is not None


class End:
    """What one end sent and received, and the states that follow from it.

    Where both directions are seen at one place only, both ends share their streams.
    """

    __slots__ = (
        "_fin_acked", "_fin_received", "_fin_sent", "incoming", "late", "late_seq", "opens", "outgoing",
        "refused", "reset_received", "reset_sent", "states",
    )  # fmt: skip

    def __init__(self, outgoing: Stream, incoming: Stream) -> None:
        self.outgoing = outgoing
        self.incoming = incoming
        self.states = States()
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

    def sent(self, segment: Segment, *, new: bool) -> None:
        """The end sent a segment; ``new`` says that it has data beyond all that it sent before."""
        flags = segment.flags
        if flags & RST:
            self._sends_reset(segment)
            return
        if flags & SYN:
            self._sends_syn(segment)
        elif new and self.late is None and self.incoming.fin_acked is not None:
            self.late, self.late_seq = moment_of(segment), segment.seq
        if flags & FIN and not self._fin_sent:
            self._fin_sent = True
            self.states.own_fin(segment, crossing=self.incoming.fin_acked is None)
        if flags & SYN or (self.incoming.fin is not None and not self._fin_received):
            self._progress(segment)

    def received(self, segment: Segment) -> None:
        """A segment reached the end."""
        flags = segment.flags
        if flags & RST:
            self._receives_reset(segment)
            return
        if flags & SYN:
            self._receives_syn(segment)
        self._progress(segment)

    def _progress(self, segment: Segment) -> None:
        """What the streams have come to leads to other states."""
        states, outgoing, incoming = self.states, self.outgoing, self.incoming
        # The acknowledgement first: a FIN that comes with that of one's own goes to TIME_WAIT, not CLOSING.
        if states.now is SYN_RECEIVED and outgoing.syn_acked is not None:
            states.enter(ESTABLISHED, segment)
        if not self._fin_acked and self._fin_sent and outgoing.fin_acked is not None:
            self._fin_acked = True
            states.fin_acked(segment)
        if not self._fin_received and incoming.fin is not None and incoming.complete:
            self._fin_received = True
            states.peer_fin(segment)

    # SYN

    def _sends_syn(self, segment: Segment) -> None:
        states = self.states
        if segment.flags & ACK and states.now in {CLOSED, SYN_SENT}:
            states.enter(SYN_RECEIVED, segment)
        elif not states.history:
            self.opens = True
            states.enter(SYN_SENT, segment)
            if self.incoming.syn is not None:
                states.enter(SYN_RECEIVED, segment)

    def _receives_syn(self, segment: Segment) -> None:
        states, syn = self.states, self.incoming.syn
        if states.now is SYN_SENT:
            if not segment.flags & ACK:
                states.enter(SYN_RECEIVED, segment)
            elif self.outgoing.acceptable(segment.ack):
                states.enter(ESTABLISHED, segment)
        elif syn is not None and syn.frame == segment.frame:
            # A SYN-ACK with other numbers takes the place of the one before.
            states.enter_again(ESTABLISHED, segment)

    # RST

    def _sends_reset(self, segment: Segment) -> None:
        if self.reset_sent is None:
            self.reset_sent = ResetSeen(segment, self, self._cause(segment))
        self.states.enter(CLOSED, segment)

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
        return "abort" if self.states.now in {ESTABLISHED, CLOSE_WAIT} else "unknown"

    def _receives_reset(self, segment: Segment) -> None:
        if self.reset_received is None:
            self.reset_received = moment_of(segment)
        if self.states.now is SYN_SENT and self.outgoing.isn is not None:
            self.refused = bool(segment.flags & ACK) and self.outgoing.acceptable(segment.ack)
            believed = self.refused
        else:
            believed = self.incoming.next is None or distance(self.incoming.arrived, segment.seq) >= 0
        if believed:
            self.states.enter(CLOSED, segment)
