"""How a connection ended: whose FIN came first, who sent RST, and what in a program leads to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lab.checks.case import Case
from lab.checks.death import Death
from lab.checks.finding import Finding, find
from lab.checks.holders import holders, shared
from lab.checks.reset import ResetWord, cause_of, cause_told
from lab.checks.telling import listed
from lab.core.words import TcpState
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


def close(spec: CloseSpec, case: Case) -> Iterator[Finding]:
    """It ended in this way (in one of these ways), and this side was the first."""
    frames = list(_close_frames(case))
    if spec.kind:
        seen = _kind(case)
        both = seen in _BY_FIN
        yield find(
            f"close {' or '.join(spec.kind)}",
            (_left_behind(case) if seen != case.connection.close else []) or _close_told(case),
            frames,
            holds=seen in spec.kind,
            doubt=case.doubt or _untold(case, *case.connection.sides),
            proven=case.certain and both and not _BY_FIN & set(spec.kind),
        )
    if spec.active is not None:
        active, wanted = case.connection.active, case.side(spec.active)
        closed = active is not None and not _undone(active, case)
        yield find(
            f"{case.name(wanted) if wanted else spec.active} closes first",
            [f"{case.name(active)} closed first"] if active and closed else _nobody_first(case),
            frames,
            holds=closed and active is wanted,
            doubt=case.doubt or _untold(case, active),
        )


def _undone(side: Side, case: Case) -> bool:
    """Whether a side's FIN is no close of its program: only its end sent it."""
    death = case.death(side)
    return death is not None and not death.counts


def _deaths(case: Case, *sides: Side | None) -> Iterator[tuple[Side, str, Death]]:
    """What the ends of programs may have sent, and is no close."""
    for side in filter(None, sides):
        for what, death in (("FIN", case.death(side)), ("RST", case.death_by_reset(side))):
            if death is not None and not death.counts:
                yield side, what, death


def _untold(case: Case, *sides: Side | None) -> str:
    """Of which side it is not known whether it closed, in words; empty if it is of each."""
    told = (death.untold(case.name(side), what) for side, what, death in _deaths(case, *sides))
    return next(filter(None, told), "")


def _kind(case: Case) -> CloseKind:
    """How the programs closed the connection: what the wire shows but for what only their ends sent."""
    seen = case.connection.close
    if seen in _BY_FIN and any(_undone(side, case) for side in case.connection.sides):
        return "still_open"
    if seen == "reset" and not any(_own_reset(side, case) for side in case.connection.sides):
        return "still_open"
    return seen


def _own_reset(side: Side, case: Case) -> bool:
    """Whether a side sent an RST before both had closed, and not only because its program ended."""
    if side.reset is None or side.reset.cause == "after_close":
        return False
    death = case.death_by_reset(side)
    return death is None or death.counts


def _left_behind(case: Case) -> list[str]:
    """What only the ends of programs sent, and what to do if that is right."""
    sent: dict[tuple[str, str], list[str]] = {}
    for side, what, death in _deaths(case, *case.connection.sides):
        if death.proven:
            sent.setdefault((case.name(side), death.told()), []).append(what)
    told = [f"{who} never closed: {listed(what)} came only as {how}" for (who, how), what in sent.items()]
    held = (shared(case.evidence, side.host, _ports(side, case)) for side in case.connection.sides if told)
    return [*told, *filter(None, held)]


def _nobody_first(case: Case) -> list[str]:
    if told := _left_behind(case):
        return told
    if active := case.connection.active:
        return [f"the FIN of {case.name(active)} came first"]
    if case.connection.client.fin:
        return [_AT_ONCE]
    return [_silent_told(case), *(_resets_told(case) if _resets(case) else held_open(case))]


_AT_ONCE = "both closed at once: neither FIN acknowledges the other"


def _close_told(case: Case) -> list[str]:
    active, passive = case.connection.active, case.connection.passive
    match case.connection.close:
        case "reset":
            return _resets_told(case)
        case "still_open":
            return _open_told(case)
        case "half_close" if active and passive:
            return [f"{case.name(passive)} sent new data after the FIN of {case.name(active)}"]
        case "orderly" if active and passive:
            return [f"FIN from {case.name(active)}, then from {case.name(passive)}, each acknowledged"]
        case _:
            return [_AT_ONCE]


def _open_told(case: Case) -> list[str]:
    told = _silent_told(case)
    return [told, *held_open(case)] if told else [_unheard(case)]


def _silent_told(case: Case) -> str:
    """Who sent no FIN, as far as the capture tells; empty if both did."""
    silent = [case.name(side) for side in case.connection.sides if side.fin is None]
    if len(silent) > 1:
        return "no FIN was captured" if case.doubt else "nobody sent FIN"
    what = "no FIN from {} was captured" if case.doubt else "{} never sent FIN"
    return what.format(listed(silent)) if silent else ""


def _unheard(case: Case) -> str:
    """Whose FIN was never acknowledged; empty if each was."""
    unheard = [case.name(side) for side in case.connection.sides if side.fin and not side.fin.acked]
    what = "no ACK of the FIN of {} was captured" if case.doubt else "the FIN of {} was never acknowledged"
    return what.format(listed(unheard)) if unheard else ""


