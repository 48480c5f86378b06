"""Why a side sent RST. The wire tells who answered what; its kernel's counters tell what the program did.

A socket that is closed with data unread, or with SO_LINGER at 0, or by its listener before it was accepted,
sends the same RST, and so does one whose peer no longer answers. The kernel counts the first
(TCPAbortOnClose), the second (TCPAbortOnData) and the last (TCPAbortOnTimeout) for the whole host, and the
third not at all (tcp_close(), inet_csk_listen_stop() and tcp_write_err() of Linux's net/ipv4). So two
samples around an RST tell its cause, if all RSTs between them must have one and the same, and if as many were
captured as the kernel says it sent (OutRsts).

The timer of keep-alive runs only while nothing waits to be acknowledged, and sends the RST itself. Where data
waits, the kernel gives the connection up in silence, and the RST answers what comes later.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Literal

from msgspec import Struct

from lab.checks.completeness import of_looks
from lab.checks.context import CheckContext
from lab.checks.select import history_of
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import SocketHistory
from lab.evidence.message import Proof, proof
from lab.evidence.sockets import Instrument, SocketSample
from lab.wire.tcp import Reset, Side

ResetWord = Literal[
    "unread_data",
    "linger0",
    "no_listener",
    "late_data",
    "listener_closed",
    "keepalive_timeout",
    "user_timeout",
]

_SEEN = {"keepalive_timeout": "unanswered_probes", "gave_up": "unanswered_data", "unknown": ""}
"""As much as the wire alone tells, where that is less than the kernel may know."""

_SOCKETS = frozenset({"abort", "keepalive_timeout", "gave_up"})
"""What the wire says of an RST that a socket sent of itself, before any FIN: its kernel knows why."""

_FROM_A_CLOSE = _SOCKETS | {"late_data", "unknown"}
"""What the wire says of an RST that may come from a close; the others answer a segment."""

CauseWord = ResetWord | Literal["gave_up", "memory", "other"]
"""A cause that a check can name, or one that no check names."""

Cause = tuple[CauseWord | None, list[Proof]]
"""The cause, None where it cannot be known, and what of the kernel's samples tells it."""

_RESENDS = 15
"""How often Linux sends data again before it gives up, unless TCP_USER_TIMEOUT says when (tcp_retries2)."""

_COUNTED_WITHIN = 20_000_000
"""ns after an RST within which the kernel has counted its cause."""


def cause_of(side: Side, context: CheckContext) -> Cause:
    """Why a side that sent RST did so."""
    reset = side.reset
    if reset is None:
        return None, []
    if reset.cause == "no_listener":
        return reset.cause, []
    if reset.cause in _SOCKETS:
        return _aborted(side, reset, context)
    if reset.cause == "late_data":
        return _after_own_fin(side, reset, context)
    return None, []


def known_cause(side: Side, context: CheckContext) -> str:
    """As much as is known of the cause: its word, or one that stands for several; empty for nothing."""
    if side.reset is None:
        return ""
    cause, _ = cause_of(side, context)
    return cause or _SEEN.get(side.reset.cause, side.reset.cause)


def _aborted(side: Side, reset: Reset, context: CheckContext) -> Cause:
    """The RST came from a close or a timer: what the kernel counted meanwhile."""
    span = _span(side.host, reset, context.evidence)
    if span is None:
        return None, []
    if span.counted("TCPAbortOnClose") == span.closes:
        return "unread_data", [span.proof("TCPAbortOnClose")]
    if not any(span.counted(counter) for counter in _COUNTERS):
        return _uncounted(side, reset, span, context)
    counter = next((counter for counter in _COUNTERS if span.only(counter)), "")
    return _counted_as(counter, side, span, context), [span.proof(counter)] if counter else []


def _counted_as(counter: str, side: Side, span: _Span, context: CheckContext) -> CauseWord | None:
    """The cause that one counter alone stands for."""
    match counter:
        case "TCPAbortOnData":
            return "linger0"
        case "TCPAbortOnTimeout":
            return _timed_out(side, span, context)
        case "TCPAbortOnMemory":
            return "memory"
        case _:
            return None


def _timed_out(side: Side, span: _Span, context: CheckContext) -> CauseWord:
    """Which timer ran out: that of keep-alive runs only while nothing waits to be acknowledged."""
    rows = [row for sample, row in context.rows(side) if sample.at < span.after.at]
    waits = rows[-1].send_queue > 0 if rows else side.retransmissions.data > 0
    if not waits:
        return "keepalive_timeout"
    return "user_timeout" if side.retransmissions.data < _RESENDS else "gave_up"


def _uncounted(side: Side, reset: Reset, span: _Span, context: CheckContext) -> Cause:
    """None of the kernel's causes was counted: the listener was closed, or the socket was aborted."""
    counted = [span.proof(counter) for counter in _COUNTERS]
    if _listener_went(side, span, context):
        gone = proof("socket", "listens-no-more", host=side.host, time=span.after.at, port=side.port)
        return "listener_closed", [*counted[:2], gone]
    known = side is context.connection.client or _was_accepted(side, span, context)
    return ("other", counted) if known and _never_counted(side, reset, span, context) else (None, [])


