"""The script of a scenario: who does what, in which order.

A line of the script is a mapping with one key. ``ACTOR: ACTION`` has an actor (a host, or ``host.program``
for a second program there) and an action: a mapping whose one *verb* key says what is done and whose
other keys say how. ``ACTOR: [ACTION, ...]`` is that many lines. ``together`` and ``repeat`` hold steps.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_serializer,
)

from lab.core.words import Signal, SleepingCall, TcpState
from lab.scenario.base import NAME, Bytes, Duration, Model, Name, OneOrMany, Port, Text, own_first, plain, tag

ACTOR = rf"{NAME[:-1]}(\.{NAME[1:-1]})?$"
Actor = Annotated[str, StringConstraints(pattern=ACTOR)]
"""``host``, or ``host.program``."""


class Pattern(Model):
    """What is waited for in a program's output; text unless it says otherwise."""

    short: ClassVar[str] = "text"

    text: Annotated[Text | None, Field(description="Exactly this, anywhere")] = None
    line: Annotated[str | None, Field(description="A whole line that is exactly this")] = None
    regex: Annotated[
        Text | None, Field(description="A regular expression (Python's re); named groups become variables")
    ] = None
    glob: Annotated[Text | None, Field(description="A whole line with * and ? standing for anything")] = None
    end: Annotated[Literal[True] | None, Field(description="The end of the output")] = None


class Action(Model):
    """What an actor does: one key, its *verb*, says what is done, the others say how."""

    verb: ClassVar[str]

    within: Annotated[
        Duration | None, Field(description="How long it may take; timeouts.step unless given")
    ] = None


class Start(Action):
    """Run a program; goes on when processes of this start listen on every port it ``listens`` on."""

    verb: ClassVar[str] = "start"

    start: Annotated[Name, Field(description="The program")]
    as_: Annotated[
        Name | None,
        Field(alias="as", description="Its name, where a host runs several: spoken to as host.name"),
    ] = None
    args: Annotated[
        tuple[str, ...], OneOrMany(), Field(description="Arguments, after the program's own")
    ] = ()
    env: Annotated[dict[str, str], Field(description="Environment variables, over the program's own")] = (
        Field(default_factory=dict)
    )


class Expect(Action):
    """Wait for output and consume it up to the end of what was found."""

    verb: ClassVar[str] = "expect"

    expect: Annotated[Pattern, Field(description="What to wait for")]


class Quiet(Action):
    """Nothing is printed for so long, and nothing is left that was printed and that no step has expected."""

    verb: ClassVar[str] = "quiet"

    quiet: Annotated[Duration, Field(description="How long")]


class Send(Action):
    """Type a line, with its newline."""

    verb: ClassVar[str] = "send"

    send: Annotated[str, Field(description="The line, without its newline")]


class Type(Action):
    """Type text without a newline."""

    verb: ClassVar[str] = "type"

    type: Annotated[Text, Field(description="The text")]


class SendBytes(Action):
    """Send bytes exactly."""

    verb: ClassVar[str] = "bytes"

    bytes: Annotated[Bytes, Field(description="In hexadecimal digits or base64")]


KEY = r"^(ctrl-[a-z\\]|enter|tab|escape)$"


_CLOSES = (
    "Whether to end the program so is the right way to close its connections. Unless given: in steps, while "
    "the peer has not closed yet"
)


class Key(Action):
    """Press a key, as on a terminal: the terminal turns ctrl-c into SIGINT."""

    verb: ClassVar[str] = "key"

    key: Annotated[
        str, StringConstraints(pattern=KEY), Field(description="ctrl- and a letter, enter, tab or escape")
    ]
    closes: Annotated[bool | None, Field(description=_CLOSES)] = None


class SendSignal(Action):
    """Send a signal to the program."""

    verb: ClassVar[str] = "signal"

    signal: Annotated[Signal, Field(description="Its name")]
    closes: Annotated[bool | None, Field(description=_CLOSES)] = None


