"""One end of a connection, replayed from the frames at its own port (RFC 9293, section 3.10.7).

An :class:`End` is told each segment it sent and each that reached it. It keeps the sequence numbers of both
directions, the state it must be in, and the first frame of everything worth naming. Memory is a fixed amount.
"""

from __future__ import annotations

from lab.flows.facts import Moment, ResetCause, moment_of
from lab.flows.incoming import FinSeen, Incoming
from lab.flows.outgoing import Outgoing
from lab.flows.serial import MASK, distance
from lab.flows.states import States
from lab.packets.segment import ACK, FIN, RST, SYN, Segment
from lab.words import TcpState


class ResetSeen:
    """The first RST that an end sent, and what it knew then of both FINs."""

    __slots__ = ("after_own_fin", "after_peer_fin", "cause", "moment")

    def __init__(self, segment: Segment, end: End, cause: ResetCause) -> None:
        self.moment = moment_of(segment)
        self.cause = cause
        self.after_own_fin = end.fin_sent is not None
        self.after_peer_fin = end.incoming.fin is not None


class End:
    """What one end sent and received, and the states that follow from it."""

    __slots__ = (
        "ack_received", "ack_sent", "fin_acked", "fin_sent", "heard", "incoming", "late", "late_seq",
        "outgoing", "peer_fin_acked", "reset_received", "reset_sent", "states", "syn_received", "syn_sent",
    )  # fmt: skip

    def __init__(self) -> None:
        self.outgoing = Outgoing()
        self.incoming = Incoming()
        self.states = States()
        self.heard: Moment | None = None
        """The last segment with data that reached it."""
        self.syn_sent: Moment | None = None
        self.syn_received: Moment | None = None
        self.ack_sent: Moment | None = None
        self.ack_received: Moment | None = None
        self.fin_sent: FinSeen | None = None
        self.fin_acked: Moment | None = None
        self.peer_fin_acked: Moment | None = None
        self.late: Moment | None = None
        self.late_seq = 0
        self.reset_sent: ResetSeen | None = None
        self.reset_received: Moment | None = None

    @property
    def seen(self) -> bool:
        """Whether any frame was seen at this end's port."""
        numbers = self.outgoing.next, self.incoming.expected
        return numbers != (None, None) or bool(self.reset_sent or self.reset_received)

    @property
    def late_acked(self) -> bool:
        """Whether the peer acknowledged what was sent after its FIN."""
        if self.late is None or self.outgoing.unacked is None:
            return False
        return distance(self.late_seq, self.outgoing.unacked) > 0

    def sent(self, segment: Segment) -> None:
        """The end sent a segment."""
        flags, incoming = segment.flags, self.incoming
        if incoming.fin is not None and self.peer_fin_acked is None:
            self._acknowledges_fin(segment, incoming.fin)
        if flags & RST:
            self._sends_reset(segment)
        elif flags & SYN:
            self._sends_syn(segment)
        elif flags & FIN:
            self._sends_fin(segment)
        elif segment.length or segment.seq != self.outgoing.next:
            self._sends_data(segment)
        if flags & ACK and segment.ack != incoming.expected and incoming.acknowledged(segment.ack):
            self.states.peer_fin(segment)
        if self.ack_sent is None and flags & (ACK | SYN | RST) == ACK:
            self.ack_sent = moment_of(segment)

    def received(self, segment: Segment) -> None:
        """A segment reached the end."""
        flags = segment.flags
        if segment.length:
            self.heard = moment_of(segment)
        if flags & RST:
            self._receives_reset(segment)
            return
        if flags & SYN:
            self._receives_syn(segment)
        # The acknowledgement first: a FIN that comes with that of one's own goes to TIME_WAIT, not CLOSING.
        if flags & ACK and segment.ack != self.outgoing.unacked and self.outgoing.acknowledged(segment.ack):
            self._progresses(segment)
        if not flags & SYN:
            self._receives_data(segment)

    # What it sends

    def _sends_data(self, segment: Segment) -> None:
        if self.outgoing.take(segment) and self.peer_fin_acked is not None and self.late is None:
            self.late, self.late_seq = moment_of(segment), segment.seq

    def _sends_syn(self, segment: Segment) -> None:
        states, outgoing = self.states, self.outgoing
        answers = segment.flags & ACK and states.now in {TcpState.CLOSED, TcpState.SYN_SENT}
        if self.syn_sent is None:
            self.syn_sent = moment_of(segment)
            outgoing.begin(segment)
        elif not answers and segment.seq == outgoing.isn:
            outgoing.resent_syn += 1
            outgoing.note("syn", segment)
        if answers:
            states.enter(TcpState.SYN_RECEIVED, segment)
        elif not states.history:
            states.enter(TcpState.SYN_SENT, segment)
            if self.syn_received is not None:
                states.enter(TcpState.SYN_RECEIVED, segment)

    def _sends_fin(self, segment: Segment) -> None:
        if self.fin_sent is not None:
            self.outgoing.resent_fin += 1
            self.outgoing.note("fin", segment)
            return
        if segment.seq != self.outgoing.next or segment.length:
            self._sends_data(segment)
        self.fin_sent = FinSeen(segment)
        self.outgoing.next = (self.fin_sent.position + 1) & MASK
        self.states.own_fin(segment, crossing=self.peer_fin_acked is None)

    def _sends_reset(self, segment: Segment) -> None:
        if self.reset_sent is None:
            self.reset_sent = ResetSeen(segment, self, self._cause(segment))
        self.states.enter(TcpState.CLOSED, segment)

    def _cause(self, segment: Segment) -> ResetCause:
        peer_isn = self.incoming.isn
        if self.outgoing.isn is None and peer_isn is not None:
            refused = segment.flags & ACK and segment.ack == (peer_isn + 1) & MASK
            return "no_listener" if refused else "unknown"
        if self.fin_acked and self.peer_fin_acked:
            return "after_close"
        if self.fin_sent is not None:
            return "late_data"
        return "abort" if self.states.now in {TcpState.ESTABLISHED, TcpState.CLOSE_WAIT} else "unknown"

    def _acknowledges_fin(self, segment: Segment, fin: FinSeen) -> None:
        if segment.flags & ACK and distance(fin.position, segment.ack) > 0:
            self.peer_fin_acked = moment_of(segment)

    # What reaches it

    def _receives_syn(self, segment: Segment) -> None:
        if self.syn_received is None:
            self.syn_received = moment_of(segment)
            self.incoming.begin(segment)
        if self.states.now != TcpState.SYN_SENT:
            return
        isn = self.outgoing.isn
        if not segment.flags & ACK:
            self.states.enter(TcpState.SYN_RECEIVED, segment)
        elif isn is None or segment.ack == (isn + 1) & MASK:
            self.states.enter(TcpState.ESTABLISHED, segment)

    def _receives_data(self, segment: Segment) -> None:
        flags, incoming = segment.flags, self.incoming
        if self.ack_received is None and flags & ACK:
            self.ack_received = moment_of(segment)
        if flags & FIN and incoming.fin is None:
            incoming.fin = FinSeen(segment)
        if incoming.take(segment):
            self.states.peer_fin(segment)

    def _receives_reset(self, segment: Segment) -> None:
        if self.reset_received is None:
            self.reset_received = moment_of(segment)
        if self._believes_reset(segment):
            self.states.enter(TcpState.CLOSED, segment)

    def _believes_reset(self, segment: Segment) -> bool:
        """Whether the RST is one for this end: it acknowledges the SYN, or lies in the window."""
        isn, expected = self.outgoing.isn, self.incoming.expected
        if self.states.now == TcpState.SYN_SENT and isn is not None:
            return bool(segment.flags & ACK) and segment.ack == (isn + 1) & MASK
        return expected is None or distance(expected, segment.seq) >= 0

    def _progresses(self, segment: Segment) -> None:
        """The peer acknowledges something for the first time."""
        if self.states.now == TcpState.SYN_RECEIVED:
            self.states.enter(TcpState.ESTABLISHED, segment)
        fin = self.fin_sent
        if fin is not None and self.fin_acked is None and distance(fin.position, segment.ack) > 0:
            self.fin_acked = moment_of(segment)
            self.states.fin_acked(segment)
