"""Who ended a program's output: the program, or the engine that should have brought it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct, field

from lab.agent.protocol import OutputHeld, OutputState, PipeOrTerminal
from lab.core.errors import EngineError
from lab.deploy.deployment import Deployment
from lab.deploy.health import SILENCE_SECONDS
from lab.deploy.host import RunningHost

_FIX = "see whether the engine still runs (`docker info`), then run it again"


class OutputWatch(Struct):
    """Knows where the output of a program goes in its host, and asks there when the connection to it ends."""

    deployment: Deployment
    host: RunningHost
    program: str
    pid: int
    output: Sequence[PipeOrTerminal]
    """Its pipes or its terminal; none once it has ended."""
    asking: set[asyncio.Task[None]] = field(default_factory=set)

    def ended(self) -> None:
        """The connection has ended: find out who did that."""
        self.asking.add(asyncio.ensure_future(self._find_out()))

    async def confirmed(self) -> None:
        """Wait until that is known."""
        await asyncio.gather(*self.asking, return_exceptions=True)

    async def until_ended(self, drained: asyncio.Event) -> None:
        """The program has ended, and its output has not: wait, unless a child of it holds that."""
        if (await self._state()).held:
            return
        try:
            await asyncio.wait_for(drained.wait(), SILENCE_SECONDS)
        except TimeoutError:
            self._blame("has not brought the end of")

    async def _find_out(self) -> None:
        state = await self._state()
        if state.alive and state.held:
            self._blame("has lost")

    async def _state(self) -> OutputState:
        request = OutputHeld(pid=self.pid, host=self.host.pid, output=self.output)
        return await self.deployment.agent.ask(request)

    def _blame(self, what: str) -> None:
        self.deployment.health.fail(lost_output(self.program, self.host.plan.name, what))


def lost_output(program: str, host: str, what: str = "has lost") -> EngineError:
    """The engine did that with the output of a program."""
    return EngineError(
        "output-lost", f"the container engine {what} the output of {program} on {host}", fix=_FIX
    )
