"""``connection``: one TCP connection, from its SYN to its last ACK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from msgspec.structs import replace
from pydantic import Discriminator, Field, Tag

from lab.checks import closing, transitions
from lab.checks.check import Check
from lab.checks.closing import CloseSpec, ResetSpec
from lab.checks.context import CheckContext, context_of
from lab.checks.ends import End, not_ends
from lab.checks.finding import Finding, conclude, decided, find
from lab.checks.proofs import refused_by
from lab.checks.refusal import listened_then
from lab.checks.select import rows_of
from lab.checks.transitions import ResentSpec
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Count, Counted, Name, OneOrMany, tag
from lab.scenario.checks import ConnectionRef
from lab.scenario.mistake import Mistake


def _reset_tag(value: Any) -> str:
    return tag("none" if value == "none" else "by")


Reset = Annotated[
    Annotated[Literal["none"], Tag("<none>")] | Annotated[ResetSpec, Tag("<by>")],
    Discriminator(_reset_tag),
]


class ConnectionCheck(Check):
    """One TCP connection, from SYN to the last ACK, as the wire shows it."""

    subject: ClassVar[str] = "connection"
    words: ClassVar[tuple[str, ...]] = (
        "handshake", "close", "fin", "rst", "retransmissions", "bytes", "states", "time_wait",
    )  # fmt: skip

    connection: Annotated[ConnectionRef, Field(description="Which one")]
    handshake: Annotated[
        Literal["complete", "refused", "no_reply", "simultaneous"] | None,
        Field(
            description="complete: SYN, SYN-ACK, ACK; refused: RST answers the SYN; no_reply: nothing does; "
            "simultaneous: two SYNs that cross"
        ),
    ] = None
    close: Annotated[CloseSpec | None, Field(description="How it ended")] = None
    fin: Annotated[
        tuple[Name, ...] | None,
        OneOrMany(),
        Field(description="The ends that sent FIN, in order, each acknowledged: their hosts, or from and to"),
    ] = None
    rst: Annotated[Reset | None, Field(description="none, or the end that sent it")] = None
    retransmissions: Annotated[
        ResentSpec | None, Field(description="Segments sent again, as their sender's port saw them")
    ] = None
    bytes: Annotated[
        dict[Name, Counted] | None,
        Field(description="Payload bytes each end sent, retransmissions not counted"),
    ] = None
    states: Annotated[
        dict[Name, Annotated[tuple[TcpState, ...], OneOrMany()]] | None,
        Field(description="All states that an end went through, in order, LISTEN not counted"),
    ] = None
    time_wait: Annotated[
        Name | None, Field(description="The end that stays in TIME_WAIT: its host, or from or to")
    ] = None

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        """Names that are no end of the connection, words without meaning, and words that contradict."""
        yield from not_ends(self.connection, _ends_named(self))
        yield from _hollow(self)
        yield from _never_opened(self)
        yield from _ends_in_two_ways(self)
        yield from _states_without_trace(self)

    @property
    def title(self) -> str:
        return str(self.connection)

    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every word of the check on the connection it names."""
        context = context_of(self.connection, evidence)
        if isinstance(context, Finding):
            return conclude(self, [context])
        findings = [
            replace(found, missing=found.missing or _unfinished(context))
            for found in _findings(self, context)
        ]
        if _unmade(context) and self.handshake in {None, "complete"} and not isinstance(self.rst, ResetSpec):
            # There was no connection: that says all, of each word.
            findings = [replace(found, observed=tuple(handshake_seen(context))) for found in findings]
        return conclude(self, findings)


def _unfinished(context: CheckContext) -> bool:
    """Whether the connection never was, or nobody had begun to end it: something did not come."""
    connection = context.connection
    return _unmade(context) or not any(side.fin or side.reset for side in connection.sides)


