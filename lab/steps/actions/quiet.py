"""``quiet``: nothing is printed for a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.core.durations import format_duration
from lab.evidence.facts import HadSaid, HasSaid, NothingHeard
from lab.scenario.base import Duration
from lab.scenario.steps import ActsOn
from lab.steps.executable import Executable
from lab.steps.failure import StepFailure

if TYPE_CHECKING:
    from lab.steps.context import Context

_SHOWN = 200
"""Characters of output that a failure quotes."""


class Quiet(Executable):
    """Nothing is printed for so long, and nothing is left that was printed and that no step has expected."""

    verb: ClassVar[str] = "quiet"
    acts_on: ClassVar[ActsOn] = "speaker"

    quiet: Annotated[Duration, Field(description="How long")]

    def describe(self) -> str:
        return f"quiet for {format_duration(self.quiet)}"

    def lasts(self) -> float:
        return self.quiet

    async def execute(self, context: Context) -> None:
        speaker = context.speaker()
        before, began = speaker.screen.unread, asyncio.get_running_loop().time()
        expected = NothingHeard(speaker.verb, self.quiet)
        if before:
            raise StepFailure(expected, HadSaid(speaker.verb, _cut(before)), speaker.screen.rest)
        try:
            async with asyncio.timeout(self.quiet):
                printed = await speaker.until_unread()
        except TimeoutError:
            await context.programs.vouch(began)  # else what it printed may just not have arrived
            return
        raise StepFailure(expected, HasSaid(speaker.verb, _cut(printed)), speaker.screen.rest)


def _cut(text: str) -> str:
    """The beginning of what was printed."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
