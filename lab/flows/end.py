"""One end of a connection, replayed from the frames at its own port (RFC 9293, section 3.10.7).

An :class:`End` is told each segment it sent and each that reached it, and keeps the state it must be in, the
sequence ranges of both directions, and the first frame of everything worth naming. Memory is a fixed amount.
"""

from __future__ import annotations

from typing import Literal

from lab.flows.facts import Moment, Resent, ResetCause, StateChange
from lab.flows.serial import MASK, distance
from lab.packets.segment import ACK, FIN, RST, SYN, Segment
from lab.words import TcpState

_CONTROL = SYN | FIN | RST
_MOST_HOLES = 64
"""Ranges kept that arrived early: beyond them the end's own acknowledgements must tell."""

_MOST_CHANGES = 32
"""States kept; a connection has at most eight unless its frames are nonsense."""

_REORDERED_WITHIN = 3_000_000
"""ns within which a segment that fills a gap was reordered; later, it was lost on its way and sent again."""

_MOST_RESENT = 8
"""Retransmissions that are named; all are counted."""

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


class FinSeen:
    """The first FIN of a direction: its own sequence number, and what it acknowledged."""

    __slots__ = ("ack", "moment", "position")

    def __init__(self, segment: Segment) -> None:
        self.moment = _moment(segment)
        self.position = (segment.seq + segment.length) & MASK
        self.ack = segment.ack


