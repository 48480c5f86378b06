"""``expect``: wait for output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lab.core.words import describe_status
from lab.scenario.steps import Pattern
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure
from lab.steps.screen import describe

if TYPE_CHECKING:
    from lab.steps.context import Context
    from lab.steps.program import Program


class Expect(Executable):
    """Wait for output and consume it up to the end of what was found."""

    verb: ClassVar[str] = "expect"
    acts_on: ClassVar[Literal["program", "host", "cable"]] = "program"

    expect: Annotated[Pattern, Field(description="What to wait for")]

    def describe(self) -> str:
        return f"expect {describe(self.expect)}"

    def pattern(self) -> Pattern:
        return self.expect

    def may_end_program(self) -> bool:
        return self.expect.end is not None

    async def execute(self, context: Context) -> None:
        program = context.program()
        match = await program.expect(self.expect)
        if match is None:
            raise StepFailure(describe(self.expect), _unprinted(program), program.screen.rest)
        context.variables.update(match.groups)


def _unprinted(program: Program) -> str:
    """Why a program can print no more, in words."""
    if program.status is None:
        return "its output ended, and it is still running"
    return f"the program ended before it printed that: {describe_status(program.status)}"