def _findings(spec: ConnectionCheck, context: CheckContext) -> Iterator[Finding]:
    if spec.handshake is not None:
        yield _handshake(spec.handshake, context)
    yield from _ending(spec, context)
    yield from _passage(spec, context)


def _ending(spec: ConnectionCheck, context: CheckContext) -> Iterator[Finding]:
    if spec.close is not None:
        yield from closing.close(spec.close, context)
    if spec.fin is not None:
        yield closing.fin(spec.fin, context)
    if isinstance(spec.rst, ResetSpec):
        yield from closing.reset_by(spec.rst, context)
    elif spec.rst is not None:
        yield closing.no_reset(context)


def _passage(spec: ConnectionCheck, context: CheckContext) -> Iterator[Finding]:
    if spec.retransmissions is not None:
        yield from transitions.resent(spec.retransmissions, context)
    for end, bounds in (spec.bytes or {}).items():
        yield from _bytes(end, bounds, context)
    for end, states in (spec.states or {}).items():
        yield from transitions.states(end, states, context)
    if spec.time_wait is not None:
        yield from transitions.time_wait(spec.time_wait, context)


# Handshake


def _handshake(expected: str, context: CheckContext) -> Finding:
    seen = context.connection.handshake
    answered = seen == "half_open" and expected != "complete"
    return find(
        message("handshake", kind=expected),
        list(handshake_seen(context)),
        list(_handshake_frames(context)),
        holds=seen == expected,
        doubt=context.doubt,
        proven=context.certain and (seen in {"complete", "refused", "simultaneous"} or answered),
        missing=_unmade(context),
    )


def _unmade(context: CheckContext) -> bool:
    """Whether the connection never was: what is said of it lacks it."""
    return context.connection.handshake in {"refused", "no_reply", "half_open"}


def handshake_seen(context: CheckContext) -> Iterator[Message]:
    """How far the handshake of a connection came."""
    client, server = context.connection.sides
    match context.connection.handshake:
        case "complete":
            yield message("handshake-completed")
        case "simultaneous":
            yield message("both-sent-syn")
        case "refused":
            yield message("refused", host=context.name(server), port=server.port)
            yield from listened_then(server, context)
        case "no_reply":
            again = client.retransmissions.syn
            answer = "no-answer-captured" if context.doubt else "no-answer"
            yield message(answer, times=again + 1 if again else 0, full=_full(context))
            yield from _said_by_icmp(context)
        case "half_open":
            ack = "last-ack-not-captured" if context.doubt else "syn-ack-never-acknowledged"
            yield message(ack, server=context.name(server), client=context.name(client))
        case "unknown":
            yield message("partly-captured" if client.syn or server.syn else "under-way-at-start")


def _said_by_icmp(context: CheckContext) -> list[Message]:
    """What routers and hosts say by ICMP of the segments of a connection that never was, each thing once."""
    said = {
        (one.who, one.meaning, one.mtu): one
        for one in reversed(context.evidence.icmp_about(context.connection))
    }
    return [refused_by(one) for one in reversed(said.values())]


def _full(context: CheckContext) -> Message | None:
    """Whether the listener's accept queue held more than its limit, so that it took no further connection."""
    server = context.connection.server
    for _, row in rows_of(context.evidence, server.host, TcpState.LISTEN):
        if row.local_port == server.port and row.recv_queue > row.send_queue:
            name = context.name(server)
            return message("accept-queue-full", host=name, waiting=row.recv_queue, limit=row.send_queue)
    return None


def _handshake_frames(context: CheckContext) -> Iterator[Proof]:
    client, server = context.connection.sides
    if client.syn:
        yield context.frame(client.syn.first, "syn-from", host=context.name(client))
    if server.syn:
        yield context.frame(server.syn.first, "syn-ack-from", host=context.name(server))
    if client.ack and server.syn:
        yield context.frame(client.ack.first, "ack-from", host=context.name(client))
    if not server.syn and server.reset:
        yield context.frame(server.reset.first, "rst-from", host=context.name(server), ended=None, cause="")


