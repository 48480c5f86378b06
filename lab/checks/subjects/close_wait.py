"""``close_wait``: the side whose peer has closed, until it closes too.

The capture at the host's own port says when: from the peer's FIN *arriving* (not from its acknowledgement,
which may come 40 ms later) to the own FIN being sent. The kernel's samples confirm it and say why it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from msgspec import Struct
from pydantic import Field

from lab.checks import doubt
from lab.checks.agreement import LAG, Agreement, looks_of
from lab.checks.check import Check
from lab.checks.death import Death, death_behind
from lab.checks.finding import Finding, conclude, find, joined
from lab.checks.holders import holders
from lab.checks.select import history_of
from lab.checks.telling import Teller, named, seconds, span
from lab.core.durations import format_duration
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import Ports, SocketHistory, order_of
from lab.evidence.sockets import SocketRow, SocketSample
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import HostName, Model, Port
from lab.scenario.checks import Span
from lab.scenario.mistake import Mistake
from lab.wire.tcp import Connection, Moment, Side, StateChange

Row = tuple[SocketSample, SocketRow]
_LONG = 100_000_000
"""ns after which a stay that has ended is worth telling why it lasted."""


class _Stay(Struct, frozen=True):
    """One stay in CLOSE_WAIT, and the rows of the kernel's samples that show it.

    ``left`` is None if it lasted until the observation ended, at ``end`` (ns). ``death`` is the end of a
    program that sent what ended it; ``lacking`` is what the capture may lack of the connection.
    """

    connection: Connection
    side: Side
    began: Moment
    left: StateChange | None
    end: int
    rows: tuple[Row, ...]
    death: Death | None = None
    lacking: str = ""

    @property
    def cut(self) -> bool:
        """Whether it would have gone on: the run ended, or a program's end that is no close."""
        return self.left is None or (self.death is not None and not self.death.counts)

    @property
    def dwell(self) -> int:
        return self.end - self.began.time

    @property
    def by_fin(self) -> bool:
        """Whether the host's own FIN ended it, which its program sent."""
        return not self.cut and self.left is not None and self.left.state == TcpState.LAST_ACK


class CloseWaitRef(Model):
    """CLOSE_WAIT on one host."""

    heading: ClassVar[str] = "Which CLOSE_WAIT"

    host: Annotated[HostName, Field(description="The host")]
    peer: Annotated[HostName | None, Field(description="The host that closed first; any unless given")] = None
    port: Annotated[Port | None, Field(description="The server's port; any unless given")] = None
    observed: Annotated[
        bool | None, Field(description="true: some connection went through CLOSE_WAIT; false: none did")
    ] = None
    dwell: Annotated[Span | None, Field(description="How long each one lasted")] = None
    left: Annotated[
        bool | None, Field(description="true: the host's own FIN ended it; false: it never did")
    ] = None
    eof_read: Annotated[
        bool | None,
        Field(description="true: its program read the end of the input (recv gave 0); false: it never did"),
    ] = None
    blame: Annotated[
        Literal["not_accepted", "unread_data", "eof_not_read", "not_closed"] | None,
        Field(
            description="Why it lasts. not_accepted: no program accepted the connection; unread_data: data "
            "waits to be read; eof_not_read: only its end does; not_closed: all was read and nobody closed"
        ),
    ] = None


