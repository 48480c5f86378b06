"""``conversation``: the script itself, every step of it. It is always judged, and first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lab.checks.causes import causes_of
from lab.checks.causes.ends import crashes
from lab.checks.causes.failure import Failure, filled
from lab.checks.nearest import nearest
from lab.checks.programs import Scene
from lab.checks.reasons import programs_told, reasons
from lab.checks.telling import span, unread
from lab.evidence import Evidence
from lab.scenario.script import lines_by_number
from lab.scenario.steps import Expect, Run
from lab.transcript import StepEnded
from lab.verdict import CheckResult, Difference
from lab.words import Outcome

SUBJECT = "conversation"


def judge(evidence: Evidence) -> CheckResult:
    """Pass if every step was played and passed."""
    steps = [event for event in evidence.transcript.events if isinstance(event, StepEnded)]
    broken = next((step for step in steps if step.outcome is Outcome.FAIL), None)
    broken = broken or next((step for step in steps if step.outcome is not Outcome.PASS), None)
    if broken is not None:
        found = _broken(evidence, broken)
        return replace(found, differences=tuple(_differences(broken, evidence)), missing=True)
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
    if step.outcome is not Outcome.FAIL:
        return result
    failure = Failure(Scene(evidence, step.at), step)
    causes = causes_of(failure)
    programs = tuple(programs_told(failure, causes))
    return replace(result, causes=reasons(causes, step.at), programs=programs)


def _differences(step: StepEnded, evidence: Evidence) -> Iterator[Difference]:
    """The text that a step expected, beside what is most like it in the output that was not consumed."""
    line = lines_by_number(evidence.scenario).get(step.step.partition("@")[0])
    pattern = line.action.expect if line and isinstance(line.action, Expect | Run) else None
    text = (pattern.text or pattern.line) if pattern is not None else None
    if not text:
        return
    wanted = filled(text, step, evidence)
    printed = step.rest.replace("\r\n", "\n").split("\n")
    whole = pattern is not None and pattern.text is None
    if wanted is not None and (found := nearest(wanted, printed, whole=whole)) is not None:
        yield found


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
    crashed = reasons(crashes(evidence), steps[-1].at)
    return _result(Outcome.PASS, expected, f"{told} passed", (took, *crashed))
