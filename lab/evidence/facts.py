"""What a step waited for and what was there instead, as data: a class a fact, its fields the parameters.

The name of a class gives the key of its sentence (``lab.output.sentences.steps``). A record is read back into
these classes, so that nothing in it can be told that has no sentence.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from lab.evidence.message import Message, key_of

Verb: TypeAlias = Literal["printed", "received"]
"""What was done with what a program or a connection has said."""

Noun: TypeAlias = Literal["program", "connection"]


class _Fact(Struct, frozen=True, tag_field="key", tag=key_of):
    """A fact that a step is about."""

    @property
    def message(self) -> Message:
        """The fact as it is said, and as JSON holds it."""
        fields = asdict(self).items()
        return Message(
            str(self.__struct_config__.tag),
            {name: value.message if isinstance(value, _Fact) else value for name, value in fields},
        )


# What was to be


class Described(_Fact, frozen=True, tag="text"):
    """What the scenario file says of an action or a pattern, or another program's words for an error."""

    text: str


class IsRunning(_Fact, frozen=True):
    """The program is running."""


class EndsBeforeStart(_Fact, frozen=True):
    """A program has ended before another is started."""

    before: str
    starts: str


class ListensOnAll(_Fact, frozen=True):
    """A program, or the script at a host, listens on every one of these ports."""

    who: str
    ports: tuple[str, ...]


class Connects(_Fact, frozen=True):
    """A connection is opened from a host to a port of another."""

    host: str
    to: str


class NothingHeard(_Fact, frozen=True):
    """Nothing is said for so long."""

    verb: Verb
    seconds: float


class ExitsWith(_Fact, frozen=True):
    """A command ends with this exit status."""

    status: int


class LineFits(_Fact, frozen=True):
    """A line has at most so many bytes."""

    most: int


class ClosedBeforeOpened(_Fact, frozen=True):
    """A connection is closed before another gets its name."""

    name: str


class BytesAreSent(_Fact, frozen=True):
    """So many bytes are sent."""

    count: int


class EveryVariableHasValue(_Fact, frozen=True):
    """Every variable has a value."""


class HostIsUp(_Fact, frozen=True):
    """A host is up."""

    host: str


class ProgramRunsOn(_Fact, frozen=True):
    """A program runs at an actor of the script."""

    actor: str


class TakesInput(_Fact, frozen=True):
    """A program or a connection takes input."""

    noun: Noun


# What was there


class ProgramRuns(_Fact, frozen=True):
    """The program runs."""


class HadEnded(_Fact, frozen=True):
    """The program had ended; the status as a shell counts."""

    status: int


class EndedUnprinted(_Fact, frozen=True):
    """The program ended before it printed what was expected."""

    status: int


class OutputEnded(_Fact, frozen=True):
    """The program has closed its output and runs."""


class ClosedByScript(_Fact, frozen=True):
    """The script has ended the connection: one way, both, or by reset."""

    how: str


class ConnectionIs(_Fact, frozen=True):
    """How a connection is: still open (empty), closed or reset by its other end, or what broke it."""

    how: str


class NothingMoreComes(_Fact, frozen=True):
    """Nothing more comes on a connection, and how that is."""

    life: ClosedByScript | ConnectionIs


class SomeHaveNot(_Fact, frozen=True):
    """Of several connections some have not said what was expected, and how the first of them is."""

    number: int
    of: int
    first: str
    life: ClosedByScript | ConnectionIs


Life: TypeAlias = ProgramRuns | HadEnded | ClosedByScript | ConnectionIs | SomeHaveNot
"""How a program or a connection is."""


class Late(_Fact, frozen=True):
    """It did not come in so many seconds: of the step, or of the whole script."""

    seconds: float
    of_script: bool


class LateOutput(_Fact, frozen=True):
    """It was not said in time, and whether something else was."""

    late: Late
    verb: Verb
    other: bool
    life: Life


class LateMatch(_Fact, frozen=True):
    """A regular expression was still being matched with so many characters."""

    late: Late
    characters: int


class IsPath(_Fact, frozen=True):
    """A path that leads out of the program's folder."""

    path: str


class HadSaid(_Fact, frozen=True):
    """It was said before, and no step has expected it."""

    verb: Verb
    text: str


class HasSaid(_Fact, frozen=True):
    """It was said while nothing was to be."""

    verb: Verb
    text: str


class ExitedWith(_Fact, frozen=True):
    """A command ended with this status, as a shell counts."""

    status: int


class NotInOutput(_Fact, frozen=True):
    """The output of a command does not hold it."""


class LineTooLong(_Fact, frozen=True):
    """A line for a terminal has so many bytes."""

    bytes: int


class CannotMatch(_Fact, frozen=True):
    """An expression cannot be matched; ``error`` is empty if the process that matches has ended."""

    error: str


class AllKilled(_Fact, frozen=True):
    """All processes of the host were killed."""


class NoneStarted(_Fact, frozen=True):
    """No program was started there."""


class CannotSend(_Fact, frozen=True):
    """A connection takes no bytes: more than so many wait, there is an error, or nobody to answer."""

    peer: str
    most_waiting: int
    error: str


StepFact: TypeAlias = (
    Described | IsRunning | EndsBeforeStart | ListensOnAll | Connects | NothingHeard | ExitsWith | LineFits
    | ClosedBeforeOpened | BytesAreSent | EveryVariableHasValue | HostIsUp | ProgramRunsOn | TakesInput
    | ProgramRuns | HadEnded | EndedUnprinted | OutputEnded | ClosedByScript | ConnectionIs
    | NothingMoreComes | SomeHaveNot | Late | LateOutput | LateMatch | IsPath | HadSaid | HasSaid
    | ExitedWith | NotInOutput | LineTooLong | CannotMatch | AllKilled | NoneStarted | CannotSend
)  # fmt: skip


def tagged(data: Any) -> Any:
    """A message as JSON holds it, with its key among its parameters: what a fact is read from."""
    if not isinstance(data, dict) or not isinstance(data.get("parameters"), dict):
        return data
    return {"key": data.get("key"), **{name: tagged(value) for name, value in data["parameters"].items()}}
