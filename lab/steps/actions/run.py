"""``run``: one shell command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.core.quote import quoted
from lab.evidence.facts import Described, ExitedWith, ExitsWith, NotInOutput
from lab.scenario.base import Text
from lab.scenario.steps import RUN, Entrance, Pattern
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure
from lab.steps.screen import describe

if TYPE_CHECKING:
    from lab.steps.context import Context


class Run(Executable):
    """Run one shell command, which has nothing to read; a wrong exit status or output fails the step."""

    verb: ClassVar[str] = "run"

    run: Annotated[Text, Field(description="The command")]
    status: Annotated[int, Field(ge=0, le=255, description="The exit status it must end with")] = 0
    expect: Annotated[Pattern | None, Field(description="What its output must hold")] = None

    def describe(self) -> str:
        return f"run {quoted(self.run)}"

    def enters(self) -> Entrance:
        return Entrance(RUN, None, kind="command")

    def pattern(self) -> Pattern | None:
        return self.expect

    async def execute(self, context: Context) -> None:
        program = context.new_program(RUN, tty=False, has_input=False)
        await program.start(context.programs.deployment, context.programs.command(self.run), context.step)
        status = await program.until_exit()
        rest = program.screen.rest
        if status != self.status:
            raise StepFailure(ExitsWith(self.status), ExitedWith(status), rest)
        if self.expect is not None:
            match = await program.find(self.expect)
            if match is None:
                raise StepFailure(Described(describe(self.expect)), NotInOutput(), rest)
            context.variables.update(match.groups)
