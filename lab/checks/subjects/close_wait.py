"""``close_wait``: the side whose peer has closed, until it closes too.

The capture at the host's own port says when: from the peer's FIN *arriving* (not from its acknowledgement,
which may come 40 ms later) to the own FIN being sent. The kernel's samples confirm it and say why it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from msgspec import Struct
from pydantic import Field

from lab.checks import completeness
from lab.checks.agreement import LAG, Agreement, looks_of
from lab.checks.check import Check
from lab.checks.death import Death, death_behind
from lab.checks.finding import Finding, conclude, find
from lab.checks.holders import holders
from lab.checks.proofs import frame, named
from lab.checks.select import history_of
from lab.checks.spans import bounds_told, fits
from lab.core.durations import nanoseconds
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import Ports, SocketHistory, order_of
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.sockets import SocketRow, SocketSample
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import HostName, Model, Port
from lab.scenario.checks import Span
from lab.scenario.mistake import Mistake
from lab.wire.tcp import Connection, Moment, Side, StateChange

Row = tuple[SocketSample, SocketRow]
_LONG = 100_000_000
"""ns after which a stay that has ended is worth telling why it lasted."""


class _Interval(Struct, frozen=True):
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
    lacking: Message | None = None

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

    @property
    def title(self) -> str:
        return f"CLOSE_WAIT on {self.close_wait.host}"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every stay in CLOSE_WAIT that the check speaks of."""
        ref = self.close_wait
        stays = list(_stays(ref, evidence))
        agreement = Agreement(ref.host, evidence)
        doubts = [stay.lacking or _disagreement(stay, agreement) for stay in stays]
        lacking = _lacking(ref, evidence) or next(filter(None, doubts), None)
        findings = [_observed(ref, stays, lacking, evidence)]
        for stay, doubtful in zip(stays, doubts, strict=True):
            findings += _findings(ref, stay, doubtful, evidence)
        if lacking and len(findings) > 1:
            # Each stay is judged by what is known of it; whether there was another is not known.
            known = message("each-close-wait-known", host=ref.host)
            findings.append(find(known, (), holds=False, doubt=lacking))
        return conclude(self, findings)


def _findings(
    ref: CloseWaitRef, stay: _Interval, lacking: Message | None, evidence: Evidence
) -> Iterator[Finding]:
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


def _stays(ref: CloseWaitRef, evidence: Evidence) -> Iterator[_Interval]:
    for connection, side in _candidates(ref, evidence):
        at = side.entered(TcpState.CLOSE_WAIT)
        if at is not None:
            left = side.left(TcpState.CLOSE_WAIT)
            end = left.at.time if left else evidence.info.ended
            ports = side.port, connection.peer_of(side).port
            rows = _rows(history_of(evidence, ref.host), ports, at.time, end)
            death = _death(left, side, connection, evidence)
            lacking = completeness.of_connection(connection, evidence)
            yield _Interval(connection, side, at, left, end, rows, death, lacking)


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


def _lacking(ref: CloseWaitRef, evidence: Evidence) -> Message | None:
    connections = [connection for connection, _ in _candidates(ref, evidence)]
    return completeness.of_all(connections, evidence, ref.host, ref.peer)


def _observed(
    ref: CloseWaitRef, stays: list[_Interval], lacking: Message | None, evidence: Evidence
) -> Finding:
    wanted = ref.observed is not False
    never = message("never-in-close-wait", host=ref.host, peer=ref.peer)
    return find(
        message("through-close-wait" if wanted else "not-in-close-wait", host=ref.host, peer=ref.peer),
        [_seen(stay, evidence) for stay in stays] or [never, *([] if lacking else _why_never(ref, evidence))],
        _proofs(stays, evidence),
        holds=bool(stays) == wanted,
        doubt=lacking,
        proven=any(stay.side.seen for stay in stays),
        absent=not stays and _may_come(ref, evidence),
        missing=not stays and not _went_another_way(ref, evidence),
    )


