"""``send``, ``type`` and ``bytes``: input for a program, or bytes for a connection."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.agent.protocol import Glance
from lab.core.quote import quoted
from lab.evidence.facts import LineFits, LineTooLong
from lab.scenario.base import Bytes, Text
from lab.scenario.steps import ActsOn
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure

if TYPE_CHECKING:
    from lab.steps.context import Context

LONGEST_LINE = 4095
"""Bytes of a line that a terminal takes (N_TTY); it loses the rest without a word."""


class _Giving(Executable):
    """Input for a program, or bytes for a connection."""

    acts_on: ClassVar[ActsOn] = "speaker"
    gives_input: ClassVar[bool] = True

    @abstractmethod
    def given(self) -> tuple[bytes, str, str]:
        """The bytes, the transcript's word for the kind of input, and its text there."""

    async def execute(self, context: Context) -> None:
        speaker = context.speaker()
        data, kind, text = self.given()
        longest = max((len(part) for part in data.split(b"\n")), default=0)
        if speaker.tty and longest > LONGEST_LINE:
            raise StepFailure(LineFits(LONGEST_LINE), LineTooLong(longest))
        await context.ask(Glance(host=context.line.host))  # what it is told may end it
        await context.say(speaker, data, kind, text)


class Send(_Giving):
    """Type a line, with its newline."""

    verb: ClassVar[str] = "send"

    send: Annotated[str, Field(description="The line, without its newline")]

    def describe(self) -> str:
        return f"send {quoted(self.send)}"

    def given(self) -> tuple[bytes, str, str]:
        return _text(f"{self.send}\n")


class Type(_Giving):
    """Type text without a newline."""

    verb: ClassVar[str] = "type"

    type: Annotated[Text, Field(description="The text")]

    def describe(self) -> str:
        return f"type {quoted(self.type)}"

    def given(self) -> tuple[bytes, str, str]:
        return _text(self.type)


class SendBytes(_Giving):
    """Send bytes exactly."""

    verb: ClassVar[str] = "bytes"

    bytes: Annotated[Bytes, Field(description="In hexadecimal digits or base64")]

    def describe(self) -> str:
        return f"send {len(self.bytes)} bytes"

    def given(self) -> tuple[Bytes, str, str]:
        return self.bytes, "bytes", self.bytes.hex(" ")


def _text(text: str) -> tuple[bytes, str, str]:
    return text.encode("utf-8", "surrogateescape"), "text", text
