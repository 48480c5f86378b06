"""``mark``: note the time, for a check of how long something took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from lab.scenario import Scenario
from lab.scenario.base import Name
from lab.scenario.mistake import Mistake
from lab.scenario.script import numbered_lines
from lab.scenario.steps import Line
from lab.steps.executable import Executable

if TYPE_CHECKING:
    from lab.steps.context import Context


class Mark(Executable):
    """Note the time under a name. Where it is played several times, the last one counts."""

    verb: ClassVar[str] = "mark"

    mark: Annotated[Name, Field(description="The name")]

    def describe(self) -> str:
        return f"mark {self.mark}"

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:
        same = [one for _, one in numbered_lines(scenario) if marked_by(one) == self.mark]
        if same[0] is not line:
            what = f'sets the mark "{self.mark}", which another step sets'
            yield Mistake("duplicate-name", ("mark",), what, "give it a name of its own")

    async def execute(self, context: Context) -> None:
        """The transcript has the time of each step."""


def marked_by(line: Line) -> str:
    """The mark that a line sets, or nothing."""
    return line.action.mark if isinstance(line.action, Mark) else ""