# Bytes


def _bytes(end: str, bounds: Count, context: CheckContext) -> Iterator[Finding]:
    side = context.side(end)
    if side is not None:
        yield find(
            message("bytes-from", bytes=str(bounds), host=context.name(side)),
            message("bytes-from", bytes=side.bytes, host=context.name(side)),
            holds=side.bytes in bounds,
            doubt=context.doubt,
            proven=context.certain and (side.exact or decided(side.at_least, bounds)),
            missing=side.bytes < bounds.minimum,
        )


# What makes no sense


def _ends_named(check: ConnectionCheck) -> Iterator[End]:
    """Who closes, resets or sends."""
    if check.close is not None and check.close.active is not None:
        yield End(("close", "active"), check.close.active)
    if check.rst is not None and check.rst != "none":
        yield End(("rst", "by"), check.rst.by)
    if check.retransmissions is not None and check.retransmissions.by is not None:
        yield End(("retransmissions", "by"), check.retransmissions.by)
    if check.time_wait is not None:
        yield End(("time_wait",), check.time_wait)
    for position, host in enumerate(check.fin or ()):
        yield End(("fin", position), host)
    for key in ("bytes", "states"):
        for host in getattr(check, key) or ():
            yield End((key, host), host, on_key=True)


def _hollow(check: ConnectionCheck) -> Iterator[Mistake]:
    """Words that are there, but with nothing under them."""
    empty = {
        "close": ("add `kind:` or `active:`", check.close and not (check.close.kind or check.close.active)),
        "retransmissions": ("add `syn:`, `data:` or `fin:`", _says_nothing(check.retransmissions)),
        "bytes": ("name a host and how many bytes it sent", check.bytes == {}),
        "states": (
            "name a host and the states it goes through",
            check.states is not None and not all(check.states.values() or [()]),
        ),
    }
    for key, (fix, holds) in empty.items():
        if holds:
            yield Mistake("no-assertion", (key,), f': "{key}" says nothing', fix)


def _says_nothing(resent: ResentSpec | None) -> bool:
    return resent is not None and not resent.model_fields_set - {"by"}


def _never_opened(check: ConnectionCheck) -> Iterator[Mistake]:
    if check.handshake not in ("refused", "no_reply"):
        return
    for key in ("close", "fin"):
        if getattr(check, key):
            what = f': a handshake that is "{check.handshake}" leaves nothing to close'
            yield Mistake("contradiction", (key,), what, f"take `{key}:` away, or mend `handshake:`")
    if check.rst == "none" and check.handshake == "refused":
        fix = "take `rst:` away, or say `rst: {by: …}`"
        yield Mistake("contradiction", ("rst",), ": a handshake is refused by RST", fix)


def _ends_in_two_ways(check: ConnectionCheck) -> Iterator[Mistake]:
    if check.close is None:
        return
    if check.close.kind == ("simultaneous",) and check.close.active is not None:
        what, fix = (
            ": no side is the first in a simultaneous close",
            "take `active:` away, or name another kind",
        )
        yield Mistake("contradiction", ("close", "active"), what, fix)
    if check.close.kind == ("reset",) and check.rst == "none":
        fix = "take one of the two away"
        yield Mistake("contradiction", ("rst",), ': a close of kind "reset" is an RST', fix)


def _states_without_trace(check: ConnectionCheck) -> Iterator[Mistake]:
    for end, states in (check.states or {}).items():
        if TcpState.LISTEN in states:
            what = ": a connection is never in LISTEN, its listener is"
            fix = "take LISTEN away: a `listener:` check looks for it"
            yield Mistake("contradiction", ("states", end), what, fix)
        if TcpState.TIME_WAIT in states[:-1]:
            what = ": no frame shows the end of TIME_WAIT, so nothing can follow it"
            yield Mistake("contradiction", ("states", end), what, "end with TIME_WAIT")
