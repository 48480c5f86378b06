"""``hold`` and ``release``: segments of a host are kept back at the switch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lab.agent import protocol
from lab.scenario import Scenario
from lab.scenario.base import HostName
from lab.scenario.mistake import Mistake
from lab.scenario.script import numbered_lines
from lab.scenario.steps import ActsOn, Line
from lab.steps.executable import Executable

if TYPE_CHECKING:
    from lab.steps.context import Context

SegmentKind = Literal["syn", "syn_ack", "ack", "data", "fin", "last_ack", "rst"]


class Hold(Executable):
    """Keep back, at the switch, segments that the host sends, and what it sends behind them."""

    verb: ClassVar[str] = "hold"
    acts_on: ClassVar[ActsOn] = "cable"

    hold: Annotated[
        SegmentKind,
        Field(
            description="ack: one that carries nothing else; last_ack: such a one that acknowledges the "
            "peer's FIN; fin, data: with or without more"
        ),
    ]
    to: Annotated[HostName | None, Field(description="The host they go to; any unless given")] = None

    def describe(self) -> str:
        return f"hold {self.hold}" + (f" to {self.to}" if self.to else "")

    async def execute(self, context: Context) -> None:
        peers, host = context.programs.addresses(self.to), context.line.host
        await context.ask(protocol.Hold(host=host, segment=self.hold, peers=peers, step=context.step))


class Release(Executable):
    """Wait until something is kept back, send it on in order, and keep back no more; so does the end."""

    verb: ClassVar[str] = "release"
    acts_on: ClassVar[ActsOn] = "cable"

    release: Annotated[SegmentKind, Field(description="Which, as in hold")]

    def describe(self) -> str:
        return f"release {self.release}"

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:
        actions = [one.action for _, one in numbered_lines(scenario) if one.host == line.host]
        if not any(isinstance(action, Hold) and action.hold == self.release for action in actions):
            what = f"releases a {self.release} of {line.host} that no step holds"
            fix = f"hold it first: `{line.host}: {{hold: {self.release}}}`"
            yield Mistake("not-held", ("release",), what, fix)

    async def execute(self, context: Context) -> None:
        # What the host has sent may be on its way, though a state that it leads to was seen.
        await context.ask(protocol.WaitHeld(host=context.line.host, segment=self.release))
        await context.ask(protocol.Release(host=context.line.host, segment=self.release))
