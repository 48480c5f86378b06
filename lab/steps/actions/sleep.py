"""``sleep``: let time pass."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.core.durations import format_duration
from lab.scenario.base import Duration
from lab.steps.executable import Executable

if TYPE_CHECKING:
    from lab.steps.context import Context


class Sleep(Executable):
    """Let time pass, whatever happens meanwhile: the last resort, where nothing can be waited for."""

    verb: ClassVar[str] = "sleep"

    sleep: Annotated[Duration, Field(description="How long")]

    def describe(self) -> str:
        return f"sleep {format_duration(self.sleep)}"

    def lasts(self) -> float:
        return self.sleep

    async def execute(self, context: Context) -> None:
        await asyncio.sleep(self.sleep)
