"""How a connection ended: whose FIN came first, who sent RST, and what in a program leads to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lab.checks.context import CheckContext
from lab.checks.death import Death
from lab.checks.finding import Finding, find
from lab.checks.holders import holders, shared
from lab.checks.reset import ResetWord, cause_of, known_cause
from lab.core.words import TcpState
from lab.evidence.message import Message, Proof, message
from lab.scenario.base import Model, Name, OneOrMany
from lab.wire.tcp import Side
from lab.wire.tcp.facts import CloseKind

_BY_FIN = frozenset({"orderly", "half_close", "simultaneous"})
"""Closes by two acknowledged FINs."""


CloseWord = Literal["orderly", "half_close", "simultaneous", "reset", "still_open"]


class CloseSpec(Model):
    """How a connection ended."""

    heading: ClassVar[str] = "How a connection ends"

    short: ClassVar[str] = "kind"

    kind: Annotated[
        tuple[CloseWord, ...] | None,
        OneOrMany(),
        Field(
            description="orderly: one FIN after the other; half_close: new data after the first FIN; "
            "simultaneous: two FINs that cross; reset: by RST; still_open: a FIN is missing. Of several, one"
        ),
    ] = None
    active: Annotated[
        Name | None, Field(description="The end whose FIN came first: its host, or from or to")
    ] = None


class ResetSpec(Model):
    """Who sent RST, and why."""

    heading: ClassVar[str] = "Who resets"

    short: ClassVar[str] = "by"

    by: Annotated[Name, Field(description="The end that sent it: its host, or from or to")]
    cause: Annotated[
        ResetWord | None,
        Field(
            description="unread_data: closed before all was read; linger0: closed with SO_LINGER at 0; "
            "no_listener: nothing listens there; late_data: something came after it had closed; "
            "listener_closed: the listener was closed before the connection was accepted; "
            "keepalive_timeout: nothing answered its keep-alive probes; "
            "user_timeout: nothing acknowledged its data for as long as TCP_USER_TIMEOUT allows"
        ),
    ] = None


# Close


def close(spec: CloseSpec, context: CheckContext) -> Iterator[Finding]:
    """It ended in this way (in one of these ways), and this side was the first."""
    frames = list(_close_frames(context))
    if spec.kind:
        seen = _kind(context)
        both = seen in _BY_FIN
        yield find(
            message("close", kinds=spec.kind),
            (_left_behind(context) if seen != context.connection.close else []) or _close_seen(context),
            frames,
            holds=seen in spec.kind,
            doubt=context.doubt or _unknown(context, *context.connection.sides),
            proven=context.certain and both and not _BY_FIN & set(spec.kind),
            absent=_waits_for_script(context, *context.connection.sides),
        )
    if spec.active is not None:
        active, wanted = context.connection.active, context.side(spec.active)
        closed = active is not None and not _undone(active, context)
        yield find(
            message("closes-first", host=context.name(wanted) if wanted else spec.active),
            message("closed-first", host=context.name(active))
            if active and closed
            else _nobody_first(context),
            frames,
            holds=closed and active is wanted,
            doubt=context.doubt or _unknown(context, active),
            absent=_waits_for_script(context, wanted),
        )


def _waits_for_script(context: CheckContext, *first: Side | None) -> bool:
    """Whether nobody has closed, and the script broke off before it did: one of these sides is its own."""
    sides, evidence = context.connection.sides, context.evidence
    closed = any(side.fin and not _undone(side, context) for side in sides)
    if closed or not evidence.transcript.unplayed or any(_own_reset(side, context) for side in sides):
        return False
    return any(
        side.fin is None and evidence.opened_by_script(side.host, side.port) for side in filter(None, first)
    )


def _undone(side: Side, context: CheckContext) -> bool:
    """Whether a side's FIN is no close of its program: only its end sent it."""
    death = context.death(side)
    return death is not None and not death.counts


def _deaths(context: CheckContext, *sides: Side | None) -> Iterator[tuple[Side, str, Death]]:
    """What the ends of programs may have sent, and is no close."""
    for side in filter(None, sides):
        for what, death in (("FIN", context.death(side)), ("RST", context.death_by_reset(side))):
            if death is not None and not death.counts:
                yield side, what, death


