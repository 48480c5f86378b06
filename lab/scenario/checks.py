"""The verdict of a scenario: what must be true of what happened.

A check names one *subject* (its first key) and says something of it under the other keys. Every word is
explained in ``docs/checks.md``; who judges it is the file of the same name in :mod:`lab.checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer

from lab.core.words import EndingSignal, SleepingCall, TcpState
from lab.scenario.base import Counted, Duration, HostPort, Model, Name, OneOrMany, Port, Text, own_first, tag


class CheckBase(Model):
    """What every check may carry besides its subject."""

    subject: ClassVar[str]
    """The key that names the subject."""

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

    @model_serializer(mode="wrap")
    def _subject_first(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return own_first(type(self), handler(self))

    def assertions(self) -> dict[str, Any]:
        """The words under the subject that were given: none of them is a check that asserts nothing."""
        common = {*CheckBase.model_fields, self.subject}
        return {key: getattr(self, key) for key in self.model_fields_set - common}


Role = Literal["from", "to"]
"""The end of a connection that opened it, or the one it went to."""

CloseWord = Literal["orderly", "half_close", "simultaneous", "reset", "still_open"]

ResetWord = Literal[
    "unread_data",
    "linger0",
    "no_listener",
    "late_data",
    "listener_closed",
    "keepalive_timeout",
    "user_timeout",
]


class ConnectionRef(Model):
    """One connection, by the host that opened it and the endpoint it went to."""

    from_: Annotated[Name, Field(alias="from", description="The host that sent the SYN")]
    to: Annotated[HostPort, Field(description="The host it went to, and the port there")]
    nth: Annotated[int, Field(ge=1, description="Which of several, counting from 1 by their first SYN")] = 1

    def roles(self, end: str) -> tuple[Role, ...]:
        """Which ends a word names, a host or ``from`` or ``to``: two, if both are that host, or none."""
        hosts: dict[Role, str] = {"from": self.from_, "to": self.to.host}
        named = tuple(role for role, host in hosts.items() if host == end)
        return named or tuple(role for role in hosts if role == end)


class CloseSpec(Model):
    """How a connection ended."""

    short: ClassVar[str] = "kind"

    kind: Annotated[
        tuple[CloseWord, ...] | None,
        OneOrMany(),
        Field(
            description="orderly: one FIN after the other; half_close: new data after the first FIN; "
            "simultaneous: two FINs that cross; reset: by RST; still_open: a FIN is missing. Of several, one"
        ),
    ] = None
    active: Annotated[
        Name | None, Field(description="The end whose FIN came first: its host, or from or to")
    ] = None


class ResetSpec(Model):
    """Who sent RST, and why."""

    short: ClassVar[str] = "by"

    by: Annotated[Name, Field(description="The end that sent it: its host, or from or to")]
    cause: Annotated[
        ResetWord | None,
        Field(
            description="unread_data: closed before all was read; linger0: closed with SO_LINGER at 0; "
            "no_listener: nothing listens there; late_data: something came after it had closed; "
            "listener_closed: the listener was closed before the connection was accepted; "
            "keepalive_timeout: nothing answered its keep-alive probes; "
            "user_timeout: nothing acknowledged its data for as long as TCP_USER_TIMEOUT allows"
        ),
    ] = None


class ResentSpec(Model):
    """How many segments were sent again."""

    by: Annotated[
        Name | None, Field(description="By one end only: its host, or from or to; by both unless given")
    ] = None
    syn: Annotated[Counted | None, Field(description="Of those with SYN")] = None
    data: Annotated[Counted | None, Field(description="Of those with data; keep-alives are none")] = None
    fin: Annotated[Counted | None, Field(description="Of those with FIN")] = None


def _reset_tag(value: Any) -> str:
    return tag("none" if value == "none" else "by")


Reset = Annotated[
    Annotated[Literal["none"], Tag("<none>")] | Annotated[ResetSpec, Tag("<by>")],
    Discriminator(_reset_tag),
]


class ConnectionCheck(CheckBase):
    """One TCP connection, from SYN to the last ACK, as the wire shows it."""

    subject: ClassVar[str] = "connection"

    connection: Annotated[ConnectionRef, Field(description="Which one")]
    handshake: Annotated[
        Literal["complete", "refused", "no_reply", "simultaneous"] | None,
        Field(
            description="complete: SYN, SYN-ACK, ACK; refused: RST answers the SYN; no_reply: nothing does; "
            "simultaneous: two SYNs that cross"
        ),
    ] = None
    close: Annotated[CloseSpec | None, Field(description="How it ended")] = None
    fin: Annotated[
        tuple[Name, ...] | None,
        OneOrMany(),
        Field(description="The ends that sent FIN, in order, each acknowledged: their hosts, or from and to"),
    ] = None
    rst: Annotated[Reset | None, Field(description="none, or the end that sent it")] = None
    retransmissions: Annotated[
        ResentSpec | None, Field(description="Segments sent again, as their sender's port saw them")
    ] = None
    bytes: Annotated[
        dict[Name, Counted] | None,
        Field(description="Payload bytes each end sent, retransmissions not counted"),
    ] = None
    states: Annotated[
        dict[Name, Annotated[tuple[TcpState, ...], OneOrMany()]] | None,
        Field(description="All states that an end went through, in order, LISTEN not counted"),
    ] = None
    time_wait: Annotated[
        Name | None, Field(description="The end that stays in TIME_WAIT: its host, or from or to")
    ] = None


class ConnectionsRef(Model):
    """Connections to one endpoint, or from one host to it."""

    to: Annotated[HostPort, Field(description="The host it went to, and the port there")]
    from_: Annotated[
        Name | None, Field(alias="from", description="The host that sent the SYN; any unless given")
    ] = None
    count: Annotated[Counted, Field(description="How many completed the handshake")]


class ConnectionsCheck(CheckBase):
    """How many connections there were."""

    subject: ClassVar[str] = "connections"

    connections: Annotated[ConnectionsRef, Field(description="Which ones, and how many")]


class Span(Model):
    """Bounds on a time."""

    min: Annotated[Duration | None, Field(description="At least so long")] = None
    max: Annotated[Duration | None, Field(description="At most so long")] = None


class CloseWaitRef(Model):
    """CLOSE_WAIT on one host."""

    host: Annotated[Name, Field(description="The host")]
    peer: Annotated[Name | None, Field(description="The host that closed first; any unless given")] = None
    port: Annotated[Port | None, Field(description="The server's port; any unless given")] = None
    observed: Annotated[
        bool | None, Field(description="true: some connection went through CLOSE_WAIT; false: none did")
    ] = None
    dwell: Annotated[Span | None, Field(description="How long each one lasted")] = None
    left: Annotated[
        bool | None, Field(description="true: the host's own FIN ended it; false: it never did")
    ] = None
    eof_read: Annotated[
        bool | None,
        Field(description="true: its program read the end of the input (recv gave 0); false: it never did"),
    ] = None
    blame: Annotated[
        Literal["not_accepted", "unread_data", "eof_not_read", "not_closed"] | None,
        Field(
            description="Why it lasts. not_accepted: no program accepted the connection; unread_data: data "
            "waits to be read; eof_not_read: only its end does; not_closed: all was read and nobody closed"
        ),
    ] = None


class CloseWaitCheck(CheckBase):
    """The state of a side whose peer has closed and that has not closed yet."""

    subject: ClassVar[str] = "close_wait"

    close_wait: Annotated[CloseWaitRef, Field(description="Where, and how long")]


class ListenerRef(Model):
    """A socket in LISTEN."""

    host: Annotated[Name, Field(description="The host")]
    port: Annotated[Port, Field(description="The port")]
    address: Annotated[
        Text | None,
        Field(
            description="The address it is bound to: any (0.0.0.0 or ::), loopback, or an address of the host"
        ),
    ] = None
    backlog: Annotated[
        Counted | None, Field(description="What its program gave to listen: the accept queue's limit")
    ] = None
    queue_max: Annotated[
        Counted | None, Field(description="The most finished connections that waited for accept at once")
    ] = None
    syn_queue_max: Annotated[
        Counted | None, Field(description="The most handshakes under way to this port at once")
    ] = None
    overflows: Annotated[
        Counted | None,
        Field(description="How often a full accept queue of the host took no connection (ListenOverflows)"),
    ] = None


class ListenerCheck(CheckBase):
    """A program listens on a port, as the host's kernel says."""

    subject: ClassVar[str] = "listener"

    listener: Annotated[ListenerRef, Field(description="Where")]


