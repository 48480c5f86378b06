"""What an action is given when it is executed."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from lab.agent.protocol import Request
from lab.evidence.transcript import Input
from lab.scenario.steps import Line
from lab.steps.failure import StepFailure
from lab.steps.program import Program
from lab.steps.programs import Programs, Variables

A = TypeVar("A")


class Context(Struct, frozen=True):
    """The line that is executed, the number of its step, and what it may use."""

    programs: Programs
    line: Line
    step: str
    variables: Variables
    """What is captured is added to them."""

    async def ask(self, request: Request[A]) -> A:
        """Have the agent do something (docs/contributing.md); its answer."""
        return await self.programs.deployment.agent.ask(request)

    def program(self) -> Program:
        """The program that the actor is. StepFailure if none was started."""
        program = self.programs.find(self.line)
        if program is None:
            raise StepFailure(f"a program runs on {self.line.actor}", "none was started there")
        return program

    def new_program(self, name: str, *, tty: bool, has_input: bool = True) -> Program:
        """A program that the step is about to start on its host."""
        return self.programs.new(self.line.host, name, self.step, tty=tty, has_input=has_input)

    def write(self, program: Program, data: bytes, kind: str, text: str) -> None:
        """Give a program input. StepFailure if it takes none."""
        self.note_input(program, kind, text)
        program.write(data)

    def note_input(self, program: Program, kind: str, text: str) -> None:
        """Write down that a program is about to be given input. StepFailure if it takes none."""
        if not program.takes_input:
            raise StepFailure("the program takes input", program.life(), program.screen.rest)
        scribe = self.programs.scribe
        scribe.note(Input(scribe.now(), program.host.plan.name, program.name, self.step, kind, text))
