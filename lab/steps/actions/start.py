"""``start``: run a program, and go on when it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec.structs import replace
from pydantic import Field

from lab.agent.protocol import WaitLeft, WaitReady
from lab.scenario import Scenario
from lab.scenario.base import Name, OneOrMany
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.mistake import Mistake
from lab.scenario.steps import RUN, Entrance, Line
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure

if TYPE_CHECKING:
    from lab.scenario.cast import Program as Model
    from lab.steps.context import Context
    from lab.steps.program import Program


class Start(Executable):
    """Run a program; goes on when processes of this start listen on every port it ``listens`` on."""

    verb: ClassVar[str] = "start"

    start: Annotated[Name, Field(description="The program")]
    as_: Annotated[
        Name | None,
        Field(alias="as", description="Its name, where a host runs several: spoken to as host.name"),
    ] = None
    args: Annotated[
        tuple[str, ...], OneOrMany(), Field(description="Arguments, after the program's own")
    ] = ()
    env: Annotated[dict[str, str], Field(description="Environment variables, over the program's own")] = (
        Field(default_factory=dict)
    )

    @property
    def name(self) -> str:
        """What the program is called on its host."""
        return self.as_ or self.start

    def describe(self) -> str:
        return f"start {self.start}" + (f" as {self.as_}" if self.as_ else "")

    def enters(self) -> Entrance:
        return Entrance(self.name, self.start, main=self.as_ is None)

    def ports_awaited(self, scenario: Scenario) -> tuple[int, ...]:
        return scenario.programs[self.start].ports("tcp")

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:
        if self.start not in scenario.programs:
            what = f'starts program "{self.start}", which is not defined'
            fix = did_you_mean(self.start, scenario.programs, "programs")
            yield Mistake("unknown-program", ("start",), what, fix)
        if self.name == RUN:
            what = f'calls a program "{RUN}", which is what commands of `run` are called'
            fix = "give it another name with `as:`"
            yield Mistake("reserved-name", ("as" if self.as_ else "start",), what, fix)

    async def execute(self, context: Context) -> None:
        before = context.programs.in_the_way(context.line.host, self.enters())
        if before is not None and before.status is None:
            raise StepFailure(f"{before.name} has ended before {self.name} is started", "it is still running")
        starter = context.programs.starter(context.line.host, self.start)
        starter = replace(starter, argv=(*starter.argv, *self.args), env={**starter.env, **self.env})
        own = context.programs.scenario.programs[self.start]
        program = context.new_program(self.name, tty=own.tty)
        await program.start(context.programs.deployment, starter, context.step)
        context.programs.enter(context.line.host, self.enters(), program)
        if own.listens:
            await _until_ready(context, program, own)


async def _until_ready(context: Context, program: Program, own: Model) -> None:
    """Wait until processes of this start listen on its ports; one that left others behind is not over."""
    numbers = " and ".join(map(str, own.listens))
    expected = f"{program.name} listens on port{'s' if len(own.listens) > 1 else ''} {numbers}"
    wanted = WaitReady(host=context.line.host, mark=program.mark, tcp=own.ports("tcp"), udp=own.ports("udp"))
    asked = context.ask(wanted)
    ready = asyncio.ensure_future(asked)
    over = asyncio.ensure_future(_until_over(context, program))
    try:
        await asyncio.wait({ready, over}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            over.result()
            raise StepFailure(expected, program.life(), program.screen.rest)
        ready.result()
    finally:
        ready.cancel()
        over.cancel()


async def _until_over(context: Context, program: Program) -> None:
    """Wait until a program has ended, and all that came from it."""
    await program.until_exit()
    await context.ask(WaitLeft(host=context.line.host, mark=program.mark))