def _why_never(ref: CloseWaitRef, evidence: Evidence) -> list[Message]:
    """Why connections that were made led to no CLOSE_WAIT: who closed first, and who did not."""
    found: list[Message] = []
    for connection, side in _candidates(ref, evidence):
        peer = connection.peer_of(side)
        if connection.handshake != "complete":
            continue
        if side.fin is not None and connection.active is side:
            found.append(message("closed-first", host=side.host))
        if peer.fin is None and peer.host:
            found.append(message("no-fin-sent", hosts=(peer.host,)))
    return list(dict.fromkeys(found))


def _went_another_way(ref: CloseWaitRef, evidence: Evidence) -> bool:
    """Whether a connection was made that ended without CLOSE_WAIT."""
    made = [side for connection, side in _candidates(ref, evidence) if connection.handshake == "complete"]
    failed = evidence.transcript.failed
    return any(not _was_open(side, failed) for side in made)


def _may_come(ref: CloseWaitRef, evidence: Evidence) -> bool:
    """Whether the peer may yet have closed when the script was over: no connection, or one still open."""
    sides = [side for _, side in _candidates(ref, evidence)]
    failed = evidence.transcript.failed
    return not sides or any(_was_open(side, failed) for side in sides)


def _was_open(side: Side, failed: StepEnded | None) -> bool:
    """Whether a connection was open when the script broke off, if it did: what ended it then is no close."""
    if side.state is TcpState.ESTABLISHED:
        return True
    left = side.left(TcpState.ESTABLISHED) if failed else None
    return failed is not None and left is not None and left.at.time > failed.at


def _dwell(stay: _Interval, bounds: Span, lacking: Message | None, evidence: Evidence) -> Finding:
    holds = fits(bounds, stay.dwell)
    long = bounds.max is not None and stay.dwell > nanoseconds(bounds.max)
    undecided = stay.cut and not long and (not holds or bounds.max is not None)
    too_soon = message("program-ended-too-soon" if stay.left else "run-ended-too-soon")
    return find(
        message("close-wait-lasts", bounds=bounds_told(bounds)),
        _seen(stay, evidence),
        _proofs([stay], evidence),
        holds=holds,
        doubt=lacking or (too_soon if undecided else None),
    )


def _left(stay: _Interval, lacking: Message | None, evidence: Evidence, *, wanted: bool) -> Finding:
    return find(
        message("fin-ends-close-wait" if wanted else "stays-in-close-wait", host=stay.side.host),
        _seen(stay, evidence),
        _proofs([stay], evidence),
        holds=stay.by_fin == wanted,
        doubt=lacking or _unknown(stay),
        proven=stay.by_fin and not wanted,
    )


def _unknown(stay: _Interval) -> Message | None:
    """Why nobody knows whether its program ended a stay; None if that is known."""
    return stay.death.unknown(named(stay.side), message("what-ended-close-wait")) if stay.death else None


def _seen(stay: _Interval, evidence: Evidence) -> Message:
    """How long a stay lasted, what ended it, and why it lasted where that is worth telling."""
    cut = stay.cut and not _unknown(stay)
    told = stay.left is None or cut or stay.dwell > _LONG
    return message(
        "close-wait-stay",
        host=named(stay.side),
        peer=named(stay.connection.peer_of(stay.side)),
        how=_how(stay, cut=cut),
        blame=_why(stay) if told else None,
        holders=_held(stay, evidence) if told else None,
    )


def _how(stay: _Interval, *, cut: bool) -> Message:
    """How long a stay lasted, and what ended it."""
    if stay.left is None:
        return message(
            "not-seen-to-leave-close-wait" if stay.lacking else "never-left-close-wait", dwell=stay.dwell
        )
    ended = stay.death.beside() if stay.death else None
    end = message("own-fin" if stay.left.state == TcpState.LAST_ACK else "an-rst", ended=ended)
    return message("never-closed-in-close-wait" if cut else "was-in-close-wait", dwell=stay.dwell, end=end)