class CloseWaitCheck(Check):
    """The state of a side whose peer has closed and that has not closed yet."""

    subject: ClassVar[str] = "close_wait"
    words: ClassVar[tuple[str, ...]] = ("observed", "dwell", "left", "eof_read", "blame")

    close_wait: Annotated[CloseWaitRef, Field(description="Where, and how long")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        """Bounds without meaning, and words that contradict."""
        about = self.close_wait
        if about.dwell is not None:
            yield from about.dwell.mistakes(("close_wait", "dwell"))
        others = [word for word in self.given() if word != "observed"]
        if about.observed is False and others:
            what = ": what is not observed neither lasts nor ends"
            fix = f"take `observed:` away, or {' and '.join(f'`{key}:`' for key in others)}"
            yield Mistake("contradiction", ("close_wait", "observed"), what, fix)
        if about.blame is not None and about.eof_read is (about.blame != "not_closed"):
            what = f': "{about.blame}" says already whether the end of the input was read, and says otherwise'
            yield Mistake("contradiction", ("close_wait", "eof_read"), what, "take one of the two away")

    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every stay in CLOSE_WAIT that the check speaks of."""
        ref = self.close_wait
        stays = list(_stays(ref, evidence))
        agreement = Agreement(ref.host, evidence)
        doubts = [stay.lacking or _disagreement(stay, agreement) for stay in stays]
        lacking = _lacking(ref, evidence) or next(filter(None, doubts), "")
        findings = [_observed(ref, stays, lacking, evidence)]
        for stay, doubtful in zip(stays, doubts, strict=True):
            findings += _findings(ref, stay, doubtful, evidence)
        if lacking and len(findings) > 1:
            # Each stay is judged by what is known of it; whether there was another is not known.
            findings.append(find(f"each CLOSE_WAIT of {ref.host} is known", (), holds=False, doubt=lacking))
        return conclude(self, f"CLOSE_WAIT on {ref.host}", findings)


def _findings(ref: CloseWaitRef, stay: _Stay, lacking: str, evidence: Evidence) -> Iterator[Finding]:
    """What the check says of one stay."""
    if ref.dwell is not None:
        yield _dwell(stay, ref.dwell, lacking, evidence)
    if ref.left is not None:
        yield _left(stay, lacking, evidence, wanted=ref.left)
    if ref.blame is not None:
        yield _blamed(stay, ref.blame, lacking, evidence)
    if ref.eof_read is not None:
        yield _eof_read(stay, lacking, evidence, wanted=ref.eof_read)


def _candidates(ref: CloseWaitRef, evidence: Evidence) -> Iterator[tuple[Connection, Side]]:
    for connection in evidence.connections:
        if ref.port in {None, connection.server.port}:
            for side in connection.sides:
                if side.host == ref.host and ref.peer in {None, connection.peer_of(side).host}:
                    yield connection, side


def _stays(ref: CloseWaitRef, evidence: Evidence) -> Iterator[_Stay]:
    for connection, side in _candidates(ref, evidence):
        at = side.entered(TcpState.CLOSE_WAIT)
        if at is not None:
            left = side.left(TcpState.CLOSE_WAIT)
            end = left.at.time if left else evidence.info.ended
            ports = side.port, connection.peer_of(side).port
            rows = _rows(history_of(evidence, ref.host), ports, at.time, end)
            death = _death(left, side, connection, evidence)
            lacking = doubt.of_connection(connection, evidence)
            yield _Stay(connection, side, at, left, end, rows, death, lacking)


def _death(left: StateChange | None, side: Side, connection: Connection, evidence: Evidence) -> Death | None:
    """The end of a program that sent the FIN or the RST by which a stay ended; the peer's RST is nobody's."""
    own = left is not None and (
        left.state == TcpState.LAST_ACK or (side.reset is not None and side.reset.sent == left.at)
    )
    return death_behind(left.at, side, connection, evidence) if left is not None and own else None


def _rows(history: SocketHistory, ports: Ports, began: int, ended: int) -> tuple[Row, ...]:
    """The rows in CLOSE_WAIT of a time, each with the first and with the last sample that shows it then."""
    found = [
        (number, stand.row)
        for stand, shown in history.between(ports, history.within(began, ended))
        if stand.row.state is TcpState.CLOSE_WAIT
        for number in (shown[0], shown[-1])
    ]
    found.sort(key=lambda each: (each[0], order_of(each[1])))
    return tuple((history.samples[number], row) for number, row in found)


def _lacking(ref: CloseWaitRef, evidence: Evidence) -> str:
    connections = [connection for connection, _ in _candidates(ref, evidence)]
    return doubt.of_all(connections, evidence, ref.host, ref.peer)


def _observed(ref: CloseWaitRef, stays: list[_Stay], lacking: str, evidence: Evidence) -> Finding:
    wanted = ref.observed is not False
    peer = f" after the FIN of {ref.peer}" if ref.peer else ""
    teller = Teller(evidence)
    return find(
        f"{ref.host} goes through CLOSE_WAIT{peer}" if wanted else f"{ref.host} never is in CLOSE_WAIT{peer}",
        joined([_told(stay, evidence) for stay in stays]) or f"{ref.host} never was in CLOSE_WAIT{peer}",
        [sentence for stay in stays for sentence in _proof(stay, teller)],
        holds=bool(stays) == wanted,
        doubt=lacking,
        proven=any(stay.side.seen for stay in stays),
        absent=not stays and _may_come(ref, evidence),
        missing=not stays and not _went_another_way(ref, evidence),
    )


def _went_another_way(ref: CloseWaitRef, evidence: Evidence) -> bool:
    """Whether a connection was made that ended without CLOSE_WAIT."""
    made = [side for connection, side in _candidates(ref, evidence) if connection.handshake == "complete"]
    return any(side.state is not TcpState.ESTABLISHED for side in made)


def _may_come(ref: CloseWaitRef, evidence: Evidence) -> bool:
    """Whether the peer may yet have closed when the script was over: no connection, or one still open."""
    sides = [side for _, side in _candidates(ref, evidence)]
    return not sides or any(side.state is TcpState.ESTABLISHED for side in sides)


def _dwell(stay: _Stay, bounds: Span, lacking: str, evidence: Evidence) -> Finding:
    short = bounds.min is not None and stay.dwell < seconds(bounds.min)
    long = bounds.max is not None and stay.dwell > seconds(bounds.max)
    undecided = stay.cut and not long and (short or bounds.max is not None)
    ended = "its program" if stay.left else "the run"
    return find(
        f"CLOSE_WAIT lasts {_bounds(bounds)}",
        _told(stay, evidence),
        list(_proof(stay, Teller(evidence))),
        holds=not (short or long),
        doubt=lacking or (f"{ended} ended too soon to tell" if undecided else ""),
    )


def _left(stay: _Stay, lacking: str, evidence: Evidence, *, wanted: bool) -> Finding:
    return find(
        f"the FIN of {stay.side.host} ends CLOSE_WAIT" if wanted else f"{stay.side.host} stays in CLOSE_WAIT",
        _told(stay, evidence),
        list(_proof(stay, Teller(evidence))),
        holds=stay.by_fin == wanted,
        doubt=lacking or _untold(stay),
        proven=stay.by_fin and not wanted,
    )


def _untold(stay: _Stay) -> str:
    """Why nobody knows whether its program ended a stay; empty if that is known."""
    return stay.death.untold(named(stay.side), "what ended CLOSE_WAIT") if stay.death else ""


def _bounds(bounds: Span) -> str:
    texts = []
    if bounds.min is not None:
        texts.append(f"at least {format_duration(bounds.min)}")
    if bounds.max is not None:
        texts.append(f"at most {format_duration(bounds.max)}")
    return " and ".join(texts) or "any time"


def _told(stay: _Stay, evidence: Evidence) -> str:
    whose = f"{named(stay.side)} (peer {named(stay.connection.peer_of(stay.side))})"
    if stay.left is None:
        told = "was not seen to leave" if stay.lacking else "never left"
        return f"{whose} {told} CLOSE_WAIT, {span(stay.dwell)} when the run ended{_why(stay, evidence)}"
    sent = "its own FIN" if stay.left.state == TcpState.LAST_ACK else "an RST"
    end = f"{sent}, sent{stay.death.beside().removeprefix(',')}" if stay.death else sent
    if stay.cut and not _untold(stay):
        return (
            f"{whose} never closed: CLOSE_WAIT lasted {span(stay.dwell)}, until {end}{_why(stay, evidence)}"
        )
    why = _why(stay, evidence) if stay.dwell > _LONG else ""
    return f"{whose} was in CLOSE_WAIT for {span(stay.dwell)}, until {end}{why}"


def _proof(stay: _Stay, teller: Teller) -> Iterator[str]:
    capture, peer = stay.connection.capture, named(stay.connection.peer_of(stay.side))
    yield teller.frame(capture, stay.began, f"FIN from {peer} reaches {named(stay.side)}: CLOSE_WAIT begins")
    if stay.left is not None:
        what = f"FIN from {named(stay.side)}" if stay.left.state == TcpState.LAST_ACK else "RST"
        yield teller.frame(capture, stay.left.at, f"{what}: CLOSE_WAIT ends")
    if stay.rows:
        first = max(stay.rows[0][0].at, stay.began.time)
        last = max(first, min(looks_of(stay.rows[-1][0])[-1], stay.end))
        times = f"at looks from {teller.when(first)} to {teller.when(last)}"
        yield f"the kernel of {stay.side.host} shows CLOSE_WAIT {times}"


# What the kernel says


def _disagreement(stay: _Stay, agreement: Agreement) -> str:
    """That a look at the kernel should have shown a stay and did not."""
    return agreement.dispute(stay.connection, stay.side, TcpState.CLOSE_WAIT)


_BLAME = {
    "not_accepted": "no program ever accepted the connection",
    "unread_data": "data was never read, nor the end after it",
    "eof_not_read": "its program has not read the end of the input (recv giving 0)",
    "not_closed": "its program has read the whole input and not closed",
}
"""Why nobody closes, in the words of a scenario and in plain ones."""


def _blame(stay: _Stay) -> str:
    """Why nobody closed: what the socket's row said last (an unread FIN counts 1 in the receive queue)."""
    if not stay.rows:
        return ""
    _, row = stay.rows[-1]
    if not row.inode:
        return "not_accepted"
    if row.recv_queue > 1:
        return "unread_data"
    return "eof_not_read" if row.recv_queue else "not_closed"


def _why(stay: _Stay, evidence: Evidence) -> str:
    """The blame in plain words, and who holds the socket."""
    ports = stay.side.port, stay.connection.peer_of(stay.side).port
    blame = _BLAME.get(_blame(stay), "")
    if _blame(stay) == "unread_data":
        blame = f"{stay.rows[-1][1].recv_queue - 1} bytes were never read, nor the end after them"
    texts = blame, holders(evidence, stay.side.host, ports)
    return "".join(f"{mark} {text}" for mark, text in zip((":", ";"), texts, strict=True) if text)


def _blamed(stay: _Stay, wanted: str, lacking: str, evidence: Evidence) -> Finding:
    """Why it lasts, or did; a stay that its own FIN ended before it was sampled is nobody's fault."""
    blame, told = _blame(stay), _told(stay, evidence)
    return find(
        f"CLOSE_WAIT lasts because {_BLAME[wanted]}",
        told
        if _why(stay, evidence) in told and blame
        else f"{told}: {_BLAME.get(blame, 'nobody is to blame')}",
        list(_proof(stay, Teller(evidence))),
        holds=blame == wanted,
        doubt=lacking or (_unsampled(stay) if stay.cut else ""),
    )


_END = {
    True: "recv gave 0",
    False: "the end was not read",
    None: "nothing was left to be read",
}


_TAKEN_ALONG = (
    "the end may have been taken along with the data right before it "
    "(a step `quiet: 100ms` between the last data and the close would tell)"
)


def _eof_read(stay: _Stay, lacking: str, evidence: Evidence, *, wanted: bool) -> Finding:
    read = _end_was_read(stay, evidence)
    unknown = "" if read is not None else _TAKEN_ALONG
    return find(
        f"{stay.side.host} {'reads' if wanted else 'never reads'} the end of the input",
        f"{_END[read]}; {_told(stay, evidence)}",
        list(_proof(stay, Teller(evidence))),
        holds=read == wanted,
        doubt=lacking or _unsampled(stay) or unknown,
        proven=read is True,
    )


def _end_was_read(stay: _Stay, evidence: Evidence) -> bool | None:
    """Whether recv gave 0; None where an empty queue does not tell.

    Linux appends a FIN to data that are still unread, and whoever reads those takes it along without being
    told (tcp_try_coalesce() and tcp_recvmsg() of net/ipv4). It stood alone if no data came, if the queue
    was seen to hold nothing else, or if it was empty between the last data and the FIN.
    """
    if _blame(stay) != "not_closed":
        return False
    heard = stay.side.heard
    alone = heard is None or any(row.recv_queue == 1 for _, row in stay.rows)
    return True if alone or _was_empty(stay, evidence) else None


def _was_empty(stay: _Stay, evidence: Evidence) -> bool:
    """Whether a look between the last data and the FIN found nothing unread."""
    since = stay.side.heard.time + LAG if stay.side.heard else 0
    history = history_of(evidence, stay.side.host)
    ports = stay.side.port, stay.connection.peer_of(stay.side).port
    return any(
        since < began and began + sample.took < stay.began.time
        for stand, shown in history.between(ports, history.within(since, stay.began.time))
        if stand.row.state is TcpState.ESTABLISHED and stand.row.recv_queue == 0
        for sample in map(history.samples.__getitem__, shown)
        for began in looks_of(sample)
    )


def _unsampled(stay: _Stay) -> str:
    """Why the kernel's rows do not tell what was read: none was taken, or much happened after the last."""
    if not stay.rows:
        return "CLOSE_WAIT was too short to be sampled"
    ended_unread = stay.left is not None and _blame(stay) != "not_closed"
    return "what was read at the very end was not sampled" if ended_unread else ""
