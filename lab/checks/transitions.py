"""What a connection went through: the states of its ends, TIME_WAIT, and what had to be sent again.

The frames at an end's own port say which states it must have been in; the kernel's samples may miss short
ones, but never show one that the frames do not. Where they do, wire and kernel disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks import completeness
from lab.checks.agreement import Agreement
from lab.checks.closing import held_open
from lab.checks.context import CheckContext, Row
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


def states(end: str, expected: Sequence[TcpState], context: CheckContext) -> Iterator[Finding]:
    """The states of an end are these, in this order, and no others."""
    side = context.side(end)
    if side is None:
        return
    name, seen = context.name(side), [change.state for change in side.history]
    unseen = None if side.seen else message("no-frame-at-port", host=name)
    parted = _parted(list(expected), seen, context)
    yield find(
        message("goes-through", host=name, states=tuple(expected)),
        [
            message("went-through", host=name, states=tuple(seen), parted=parted),
            *(_not_closed(context) if seen and seen == list(expected[: len(seen)]) != list(expected) else []),
        ],
        [*_changes(side, context), *_shown(side, context)],
        holds=seen == list(expected),
        doubt=context.doubt or unseen or _disagreement(side, context),
    )


def _parted(expected: list[TcpState], seen: list[TcpState], context: CheckContext) -> Message | None:
    """Where the two ways part, if the end did not go the expected one."""
    same = 0
    for one, other in zip(expected, seen, strict=False):
        if one != other:
            break
        same += 1
    if expected == seen or not same:
        return None
    if same == len(seen):
        return message("not-seen-to-leave" if context.doubt else "never-left", state=seen[-1])
    unmet = expected[same] if same < len(expected) else None
    return message("after-came", after=seen[same - 1], came=seen[same], expected=unmet)


def _changes(side: Side, context: CheckContext) -> Iterator[Proof]:
    for change in side.history:
        yield context.frame(change.at, "is-in", host=context.name(side), state=change.state)


def _in_turn(rows: Iterator[Row]) -> list[Row]:
    """The first row of each state, in the order of time."""
    return [next(same) for _, same in groupby(rows, key=lambda shown: shown[1].state)]


def _shown(side: Side, context: CheckContext) -> Iterator[Proof]:
    for sample, row in _in_turn(context.rows(side)):
        yield proof("socket", "kernel-shows", host=sample.host, time=sample.at, state=row.state)


def _disagreement(side: Side, context: CheckContext) -> Message | None:
    """What the samples show that does not lie on the way that the frames show, or not at that time."""
    sampled = [row.state for _, row in _in_turn(context.rows(side))]
    way = iter([change.state for change in side.history])
    if all(state in way for state in sampled):
        return Agreement(side.host, context.evidence).dispute(context.connection, side)
    return message("kernel-shows-others", host=side.host, states=tuple(sampled))


# TIME_WAIT


def time_wait(end: str, context: CheckContext) -> Iterator[Finding]:
    """An end stays in TIME_WAIT: its last ACK was sent, and its kernel says so."""
    side = context.side(end)
    if side is None:
        return
    name, entered = context.name(side), side.entered(TcpState.TIME_WAIT)
    rows = [shown for shown in context.rows(side) if shown[1].state is TcpState.TIME_WAIT]
    yield find(
        message("time-wait-afterwards", host=name),
        message("was-in-time-wait", host=name) if rows else _without(side, context),
        [
            *([context.frame(entered, "acknowledges-last-fin", host=name)] if entered else []),
            *(
                proof("socket", "kernel-shows", host=one.host, time=one.at, state=row.state)
                for one, row in rows[:1]
            ),
        ],
        holds=bool(rows),
        doubt=context.doubt
        or completeness.of_sampling(context.evidence, side.host)
        or (message("not-in-samples") if entered else None),
        proven=bool(rows) and context.certain,
    )


def _without(side: Side, context: CheckContext) -> list[Message]:
    """What an end came to instead of TIME_WAIT."""
    name, peer = context.name(side), context.connection.peer_of(side)
    if side.entered(TcpState.TIME_WAIT):
        return [message("acknowledged-last-fin", host=name)]
    if peer.entered(TcpState.TIME_WAIT):
        return [message("time-wait-elsewhere", host=context.name(peer))]
    if side.reset or peer.reset:
        return [message("ended-by-rst", host=name, state=side.state)]
    return [message("came-as-far-as", host=name, state=side.state), *_not_closed(context)]


def _not_closed(context: CheckContext) -> list[Message]:
    """Who holds the socket of the side that has not closed, where the other one has."""
    return held_open(context) if any(side.fin for side in context.connection.sides) else []


# Retransmissions


def resent(spec: ResentSpec, context: CheckContext) -> Iterator[Finding]:
    """So many segments were sent again, as the ports of their senders saw them."""
    one = context.side(spec.by) if spec.by is not None else None
    sides = context.connection.sides if one is None else (one,)
    for what, bounds in (("syn", spec.syn), ("data", spec.data), ("fin", spec.fin)):
        if bounds is not None:
            yield _resent(what, bounds, sides, context)


def _lost(context: CheckContext) -> list[Proof]:
    """The first of the segments that were sent and never arrived, if the capture is sure to show that."""
    lost = () if context.doubt else context.connection.lost[:_MOST_LOST]
    return [context.frame(one.at, "never-arrived", why=_why_lost(one, context)) for one in lost]


def _why_lost(lost: Lost, context: CheckContext) -> Message:
    sent = lost.at
    ports = {side.port for side in context.connection.sides}
    for held in context.evidence.info.held:
        near = 0 <= held.at - sent.time < _KEPT_WITHIN
        if near and not held.until and {held.source_port, held.target_port} == ports:
            return message("kept-back", step=held.step)
    about = context.evidence.icmp_about(context.connection)
    said = (one for one in about if one.about and one.about.seq == lost.seq)
    why = next((one for one in said if 0 <= one.at.time - sent.time < _SAID_WITHIN), None)
    return refused_by(why) if why else message("lost-on-its-way")


def _again(what: str, sides: Sequence[Side], context: CheckContext) -> list[Proof]:
    return [
        context.frame(again.at, "sent-again", host=context.name(side), what=_WITH[what])
        for side in sides
        for again in side.resent
        if again.what == what
    ]


def _resent(what: str, bounds: Count, sides: Sequence[Side], context: CheckContext) -> Finding:
    numbers = [(side, getattr(side.retransmissions, what)) for side in sides]
    number = sum(count for _, count in numbers)
    # What fills a gap may have been overtaken, or its first copy may be what the capture lacks.
    certain = number - (sum(side.refilled for side in sides) if what == "data" else 0)
    by = tuple(
        message("so-many-by", number=count, host=context.name(side)) for side, count in numbers if count
    )
    unseen = (message("no-frame-at-port", host=context.name(side)) for side in sides if not side.seen)
    return find(
        message("resent", number=str(bounds), what=_WITH[what], by=()),
        message("resent", number=number, what=_WITH[what], by=by),
        [*_lost(context), *_again(what, sides, context)],
        holds=number in bounds,
        doubt=context.doubt or next(unseen, None),
        proven=context.certain and decided(certain, bounds),
    )
