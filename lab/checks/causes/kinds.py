"""Why a step fails or a program ends as it does: each kind of cause, as data."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from lab.checks.programs import State
from lab.evidence.message import Message, key_of


class MemoryUsedUp(Struct, frozen=True):
    """The kernel killed processes of a host, for it had used up its memory (bytes)."""

    host: str
    limit: int
    programs: tuple[str, ...]


class ChildCrashed(Struct, frozen=True):
    """A process that a program had started was ended by a signal that means a fault."""

    program: str
    number: int
    name: str
    signal: str
    at: int


class Died(Struct, frozen=True):
    """A program ended by itself, and not well; ``exception`` says that its ``words`` are those of one."""

    program: str
    status: int
    at: int
    words: str
    exception: bool


class LeftEarly(Struct, frozen=True):
    """A program ended well before the step failed that needs it, and the script had not told it to."""

    program: str
    at: int


class InBackground(Struct, frozen=True):
    """A program ended well, and a process that it had started goes on."""

    program: str
    number: int
    name: str


class AddressInUse(Struct, frozen=True):
    """A program could not bind to a port where a connection of before is in TIME_WAIT, and nobody listens."""

    program: str
    port: int


class NotRaw(Struct, frozen=True):
    """A program could not open a raw socket, because its host has none."""

    program: str
    host: str


class Starved(Struct, frozen=True):
    """Processes of these programs waited so long (percent) for a processor when the step's time was up."""

    programs: tuple[tuple[str, int], ...]


class NoticedLate(Struct, frozen=True):
    """That the step's time (s) was up was noticed so late (ns): the lab itself waited for a processor."""

    limit: float
    took: int


class HeardLate(Struct, frozen=True):
    """A program had ended (``at``) in the time of the step that waited for that, and was heard of later."""

    program: str
    at: int


class CarriageReturns(Struct, frozen=True):
    """The lines of a program's script end with CR LF."""

    program: str


class SwappedPort(Struct, frozen=True):
    """A port with its bytes the other way round is listened on, or connected to: no htons()."""

    program: str
    wanted: int
    found: int
    connects: bool = False


class OtherPort(Struct, frozen=True):
    """It listens, but elsewhere."""

    program: str
    wanted: int
    found: tuple[int, ...]


class ServesUdp(Struct, frozen=True):
    """It has a UDP socket at the port where TCP is wanted."""

    program: str
    port: int


class ServesTcp(Struct, frozen=True):
    """It has a TCP socket at the port where UDP is wanted."""

    program: str
    port: int


class OtherUdpPort(Struct, frozen=True):
    """It has bound UDP ports, but others."""

    program: str
    wanted: int
    found: tuple[int, ...]


class NotListening(Struct, frozen=True):
    """It has a TCP socket that is not in LISTEN, bound to a port or (0) as far as is known to none."""

    program: str
    bound: int


class HeldByAnother(Struct, frozen=True):
    """The port is listened on, by another program."""

    program: str
    port: int
    holder: str


class LoopbackOnly(Struct, frozen=True):
    """It listens where other hosts cannot reach it, and one has tried to."""

    program: str
    address: str
    port: int


class NotAccepted(Struct, frozen=True):
    """Connections from these hosts wait in the accept queue, while the program does something else."""

    program: str
    port: int
    clients: tuple[str, ...]
    states: tuple[State, ...]


class NotRead(Struct, frozen=True):
    """So many bytes of a peer are unread, and none of the program's threads reads there."""

    program: str
    peer: str
    unread: int
    states: tuple[State, ...]


class BufferFull(Struct, frozen=True):
    """A program's UDP socket had no room for so many datagrams."""

    program: str
    port: int
    dropped: int


class DatagramsUnread(Struct, frozen=True):
    """Datagrams wait at a program's UDP socket, and none of its threads reads there."""

    program: str
    port: int
    states: tuple[State, ...]


class AnsweredElsewhere(Struct, frozen=True):
    """A host answered the script's datagrams to one of its ports from another one."""

    connection: str
    peer: str
    port: int
    found: int


