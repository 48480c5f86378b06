"""``elapsed``: how long it took from one mark of the script to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, find
from lab.checks.spans import bounds_told, fits, lateness
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message, proof
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Name
from lab.scenario.checks import Span
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake
from lab.scenario.script import line_of, numbered_lines
from lab.steps.actions.mark import marked_by


class ElapsedRef(Span):
    """Two marks of the script, and bounds on the time between them."""

    heading: ClassVar[str] = "Which time"

    from_: Annotated[Name, Field(alias="from", description="The mark that it is measured from")]
    to: Annotated[Name, Field(description="The mark that it is measured to")]


class ElapsedCheck(Check):
    """The time between two marks, as the lab's own clock measured it."""

    subject: ClassVar[str] = "elapsed"
    words: ClassVar[tuple[str, ...]] = ("min", "max")

    elapsed: Annotated[ElapsedRef, Field(description="Between which marks, and how long")]

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        marks = [mark for _, line in numbered_lines(scenario) if (mark := marked_by(line))]
        for key, name in (("from", self.elapsed.from_), ("to", self.elapsed.to)):
            if name not in marks:
                what, fix = f': no step sets the mark "{name}"', did_you_mean(name, marks, "marks")
                yield Mistake("unknown-mark", ("elapsed", key), what, fix)
        if self.given():
            yield from self.elapsed.mistakes(("elapsed",))

    @property
    def title(self) -> str:
        return f"time from {self.elapsed.from_} to {self.elapsed.to}"

    def judge(self, evidence: Evidence) -> CheckResult:
        ref, reached = self.elapsed, _reached(evidence)
        unset = next((name for name in (ref.from_, ref.to) if name not in reached), None)
        if unset is not None:
            finding = find(_wanted(ref), message("mark-not-reached", mark=unset), holds=False, absent=True)
            return conclude(self, [finding])
        return conclude(self, [_finding(ref, reached, evidence)])


def _reached(evidence: Evidence) -> dict[str, StepEnded]:
    """The marks that were set, and the last step that set each."""
    steps = (event for event in evidence.transcript.events if isinstance(event, StepEnded))
    lines = ((line_of(evidence.scenario, step.step), step) for step in steps)
    return {mark: step for line, step in lines if line and (mark := marked_by(line))}


def _finding(ref: ElapsedRef, reached: dict[str, StepEnded], evidence: Evidence) -> Finding:
    began, ended = reached[ref.from_].began, reached[ref.to].began
    took = ended - began
    marks = [
        proof("step", "mark-set", time=reached[name].began, step=reached[name].step, mark=name)
        for name in (ref.from_, ref.to)
    ]
    if took < 0:
        return find(_wanted(ref), message("set-before", mark=ref.to, other=ref.from_), marks, holds=False)
    # Either mark may have been set late.
    doubt = lateness(ref, took, evidence)
    return find(_wanted(ref), message("took", took=took), marks, holds=fits(ref, took), doubt=doubt)


def _wanted(ref: ElapsedRef) -> Message:
    return message("elapsed", bounds=bounds_told(ref), mark=ref.from_, other=ref.to)
