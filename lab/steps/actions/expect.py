"""``expect``: wait for output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.evidence.facts import Described
from lab.scenario.steps import ActsOn, Pattern
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure
from lab.steps.screen import describe

if TYPE_CHECKING:
    from lab.steps.context import Context


class Expect(Executable):
    """Wait for output and consume it up to the end of what was found."""

    verb: ClassVar[str] = "expect"
    acts_on: ClassVar[ActsOn] = "speaker"

    expect: Annotated[Pattern, Field(description="What to wait for")]

    def describe(self) -> str:
        return f"expect {describe(self.expect)}"

    def pattern(self) -> Pattern:
        return self.expect

    def may_end_program(self) -> bool:
        return self.expect.end is not None

    async def execute(self, context: Context) -> None:
        speaker = context.speaker()
        match = await speaker.expect(self.expect)
        if match is None:
            raise StepFailure(Described(describe(self.expect)), speaker.unsaid(), speaker.screen.rest)
        context.variables.update(match.groups)
