"""Why a side sent RST. The wire tells who answered what; its kernel's counters tell what the program did.

A socket that is closed with data unread, or with SO_LINGER at 0, or by its listener before it was accepted,
sends the same RST. The kernel counts the first (TCPAbortOnClose) and the second (TCPAbortOnData) for the
whole host and the third not at all (tcp_close() and inet_csk_listen_stop() of Linux's net/ipv4). So two
samples around an RST tell its cause, if all RSTs between them must have one and the same, and if as many were
captured as the kernel says it sent (OutRsts).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from lab.checks.case import Case
from lab.checks.doubt import of_looks
from lab.checks.select import history_of
from lab.evidence import Evidence
from lab.flows import Reset, Side
from lab.history import SocketHistory
from lab.scenario.checks import ResetWord
from lab.sockets import Instrument, SocketSample
from lab.words import TcpState

_ABORTED = "its program closed with data unread, or with linger 0"
_WHY = {
    "no_listener": "nothing listened on that port then",
    "late_data": "something arrived after it had closed",
    "unread_data": f"{_ABORTED}: with data unread, says its kernel; read until recv gives 0 before closing",
    "linger0": f"{_ABORTED}: with linger 0 (SO_LINGER), says its kernel, for all was read",
    "listener_closed": "its listener was closed before any program had accepted the connection",
    "after_close": "both sides had already closed",
    "abort": f"{_ABORTED}, or its listener before anybody had accepted the connection",
}

_FROM_A_CLOSE = frozenset({"abort", "late_data", "unknown"})
"""What the wire says of an RST that may come from a close; the others answer a segment."""

Cause = tuple[ResetWord | None, list[str]]
"""The cause, None where it cannot be known, and what of the kernel's samples tells it."""


def cause_of(side: Side, case: Case) -> Cause:
    """Why a side that sent RST did so."""
    reset = side.reset
    if reset is None:
        return None, []
    if reset.cause == "no_listener":
        return reset.cause, []
    if reset.cause == "abort":
        return _aborted(side, reset, case)
    if reset.cause == "late_data":
        return _after_own_fin(side, reset, case)
    return None, []


def cause_told(side: Side, case: Case) -> str:
    """The cause in words; as much as is known of it."""
    if side.reset is None:
        return ""
    cause, _ = cause_of(side, case)
    return _WHY.get(cause or side.reset.cause, "")


def _aborted(side: Side, reset: Reset, case: Case) -> Cause:
    """The RST came from a close: what the kernel counted meanwhile."""
    span = _span(side.host, reset, case.evidence)
    if span is None:
        return None, []
    if span.unread_closes == span.closes:
        return "unread_data", [span.told("TCPAbortOnClose", case)]
    if span.data_aborts == span.closes and not span.unread_closes:
        return "linger0", [span.told("TCPAbortOnData", case)]
    if span.unread_closes or span.data_aborts or not _listener_went(side, span, case):
        return None, []
    gone = f"the kernel of {side.host} shows LISTEN on port {side.port} no more at "
    counted = [span.told(counter, case) for counter in ("TCPAbortOnClose", "TCPAbortOnData")]
    return "listener_closed", [*counted, gone + case.teller.when(span.after.at)]


def _after_own_fin(side: Side, reset: Reset, case: Case) -> Cause:
    """Sent after the own FIN: to late data, unless the kernel says that every close left data unread."""
    span = _span(side.host, reset, case.evidence)
    if span is not None and span.unread_closes == span.closes:
        return "unread_data", [span.told("TCPAbortOnClose", case)]
    return "late_data", []


def _listener_went(side: Side, span: _Span, case: Case) -> bool:
    """Whether a listener that the side had not been accepted from was there before, and is gone."""
    accepted = side.bytes or any(row.inode for sample, row in case.rows(side) if sample.at < span.after.at)
    full = span.before.overflows != span.after.overflows
    history = history_of(case.evidence, side.host)
    went = _listens(side, history, span.first) and not _listens(side, history, span.last)
    return side is case.connection.server and went and not accepted and not full


def _listens(side: Side, history: SocketHistory, number: int) -> bool:
    return any(
        stand.first <= number <= stand.last
        and stand.row.local_port == side.port
        and (stand.row.local == side.address or ip_address(stand.row.local).is_unspecified)
        for stand in history.in_state(TcpState.LISTEN)
    )


# Two samples around an RST


@dataclass(frozen=True, slots=True)
class _Span:
    """Two samples of a host, and their numbers; ``closes`` RSTs between them may have come from a close."""

    first: int
    last: int
    before: SocketSample
    after: SocketSample
    closes: int

    @property
    def unread_closes(self) -> int:
        return self.after.unread_closes - self.before.unread_closes

    @property
    def data_aborts(self) -> int:
        return self.after.data_aborts - self.before.data_aborts

    def told(self, counter: str, case: Case) -> str:
        """What became of a counter, as evidence."""
        name = {"TCPAbortOnClose": "unread_closes", "TCPAbortOnData": "data_aborts"}[counter]
        first, last = getattr(self.before, name), getattr(self.after, name)
        times = f"{case.teller.when(self.before.at)} and {case.teller.when(self.after.at)}"
        went = f"went from {first} to {last}" if first != last else f"stayed {first}"
        return f"{counter} of {self.after.host} {went} between {times}"


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