def _never_counted(side: Side, reset: Reset, span: _Span, context: CheckContext) -> bool:
    """Whether no counter had gone up when there had been time for it, whatever else was reset meanwhile."""
    since = reset.sent.time + _COUNTED_WITHIN if reset.sent else 0
    samples = history_of(context.evidence, side.host).samples
    later = (samples[number] for number in range(span.last, len(samples)))
    found = next((sample for sample in later if max(sample.at, sample.until) >= since), None)
    names = _COUNTERS.values()
    return found is not None and all(getattr(found, name) == getattr(span.before, name) for name in names)


def _after_own_fin(side: Side, reset: Reset, context: CheckContext) -> Cause:
    """Sent after the own FIN: to late data, unless the kernel counted another cause for each RST."""
    span = _span(side.host, reset, context.evidence)
    if span is not None and span.counted("TCPAbortOnClose") == span.closes:
        return "unread_data", [span.proof("TCPAbortOnClose")]
    if span is not None and span.only("TCPAbortOnTimeout"):
        return _timed_out(side, span, context), [span.proof("TCPAbortOnTimeout")]
    return "late_data", []


def _listener_went(side: Side, span: _Span, context: CheckContext) -> bool:
    """Whether a listener that the side had not been accepted from was there before, and is gone."""
    accepted = _was_accepted(side, span, context)
    full = span.before.overflows != span.after.overflows
    history = history_of(context.evidence, side.host)
    went = _listens(side, history, span.first) and not _listens(side, history, span.last)
    return side is context.connection.server and went and not accepted and not full


def _was_accepted(side: Side, span: _Span, context: CheckContext) -> bool:
    """Whether a program surely had the connection: it sent something, or a process held the socket."""
    held = any(row.inode for sample, row in context.rows(side) if sample.at < span.after.at)
    return bool(side.bytes) or held


def _listens(side: Side, history: SocketHistory, number: int) -> bool:
    return any(
        stand.first <= number <= stand.last
        and stand.row.local_port == side.port
        and (stand.row.local == side.address or ip_address(stand.row.local).is_unspecified)
        for stand in history.in_state(TcpState.LISTEN)
    )


# Two samples around an RST

_COUNTERS = {
    "TCPAbortOnClose": "unread_closes",
    "TCPAbortOnData": "data_aborts",
    "TCPAbortOnTimeout": "timeouts",
    "TCPAbortOnMemory": "memory_aborts",
}
"""What the kernel counts of RSTs that a socket sends, by the kernel's names."""


class _Span(Struct, frozen=True):
    """Two samples of a host, and their numbers; ``closes`` RSTs between them may have come from a close."""

    first: int
    last: int
    before: SocketSample
    after: SocketSample
    closes: int

    def counted(self, counter: str) -> int:
        """By how much a counter went up."""
        first, last = self._ends(counter)
        return last - first

    def only(self, counter: str) -> bool:
        """Whether a counter went up by one for each RST, and no other did."""
        others = (self.counted(other) for other in _COUNTERS if other != counter)
        return self.counted(counter) == self.closes and not any(others)

    def _ends(self, counter: str) -> tuple[int, int]:
        name = _COUNTERS[counter]
        return getattr(self.before, name), getattr(self.after, name)

    def proof(self, counter: str) -> Proof:
        """What became of a counter, as evidence."""
        first, last = self._ends(counter)
        host, since, until = self.after.host, self.before.at, self.after.at
        if first == last:
            return proof(
                "counter", "counter-stayed", host=host, time=until, counter=counter, value=last, since=since
            )
        return proof(
            "counter",
            "counter-went",
            host=host,
            time=until,
            counter=counter,
            first=first,
            last=last,
            since=since,
        )


def _span(host: str, reset: Reset, evidence: Evidence) -> _Span | None:
    """The last sample before the RST and the last before the next one; None if the counters do not add up."""
    if reset.sent is None or of_looks(evidence, host, Instrument.SOCKETS, Instrument.COUNTERS):
        return None
    sent, times = reset.sent.time, evidence.resets.get(host, ())
    samples = history_of(evidence, host).samples
    clean = list(_clean(host, evidence))
    first = next((number for number in reversed(clean) if samples[number].at < sent), None)
    then = next((samples[number].at for number in clean if samples[number].at > sent), None)
    if first is None or then is None:
        return None
    upto = bisect_right(times, then)
    last = [
        number
        for number in clean
        if samples[number].at >= then and bisect_right(times, samples[number].at) == upto
    ][-1]
    before, after = samples[first], samples[last]
    if after.resets - before.resets != upto - bisect_left(times, before.at):
        return None
    return _Span(first, last, before, after, _closes(host, before.at, after.at, evidence))


def _clean(host: str, evidence: Evidence) -> Iterator[int]:
    """The numbers of the samples of a host during which it sent no RST: what they count is clear."""
    times = evidence.resets.get(host, ())
    for number, sample in enumerate(history_of(evidence, host).samples):
        if bisect_left(times, sample.at) == bisect_right(times, sample.at + sample.took):
            yield number


def _closes(host: str, since: int, until: int, evidence: Evidence) -> int:
    """How many sides of a host sent their first RST in a time, and may have done so by closing."""
    return sum(
        side.host == host
        and side.reset is not None
        and side.reset.cause in _FROM_A_CLOSE
        and side.reset.sent is not None
        and since < side.reset.sent.time < until
        for connection in evidence.connections
        for side in connection.sides
    )
