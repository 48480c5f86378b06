"""``start``: run a program, and go on when it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec.structs import replace
from pydantic import Field

from lab.agent.protocol import WaitLeft, WaitReady
from lab.evidence.facts import Described, EndsBeforeStart, IsPath, ListensOnAll, ProgramRuns
from lab.scenario import Scenario
from lab.scenario.base import Name, OneOrMany, WorkPath, parse_work_path
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

    stdin: Annotated[
        WorkPath | None, Field(description="A file in its folder that it reads; it has no terminal then")
    ] = None
    stdout: Annotated[
        WorkPath | None,
        Field(
            description="A file in its folder that it writes in place of what is heard; it has no terminal"
        ),
    ] = None

    @property
    def name(self) -> str:
        """What the program is called on its host."""
        return self.as_ or self.start

    def describe(self) -> str:
        return f"start {self.start}" + (f" as {self.as_}" if self.as_ else "")

    def enters(self) -> Entrance:
        return Entrance(
            self.name,
            self.start,
            main=self.as_ is None,
            on_pipes=bool(self.stdin or self.stdout),
            reads=self.stdin or "",
        )

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

        yield from self._mistakes_of_files(scenario)

    def _mistakes_of_files(self, scenario: Scenario) -> Iterator[Mistake]:
        given = {"stdin": self.stdin, "stdout": self.stdout}
        words = [word for word, file in given.items() if file]
        own = scenario.programs.get(self.start)
        if words and own is not None and not (own.paths or own.build_of or own.command):
            what = f'gives program "{self.start}" a file, but that is an image\'s own command'
            fix = "say what to run by `source:` or `command:`: such a program has a folder"
            yield Mistake("needs-source", (words[0],), what, fix)
        if len(words) == 2 and self.stdin == self.stdout:
            what = f'has "{self.start}" read and write the same file, which is empty then'
            yield Mistake("contradiction", ("stdout",), what, "write another file")

    async def execute(self, context: Context) -> None:
        before = context.programs.in_the_way(context.line.host, self.enters())
        if before is not None and before.status is None:
            raise StepFailure(EndsBeforeStart(before.name, self.name), ProgramRuns())
        starter = context.programs.starter(context.line.host, self.start)
        starter = replace(
            starter,
            argv=(*starter.argv, *self.args),
            env={**starter.env, **self.env},
            stdin=_named(self.stdin),
            stdout=_named(self.stdout),
        )
        own, entrance = context.programs.scenario.programs[self.start], self.enters()
        program = context.new_program(
            self.name, tty=own.tty and not entrance.on_pipes, has_input=not entrance.reads
        )
        await program.start(context.programs.deployment, starter, context.step)
        context.programs.enter(context.line.host, self.enters(), program)
        if own.listens:
            await _until_ready(context, program, own)


def _named(path: str | None) -> str:
    """A path whose variables have values: these may not lead it out of the folder. StepFailure."""
    try:
        return parse_work_path(path) if path else ""
    except ValueError as error:
        raise StepFailure(Described(str(error)), IsPath(path or "")) from None


async def _until_ready(context: Context, program: Program, own: Model) -> None:
    """Wait until processes of this start listen on its ports; one that left others behind is not over."""
    expected = ListensOnAll(program.name, tuple(map(str, own.listens)))
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
