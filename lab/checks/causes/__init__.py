"""Why a step failed or a program ended as it did: causes as data, drawn from what was seen, never guessed.

``kinds`` says which causes there are, ``failure`` whom a failed step concerns; ``ends``, ``ports`` and
``waits`` each find those of their field. Here they are put in order.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.checks.causes import datagrams, ends, ports, waits
from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import (
    AddressInUse,
    AnsweredElsewhere,
    CarriageReturns,
    Cause,
    ChildCrashed,
    Died,
    HeardLate,
    LoopbackOnly,
    MemoryUsedUp,
    NoticedLate,
    NotRaw,
    OtherPort,
    Starved,
    SwappedPort,
)

_SURE = (
    AddressInUse, AnsweredElsewhere, CarriageReturns, ChildCrashed, Died, LoopbackOnly, MemoryUsedUp, NotRaw,
    OtherPort, SwappedPort,
)  # fmt: skip
"""Causes that more time would not have cured: a machine short of processors explains nothing beside them."""


def undecided(failure: Failure, causes: Iterable[Cause]) -> Starved | NoticedLate | HeardLate | None:
    """What the machine did not let happen in time: nobody knows whether the step would have failed."""
    if late := waits.heard_late(failure):
        return late
    if any(isinstance(cause, _SURE) for cause in causes):
        return None
    return waits.starved(failure) or waits.noticed_late(failure)


def causes_of(failure: Failure) -> tuple[Cause, ...]:
    """Why a step failed, what explains most first."""
    ends_of_lines: list[Cause] = [*waits.without_newline(failure), *waits.other_line_ends(failure)]
    if ends_of_lines:
        return (*ends_of_lines, *waits.returns_typed(failure))
    told = [
        *ends.memory(failure), *ends.carriage_returns(failure), *ends.crashed(failure),
        *ports.ports(failure), *ports.nowhere(failure), *ports.not_passed_on(failure), *ports.in_use(failure),
        *ports.not_raw(failure),
        *ends.died(failure), *ends.in_background(failure), *ends.runs_on(failure),
        *waits.stopped(failure), *waits.loops(failure), *waits.not_accepted(failure),
        *waits.not_read(failure), *datagrams.buffer_full(failure), *datagrams.unread(failure),
        *datagrams.answered_elsewhere(failure),
        *waits.still_held(failure), *waits.waits_for_lock(failure),
        *waits.deadlocks(failure),
    ]  # fmt: skip
    told = told or [*ends.left_early(failure)]
    told = (
        told
        or [*waits.maybe_other_line_ends(failure), *waits.returns_typed(failure)]
        or [*waits.buffered(failure)]
        or [*waits.waits_for_peer(failure)]
    )
    if not any(isinstance(cause, _SURE) for cause in told):
        told += waits.short_of_processors(failure)
    return tuple(dict.fromkeys(told))