def held_open(case: Case) -> list[str]:
    """Why a side sent no FIN, as its kernel's last row for the connection tells."""
    told = [_holding(side, case) for side in case.connection.sides if side.fin is None]
    return [text for text in told if text]


def _holding(side: Side, case: Case) -> str:
    rows = list(case.rows(side))
    if not rows or rows[-1][1].state not in {TcpState.ESTABLISHED, TcpState.CLOSE_WAIT}:
        return ""
    _, row = rows[-1]
    if not row.inode:
        return f"no program of {side.host} ever accepted the connection"
    unread = row.recv_queue - (row.state is TcpState.CLOSE_WAIT)
    left = f" with {unread} bytes unread" if unread > 0 else ""
    if told := holders(case.evidence, side.host, _ports(side, case)):
        return told + left
    return (
        f"a process of {side.host} still holds the socket{left}: FIN is sent when its last holder closes it "
        "(a parent may hold the copy that its child closed)"
    )


def _ports(side: Side, case: Case) -> tuple[int, int]:
    return side.port, case.connection.peer_of(side).port


def _close_frames(case: Case) -> Iterator[str]:
    for side in _by_fin(case):
        if side.fin:
            death = case.death(side)
            ended = death.beside() if death else ""
            yield case.frame(side.fin.first, f"FIN from {case.name(side)}{ended}")
            if side.fin.acked:
                yield case.frame(side.fin.acked, f"the FIN of {case.name(side)} is acknowledged")
        if side.late:
            yield case.frame(side.late, f"new data from {case.name(side)} after the peer's FIN")
    yield from _reset_frames(case)


def _by_fin(case: Case) -> list[Side]:
    """Both sides, the one whose FIN came first before the other."""
    active, passive = case.connection.active, case.connection.passive
    if active and passive:
        return [active, passive]
    return sorted(case.connection.sides, key=lambda side: (side.fin is None, side.fin and side.fin.first))


def fin(expected: tuple[str, ...], case: Case) -> Finding:
    """Exactly these sent FIN, in this order, and each was acknowledged."""
    wanted = [case.side(end) for end in expected]
    senders = [side for side in _by_fin(case) if side.fin and not _undone(side, case)]
    unheard = _unheard(case)
    sent = f"FIN from {listed([case.name(side) for side in senders])}"
    observed = sent if senders else _silent_told(case)
    names = [case.name(side) if side else end for side, end in zip(wanted, expected, strict=True)]
    return find(
        f"FIN from {listed(names)}, each acknowledged" if expected else "no FIN",
        [*filter(None, [observed]), *_left_behind(case), *([unheard] if unheard else held_open(case))],
        list(_close_frames(case)),
        holds=senders == wanted and not unheard,
        doubt=case.doubt or _untold(case, *case.connection.sides),
        proven=case.certain and any(side not in wanted for side in senders),
    )


# Reset


def _resets(case: Case) -> list[Side]:
    return [side for side in case.connection.sides if side.reset]


def _resets_told(case: Case) -> list[str]:
    told = []
    for side in _resets(case):
        death, cause = case.death_by_reset(side), cause_told(side, case)
        why = f": {cause}" if cause else ""
        if death is not None and not death.counts:
            why = death.beside()  # what a program that chose to close is told is no help here
        told.append(f"RST from {case.name(side)}{why}")
    return told or ["no RST"]


def _reset_frames(case: Case) -> Iterator[str]:
    for side in _resets(case):
        if side.reset:
            death = case.death_by_reset(side)
            ended = death.beside() if death else ""
            yield case.frame(side.reset.first, f"RST from {case.name(side)}{ended}")


def no_reset(case: Case) -> Finding:
    """Nobody sent RST."""
    resets = bool(_resets(case))
    return find(
        "no RST",
        _resets_told(case),
        list(_reset_frames(case)),
        holds=not resets,
        doubt=case.doubt,
        proven=resets and case.certain,
    )


def reset_by(spec: ResetSpec, case: Case) -> Iterator[Finding]:
    """This side sent RST, and for this reason."""
    side, frames = case.side(spec.by), list(_reset_frames(case))
    name = case.name(side) if side else spec.by
    death = case.death_by_reset(side) if side is not None else None
    holds = side is not None and side.reset is not None and (death is None or death.counts)
    yield find(
        f"RST from {name}",
        [*_resets_told(case), *_left_behind(case)],
        frames,
        holds=holds,
        doubt=case.doubt or _untold(case, side),
        proven=holds and case.certain,
    )
    if spec.cause is not None and side is not None and side.reset is not None:
        cause, proof = cause_of(side, case)
        yield find(
            f"the cause of the RST from {name} is {spec.cause}",
            _resets_told(case),
            [*frames, *proof],
            holds=cause == spec.cause,
            doubt=case.doubt or ("" if cause else "neither wire nor kernel tells which of the causes it was"),
        )