class StateRef(Model):
    """A TCP state of a host's socket, as its kernel says."""

    host: Annotated[Name, Field(description="The host")]
    state: Annotated[TcpState, Field(description="The state, as RFC 9293 calls it")]
    peer: Annotated[Name | None, Field(description="The host at the other end; any unless given")] = None
    port: Annotated[Port | None, Field(description="The port at either end; any unless given")] = None
    owner: Annotated[
        Literal["none", "process"] | None,
        Field(description="none: no process holds the socket; process: one does; either unless given"),
    ] = None
    observed: Annotated[bool, Field(description="false: it never was in this state")] = True


class StateCheck(CheckBase):
    """A socket of a host was (or was never) in a state."""

    subject: ClassVar[str] = "state"

    state: Annotated[StateRef, Field(description="Which one, and where")]


class OutputRef(Model):
    """What a program printed."""

    host: Annotated[Name, Field(description="The host")]
    program: Annotated[
        Name | None,
        Field(description="One of several; all of the host's unless given. run: the commands of run steps"),
    ] = None
    lines: Annotated[dict[Text, Counted] | None, Field(description="Whole lines, and how many of each")] = (
        None
    )
    contains: Annotated[
        tuple[Text, ...] | None,
        OneOrMany(),
        Field(description="Texts that occur in this order, none overlapping"),
    ] = None
    lacks: Annotated[tuple[Text, ...] | None, OneOrMany(), Field(description="Texts that occur nowhere")] = (
        None
    )


