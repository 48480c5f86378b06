"""What a connection went through: the states of its ends, TIME_WAIT, and what had to be sent again.

The frames at an end's own port say which states it must have been in; the kernel's samples may miss short
ones, but never show one that the frames do not. Where they do, wire and kernel disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks import doubt
from lab.checks.agreement import Agreement
from lab.checks.case import Case, Row
from lab.checks.ending import held_open
from lab.checks.finding import Finding, decided, find
from lab.checks.proofs import refused_by
from lab.core.words import TcpState
from lab.evidence.message import Message, Proof, message, proof
from lab.scenario.base import Count, Counted, Model, Name
from lab.wire.tcp import Lost, Side

_WITH = {"syn": "SYN", "data": "data", "fin": "FIN"}


_MOST_LOST = 4
"""Lost segments that are named."""

_KEPT_WITHIN = 10_000_000
"""ns from where a segment enters the switch to where it is kept back."""

_SAID_WITHIN = 4_000_000_000
"""ns from a segment to the ICMP message about it, at the most: so long a router looks for a host."""


class ResentSpec(Model):
    """How many segments were sent again."""

    heading: ClassVar[str] = "What is sent again"

    by: Annotated[
        Name | None, Field(description="By one end only: its host, or from or to; by both unless given")
    ] = None
    syn: Annotated[Counted | None, Field(description="Of those with SYN")] = None
    data: Annotated[Counted | None, Field(description="Of those with data; keep-alives are none")] = None
    fin: Annotated[Counted | None, Field(description="Of those with FIN")] = None


# States


def states(end: str, expected: Sequence[TcpState], case: Case) -> Iterator[Finding]:
    """The states of an end are these, in this order, and no others."""
    side = case.side(end)
    if side is None:
        return
    name, seen = case.name(side), [change.state for change in side.history]
    unseen = None if side.seen else message("no-frame-at-port", host=name)
    parted = _parted(list(expected), seen, case)
    yield find(
        message("goes-through", host=name, states=tuple(expected)),
        [
            message("went-through", host=name, states=tuple(seen), parted=parted),
            *(_not_closed(case) if seen and seen == list(expected[: len(seen)]) != list(expected) else []),
        ],
        [*_changes(side, case), *_shown(side, case)],
        holds=seen == list(expected),
        doubt=case.doubt or unseen or _disagreement(side, case),
    )


def _parted(expected: list[TcpState], seen: list[TcpState], case: Case) -> Message | None:
    """Where the two ways part, if the end did not go the expected one."""
    same = 0
    for one, other in zip(expected, seen, strict=False):
        if one != other:
            break
        same += 1
    if expected == seen or not same:
        return None
    if same == len(seen):
        return message("not-seen-to-leave" if case.doubt else "never-left", state=seen[-1])
    unmet = expected[same] if same < len(expected) else None
    return message("after-came", after=seen[same - 1], came=seen[same], expected=unmet)


def _changes(side: Side, case: Case) -> Iterator[Proof]:
    for change in side.history:
        yield case.frame(change.at, "is-in", host=case.name(side), state=change.state)


def _in_turn(rows: Iterator[Row]) -> list[Row]:
    """The first row of each state, in the order of time."""
    return [next(same) for _, same in groupby(rows, key=lambda shown: shown[1].state)]


def _shown(side: Side, case: Case) -> Iterator[Proof]:
    for sample, row in _in_turn(case.rows(side)):
        yield proof("socket", "kernel-shows", host=sample.host, time=sample.at, state=row.state)


def _disagreement(side: Side, case: Case) -> Message | None:
    """What the samples show that does not lie on the way that the frames show, or not at that time."""
    sampled = [row.state for _, row in _in_turn(case.rows(side))]
    way = iter([change.state for change in side.history])
    if all(state in way for state in sampled):
        return Agreement(side.host, case.evidence).dispute(case.connection, side)
    return message("kernel-shows-others", host=side.host, states=tuple(sampled))


# TIME_WAIT


def time_wait(end: str, case: Case) -> Iterator[Finding]:
    """An end stays in TIME_WAIT: its last ACK was sent, and its kernel says so."""
    side = case.side(end)
    if side is None:
        return
    name, entered = case.name(side), side.entered(TcpState.TIME_WAIT)
    rows = [shown for shown in case.rows(side) if shown[1].state is TcpState.TIME_WAIT]
    yield find(
        message("time-wait-afterwards", host=name),
        message("was-in-time-wait", host=name) if rows else _without(side, case),
        [
            *([case.frame(entered, "acknowledges-last-fin", host=name)] if entered else []),
            *(
                proof("socket", "kernel-shows", host=one.host, time=one.at, state=row.state)
                for one, row in rows[:1]
            ),
        ],
        holds=bool(rows),
        doubt=case.doubt
        or doubt.of_sampling(case.evidence, side.host)
        or (message("not-in-samples") if entered else None),
        proven=bool(rows) and case.certain,
    )


def _without(side: Side, case: Case) -> list[Message]:
    """What an end came to instead of TIME_WAIT."""
    name, peer = case.name(side), case.connection.peer_of(side)
    if side.entered(TcpState.TIME_WAIT):
        return [message("acknowledged-last-fin", host=name)]
    if peer.entered(TcpState.TIME_WAIT):
        return [message("time-wait-elsewhere", host=case.name(peer))]
    if side.reset or peer.reset:
        return [message("ended-by-rst", host=name, state=side.state)]
    return [message("came-as-far-as", host=name, state=side.state), *_not_closed(case)]


def _not_closed(case: Case) -> list[Message]:
    """Who holds the socket of the side that has not closed, where the other one has."""
    return held_open(case) if any(side.fin for side in case.connection.sides) else []


# Retransmissions


def resent(spec: ResentSpec, case: Case) -> Iterator[Finding]:
    """So many segments were sent again, as the ports of their senders saw them."""
    one = case.side(spec.by) if spec.by is not None else None
    sides = case.connection.sides if one is None else (one,)
    for what, bounds in (("syn", spec.syn), ("data", spec.data), ("fin", spec.fin)):
        if bounds is not None:
            yield _resent(what, bounds, sides, case)


def _lost(case: Case) -> list[Proof]:
    """The first of the segments that were sent and never arrived, if the capture is sure to show that."""
    lost = () if case.doubt else case.connection.lost[:_MOST_LOST]
    return [case.frame(one.at, "never-arrived", why=_why_lost(one, case)) for one in lost]


def _why_lost(lost: Lost, case: Case) -> Message:
    sent = lost.at
    ports = {side.port for side in case.connection.sides}
    for held in case.evidence.info.held:
        near = 0 <= held.at - sent.time < _KEPT_WITHIN
        if near and not held.until and {held.source_port, held.target_port} == ports:
            return message("kept-back", step=held.step)
    said = (one for one in case.evidence.icmp_about(case.connection) if one.seq == lost.seq)
    why = next((one for one in said if 0 <= one.time - sent.time < _SAID_WITHIN), None)
    return refused_by(why, case.evidence) if why else message("lost-on-its-way")


def _again(what: str, sides: Sequence[Side], case: Case) -> list[Proof]:
    return [
        case.frame(again.at, "sent-again", host=case.name(side), what=_WITH[what])
        for side in sides
        for again in side.resent
        if again.what == what
    ]


def _resent(what: str, bounds: Count, sides: Sequence[Side], case: Case) -> Finding:
    numbers = [(side, getattr(side.retransmissions, what)) for side in sides]
    number = sum(count for _, count in numbers)
    # What fills a gap may have been overtaken, or its first copy may be what the capture lacks.
    certain = number - (sum(side.refilled for side in sides) if what == "data" else 0)
    by = tuple(message("so-many-by", number=count, host=case.name(side)) for side, count in numbers if count)
    unseen = (message("no-frame-at-port", host=case.name(side)) for side in sides if not side.seen)
    return find(
        message("resent", number=str(bounds), what=_WITH[what], by=()),
        message("resent", number=number, what=_WITH[what], by=by),
        [*_lost(case), *_again(what, sides, case)],
        holds=number in bounds,
        doubt=case.doubt or next(unseen, None),
        proven=case.certain and decided(certain, bounds),
    )