def _unknown(context: CheckContext, *sides: Side | None) -> Message | None:
    """Of which side it is not known whether it closed; None if it is of each."""
    unknown = (death.unknown(context.name(side), what) for side, what, death in _deaths(context, *sides))
    return next(filter(None, unknown), None)


def _kind(context: CheckContext) -> CloseKind:
    """How the programs closed the connection: what the wire shows except for what only their ends sent."""
    seen = context.connection.close
    if seen in _BY_FIN and any(_undone(side, context) for side in context.connection.sides):
        return "still_open"
    if seen == "reset" and not any(_own_reset(side, context) for side in context.connection.sides):
        return "still_open"
    return seen


def _own_reset(side: Side, context: CheckContext) -> bool:
    """Whether a side sent an RST before both had closed, and not only because its program ended."""
    if side.reset is None or side.reset.cause == "after_close":
        return False
    death = context.death_by_reset(side)
    return death is None or death.counts


def _left_behind(context: CheckContext) -> list[Message]:
    """What only the ends of programs sent, and what to do if that is right."""
    sent: dict[tuple[str, Message], list[str]] = {}
    for side, what, death in _deaths(context, *context.connection.sides):
        if death.proven:
            sent.setdefault((context.name(side), death.end()), []).append(what)
    told = [
        message("never-closed", host=host, sent=tuple(what), end=end) for (host, end), what in sent.items()
    ]
    held = (
        shared(context.evidence, side.host, _ports(side, context))
        for side in context.connection.sides
        if told
    )
    return [*told, *filter(None, held)]


def _nobody_first(context: CheckContext) -> list[Message]:
    if behind := _left_behind(context):
        return behind
    if active := context.connection.active:
        return [message("fin-came-first", host=context.name(active))]
    if context.connection.client.fin:
        return [message("closed-at-once")]
    return [*_silent(context), *(_resets_seen(context) if _resets(context) else held_open(context))]


def _close_seen(context: CheckContext) -> list[Message]:
    active, passive = context.connection.active, context.connection.passive
    match context.connection.close:
        case "reset":
            return _resets_seen(context)
        case "still_open":
            return [*_silent(context), *held_open(context)] if _silent(context) else _unheard(context)
        case "half_close" if active and passive:
            return [message("data-after-fin", sender=context.name(passive), host=context.name(active))]
        case "orderly" if active and passive:
            return [message("fin-then-fin", first=context.name(active), second=context.name(passive))]
        case _:
            return [message("closed-at-once")]


def _silent(context: CheckContext) -> list[Message]:
    """Who sent no FIN, as far as the capture tells; nothing if both did."""
    hosts = tuple(context.name(side) for side in context.connection.sides if side.fin is None)
    if not hosts:
        return []
    return [message("no-fin-captured" if context.doubt else "no-fin-sent", hosts=hosts)]


def _unheard(context: CheckContext) -> list[Message]:
    """Whose FIN was never acknowledged; nothing if each was."""
    hosts = tuple(context.name(side) for side in context.connection.sides if side.fin and not side.fin.acked)
    if not hosts:
        return []
    return [message("no-ack-of-fin-captured" if context.doubt else "fin-never-acknowledged", hosts=hosts)]


def held_open(context: CheckContext) -> list[Message]:
    """Why a side sent no FIN, as its kernel's last row for the connection tells."""
    holding = (_holding(side, context) for side in context.connection.sides if side.fin is None)
    return [*filter(None, holding)]


def _holding(side: Side, context: CheckContext) -> Message | None:
    rows = list(context.rows(side))
    if not rows or rows[-1][1].state not in {TcpState.ESTABLISHED, TcpState.CLOSE_WAIT}:
        return None
    _, row = rows[-1]
    if not row.inode:
        return message("never-accepted", host=side.host)
    if context.evidence.opened_by_script(side.host, side.port):
        return message("script-has-not-closed", host=side.host)
    unread = max(0, row.recv_queue - (row.state is TcpState.CLOSE_WAIT))
    if known := holders(context.evidence, side.host, _ports(side, context)):
        return message("holds-unread", holders=known, unread=unread) if unread else known
    return message("some-process-holds", host=side.host, unread=unread)