class Close(Action):
    """End the program's input: half-close of a pipe; ^D on a terminal, twice behind half a line."""

    verb: ClassVar[str] = "close"

    close: Annotated[Literal["stdin"], Field(description="What is ended")]


class Condition(Model):
    """Something the kernel can be asked about the host."""

    listening: Annotated[Port | None, Field(description="A socket is in LISTEN on this port")] = None
    state: Annotated[TcpState | None, Field(description="A TCP socket is in this state")] = None
    peer: Annotated[Name | None, Field(description="With state: whose other end is on this host")] = None
    port: Annotated[Port | None, Field(description="With state: whose local or remote port is this")] = None
    exited: Annotated[Literal[True] | None, Field(description="The program has ended")] = None
    asleep_in: Annotated[
        SleepingCall | None, Field(description="The program, or a child of it, is asleep in this call")
    ] = None


class Wait(Action):
    """Wait until the kernel says so."""

    verb: ClassVar[str] = "wait"

    wait: Annotated[Condition, Field(description="What to wait for")]


RUN = "run"
"""What the transcript calls the commands of ``run`` steps; no program is called so."""


class Run(Action):
    """Run one shell command, which has nothing to read; a wrong exit status or output fails the step."""

    verb: ClassVar[str] = "run"

    run: Annotated[Text, Field(description="The command")]
    status: Annotated[int, Field(ge=0, le=255, description="The exit status it must end with")] = 0
    expect: Annotated[Pattern | None, Field(description="What its output must hold")] = None


SegmentKind = Literal["syn", "syn_ack", "ack", "data", "fin", "last_ack", "rst"]


class Hold(Action):
    """Keep back, at the switch, segments that the host sends, and what it sends behind them."""

    verb: ClassVar[str] = "hold"

    hold: Annotated[
        SegmentKind,
        Field(
            description="ack: one that carries nothing else; last_ack: such a one that acknowledges the "
            "peer's FIN; fin, data: with or without more"
        ),
    ]
    to: Annotated[Name | None, Field(description="The host they go to; any unless given")] = None


class Release(Action):
    """Send on, in order, what was kept back, and keep back no more; the end of the script does so too."""

    verb: ClassVar[str] = "release"

    release: Annotated[SegmentKind, Field(description="Which, as in hold")]


ACTIONS: tuple[type[Action], ...] = (
    Start, Expect, Quiet, Send, Type, SendBytes, Key, SendSignal, Close, Wait, Run, Hold, Release,
)  # fmt: skip
VERBS = {action.verb: action for action in ACTIONS}


def verb_of(value: Any) -> str | None:
    """The verb of an action, given as a model or as the mapping it is read from; None without one."""
    if isinstance(value, Action):
        return value.verb
    # A `run` may carry an `expect` of its own: the later verb in the table is the one that acts.
    return (
        next((verb for verb in reversed(VERBS) if verb in value), None) if isinstance(value, dict) else None
    )


def _action_tag(value: Any) -> str | None:
    verb = verb_of(value)
    return verb and tag(verb)


AnyAction = Annotated[
    Annotated[Start, Tag("<start>")]
    | Annotated[Expect, Tag("<expect>")]
    | Annotated[Quiet, Tag("<quiet>")]
    | Annotated[Send, Tag("<send>")]
    | Annotated[Type, Tag("<type>")]
    | Annotated[SendBytes, Tag("<bytes>")]
    | Annotated[Key, Tag("<key>")]
    | Annotated[SendSignal, Tag("<signal>")]
    | Annotated[Close, Tag("<close>")]
    | Annotated[Wait, Tag("<wait>")]
    | Annotated[Run, Tag("<run>")]
    | Annotated[Hold, Tag("<hold>")]
    | Annotated[Release, Tag("<release>")],
    Discriminator(_action_tag),
]


class Line(Model):
    """One line of the script: an actor and what it does."""

    actor: Annotated[Actor, Field(description="Who acts")]
    action: Annotated[AnyAction, Field(description="What is done")]

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

Together.model_rebuild()
Repetition.model_rebuild()
Repeat.model_rebuild()
