"""A step that did not come out as the script says: a result, not an error."""

from __future__ import annotations

from lab.evidence.facts import StepFact


class StepFailure(Exception):  # noqa: N818 - a result that travels as an exception
    """What the step waited for, what was there instead, and the output that was not consumed."""

    def __init__(self, expected: StepFact, observed: StepFact, rest: str = "") -> None:
        super().__init__(f"{expected}: {observed}")
        self.expected = expected
        self.observed = observed
        self.rest = rest