class OutputCheck(CheckBase):
    """What the programs of a host printed."""

    subject: ClassVar[str] = "output"

    output: Annotated[OutputRef, Field(description="Whose, and what")]


class ExitRef(Model):
    """How a program ended."""

    host: Annotated[Name, Field(description="The host")]
    program: Annotated[
        Name | None,
        Field(description="One of several; all of the host's unless given. run: the commands of run steps"),
    ] = None
    status: Annotated[Counted | None, Field(description="Its exit status")] = None
    signal: Annotated[
        Literal[EndingSignal, "SIGSEGV", "SIGABRT", "SIGFPE", "SIGBUS", "SIGILL"] | None,
        Field(description="What killed it"),
    ] = None
    running: Annotated[
        Literal[True] | None, Field(description="It had not ended when the script was over")
    ] = None


class ExitCheck(CheckBase):
    """How a program ended: every time it was run, if it was run several times."""

    subject: ClassVar[str] = "exit"

    exit: Annotated[ExitRef, Field(description="Whose, and how")]


class ProcessRef(Model):
    """A program while it runs, with the processes it started."""

    host: Annotated[Name, Field(description="The host")]
    program: Annotated[
        Name | None,
        Field(description="One of several; each of the host's unless given. run: the commands of run steps"),
    ] = None
    asleep_in: Annotated[
        SleepingCall | None, Field(description="A call that one of its threads was seen asleep in")
    ] = None
    zombies: Annotated[
        Counted | None, Field(description="Processes it started that have ended and it has not waited for")
    ] = None
    children: Annotated[Counted | None, Field(description="Processes it started that still run")] = None
    descriptors: Annotated[Counted | None, Field(description="Files and sockets it has open")] = None


class ProcessCheck(CheckBase):
    """What a program was doing and held, as it was seen last while it ran."""

    subject: ClassVar[str] = "process"

    process: Annotated[ProcessRef, Field(description="Whose, and what")]


CHECKS: tuple[type[CheckBase], ...] = (
    ConnectionCheck, ConnectionsCheck, CloseWaitCheck, ListenerCheck, StateCheck, ProcessCheck, OutputCheck,
    ExitCheck,
)  # fmt: skip
SUBJECTS = {check.subject: check for check in CHECKS}


def subject_of(value: Any) -> str | None:
    """The subject of a check, given as a model or as the mapping it is read from; None without one."""
    if isinstance(value, CheckBase):
        return value.subject
    return next((key for key in value if key in SUBJECTS), None) if isinstance(value, dict) else None


def _check_tag(value: Any) -> str | None:
    subject = subject_of(value)
    return subject and tag(subject)


CheckSpec = Annotated[
    Annotated[ConnectionCheck, Tag("<connection>")]
    | Annotated[ConnectionsCheck, Tag("<connections>")]
    | Annotated[CloseWaitCheck, Tag("<close_wait>")]
    | Annotated[ListenerCheck, Tag("<listener>")]
    | Annotated[StateCheck, Tag("<state>")]
    | Annotated[ProcessCheck, Tag("<process>")]
    | Annotated[OutputCheck, Tag("<output>")]
    | Annotated[ExitCheck, Tag("<exit>")],
    Discriminator(_check_tag),
]