def _proofs(stays: Iterable[_Interval], evidence: Evidence) -> list[Proof]:
    return [proof for stay in stays for proof in _proof(stay, evidence)]


def _proof(stay: _Interval, evidence: Evidence) -> Iterator[Proof]:
    connection, host, peer = stay.connection, named(stay.side), named(stay.connection.peer_of(stay.side))
    yield frame(evidence, connection, stay.began, "close-wait-begins", host=host, peer=peer)
    if stay.left is not None:
        by_fin = stay.left.state == TcpState.LAST_ACK
        left = "close-wait-ends-by-fin" if by_fin else "close-wait-ends-by-rst"
        yield frame(evidence, connection, stay.left.at, left, host=host)
    if stay.rows:
        first = max(stay.rows[0][0].at, stay.began.time)
        last = max(first, min(looks_of(stay.rows[-1][0])[-1], stay.end))
        yield proof("socket", "kernel-shows-close-wait", host=stay.side.host, time=first, last=last)


# What the kernel says


def _disagreement(stay: _Interval, agreement: Agreement) -> Message | None:
    """That a look at the kernel should have shown a stay and did not."""
    return agreement.dispute(stay.connection, stay.side, TcpState.CLOSE_WAIT)


def _blame(stay: _Interval) -> str:
    """Why nobody closed: what the socket's row said last (an unread FIN counts 1 in the receive queue)."""
    if not stay.rows:
        return ""
    _, row = stay.rows[-1]
    if not row.inode:
        return "not_accepted"
    if row.recv_queue > 1:
        return "unread_data"
    return "eof_not_read" if row.recv_queue else "not_closed"


def _why(stay: _Interval) -> Message | None:
    """Why it lasts."""
    if not (blame := _blame(stay)):
        return None
    unread = stay.rows[-1][1].recv_queue - 1 if blame == "unread_data" else 0
    return message("blame", blame=blame, unread=unread)


def _held(stay: _Interval, evidence: Evidence) -> Message | None:
    """Who holds its socket."""
    ports = stay.side.port, stay.connection.peer_of(stay.side).port
    return holders(evidence, stay.side.host, ports)


def _blamed(stay: _Interval, wanted: str, lacking: Message | None, evidence: Evidence) -> Finding:
    """Why it lasts, or did; a stay that its own FIN ended before it was sampled is nobody's fault."""
    blame, seen = _blame(stay), _seen(stay, evidence)
    return find(
        message("close-wait-lasts-for", blame=wanted),
        seen if seen.parameters["blame"] else message("with-blame", stay=seen, blame=blame),
        _proofs([stay], evidence),
        holds=blame == wanted,
        doubt=lacking or (_unsampled(stay) if stay.cut else None),
    )


def _eof_read(stay: _Interval, lacking: Message | None, evidence: Evidence, *, wanted: bool) -> Finding:
    read = _end_was_read(stay, evidence)
    unknown = None if read is not None else message("end-taken-along")
    seen, host = _seen(stay, evidence), stay.side.host
    return find(
        message("reads-end" if wanted else "never-reads-end", host=host),
        message("end-read", read=_READ[read], stay=seen),
        _proofs([stay], evidence),
        holds=read == wanted,
        doubt=lacking or _unsampled(stay) or unknown,
        proven=read is True,
    )


_READ = {True: "read", False: "unread", None: "unknown"}


def _end_was_read(stay: _Interval, evidence: Evidence) -> bool | None:
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


def _was_empty(stay: _Interval, evidence: Evidence) -> bool:
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


def _unsampled(stay: _Interval) -> Message | None:
    """Why the kernel's rows do not tell what was read: none was taken, or much happened after the last."""
    if not stay.rows:
        return message("close-wait-too-short")
    ended_unread = stay.left is not None and _blame(stay) != "not_closed"
    return message("end-not-sampled") if ended_unread else None
