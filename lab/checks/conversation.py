"""``conversation``: the script itself, every step of it. It is always judged, and first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.checks.causes.ends import crashes
from lab.checks.causes.kinds import said
from lab.checks.failed_step import explained
from lab.core.words import FAULTS, Outcome, signal_name
from lab.evidence.evidence import Evidence
from lab.evidence.facts import Described
from lab.evidence.message import Message, Proof, message, proof
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult

SUBJECT = "conversation"

_SHOWN = 200
"""Characters of a program's output that are shown."""


def judge(evidence: Evidence) -> CheckResult:
    """Pass if every step was played and passed."""
    steps = [event for event in evidence.transcript.events if isinstance(event, StepEnded)]
    broken = evidence.transcript.failed or next(
        (step for step in steps if step.outcome is not Outcome.PASS), None
    )
    if broken is not None:
        return _broken(evidence, broken)
    return _unplayed(evidence, steps)


def why_cut_short(evidence: Evidence) -> Message | None:
    """Why a check may have found nothing to judge: the first step that was not reached, if there is one.

    Where every step was reached, what is not there did not come.
    """
    unplayed = evidence.transcript.unplayed
    return message("step-not-reached", step=unplayed) if unplayed else None


def _result(
    outcome: Outcome, expected: Message, observed: Message, evidence: Iterable[Proof] = ()
) -> CheckResult:
    return CheckResult(SUBJECT, SUBJECT, outcome, (expected,), (observed,), tuple(evidence))


def _broken(evidence: Evidence, step: StepEnded) -> CheckResult:
    expected = step.expected.message if step.expected else None
    place = message("step", step=step.step, host=step.host, what=step.what, expected=expected)
    took = step.at - step.began
    proofs = [proof("step", "step-ended", time=step.at, step=step.step, where=step.where, took=took)]
    if step.rest:
        proofs.append(proof("output", "not-consumed", host=step.host, text=step.rest[-_SHOWN:]))
    observed = step.observed or Described("")  # a record may lack it
    result = _result(step.outcome, place, observed.message, proofs)
    return explained(result, step, evidence)


def _unplayed(evidence: Evidence, steps: list[StepEnded]) -> CheckResult:
    unplayed, expected = evidence.transcript.unplayed, message("every-step-passes")
    if unplayed:
        return _result(Outcome.FAIL, expected, message("step-not-reached", step=unplayed))
    if not steps:
        return _result(Outcome.INCONCLUSIVE, expected, message("no-step-played"))
    took = proof("step", "steps-took", took=steps[-1].at - steps[0].began)
    passed = message("steps-passed", number=len(steps))
    return _result(Outcome.PASS, expected, passed, (took, *_crashes(evidence, steps[-1].at)))


def _crashes(evidence: Evidence, now: int) -> Iterator[Proof]:
    """The processes below the script's programs that a fault has ended."""
    if any(signal_name(one.status) in FAULTS for killed in evidence.killed.values() for one in killed):
        yield from (Proof("process", said(crash, now), time=crash.at) for crash in crashes(evidence))