class StillHeld(Struct, frozen=True):
    """A process has closed its copy of a connection's socket, and another, which is not at it, holds one."""

    host: str
    peer: str
    held: Message


class WaitsForLock(Struct, frozen=True):
    """No thread of a program reads from a peer that waits for it; one waits for a lock, or a thread."""

    program: str
    peer: str
    states: tuple[State, ...]


class LastSent(Struct, frozen=True):
    """Who sent last on a connection, its bytes in all, and to whom else ``other`` has sent since."""

    sender: str
    bytes: int
    other: str
    elsewhere: tuple[str, ...]


class Deadlock(Struct, frozen=True):
    """Both ends of a connection sleep in the same call."""

    programs: tuple[str, str]
    call: str
    last: LastSent | None = None


class NoSuchAddress(Struct, frozen=True):
    """A program of a host has tried to connect to an address that no host has."""

    host: str
    address: str
    port: int


class NotPassedOn(Struct, frozen=True):
    """What a host sent to another was not passed on by a router, or a host, which said why by ICMP."""

    host: str
    peer: str
    router: str
    meaning: Message


class RunsOn(Struct, frozen=True):
    """A program has printed the traceback of an exception, which no step consumed, and has not ended."""

    program: str
    words: str


class WaitsForPeer(Struct, frozen=True):
    """A program sleeps in recv on its connection with another, which does these things."""

    program: str
    peer: str
    states: tuple[State, ...]


class IsStopped(Struct, frozen=True):
    """A signal has stopped a program."""

    program: str


class InLoop(Struct, frozen=True):
    """A program runs all the time, and holds connections that these hosts have closed."""

    program: str
    used: int
    waited: int
    closed: tuple[str, ...]


class WithoutNewline(Struct, frozen=True):
    """A program has printed, or ``sent`` to the script, the line that was expected, except for its end."""

    program: str
    text: str
    sent: bool = False


class OtherLineEnds(Struct, frozen=True):
    """The text that was expected is there, with other ends of its lines; or ``maybe`` it is."""

    found: str
    wanted: str
    maybe: bool = False


class ReturnsTyped(Struct, frozen=True):
    """The script has typed CR to a program on a terminal, which gives it LF instead."""

    program: str


class Buffered(Struct, frozen=True):
    """A program is asleep and has printed nothing at all: on a terminal, or into a pipe."""

    program: str
    tty: bool


Cause = (
    MemoryUsedUp
    | ChildCrashed
    | Died
    | LeftEarly
    | InBackground
    | AddressInUse
    | NotRaw
    | Starved
    | NoticedLate
    | HeardLate
    | CarriageReturns
    | SwappedPort
    | OtherPort
    | ServesUdp
    | ServesTcp
    | OtherUdpPort
    | NotListening
    | HeldByAnother
    | LoopbackOnly
    | NotAccepted
    | NotRead
    | BufferFull
    | DatagramsUnread
    | AnsweredElsewhere
    | StillHeld
    | WaitsForLock
    | NoSuchAddress
    | NotPassedOn
    | RunsOn
    | Deadlock
    | WaitsForPeer
    | IsStopped
    | InLoop
    | WithoutNewline
    | OtherLineEnds
    | ReturnsTyped
    | Buffered
)


def said(what: Cause | State, now: int) -> Message:
    """A cause or a state as it is said: its kind is the key, its fields are the parameters.

    Instead of when something was (``at``) it is said how long that was ``before`` now (ns).
    """
    return _said(what, now)


def _said(what: Struct, now: int) -> Message:
    parameters = {name: _value(value, now) for name, value in asdict(what).items()}
    if "at" in parameters:
        parameters["before"] = now - parameters.pop("at")
    return Message(key_of(type(what).__name__), parameters)


def _value(value: Any, now: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_value(one, now) for one in value)
    return _said(value, now) if isinstance(value, Struct) and not isinstance(value, Message) else value
