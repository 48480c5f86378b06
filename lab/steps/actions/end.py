"""``key``, ``signal`` and ``close``: what may end a program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, WithJsonSchema

from lab.agent import protocol
from lab.core.words import Signal
from lab.evidence.facts import IsRunning
from lab.evidence.transcript import Input
from lab.scenario.base import shaped
from lab.scenario.steps import ActsOn, Kind
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure

if TYPE_CHECKING:
    from lab.steps.context import Context

_KEY = re.compile(r"ctrl-[a-z\\]|enter|tab|escape")
_KEYS = {"enter": b"\r", "tab": b"\t", "escape": b"\x1b"}
_ENDING_KEYS = ("ctrl-c", "ctrl-d", "ctrl-\\")

_CLOSES = (
    "Whether to end the program so is the right way to close its connections. Unless given: in steps, while "
    "the peer has not closed yet"
)


class _Ending(Executable):
    """What may end a program."""

    acts_on: ClassVar[ActsOn] = "program"

    def may_end_program(self) -> bool:
        return True

    async def _is_done(self, context: Context) -> bool:
        """Whether ``finally`` has nothing to end: the program has ended well by itself."""
        program = context.program()
        return context.tidies and program.has_ended and await program.until_exit() == 0


class Key(_Ending):
    """Press a key, as on a terminal: the terminal turns ctrl-c into SIGINT."""

    verb: ClassVar[str] = "key"
    needs_terminal: ClassVar[bool] = True

    key: Annotated[
        str,
        shaped(_KEY, "keys are ctrl-a to ctrl-z, ctrl-\\, enter, tab and escape"),
        WithJsonSchema({"type": "string", "pattern": rf"^({_KEY.pattern})$"}),
        Field(description="ctrl- and a letter, enter, tab or escape"),
    ]
    closes: Annotated[bool | None, Field(description=_CLOSES)] = None

    def describe(self) -> str:
        return f"press {self.key}"

    def may_end_program(self) -> bool:
        return self.key in _ENDING_KEYS

    async def execute(self, context: Context) -> None:
        program = context.program()
        if self.may_end_program() and await self._is_done(context):
            return
        await context.programs.look()
        key = _KEYS.get(self.key) or bytes([ord(self.key[-1].upper()) & 0x1F])
        await context.say(program, key, "key", self.key)
        context.programs.told_to_end.add(program)


class SendSignal(_Ending):
    """Send a signal to the program."""

    verb: ClassVar[str] = "signal"

    signal: Annotated[Signal, Field(description="Its name")]
    closes: Annotated[bool | None, Field(description=_CLOSES)] = None

    def describe(self) -> str:
        return f"signal {self.signal}"

    async def execute(self, context: Context) -> None:
        program = context.program()
        if await self._is_done(context):
            return
        await context.programs.look()
        at = context.programs.recorder.now()
        if not await context.ask(protocol.Signal(pid=program.pid, signal=self.signal)):
            await program.until_exit()
            raise StepFailure(IsRunning(), program.life(), program.screen.rest)
        context.programs.told_to_end.add(program)
        note = Input(at, context.line.host, program.name, context.step, "signal", self.signal)
        context.programs.recorder.note(note)


class Close(_Ending):
    """End a program's input: half-close of a pipe; ^D on a terminal, twice behind half a line.

    Of a connection of the script: ``write`` sends FIN and goes on reading, ``both`` closes it.
    """

    verb: ClassVar[str] = "close"
    gives_input: ClassVar[bool] = True

    close: Annotated[
        Literal["stdin", "write", "both"],
        Field(description="stdin: a program's input. write, both: one or both ways of a connection"),
    ]

    def describe(self) -> str:
        return f"close {self.close}"

    def accepts(self, kind: Kind) -> bool:
        return kind == ("program" if self.close == "stdin" else "connection")

    def may_end_program(self) -> bool:
        return self.close != "write"

    async def execute(self, context: Context) -> None:
        if self.close != "stdin":
            await context.end_connection(self.close)
            return
        program = context.program()
        await context.programs.look()
        context.note_input(program, "end", "")
        await program.close_input()
        context.programs.told_to_end.add(program)


class Reset(_Ending):
    """Close a connection of the script with RST: what was not sent yet is thrown away."""

    verb: ClassVar[str] = "reset"
    acts_on: ClassVar[ActsOn] = "connection"

    reset: Annotated[Literal[True], Field(description="True")]

    async def execute(self, context: Context) -> None:
        await context.end_connection("reset")