class End:
    """What one end sent and received, and the states that follow from it."""

    __slots__ = (
        "ack_received",
        "ack_sent",
        "bytes",
        "expected",
        "fin_acked",
        "fin_received",
        "fin_sent",
        "flowing",
        "gaps",
        "heard",
        "history",
        "holes",
        "isn",
        "late",
        "late_seq",
        "next",
        "next_at",
        "peer_fin_acked",
        "peer_isn",
        "reordered",
        "resent",
        "resent_data",
        "resent_fin",
        "resent_syn",
        "reset_cause",
        "reset_fins",
        "reset_heard",
        "reset_received",
        "reset_sent",
        "skipped",
        "state",
        "syn_received",
        "syn_sent",
        "unacked",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = TcpState.CLOSED
        self.flowing = False
        self.history: list[StateChange] = []
        self.isn: int | None = None
        self.peer_isn: int | None = None
        self.next: int | None = None
        """The sequence number after the last that was sent."""
        self.unacked: int | None = None
        """The first that the peer has not acknowledged."""
        self.expected: int | None = None
        """The next to arrive in order."""
        self.holes: list[tuple[int, int]] = []
        self.skipped: list[tuple[int, int]] = []
        """Ranges that it must have sent and that were not seen."""
        self.next_at = 0
        """When something beyond such a range was first seen (ns)."""
        self.bytes = self.gaps = self.reordered = 0
        self.heard: Segment | None = None
        """The last segment with data that reached it."""
        self.resent_syn = self.resent_data = self.resent_fin = 0
        self.resent: tuple[Resent, ...] = ()
        self.syn_sent: Moment | None = None
        self.syn_received: Moment | None = None
        self.ack_sent: Moment | None = None
        self.ack_received: Moment | None = None
        self.fin_sent: FinSeen | None = None
        self.fin_received: FinSeen | None = None
        self.fin_acked: Moment | None = None
        self.peer_fin_acked: Moment | None = None
        self.late: Moment | None = None
        self.late_seq = 0
        self.reset_sent: Moment | None = None
        self.reset_received: Moment | None = None
        self.reset_cause: ResetCause = "unknown"
        self.reset_fins = (False, False)
        self.reset_heard: Segment | None = None

    def assume(self, state: TcpState, segment: Segment) -> None:
        """Begin in a state whose cause came before the capture."""
        self._enter(state, segment)

    @property
    def seen(self) -> bool:
        """Whether any frame was seen at this end's port."""
        return any(
            mark is not None for mark in (self.next, self.expected, self.reset_sent, self.reset_received)
        )

    @property
    def late_acked(self) -> bool:
        """Whether the peer acknowledged what was sent after its FIN."""
        if self.late is None or self.unacked is None:
            return False
        return distance(self.late_seq, self.unacked) > 0

    def sent(self, segment: Segment) -> None:
        """The end sent a segment."""
        if (
            self.flowing
            and segment.seq == self.next
            and segment.ack == self.expected
            and not segment.flags & _CONTROL
        ):
            if segment.length:
                self.next = (segment.seq + segment.length) & MASK
                self.bytes += segment.length
            return
        self._sent(segment)
        self.flowing = self._runs_smoothly()

    def received(self, segment: Segment) -> None:
        """A segment reached the end."""
        if (
            self.flowing
            and segment.seq == self.expected
            and segment.ack == self.next
            and not segment.flags & _CONTROL
        ):
            self.unacked = segment.ack
            if segment.length:
                self.expected = (segment.seq + segment.length) & MASK
                self.heard = segment
            return
        if segment.length:
            self.heard = segment
        self._received(segment)
        self.flowing = self._runs_smoothly()

    def _runs_smoothly(self) -> bool:
        """Whether it is open and nothing is amiss: what comes next in line then needs no study."""
        return (
            self.state == TcpState.ESTABLISHED
            and self.ack_sent is not None
            and self.ack_received is not None
            and self.fin_received is None
            and not self.holes
        )

    def _sent(self, segment: Segment) -> None:
        flags = segment.flags
        if self.fin_received is not None and self.peer_fin_acked is None:
            self._acknowledge_fin(segment, self.fin_received)
        if flags & _CONTROL:
            self._control_sent(segment)
        elif segment.seq == self.next:
            if segment.length:
                self._new_data(segment, segment.length)
        else:
            self._out_of_line(segment)
        if flags & ACK and segment.ack != self.expected:
            self._acknowledges_unseen(segment)
        if self.ack_sent is None and flags & (ACK | SYN | RST) == ACK:
            self.ack_sent = _moment(segment)

    def _received(self, segment: Segment) -> None:
        flags = segment.flags
        if flags & (SYN | RST):
            self._syn_or_reset_received(segment)
            return
        # The acknowledgement first: a FIN that comes with that of one's own goes to TIME_WAIT, not CLOSING.
        if flags & ACK and segment.ack != self.unacked:
            self._acknowledged(segment)
        if self.ack_received is None and flags & ACK:
            self.ack_received = _moment(segment)
        if flags & FIN:
            self.fin_received = self.fin_received or FinSeen(segment)
        if segment.seq == self.expected and not self.holes and self.fin_received is None:
            self.expected = (segment.seq + segment.length) & MASK
        else:
            self._arrived(segment)

    # What was sent

    def _new_data(self, segment: Segment, length: int) -> None:
        self.next = (segment.seq + segment.length) & MASK
        if self.peer_fin_acked is not None and self.late is None:
            self.late, self.late_seq = _moment(segment), segment.seq
        self.bytes += length

    def _out_of_line(self, segment: Segment) -> None:
        """Data before or after the next number: sent again, or something between is not in the capture."""
        if self.next is None:
            self.next = segment.seq
            self.unacked = segment.seq if self.unacked is None else self.unacked
        start = distance(self.next, segment.seq)
        end = start + segment.length
        if start > 0:
            self._skip(self.next, segment)
        elif self._repeats(segment, start):
            self.resent_data += 1
            self._note_resent("data", segment)
        if end > 0:
            # A gap was sent too, though not seen: it counts, up to where this segment ends.
            self._new_data(segment, end)

    def _repeats(self, segment: Segment, start: int) -> bool:
        if start >= 0 or not segment.length or self._keeps_alive(segment, start):
            return False
        return start + segment.length > 0 or not self._comes_late(segment)

    def _skip(self, start: int, segment: Segment) -> None:
        """What lies before the segment was not seen: it may come late, or the capture lacks it."""
        self.gaps += 1
        if len(self.skipped) < _MOST_HOLES:
            self.skipped.append((start, segment.seq))
            self.next_at = segment.time

    def _comes_late(self, segment: Segment) -> bool:
        """Whether a segment fills a gap, and so soon that it was but reordered on its way."""
        start, end = segment.seq, (segment.seq + segment.length) & MASK
        for index, (low, high) in enumerate(self.skipped):
            if distance(low, start) >= 0 and distance(end, high) >= 0:
                rest = [(low, start)] * (low != start) + [(end, high)] * (end != high)
                self.skipped[index : index + 1] = rest
                self.gaps += len(rest) - 1
                late = segment.time - self.next_at < _REORDERED_WITHIN
                self.reordered += late
                return late
        return False

    def _note_resent(self, what: Literal["syn", "data", "fin"], segment: Segment) -> None:
        if len(self.resent) < _MOST_RESENT:
            self.resent += (Resent(what, _moment(segment)),)

    def _keeps_alive(self, segment: Segment, start: int) -> bool:
        return start == -1 and segment.length == 1 and self.unacked == self.next

    def _control_sent(self, segment: Segment) -> None:
        if segment.flags & RST:
            self._reset_sent(segment)
        elif segment.flags & SYN:
            self._syn_sent(segment)
        else:
            self._fin_sent(segment)

    def _syn_sent(self, segment: Segment) -> None:
        answers = segment.flags & ACK and self.state in {TcpState.CLOSED, TcpState.SYN_SENT}
        if self.syn_sent is None:
            self.syn_sent = _moment(segment)
            self.isn = self.unacked = segment.seq
            self.next = (segment.seq + 1 + segment.length) & MASK
            self.bytes = segment.length
        elif not answers and segment.seq == self.isn:
            self.resent_syn += 1
            self._note_resent("syn", segment)
        if answers:
            self._enter(TcpState.SYN_RECEIVED, segment)
        elif not self.history:
            self._enter(TcpState.SYN_SENT, segment)
            if self.syn_received is not None:
                self._enter(TcpState.SYN_RECEIVED, segment)

    def _fin_sent(self, segment: Segment) -> None:
        if self.fin_sent is not None:
            self.resent_fin += 1
            self._note_resent("fin", segment)
            return
        if segment.seq != self.next or segment.length:
            self._out_of_line(segment)
        self.fin_sent = FinSeen(segment)
        self.next = (self.fin_sent.position + 1) & MASK
        if self.state == TcpState.CLOSE_WAIT and self.peer_fin_acked is None:
            self._fins_cross(segment)
        elif after := _AFTER_OWN_FIN.get(self.state):
            self._enter(after, segment)

    def _fins_cross(self, segment: Segment) -> None:
        """The peer's FIN was on its way in when this one was sent, unaware of it: it was no CLOSE_WAIT."""
        self.history.pop()
        self._enter(TcpState.FIN_WAIT_1, segment)
        self._enter(TcpState.CLOSING, segment)

    def _reset_sent(self, segment: Segment) -> None:
        if self.reset_sent is None:
            self.reset_sent = _moment(segment)
            self.reset_fins = self.fin_sent is not None, self.fin_received is not None
            self.reset_heard = self.heard
            self.reset_cause = self._cause(segment)
        self._enter(TcpState.CLOSED, segment)

    def _cause(self, segment: Segment) -> ResetCause:
        if self.isn is None and self.peer_isn is not None:
            refused = segment.flags & ACK and segment.ack == (self.peer_isn + 1) & MASK
            return "no_listener" if refused else "unknown"
        if self.fin_acked and self.peer_fin_acked:
            return "after_close"
        if self.fin_sent is not None:
            return "late_data"
        return "abort" if self.state in {TcpState.ESTABLISHED, TcpState.CLOSE_WAIT} else "unknown"

    def _acknowledges_unseen(self, segment: Segment) -> None:
        """An acknowledgement proves arrival even of what the capture lacks."""
        if self.expected is None or distance(self.expected, segment.ack) <= 0:
            return
        self.gaps += 1
        self.expected = segment.ack
        self._fill(segment)

    def _acknowledge_fin(self, segment: Segment, fin: FinSeen) -> None:
        if segment.flags & ACK and distance(fin.position, segment.ack) > 0:
            self.peer_fin_acked = _moment(segment)

    # What arrived

    def _syn_or_reset_received(self, segment: Segment) -> None:
        if segment.flags & RST:
            self._reset_received(segment)
            return
        self._syn_received(segment)
        if segment.flags & ACK:
            self._acknowledged(segment)

    def _syn_received(self, segment: Segment) -> None:
        if self.syn_received is None:
            self.syn_received = _moment(segment)
            self.peer_isn = segment.seq
            self.expected = (segment.seq + 1 + segment.length) & MASK
        if self.state != TcpState.SYN_SENT:
            return
        if not segment.flags & ACK:
            self._enter(TcpState.SYN_RECEIVED, segment)
        elif self.isn is None or segment.ack == (self.isn + 1) & MASK:
            self._enter(TcpState.ESTABLISHED, segment)

    def _reset_received(self, segment: Segment) -> None:
        if self.reset_received is None:
            self.reset_received = _moment(segment)
        if self._believes_reset(segment):
            self._enter(TcpState.CLOSED, segment)

    def _believes_reset(self, segment: Segment) -> bool:
        """Whether the RST is one for this end: it acknowledges the SYN, or lies in the window."""
        if self.state == TcpState.SYN_SENT and self.isn is not None:
            return bool(segment.flags & ACK) and segment.ack == (self.isn + 1) & MASK
        return self.expected is None or distance(self.expected, segment.seq) >= 0

    def _arrived(self, segment: Segment) -> None:
        """Put a segment's range in its place and move on over whatever is complete."""
        if self.expected is None:
            self.expected = segment.seq
        start, end = segment.seq, (segment.seq + segment.length) & MASK
        if distance(self.expected, start) > 0:
            if segment.length and len(self.holes) < _MOST_HOLES:
                self.holes.append((start, end))
        elif distance(self.expected, end) > 0:
            self.expected = end
        self._fill(segment)

    def _fill(self, segment: Segment) -> None:
        """Take in what had arrived early, then the peer's FIN if everything before it is here."""
        at = self.expected
        if at is None:
            return
        for start, end in self._early_in_order(at):
            if distance(at, start) <= 0 < distance(at, end):
                at = end
        self.holes = [hole for hole in self.holes if distance(at, hole[1]) > 0]
        self.expected = at
        fin = self.fin_received
        if fin is None or distance(fin.position, at) not in {0, 1}:
            return
        self.expected = (fin.position + 1) & MASK
        if after := _AFTER_PEER_FIN.get(self.state):
            self._enter(after, segment)

    def _early_in_order(self, at: int) -> list[tuple[int, int]]:
        return sorted(self.holes, key=lambda hole: distance(at, hole[0]))

    def _acknowledged(self, segment: Segment) -> None:
        if self.unacked is None:
            self.unacked = segment.ack
            self.next = segment.ack if self.next is None else self.next
            return
        progress = distance(self.unacked, segment.ack)
        if progress <= 0:
            return
        if self.next is not None and distance(self.next, segment.ack) > 0:
            self.gaps += 1
            self.next = segment.ack
        self.unacked = segment.ack
        if self.state == TcpState.SYN_RECEIVED:
            self._enter(TcpState.ESTABLISHED, segment)
        if self.fin_sent is not None and self.fin_acked is None:
            self._fin_acknowledged(segment, self.fin_sent)

    def _fin_acknowledged(self, segment: Segment, fin: FinSeen) -> None:
        if distance(fin.position, segment.ack) > 0:
            self.fin_acked = _moment(segment)
            if after := _AFTER_FIN_ACKED.get(self.state):
                self._enter(after, segment)

    def _enter(self, state: TcpState, segment: Segment) -> None:
        if state != self.state:
            self.state = state
            if len(self.history) < _MOST_CHANGES:
                self.history.append(StateChange(state, _moment(segment)))


def _moment(segment: Segment) -> Moment:
    return Moment(segment.frame, segment.time)
