"""``conversation``: the script itself, every step of it. It is always judged, and first."""

from __future__ import annotations

from lab.checks.causes.ends import crashes
from lab.checks.failed_step import explained
from lab.checks.reasons import reasons
from lab.checks.telling import span, unread
from lab.core.words import FAULTS, Outcome, signal_name
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult

SUBJECT = "conversation"


def judge(evidence: Evidence) -> CheckResult:
    """Pass if every step was played and passed."""
    steps = [event for event in evidence.transcript.events if isinstance(event, StepEnded)]
    broken = evidence.transcript.failed or next(
        (step for step in steps if step.outcome is not Outcome.PASS), None
    )
    if broken is not None:
        return _broken(evidence, broken)
    return _unplayed(evidence, steps)


def why_cut_short(evidence: Evidence) -> str:
    """Why a check may have found nothing to judge: the first step that was not reached, or an empty text.

    Where every step was reached, what is not there did not come.
    """
    unplayed = evidence.transcript.unplayed
    return f"step {unplayed} was not reached" if unplayed else ""


def _result(outcome: Outcome, expected: str, observed: str, evidence: tuple[str, ...] = ()) -> CheckResult:
    return CheckResult(SUBJECT, SUBJECT, outcome, expected, observed, evidence)


def _broken(evidence: Evidence, step: StepEnded) -> CheckResult:
    place = f"step {step.step}, {step.host}: {step.what}"
    more = "" if step.expected in step.what else f": {step.expected}"
    proof = [f"step {step.step} at {step.where} ended after {span(step.at - step.began)}"]
    if step.rest:
        proof.append(unread(step.rest))
    result = _result(step.outcome, f"{place}{more}", step.observed, tuple(proof))
    return explained(result, step, evidence)


def _unplayed(evidence: Evidence, steps: list[StepEnded]) -> CheckResult:
    unplayed, trouble = evidence.transcript.unplayed, evidence.info.trouble
    expected = "every step is played and passes"
    if unplayed:
        observed = f"step {unplayed} was not reached" + (f": {trouble}" if trouble else "")
        return _result(Outcome.INCONCLUSIVE if trouble else Outcome.FAIL, expected, observed)
    if not steps:
        return _result(
            Outcome.INCONCLUSIVE, expected, f"no step was played{': ' if trouble else ''}{trouble}"
        )
    told = "1 step" if len(steps) == 1 else f"all {len(steps)} steps"
    took = f"in {span(steps[-1].at - steps[0].began)}"
    return _result(Outcome.PASS, expected, f"{told} passed", (took, *_crashes(evidence, steps[-1].at)))


def _crashes(evidence: Evidence, now: int) -> tuple[str, ...]:
    """The processes below the script's programs that a fault has ended."""
    if not any(signal_name(one.status) in FAULTS for killed in evidence.killed.values() for one in killed):
        return ()
    return reasons(crashes(evidence), now)
