"""``process``: what a program was doing and held while it ran, as its host's kernel shows it."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, ClassVar

from msgspec import Struct
from pydantic import Field

from lab.checks.check import Check
from lab.checks.doubt import of_looks
from lab.checks.finding import Finding, conclude, find
from lab.checks.holders import children_of, hidden
from lab.checks.select import is_meant
from lab.checks.telling import Teller, counted, listed
from lab.core.words import SleepingCall
from lab.evidence.evidence import Evidence
from lab.evidence.processes import UNKNOWN, ProcessRow, ProcessSample
from lab.evidence.sockets import Instrument
from lab.evidence.transcript import Input, Started, Transcript
from lab.evidence.verdict import CheckResult
from lab.scenario.base import Count, Counted, HostName, Model, Name

_ENDS = frozenset({"key", "signal", "end"})
_ENDING = 1_000_000_000
"""ns that a program may take to end for what the script did."""

_OF_CHILDREN = frozenset({"zombie", "running child"})


class _Look(Struct, frozen=True):
    """A program at one moment: its own row, and those of the processes it started."""

    sample: ProcessSample
    own: ProcessRow
    children: tuple[ProcessRow, ...]


class ProcessRef(Model):
    """A program while it runs, with the processes it started."""

    heading: ClassVar[str] = "Which process"

    host: Annotated[HostName, Field(description="The host")]
    program: Annotated[
        Name | None,
        Field(description="One of several; each of the host's unless given. run: the commands of run steps"),
    ] = None
    asleep_in: Annotated[
        SleepingCall | None, Field(description="A call that one of its threads was seen asleep in")
    ] = None
    zombies: Annotated[
        Counted | None, Field(description="Processes it started that have ended and it has not waited for")
    ] = None
    children: Annotated[Counted | None, Field(description="Processes it started that still run")] = None
    descriptors: Annotated[Counted | None, Field(description="Files and sockets it has open")] = None


class ProcessCheck(Check):
    """What a program was doing and held, as it was seen last while it ran."""

    subject: ClassVar[str] = "process"
    words: ClassVar[tuple[str, ...]] = ("asleep_in", "zombies", "children", "descriptors")

    process: Annotated[ProcessRef, Field(description="Whose, and what")]

    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every run of the program, or of every program of the host."""
        ref = self.process
        runs = [
            event
            for event in evidence.transcript.events
            if isinstance(event, Started) and event.host == ref.host and is_meant(event.program, ref.program)
        ]
        endings = _endings(evidence.transcript)
        findings = [
            finding for run in runs for finding in _of_run(ref, run, endings.get(run, sys.maxsize), evidence)
        ]
        whose = f"{ref.host}.{ref.program}" if ref.program else ref.host
        return conclude(self, f"processes of {whose}", findings or [_nothing(whose)])


def _nothing(whose: str) -> Finding:
    return find("a program to look at", f"no program of {whose} was started", holds=False, absent=True)


def _of_run(ref: ProcessRef, run: Started, ending: int, evidence: Evidence) -> Iterator[Finding]:
    looks = list(_looks(run, evidence))
    if not looks:
        missing = "it was never looked at while it ran"
        lacking = _lacking(run.host, evidence) or "it may have been too short for that"
        yield find(f"{run.program} runs", missing, holds=False, doubt=lacking, absent=True)
        return
    if ref.asleep_in is not None:
        yield _asleep(ref.asleep_in, run, looks, evidence)
    last = next((look for look in reversed(looks) if look.sample.at <= ending), looks[-1])
    zombies = [row for row in last.children if row.zombie]
    running = [row for row in last.children if not row.zombie]
    for bounds, number, noun, rows in (
        (ref.zombies, len(zombies), "zombie", zombies),
        (ref.children, len(running), "running child", running),
        (ref.descriptors, last.own.descriptors, "open descriptor", []),
    ):
        if bounds is not None:
            yield find(
                f"{run.program} has {_plural(bounds, noun)}",
                f"{run.program} had {_plural(number, noun)} when it was looked at last",
                [_told(last, "has " + _plural(number, noun), rows, evidence)],
                holds=number in bounds,
                doubt=_lacking(run.host, evidence) or (_hide(last) if noun in _OF_CHILDREN else ""),
            )


def _looks(run: Started, evidence: Evidence) -> Iterator[_Look]:
    """Every sample that shows a program before its end."""
    for sample, own in evidence.looks.get((run.host, run.pid), ()):
        if sample.at >= run.at and not own.zombie:
            yield _Look(sample, own, children_of(own, sample.rows))


def _endings(transcript: Transcript) -> dict[Started, int]:
    """When the script ended each program that it ended (ns): a later look shows its end, not what it did."""
    acts = defaultdict[tuple[str, str], list[int]](list)
    for event in transcript.events:
        if isinstance(event, Input) and event.kind in _ENDS:
            acts[event.host, event.program].append(event.at)
    endings = {}
    for run in transcript.runs():
        if run.exited is not None:
            given = acts[run.started.host, run.started.program]
            last = bisect_right(given, run.exited.at) - 1
            if last >= 0 and given[last] >= max(run.started.at, run.exited.at - _ENDING):
                endings[run.started] = given[last]
    return endings


def _hide(look: _Look) -> str:
    """What may have come from a program and cannot be told to have."""
    return hidden(row for row in look.sample.rows if row not in look.children)


def _lacking(host: str, evidence: Evidence) -> str:
    return of_looks(evidence, host, Instrument.PROCESSES)


def _asleep(call: str, run: Started, looks: list[_Look], evidence: Evidence) -> Finding:
    seen = [
        (look, {sleep.call for row in (look.own, *look.children) for sleep in row.asleep}) for look in looks
    ]
    met = next((look for look, calls in seen if call in calls), None)
    calls = sorted({call for _, calls in seen for call in calls})
    return find(
        f"{run.program} is asleep in {call}",
        f"it was asleep in {call}"
        if met
        else f"it was seen asleep in {listed(calls) if calls else 'no call'}",
        [_told(met, f"is asleep in {call}", [], evidence)] if met else [],
        holds=met is not None,
        doubt=_lacking(run.host, evidence)
        or ("where it sleeps is not known on such a machine" if UNKNOWN in calls else ""),
        proven=met is not None,
    )


def _told(look: _Look, what: str, rows: list[ProcessRow], evidence: Evidence) -> str:
    own, at = look.own, Teller(evidence).when(look.sample.at)
    named = [f"{row.number} ({row.name})" for row in rows]
    which = f": process {listed(named)}" if named else ""
    return f"at {at} {own.name} (process {own.number} of {look.sample.host}) {what}{which}"


def _plural(number: int | Count, noun: str) -> str:
    return counted(number, noun).replace("childs", "children")
