"""What an action is given when it is executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from msgspec import Struct

from lab.agent import protocol
from lab.agent.protocol import Request
from lab.evidence.facts import NoneStarted, ProgramRunsOn, TakesInput
from lab.evidence.transcript import Input, Opened
from lab.scenario.steps import Action, Line
from lab.steps.failure import StepFailure
from lab.steps.peer import peers_of
from lab.steps.program import Program
from lab.steps.programs import Programs, Variables
from lab.steps.speaker import Speaker

A = TypeVar("A")


class Context(Struct, frozen=True):
    """The line that is executed, the number of its step, and what it may use."""

    programs: Programs
    line: Line
    step: str
    variables: Variables
    """What is captured is added to them."""

    @property
    def tidies(self) -> bool:
        """Whether the step stands under ``finally``."""
        return self.step.partition(".")[0] == "finally"

    async def ask(self, request: Request[A]) -> A:
        """Have the agent do something (docs/contributing.md); its answer."""
        return await self.programs.deployment.agent.ask(request)

    def speaker(self) -> Speaker:
        """Whom the actor stands for. StepFailure if nobody was brought on."""
        speaker = self.programs.find(self.line)
        if speaker is None:
            raise StepFailure(ProgramRunsOn(self.line.actor), NoneStarted())
        return speaker

    def program(self) -> Program:
        """The program that the actor is. StepFailure if none was started."""
        speaker = self.speaker()
        assert isinstance(speaker, Program)  # noqa: S101 - the loader has seen to that
        return speaker

    def new_program(self, name: str, *, tty: bool, has_input: bool = True) -> Program:
        """A program that the step is about to start on its host."""
        return self.programs.new(self.line.host, name, self.step, tty=tty, has_input=has_input)

    async def say(self, speaker: Speaker, data: bytes, kind: str, text: str) -> None:
        """Give somebody input. StepFailure if that cannot be done."""
        self.note_input(speaker, kind, text)
        await speaker.say(data)

    def note_input(self, speaker: Speaker, kind: str, text: str) -> None:
        """Write down that somebody is about to be given input. StepFailure for who takes none."""
        if not speaker.takes_input:
            raise StepFailure(TakesInput(speaker.noun), speaker.life(), speaker.screen.rest)
        self._note(speaker, kind, text)

    async def end_connection(self, how: Literal["write", "both", "reset"]) -> None:
        """End the connections that the actor stands for, as far as they are still there."""
        speaker = self.speaker()
        peers = [peer for peer in peers_of(speaker) if peer.closed in {"", "write"}]
        self._note(speaker, "reset" if how == "reset" else f"close {how}", "")
        for peer in peers:
            peer.closed = how
        names = [peer.name for peer in peers]
        await self.ask(protocol.EndPeers(host=self.line.host, names=names, how=how))

    def note_opened(self, at: int, action: Action, to: str, ports: Sequence[int]) -> None:
        """Write down which sockets a step has opened; it began to at that time (ns)."""
        entrance = action.enters()
        name = entrance.name if entrance else ""
        opened = Opened(at, self.line.host, name, self.step, action.verb, to, tuple(ports))
        self.programs.recorder.note(opened)

    def _note(self, speaker: Speaker, kind: str, text: str) -> None:
        recorder = self.programs.recorder
        recorder.note(Input(recorder.now(), self.line.host, speaker.name, self.step, kind, text))
