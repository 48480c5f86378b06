"""What the verdict says of a step that failed: why, what each program was doing, and the nearest text."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from lab.checks.causes import causes_of
from lab.checks.causes.failure import Failure, filled
from lab.checks.nearest import nearest
from lab.checks.programs import Scene
from lab.checks.reasons import programs_told, reasons
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult, Difference
from lab.scenario.script import line_of


def explained(result: CheckResult, step: StepEnded, evidence: Evidence) -> CheckResult:
    """The result of the script with all that is known of the step at which it broke off."""
    result = replace(result, differences=tuple(_differences(step, evidence)), missing=True)
    if step.outcome is not Outcome.FAIL:
        return result
    failure = Failure(Scene(evidence, step.at), step)
    causes = causes_of(failure)
    programs = tuple(programs_told(failure, causes))
    return replace(result, causes=reasons(causes, step.at), programs=programs)


def _differences(step: StepEnded, evidence: Evidence) -> Iterator[Difference]:
    """The text that a step expected, beside what is most like it in the output that was not consumed."""
    line = line_of(evidence.scenario, step.step)
    pattern = line.action.pattern() if line else None
    text = (pattern.text or pattern.line) if pattern is not None else None
    if not text:
        return
    wanted = filled(text, step, evidence)
    printed = step.rest.replace("\r\n", "\n").split("\n")
    whole = pattern is not None and pattern.text is None
    if wanted is not None and (found := nearest(wanted, printed, whole=whole)) is not None:
        yield found
