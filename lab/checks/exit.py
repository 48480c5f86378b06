"""``exit``: how the programs of a host ended, each time they were run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from lab.checks.finding import Finding, conclude, find
from lab.checks.select import is_meant
from lab.checks.telling import Teller
from lab.evidence import Evidence
from lab.scenario.checks import ExitCheck, ExitRef
from lab.transcript import Exited, Started
from lab.verdict import CheckResult
from lab.words import describe_status, signal_name


@dataclass(frozen=True, slots=True)
class _Run:
    started: Started
    exited: Exited | None


def judge(spec: ExitCheck, evidence: Evidence) -> CheckResult:
    """Judge every run of the host's programs, or of the one that is named."""
    ref = spec.exit
    runs = _runs(ref, evidence)
    findings = [finding for run in runs for finding in _findings(ref, run, evidence)]
    whose = f"{ref.host}.{ref.program}" if ref.program else ref.host
    return conclude(spec, f"exit of {whose}", findings or [_never_started(ref, whose, evidence)])


def _runs(ref: ExitRef, evidence: Evidence) -> list[_Run]:
    """Each start with its end: that of the first run of the program still under way."""
    runs: list[_Run] = []
    open_: dict[str, deque[int]] = {}
    for event in evidence.transcript.events:
        if not isinstance(event, Started | Exited) or event.host != ref.host:
            continue
        if not is_meant(event.program, ref.program):
            continue
        under_way = open_.setdefault(event.program, deque())
        if isinstance(event, Started):
            under_way.append(len(runs))
            runs.append(_Run(event, None))
        elif under_way:
            number = under_way.popleft()
            runs[number] = _Run(runs[number].started, event)
    return runs


def _never_started(ref: ExitRef, whose: str, evidence: Evidence) -> Finding:
    wanted = "; ".join(text for text, _ in _wanted(ref, None))
    observed = f"{whose} was never started" if ref.program else f"no program of {ref.host} was started"
    return find(wanted, observed, holds=False, doubt=evidence.info.trouble, absent=True)


def _findings(ref: ExitRef, run: _Run, evidence: Evidence) -> Iterator[Finding]:
    program, end, teller = run.started.program, run.exited, Teller(evidence)
    told = [f"{program} was started at {teller.when(run.started.at)} by step {run.started.step}"]
    observed, doubt = f"{program} was still running", evidence.info.trouble
    if end is not None:
        told.append(f"{program} ended at {teller.when(end.at)}")
        observed, doubt = f"{program}: {describe_status(end.status)}", ""
    for text, holds in _wanted(ref, end.status if end else None):
        yield find(text, observed, told, holds=holds, doubt=doubt, absent=end is None)


def _wanted(ref: ExitRef, status: int | None) -> Iterator[tuple[str, bool]]:
    """Each word about the end, and whether a status satisfies it; None is that of a program still running."""
    if ref.running:
        yield "still running", status is None
    if ref.status is not None:
        yield f"exit status {ref.status}", status is not None and status in ref.status
    if ref.signal is not None:
        yield f"killed by {ref.signal}", status is not None and signal_name(status) == ref.signal