def _ports(side: Side, context: CheckContext) -> tuple[int, int]:
    return side.port, context.connection.peer_of(side).port


def _close_frames(context: CheckContext) -> Iterator[Proof]:
    for side in _by_fin(context):
        if side.fin:
            death = context.death(side)
            ended = death.beside() if death else None
            yield context.frame(side.fin.first, "fin-from", host=context.name(side), ended=ended)
            if side.fin.acked:
                yield context.frame(side.fin.acked, "fin-acknowledged", host=context.name(side))
        if side.late:
            yield context.frame(side.late, "late-data", host=context.name(side))
    yield from _reset_frames(context)


def _by_fin(context: CheckContext) -> list[Side]:
    """Both sides, the one whose FIN came first before the other."""
    active, passive = context.connection.active, context.connection.passive
    if active and passive:
        return [active, passive]
    return sorted(context.connection.sides, key=lambda side: (side.fin is None, side.fin and side.fin.first))


def fin(expected: tuple[str, ...], context: CheckContext) -> Finding:
    """Exactly these sent FIN, in this order, and each was acknowledged."""
    wanted = [context.side(end) for end in expected]
    senders = [side for side in _by_fin(context) if side.fin and not _undone(side, context)]
    unheard, sent = _unheard(context), tuple(context.name(side) for side in senders)
    names = tuple(context.name(side) if side else end for side, end in zip(wanted, expected, strict=True))
    return find(
        message("fins-acknowledged", hosts=names) if expected else message("no-fin"),
        [
            *([message("fin-from", host=sent, ended=None)] if sent else _silent(context)),
            *_left_behind(context),
            *(unheard or held_open(context)),
        ],
        list(_close_frames(context)),
        holds=senders == wanted and not unheard,
        doubt=context.doubt or _unknown(context, *context.connection.sides),
        proven=context.certain and any(side not in wanted for side in senders),
        absent=_waits_for_script(context, *wanted[:1]),
    )


# Reset


def _resets(context: CheckContext) -> list[Side]:
    return [side for side in context.connection.sides if side.reset]


def _resets_seen(context: CheckContext) -> list[Message]:
    seen = []
    for side in _resets(context):
        death, cause, ended = context.death_by_reset(side), known_cause(side, context), None
        if death is not None and not death.counts:
            cause, ended = "", death.beside()  # what helps a program that chose to close is no help here
        seen.append(message("rst-from", host=context.name(side), ended=ended, cause=cause))
    return seen or [message("no-rst")]


def _reset_frames(context: CheckContext) -> Iterator[Proof]:
    for side in _resets(context):
        if side.reset:
            death = context.death_by_reset(side)
            ended = death.beside() if death else None
            yield context.frame(side.reset.first, "rst-from", host=context.name(side), ended=ended, cause="")


def no_reset(context: CheckContext) -> Finding:
    """Nobody sent RST."""
    resets = bool(_resets(context))
    return find(
        message("no-rst"),
        _resets_seen(context),
        list(_reset_frames(context)),
        holds=not resets,
        doubt=context.doubt,
        proven=resets and context.certain,
    )


def reset_by(spec: ResetSpec, context: CheckContext) -> Iterator[Finding]:
    """This side sent RST, and for this reason."""
    side, frames = context.side(spec.by), list(_reset_frames(context))
    name = context.name(side) if side else spec.by
    death = context.death_by_reset(side) if side is not None else None
    holds = side is not None and side.reset is not None and (death is None or death.counts)
    yield find(
        message("rst-from", host=name, ended=None, cause=""),
        [*_resets_seen(context), *_left_behind(context)],
        frames,
        holds=holds,
        doubt=context.doubt or _unknown(context, side),
        proven=holds and context.certain,
    )
    if spec.cause is not None and side is not None and side.reset is not None:
        cause, proof = cause_of(side, context)
        yield find(
            message("cause-of-rst", host=name, cause=spec.cause),
            _resets_seen(context),
            [*frames, *proof],
            holds=cause == spec.cause,
            doubt=context.doubt or (None if cause else message("cause-not-known")),
        )
