"""``number``: a number that a program printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import Field

from lab.checks.check import Check
from lab.checks.finding import Finding, conclude, find
from lab.evidence.evidence import Evidence
from lab.evidence.message import message
from lab.evidence.verdict import CheckResult
from lab.scenario import Scenario
from lab.scenario.base import Model, Text, Within, written
from lab.scenario.mistake import Mistake, Path
from lab.scenario.variables import substitute

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*", re.ASCII)
_LONGEST = 100
"""Characters of a text that can be a number."""


class NumberRef(Model):
    """A number, and bounds on it."""

    heading: ClassVar[str] = "Which number"

    value: Annotated[Text, Field(description="The text, with the variable of a step that captured it")]
    min: Annotated[float | None, Field(description="At least so much")] = None
    max: Annotated[float | None, Field(description="At most so much")] = None
    near: Annotated[float | None, Field(description="So much, up to `within`")] = None
    within: Annotated[
        Within | None, Field(description="How far from `near` it may be; with % so many per cent of `near`")
    ] = None


class NumberCheck(Check):
    """A number that a program printed and that a step captured is within bounds."""

    subject: ClassVar[str] = "number"
    words: ClassVar[tuple[str, ...]] = ("min", "max", "near")

    number: Annotated[NumberRef, Field(description="Which one, and its bounds")]

    def texts(self) -> Iterator[tuple[Path, str]]:
        yield ("number", "value"), self.number.value

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:
        about = self.number
        if (about.near is None) != (about.within is None):
            given, lacking = ("near", "within") if about.within is None else ("within", "near")
            yield Mistake(
                "no-assertion", ("number", given), f': "{given}" lacks "{lacking}"', f"add `{lacking}:`"
            )
        if about.near == 0 and about.within and about.within.percent:
            what = f": {about.within} of 0 is 0"
            yield Mistake("contradiction", ("number", "within"), what, "write a number without %")
        if about.min is not None and about.max is not None and about.min > about.max:
            what = ": no number is at least `min` and at most `max`"
            yield Mistake("contradiction", ("number", "min"), what, "swap the two")

    @property
    def title(self) -> str:
        return f"number {self.number.value}"

    def judge(self, evidence: Evidence) -> CheckResult:
        text = substitute(self.number.value, evidence.info.variables)
        return conclude(self, list(_findings(self.number, text)))


def _findings(ref: NumberRef, text: str) -> Iterator[Finding]:
    readable = len(text) <= _LONGEST and _NUMBER.fullmatch(text) is not None
    number = Fraction(text.strip()) if readable else Fraction(0)
    observed = (
        message("number-is", text=text.strip()) if readable else message("no-number", text=text[:_LONGEST])
    )
    if ref.min is not None:
        least = message("number-at-least", min=ref.min)
        yield find(least, observed, holds=readable and number >= written(ref.min))
    if ref.max is not None:
        most = message("number-at-most", max=ref.max)
        yield find(most, observed, holds=readable and number <= written(ref.max))
    if ref.near is not None and ref.within is not None:
        near = readable and abs(number - written(ref.near)) <= ref.within.of(ref.near)
        wanted = message("number-near", near=ref.near, within=str(ref.within))
        yield find(wanted, observed, holds=near)
