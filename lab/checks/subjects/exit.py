"""``exit``: how the programs of a host ended, each time they were run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from msgspec.structs import replace
from pydantic import Field

from lab.checks.causes.ends import causes_of_end
from lab.checks.causes.kinds import said
from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, find
from lab.checks.printed import last_lines, printed_by
from lab.checks.select import runs_of, whose
from lab.core.words import EndingSignal, Outcome, signal_name
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.situation import Unread
from lab.evidence.transcript import ProgramRun
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Counted, HostName, Model, Name
from lab.scenario.mistake import Mistake


class ExitRef(Model):
    """How a program ended."""

    heading: ClassVar[str] = "Which exit"

    host: Annotated[HostName, Field(description="The host")]
    program: Annotated[
        Name | None,
        Field(description="One of several; all of the host's unless given. run: the commands of run steps"),
    ] = None
    status: Annotated[Counted | None, Field(description="Its exit status")] = None
    signal: Annotated[
        Literal[EndingSignal, "SIGSEGV", "SIGABRT", "SIGFPE", "SIGBUS", "SIGILL"] | None,
        Field(description="What killed it"),
    ] = None
    running: Annotated[
        Literal[True] | None, Field(description="It had not ended when the script was over")
    ] = None


class ExitCheck(Check):
    """How a program ended: every time it was run, if it was run several times."""

    subject: ClassVar[str] = "exit"
    words: ClassVar[tuple[str, ...]] = ("status", "signal", "running")

    exit: Annotated[ExitRef, Field(description="Whose, and how")]

    def awaits_end(self, host: str, program: str) -> bool:
        """Whether it judges how this program ended."""
        about = self.exit
        return about.host == host and about.program in {None, program} and not about.running

    def asks_for_end(self, host: str, program: str, status: int) -> bool:
        """Whether this status, or this signal, is what it asks for."""
        about, signal = self.exit, signal_name(status)
        wanted = (about.status is not None and status in about.status) or (signal and about.signal == signal)
        return about.host == host and about.program in {None, program} and bool(wanted)

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        """Two ways to end, and a status that no program has."""
        given, status = self.given(), self.exit.status
        if len(given) > 1:
            what = f': a program ends in one way, not with both "{given[0]}" and "{given[1]}"'
            yield Mistake("contradiction", ("exit", given[1]), what, "keep one of them")
        if status is not None and status.minimum > 255:
            what = ": an exit status is at most 255"
            yield Mistake("contradiction", ("exit", "status"), what, "write a status from 0 to 255")

    @property
    def title(self) -> str:
        return f"exit of {whose(self.exit.host, self.exit.program)}"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Judge every run of the host's programs, or of the one that is named."""
        ref = self.exit
        runs = runs_of(evidence, ref.host, ref.program)
        findings = [finding for run in runs for finding in _findings(ref, run, evidence)]
        result = conclude(self, findings or _never_started(ref))
        if result.outcome is not Outcome.FAIL or evidence.transcript.failed:
            return result
        causes = (cause for run in runs for cause in causes_of_end(evidence, run))
        return replace(result, causes=tuple(said(cause, evidence.info.ended) for cause in causes))


def _never_started(ref: ExitRef) -> list[Finding]:
    key = "program-never-started" if ref.program else "no-program-started"
    never = message(key, whose=whose(ref.host, ref.program))
    return [find(wanted, never, holds=False, absent=True) for wanted, _ in _wanted(ref, None)]


def _findings(ref: ExitRef, run: ProgramRun, evidence: Evidence) -> Iterator[Finding]:
    began, end = run.started, run.exited
    host, program = began.host, began.program
    proofs = [proof("program", "was-started", host=host, time=began.at, step=began.step, program=program)]
    observed = message("was-still-running", program=program)
    if end is not None:
        proofs.append(proof("program", "has-ended", host=host, time=end.at, program=program))
        observed = message("ended-so", program=program, status=end.status)
    for wanted, holds in _wanted(ref, end.status if end else None):
        shown = proofs if holds else [*proofs, *_printed_last(run, evidence)]
        crashed = end is not None and bool(signal_name(end.status))
        yield find(wanted, observed, shown, holds=holds, absent=end is None, missing=not crashed)


def _printed_last(run: ProgramRun, evidence: Evidence) -> Iterator[Proof]:
    """The last lines of its output, if they are not told with the step that failed."""
    lines = last_lines(printed_by(evidence, run))
    if not lines or lines[-1:] != _told_with_step(run, evidence)[-1:]:
        host, program = run.started.host, run.started.program
        yield proof("output", "printed-last", host=host, program=program, lines=tuple(lines))


def _told_with_step(run: ProgramRun, evidence: Evidence) -> list[str]:
    """The last lines of a program that are told with the step that failed, which nobody had consumed."""
    who, step = (run.started.host, run.started.program), evidence.transcript.failed
    if step is None or run is not runs_of(evidence, *who)[-1]:
        return []
    host, _, program = step.host.partition(".")
    if host == who[0] and program in {"", who[1]}:
        return last_lines(step.rest)
    unread = (
        event.text
        for event in evidence.situation
        if isinstance(event, Unread) and host != event.host and (event.host, event.program) == who
    )
    return last_lines(next(unread, ""))


def _wanted(ref: ExitRef, status: int | None) -> Iterator[tuple[Message, bool]]:
    """Each word about the end, and whether a status satisfies it; None is that of a program still running."""
    if ref.running:
        yield message("still-running"), status is None
    if ref.status is not None:
        yield message("exit-status", status=str(ref.status)), status is not None and status in ref.status
    if ref.signal is not None:
        yield (
            message("killed-by", signal=ref.signal),
            status is not None and signal_name(status) == ref.signal,
        )
