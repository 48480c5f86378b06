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
from lab.checks.completeness import of_looks
from lab.checks.finding import Finding, conclude, find
from lab.checks.holders import children_of, hidden, numbered
from lab.checks.select import is_meant, whose
from lab.core.words import SleepingCall
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.processes import UNKNOWN, ProcessRow, ProcessSample
from lab.evidence.sockets import Instrument
from lab.evidence.transcript import Input, Started, Transcript
from lab.evidence.verdict import CheckResult
from lab.scenario.base import Counted, HostName, Model, Name

_ENDS = frozenset({"key", "signal", "end"})
_ENDING = 1_000_000_000
"""ns that a program may take to end for what the script did."""


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

    @property
    def title(self) -> str:
        return f"processes of {whose(self.process.host, self.process.program)}"

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
        return conclude(self, findings or [_nothing(ref)])


def _nothing(ref: ProcessRef) -> Finding:
    started = message("no-program-started", whose=whose(ref.host, ref.program))
    return find(message("program-to-look-at"), started, holds=False, absent=True)


def _of_run(ref: ProcessRef, run: Started, ending: int, evidence: Evidence) -> Iterator[Finding]:
    looks = list(_looks(run, evidence))
    if not looks:
        missing = message("never-looked-at")
        lacking = _lacking(run.host, evidence) or message("may-have-been-too-short")
        yield find(message("runs", program=run.program), missing, holds=False, doubt=lacking, absent=True)
        return
    if ref.asleep_in is not None:
        yield _asleep(ref.asleep_in, run, looks, evidence)
    last = next((look for look in reversed(looks) if look.sample.at <= ending), looks[-1])
    zombies = [row for row in last.children if row.zombie]
    running = [row for row in last.children if not row.zombie]
    for bounds, number, what, rows in (
        (ref.zombies, len(zombies), "zombies", zombies),
        (ref.children, len(running), "children", running),
        (ref.descriptors, last.own.descriptors, "descriptors", None),
    ):
        if bounds is not None:
            has = message("has", number=number, what=what)
            yield find(
                message("should-have", program=run.program, number=str(bounds), what=what),
                message("had", program=run.program, number=number, what=what),
                [_proof(last, has, rows or [])],
                holds=number in bounds,
                doubt=_lacking(run.host, evidence) or (None if rows is None else _hide(last)),
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


def _hide(look: _Look) -> Message | None:
    """What may have come from a program and cannot be told to have."""
    return hidden(row for row in look.sample.rows if row not in look.children)


def _lacking(host: str, evidence: Evidence) -> Message | None:
    return of_looks(evidence, host, Instrument.PROCESSES)


def _asleep(call: str, run: Started, looks: list[_Look], evidence: Evidence) -> Finding:
    seen = [
        (look, {sleep.call for row in (look.own, *look.children) for sleep in row.asleep}) for look in looks
    ]
    met = next((look for look, calls in seen if call in calls), None)
    calls = tuple(sorted({call for _, calls in seen for call in calls}))
    return find(
        message("is-asleep-in", program=run.program, call=call),
        message("was-asleep-in", call=call) if met else message("seen-asleep-in", calls=calls),
        [_proof(met, message("asleep-in", call=call), [])] if met else [],
        holds=met is not None,
        doubt=_lacking(run.host, evidence) or (message("sleep-not-known") if UNKNOWN in calls else None),
        proven=met is not None,
    )


def _proof(look: _Look, what: Message, rows: list[ProcessRow]) -> Proof:
    own, host, time = look.own, look.sample.host, look.sample.at
    return proof(
        "process",
        "process-seen",
        host=host,
        time=time,
        name=own.name,
        number=own.number,
        what=what,
        processes=tuple(map(numbered, rows)),
    )
