"""The verdict of a scenario: what must be true of what happened.

A check names one *subject* (its first key) and says something of it under the other keys. Each subject has
a file of its own in :mod:`lab.checks.subjects`; every word is explained in ``docs/checks.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Struct
from pydantic import Field, GetCoreSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema

from lab.scenario.base import Duration, HostName, HostPort, Model, OneOrMany, Text, own_first
from lab.scenario.family import Family
from lab.scenario.mistake import Mistake, Path

if TYPE_CHECKING:
    from lab.scenario import Scenario


class Place(Struct, frozen=True):
    """A file in the folder of a program at a host; without a host, as ``files:`` of the program lays it.

    Without a program it is in the folder of all of the host's programs.
    """

    host: str
    program: str
    path: str


class CheckBase(Model):
    """What every check may carry besides its subject."""

    subject: ClassVar[str]
    """The key that names the subject."""

    family: ClassVar[Family[CheckBase]] = Family("subject", "lab.checks.subjects")

    of_connections: ClassVar[bool] = False
    """Whether its ``program`` may be a connection of the script."""

    words: ClassVar[tuple[str, ...]] = ()
    """Keys that say something which can be false, if none of them is required."""

    name: Annotated[Text | None, Field(description="What the result table calls it")] = None
    points: Annotated[int, Field(ge=0, description="Points for grading")] = 0
    hint: Annotated[Text | None, Field(description="Shown when it fails")] = None
    needs: Annotated[
        tuple[Text, ...],
        OneOrMany(),
        Field(description="Names of checks without whose pass this one is skipped"),
    ] = ()
    visibility: Annotated[
        Literal["visible", "hidden", "after_due_date", "after_published"], Field(description="Who may see it")
    ] = "visible"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cls.family.core_schema(handler) if cls is CheckBase else handler(source)

    @model_serializer(mode="wrap")
    def _subject_first(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return own_first(type(self), handler(self))

    @property
    def about(self) -> Any:
        """What stands under the subject."""
        return getattr(self, self.subject)

    def given(self) -> list[str]:
        """Those of its words that the check says something with."""
        return [word for word in self.words if self.said(word) is not None]

    def said(self, word: str) -> Any:
        """What stands under a word, beside the subject or below it; None if it was not given."""
        return getattr(self if word in type(self).model_fields else self.about, word)

    def mistakes(self, scenario: Scenario) -> Iterator[Mistake]:  # noqa: ARG002 - each as it needs
        """What makes no sense; each ``what`` follows the number of the check."""
        return iter(())

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Texts whose variables are filled in before it is judged, with the paths to them."""
        return iter(())

    def needs_payloads(self) -> bool:
        """Whether it looks at the payload of frames, all of it."""
        return False

    def files(self, scenario: Scenario) -> Iterator[tuple[Place, bool]]:  # noqa: ARG002 - each as it needs
        """The files that it looks at, and whether each is wanted."""
        return iter(())

    def awaits_end(self, host: str, program: str) -> bool:  # noqa: ARG002 - each as it needs
        """Whether it says how this program must have ended by the end of the script."""
        return False

    def asks_for_end(self, host: str, program: str, status: int) -> bool:  # noqa: ARG002 - each as it needs
        """Whether it is just this end that it asks of the program."""
        return False


Role = Literal["from", "to"]
"""The end of a connection that opened it, or the one it went to."""


class ConnectionRef(Model):
    """One connection, by the host that opened it and the endpoint it went to."""

    heading: ClassVar[str] = "Which connection"

    from_: Annotated[HostName, Field(alias="from", description="The host that sent the SYN")]
    to: Annotated[HostPort, Field(description="The host it went to, and the port there")]
    nth: Annotated[int, Field(ge=1, description="Which of several, counting from 1 by their first SYN")] = 1

    def roles(self, end: str) -> tuple[Role, ...]:
        """Which ends a word names, a host or ``from`` or ``to``: two, if both are that host, or none."""
        hosts: dict[Role, str] = {"from": self.from_, "to": self.to.host}
        named = tuple(role for role, host in hosts.items() if host == end)
        return named or tuple(role for role in hosts if role == end)

    def __str__(self) -> str:
        number = f", number {self.nth}" if self.nth > 1 else ""
        return f"connection from {self.from_} to {self.to}{number}"


class Span(Model):
    """Bounds on a time."""

    heading: ClassVar[str] = "A span of time"

    min: Annotated[Duration | None, Field(description="At least so long")] = None
    max: Annotated[Duration | None, Field(description="At most so long")] = None

    def mistakes(self, path: Path) -> Iterator[Mistake]:
        """Bounds that say nothing, or that no time is within."""
        if self.min is None and self.max is None:
            yield Mistake("no-assertion", path, f': "{path[-1]}" says nothing', "add `min:` or `max:`")
        elif self.min is not None and self.max is not None and self.min > self.max:
            yield Mistake(
                "contradiction", path, ": no time is at least `min` and at most `max`", "swap the two"
            )
