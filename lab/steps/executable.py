"""What every action of :mod:`lab.steps.actions` is: keys of the language, and what is done."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from lab.scenario.steps import Action

if TYPE_CHECKING:
    from lab.steps.context import Context


class Executable(Action):
    """An action that can be executed."""

    @abstractmethod
    async def execute(self, context: Context) -> None:
        """Do it. StepFailure if it does not come out as the script says."""
