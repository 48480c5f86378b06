"""The script of a scenario: who does what, in which order.

A line of the script is a mapping with one key. ``ACTOR: ACTION`` has an actor (a host, or ``host.program``
for a second program there) and an action: a mapping whose one *verb* key says what is done and whose
other keys say how. ``ACTOR: [ACTION, ...]`` is that many lines. ``together`` and ``repeat`` hold steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Struct
from pydantic import Discriminator, Field, GetCoreSchemaHandler, StringConstraints, Tag, model_serializer
from pydantic_core import CoreSchema

from lab.scenario.base import NAME, Bytes, Duration, Model, OneOrMany, Text, own_first, plain, tag
from lab.scenario.family import Family
from lab.scenario.mistake import Mistake

if TYPE_CHECKING:
    from lab.scenario import Scenario

RUN = "run"
"""What the transcript calls the commands of ``run`` steps; no program is called so."""

ACTOR = rf"{NAME[:-1]}(\.{NAME[1:-1]}(\.[1-9][0-9]*)?)?$"
Actor = Annotated[str, StringConstraints(pattern=ACTOR)]
"""``host``, ``host.name`` of a program or a connection, or ``host.name.number`` of one of several."""


class Pattern(Model):
    """What is waited for in a program's output; text unless it says otherwise."""

    heading: ClassVar[str] = "A pattern"

    short: ClassVar[str] = "text"

    text: Annotated[Text | None, Field(description="Exactly this, anywhere")] = None
    line: Annotated[
        str | None, Field(description="A whole line that is exactly this; it ends in LF or CR LF")
    ] = None
    regex: Annotated[
        Text | None, Field(description="A regular expression (Python's re); named groups become variables")
    ] = None
    glob: Annotated[Text | None, Field(description="A whole line with * and ? standing for anything")] = None
    bytes: Annotated[Bytes | None, Field(description="Exactly these bytes, anywhere")] = None
    end: Annotated[Literal[True] | None, Field(description="The end of the output")] = None


Kind = Literal["program", "command", "connection", "listener"]
"""What an action brings on: a program of the file, a shell command, or a socket of the script."""


class Entrance(Struct, frozen=True):
    """What an action brings on: its name on the host, and that of the file, if it is a program."""

    name: str
    program: str | None
    main: bool = False
    """Whether it is the program of its host that needs no name."""
    kind: Kind = "program"
    count: int = 0
    """How many connections the name stands for; 0 for a single one."""
    on_pipes: bool = False
    """Whether it has no terminal, because the step gives it a file to read or to write."""
    reads: str = ""
    """The file in its folder that it reads in place of what the script says."""

    @property
    def stays(self) -> bool:
        """Whether it may still be there when the step is over."""
        return self.kind != "command"


ActsOn = Literal["program", "connection", "speaker", "listener", "host", "cable"]


class Action(Model):
    """What an actor does: one key, its *verb*, says what is done, the others say how."""

    verb: ClassVar[str]
    """The key that names it."""

    family: ClassVar[Family[Action]] = Family("verb", "lab.steps.actions")

    acts_on: ClassVar[ActsOn] = "host"
    """What it is done with: a program that must have been started, a connection that must have been opened,
    either of them (``speaker``), a listener, the host, or the host's cable."""

    needs_terminal: ClassVar[bool] = False
    """Whether it can be done with a program on a terminal only."""

    gives_input: ClassVar[bool] = False
    """Whether it gives a program something to read, or ends its input."""

    within: Annotated[
        Duration | None, Field(description="How long it may take; timeouts.step unless given")
    ] = None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cls.family.core_schema(handler) if cls is Action else handler(source)

    def describe(self) -> str:
        """One line for people."""
        return self.verb

    def mistakes(self, line: Line, scenario: Scenario) -> Iterator[Mistake]:  # noqa: ARG002 - each as it needs
        """What makes no sense; each ``what`` follows the number of the step."""
        return iter(())

    def enters(self) -> Entrance | None:
        """The program that it runs, if it runs one."""
        return None

    def needs_program(self) -> bool:
        """Whether what it is done with must have been brought on before it."""
        return self.acts_on not in {"host", "cable"}

    def accepts(self, kind: Kind) -> bool:
        """Whether it can be done with such a thing."""
        return self.acts_on in {kind, "host", "cable"} or (
            self.acts_on == "speaker" and kind in {"program", "connection"}
        )

    def may_end_program(self) -> bool:
        """Whether the program may have ended after it."""
        return False

    def pattern(self) -> Pattern | None:
        """What it looks for in output."""
        return None

    def ports_awaited(self, scenario: Scenario) -> tuple[int, ...]:  # noqa: ARG002 - each as it needs
        """The ports that it waits for until somebody listens there."""
        return ()

    def lasts(self) -> float | None:
        """Seconds that it takes in any case, as its verb says; None if it is over when it is done."""
        return None


class Line(Model):
    """One line of the script: an actor and what it does."""

    actor: Annotated[Actor, Field(description="Who acts")]
    action: Annotated[Action, Field(description="What is done")]

    @property
    def host(self) -> str:
        """The host the actor is on."""
        return self.actor.partition(".")[0]

    @property
    def program(self) -> str | None:
        """The name after the dot, or None for the host's main program."""
        return self.actor.partition(".")[2] or None

    @model_serializer(mode="plain")
    def _as_written(self) -> dict[str, Any]:
        return {self.actor: own_first(type(self.action), plain(self.action))}


BLOCKS = ("together", "repeat")
"""The keys of the steps that hold steps; every other key of a step is an actor."""


class Together(Model):
    """Branches that are played at once; it ends when all have ended."""

    together: Annotated[
        tuple[Annotated[tuple[Step, ...], OneOrMany(), Field(min_length=1)], ...],
        Field(min_length=2, description="The branches: each is a list of steps, or a single step"),
    ]


class Repetition(Model):
    """Steps to play several times."""

    times: Annotated[int, Field(ge=1, le=10_000, description="How often")]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, description="Steps of the script")]


class Repeat(Model):
    """Steps played several times, with ``${i}`` counting from 1."""

    repeat: Annotated[Repetition, Field(description="What, and how often")]


def _kind(value: Any) -> str:
    if isinstance(value, Model):
        return tag(type(value).__name__.lower())
    return tag(next((word for word in BLOCKS if isinstance(value, dict) and word in value), "line"))


Step = Annotated[
    Annotated[Line, Tag("<line>")]
    | Annotated[Together, Tag("<together>")]
    | Annotated[Repeat, Tag("<repeat>")],
    Discriminator(_kind),
]
"""One step of a script: a line, or a block of steps."""
