"""What the lab and its agent say to each other: the one module that both ends import.

Each line is an object of JSON::

    {"id": 7, "op": "hello", "lease": 60.0}         the lab asks
    {"id": 7, "ok": {"clock": 1, "kernel": ...}}    the agent answers, when the thing is done
    {"id": 7, "error": "OSError: ..."}              or says why it could not be done
    {"event": "segment_released", "at": 1, ...}     the agent tells something by itself

A class of :class:`Request` is a request; ``do_NAME`` of the agent does it. A class of :class:`Event` is an
event; ``Observer`` of the lab takes it. Only the standard library is imported, and not ``dataclasses``: the
agent would start 10 ms later. Times are nanoseconds since the epoch on the agent's clock, durations
nanoseconds.
"""

# The annotations are read while the program runs: no "from __future__ import annotations" here.

import json
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
)

A = TypeVar("A")

Instrument = Literal["sockets", "datagrams", "counters", "processes", "ends", "capture", "hold"]
"""What observes a host."""

Reason = Literal[
    "too-many-ends", "too-many-dying", "ends-unheard", "too-many-processes", "too-many-at-once",
    "too-many-descriptors",
]  # fmt: skip
"""Why an instrument failed that is no error."""

FileKind = Literal["file", "missing", "folder", "link", "fifo", "device", "unread"]
"""What is at a path."""

SocketRow = tuple[str, str, int, str, int, int, int, int]
"""State (as RFC 9293 calls it), local address and port, remote address and port, receive queue, send queue,
inode (0: none)."""


class DatagramRow(NamedTuple):
    """A UDP socket: where it is bound and connected to (0: not), the bytes that wait in its receive queue.

    So many datagrams found no room there since it was made (``drops``).
    """

    local: str
    port: int
    remote: str
    peer_port: int
    queue: int
    drops: int
    inode: int


Ends = tuple[str, int, str, int]
"""Local address and port, remote address and port."""

ProcessRow = tuple[int, int, int, int, str, bool, int, tuple[int, ...], tuple[tuple[str, int], ...], int]
"""Process id, parent, session, number within the host, name, whether it is a zombie, how many descriptors it
has, the inodes of its sockets, for each sleeping thread the call and the inode of its socket (0: none), and
the mark of the start that it came from (0: none, -1: nobody knows)."""

PipeOrTerminal = tuple[int, int]
"""Device and inode."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Message:
    """Fields with types, given by their names; type checkers see them as those of a dataclass."""

    def __init__(self, **fields: object) -> None:
        vars(self).update(fields)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # as of all that is compared by value and may hold a list


class Request(Message, Generic[A]):
    """What the agent is to do; its answer is an ``A``.

    One that ``waits`` is answered when programs have done something: that may take as long as a step.
    """

    op: ClassVar[str]
    waits: ClassVar[bool]

    def __init_subclass__(cls, *, waits: bool = False) -> None:
        super().__init_subclass__()
        cls.op, cls.waits = _snake_case(cls.__name__), waits
        REQUESTS[cls.op] = cls


class Event(Message):
    """What the agent tells by itself."""

    event: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.event = _snake_case(cls.__name__)
        EVENTS[cls.event] = cls


class Misheard(NamedTuple):
    """An event that is not known here, or not as it should be, and why."""

    event: str
    why: str


REQUESTS: dict[str, type[Request[Any]]] = {}
EVENTS: dict[str, type[Event]] = {}


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


# --- the agent itself --------------------------------------------------------------------------------


class Greeting(Message):
    """The agent's clock, and the versions of its kernel and its Python."""

    clock: int
    kernel: str
    python: str


class Hello(Request[Greeting]):
    """Say who you are; end, with the hosts, after ``lease`` seconds."""

    lease: float


class Ping(Request[None]):
    """Say that you are at work."""


class Keep(Request[None]):
    """Outlive the lab's process, until the lease ends."""


class Cancel(Request[None]):
    """Nobody waits for the answer to the request of this number any more."""

    request: int


# --- wiring ------------------------------------------------------------------------------------------


class Own(Request[None]):
    """A host container has this first process."""

    pid: int


class Bridge(Message):
    """A switch in the sidecar."""

    name: str
    mtu: int


class Leg(Message):
    """A cable from a bridge to a host: ``port`` is its end in the sidecar, ``interface`` that in the host."""

    bridge: str
    port: str
    interface: str
    mac: str
    mtu: int
    addresses: Sequence[str]
    """With their prefix lengths."""


class Route(Message):
    """A subnet and the neighbour that forwards to it."""

    to: str
    via: str


class WiredHost(Message):
    """A host with its cables; with ``proxied`` they end at the agent, which can keep segments back.

    ``pid`` is its first process, ``users`` are lines of its /etc/passwd.
    """

    name: str
    pid: int
    users: str
    proxied: bool
    legs: Sequence[Leg]
    routes: Sequence[Route]


class Wire(Request[Mapping[str, int]]):
    """Make all bridges and cables; ``names`` is every host's /etc/hosts.

    The answer is the index of every interface in the sidecar, by name.
    """

    bridges: Sequence[Bridge]
    hosts: Sequence[WiredHost]
    names: str


# --- keeping segments back ---------------------------------------------------------------------------


class Hold(Request[None]):
    """Keep back segments of a kind, as a step says.

    Those that a host sends to one of these addresses; none is any.
    """

    host: str
    segment: str
    peers: Sequence[str]
    step: str


class WaitHeld(Request[bool], waits=True):
    """Wait until a segment of a kind is kept back of a host."""

    host: str
    segment: str


class Release(Request[int]):
    """Send on what was kept back of a host, of a kind or all (""). The answer says how many frames."""

    host: str
    segment: str


class SegmentHeld(Event):
    """A segment of a host is kept back as a step says; ``number`` names the frame."""

    at: int
    host: str
    number: int
    step: str
    source: str
    source_port: int
    target: str
    target_port: int
    seq: int
    ack: int
    flags: int
    length: int


class SegmentReleased(Event):
    """A segment that was kept back goes on."""

    at: int
    number: int


# --- captures ----------------------------------------------------------------------------------------


class Drop(NamedTuple):
    """Between two moments so many frames were dropped for want of room; 0: nobody knows how many."""

    began: int
    ended: int
    frames: int


class CaptureEnd(Message):
    """What proves a capture complete.

    The counts are tcpdump's (-1: not told). It is ``sealed`` if the closing sentinel is in it, and ``full``
    if its file could not become larger; ``size`` is in bytes.
    """

    captured: int
    received: int
    dropped: int
    sealed: bool
    full: bool
    drops: Sequence[Drop]
    size: int


class BeginCapture(Request[None]):
    """Start a capture of at most ``limit`` bytes; it is ready when this is answered.

    Of each frame so many bytes are kept as ``snaplen``.

    It is one of the switch, or of the loopback of the host with this first process. One that ``stays`` goes
    on in a lab that is kept when nobody speaks to the agent any more.
    """

    capture: str
    limit: int
    snaplen: int
    pid: int | None = None
    stays: bool = False


class ReadCapture(Request[str]):
    """A piece of a capture's file, in base64; empty at its end, which may move on."""

    capture: str
    offset: int


class EndCapture(Request[CaptureEnd]):
    """Prove a capture complete and end it."""

    capture: str


# --- sockets and processes ---------------------------------------------------------------------------


class BeginSampling(Request[None]):
    """Look at the sockets and processes of these hosts (name to first process) from now on.

    No host is looked at oftener than every ``interval`` seconds.
    """

    hosts: Mapping[str, int]
    interval: float


class Loss(Message):
    """How often an instrument failed at a host ("": at all of them), and why it did so first.

    ``why`` is an error as Python or the kernel tells it, or a :data:`Reason`, which may be of a ``limit``.
    """

    instrument: Instrument
    host: str
    count: int
    why: str
    limit: int


class SamplingEnd(Message):
    """From when to when sockets were looked at.

    The gaps are the mean and the longest time between two looks at a host.
    """

    began: int
    ended: int
    mean_gap: int
    worst_gap: int
    lost: Sequence[Loss]


class EndSampling(Request[SamplingEnd]):
    """Look a last time and stop."""


class Counts(NamedTuple):
    """What a host's kernel has counted since it came up; 0 for what it does not count."""

    overflows: int = 0
    drops: int = 0
    unread_closes: int = 0
    data_aborts: int = 0
    timeouts: int = 0
    memory_aborts: int = 0
    resets: int = 0
    opens: int = 0
    buffer_losses: int = 0


class SocketsChanged(Event):
    """The sockets of a host have changed; the look ``took`` so long.

    If it is ``whole``, ``rows`` are all sockets; else those at the ends that they name, and at the ends that
    are ``gone`` there is none any more. What was told before was still so at ``before_until``, and the
    longest look that showed it took ``before_took``.
    """

    at: int
    host: str
    took: int
    whole: bool
    rows: Sequence[SocketRow]
    gone: Sequence[Ends]
    counts: Counts
    before_until: int
    before_took: int


class DatagramSocketsChanged(Event):
    """The UDP sockets of a host have changed: ``rows`` are new or not as they were, ``gone`` are inodes."""

    at: int
    host: str
    rows: Sequence[DatagramRow]
    gone: Sequence[int]


class ProcessesChanged(Event):
    """The processes of a host have changed: these are all."""

    at: int
    host: str
    rows: Sequence[ProcessRow]


class ProcessKilled(Event):
    """A signal ended a process of a host; ``status`` is as a shell counts.

    The kernel began to end it when it was ``dying``; 0 if nobody told. A ``number`` of 0 is not known, nor is
    an empty ``name``.
    """

    at: int
    host: str
    pid: int
    parent: int
    session: int
    number: int
    name: str
    status: int
    dying: int


class Glance(Request[None]):
    """Look at the processes of a host once: a program there is about to be given input."""

    host: str


class Look(Request[bool]):
    """Look at the processes; answered when all that have ended were waited for, or had time enough."""


class Settle(Request[bool], waits=True):
    """Wait until no socket has been in a passing state for ``quiet`` seconds."""

    quiet: float


class WaitSocket(Request[bool], waits=True):
    """Wait until a socket of the host is in one of the states.

    At this port (0: any), and with one of the peers (none: any).
    """

    host: str
    states: Sequence[str]
    port: int
    peers: Sequence[str]


class WaitReady(Request[bool], waits=True):
    """Wait until the processes of one start hold a socket on each port: of TCP in LISTEN, of UDP bound."""

    host: str
    mark: int
    tcp: Sequence[int]
    udp: Sequence[int]


class WaitBound(Request[bool], waits=True):
    """Wait until a UDP socket of the host is bound to a port."""

    host: str
    port: int


class WaitAsleep(Request[bool], waits=True):
    """Wait until a program of the host, or one of any if ``pid`` is 0, sleeps in a call."""

    host: str
    pid: int
    call: str


class WaitLeft(Request[bool], waits=True):
    """Wait until no process of one start is left."""

    host: str
    mark: int


# --- files -------------------------------------------------------------------------------------------


class FileFound(Message):
    """What is at a path: ``file``, ``missing``, ``folder``, ``link``, ``fifo``, ``device`` or ``unread``.

    ``why`` says what could not be read, or the name on the way that is to blame. ``sha256`` is empty where a
    file is larger than what is read of one. Its first ``kept`` bytes are kept. It was ``changing`` if it was
    written while it was read; ``writers`` are the processes that have it open for that. ``beside`` are names
    in the folder where a missing one is not.
    """

    at: int
    kind: FileKind
    why: str
    size: int
    sha256: str
    kept: int
    changing: bool
    writers: Sequence[str]
    beside: Sequence[str]


class ReadFile(Request[FileFound]):
    """Read a file of a host, by its path from the root on; no link is followed.

    It is waited for so many seconds while it is written, and one that is ``wanted`` while it is not there.
    """

    host: str
    path: str
    wanted: bool
    wait: float


class ReadPiece(Request[str]):
    """A piece of what was kept of the last file that was read, in base64; empty at its end."""

    offset: int


# --- programs ----------------------------------------------------------------------------------------


class Origin(Message):
    """When the kernel made a process (None: it is gone), and where its output goes."""

    made: int | None
    output: Sequence[PipeOrTerminal]


class Started(Request[Origin]):
    """Say when a process was made, and where its output goes.

    With ``keep_input`` the agent keeps the pipe of its standard input open until :class:`EndInput`: the
    program is not to take the loss of the engine's connection for the end of its input.
    """

    pid: int
    keep_input: bool


class EndInput(Request[None]):
    """Let go of the pipe of a program's standard input."""

    pid: int


class OutputState(Message):
    """Whether a program lives, and whether a process of its host can still write to its output."""

    alive: bool
    held: bool


class OutputHeld(Request[OutputState]):
    """Say whether a program is still there, and its output; ``host`` is the first process of its host."""

    pid: int
    host: int
    output: Sequence[PipeOrTerminal]


class Signal(Request[bool]):
    """Send a signal to a program of a host. The answer is false if it has ended."""

    pid: int
    signal: str


class Exit(Message):
    """When a program ended, and how, as a shell counts (None: nobody knows)."""

    at: int
    status: int | None


class WaitExit(Request[Exit | None], waits=True):
    """Wait until a program has ended; None if there is none."""

    pid: int


class WaitKilled(Request[int], waits=True):
    """Wait until the first process of a host has ended: by which signal, 0 if none is known."""

    pid: int


class Doing(Message):
    """What a process does between two looks; ``row`` is that of the second.

    So long it ``used`` a processor and ``waited`` for one, and so long one of its threads used it that was
    ``awake`` all the time. Whether a thread was ``running`` at both looks, all are ``stopped``, one reads its
    standard ``input``. How many TCP sockets it has that are listed nowhere (``unlisted``); of a zombie, how
    it ended (``status``).
    """

    row: ProcessRow
    used: int
    waited: int
    awake: int
    running: bool
    stopped: bool
    input: bool
    unlisted: int
    status: int
    used_since: int
    waited_since: int


class HostSituation(Message):
    """What the programs of a host do within a ``window``, and its sockets; in ``trouble``, why not these.

    ``since`` is how long before that they were measured: since then each process has ``used_since`` a
    processor and ``waited_since`` for one. 0 if they were not.
    """

    at: int
    host: str
    window: int
    since: int
    processes: Sequence[Doing]
    tcp: Sequence[SocketRow]
    bound: Sequence[SocketRow]
    udp: Sequence[DatagramRow]
    trouble: str


class Measure(Request[None]):
    """Note how much every process has used processors and waited for them: the next look around compares."""


class LookAround(Request[Sequence[HostSituation]]):
    """Say what every program of every host is doing; they are looked at for ``window`` seconds."""

    window: float


# --- sockets of the script ---------------------------------------------------------------------------

Transport = Literal["tcp", "udp"]


class Opened(Message):
    """The own port of each socket, or the kernel's error for one that could not be opened: then none is."""

    error: str
    ports: Sequence[int]


class ConnectPeers(Request[Opened], waits=True):
    """Connect sockets of these names from a host to an address, all at once.

    ``receive_buffer`` is in bytes, as the kernel counts them (SO_RCVBUF); 0 leaves it to the kernel, and so
    does an ``own_port`` of 0. A UDP socket that ``follows`` hears from any port of the address, and then
    speaks with the one that has spoken last.
    """

    host: str
    names: Sequence[str]
    transport: Transport
    address: str
    port: int
    own_port: int
    follows: bool
    receive_buffer: int


class ListenPeer(Request[Opened]):
    """Listen at a host under one name; on UDP be ready for datagrams."""

    host: str
    names: Sequence[str]
    transport: Transport
    address: str
    port: int
    receive_buffer: int


class Accepted(Message):
    """Whose connection was accepted, and the own port."""

    address: str
    peer_port: int
    port: int


class AcceptPeer(Request[Accepted], waits=True):
    """Accept a connection of a listener; from then on it has the name."""

    host: str
    listener: str
    name: str


class Unsent(Message):
    """The first of the sockets that took no bytes, and why.

    More than ``most_waiting`` bytes would wait to be sent, or the kernel said an ``error``. If neither: no
    datagram has come there that could be answered.
    """

    peer: str
    most_waiting: int
    error: str


class SayPeers(Request[Unsent | None]):
    """Send these bytes (base64) on each; on UDP as one datagram."""

    host: str
    names: Sequence[str]
    data: str


class EndPeers(Request[None]):
    """End connections: ``write`` sends FIN behind what was said, ``both`` closes, ``reset`` sends RST."""

    host: str
    names: Sequence[str]
    how: Literal["write", "both", "reset"]


class PeerHeard(Event):
    """Something came for a socket of the script (base64)."""

    at: int
    host: str
    peer: str
    data: str


MOST_HEARD = 1 << 23
"""Bytes that are told of one socket; what comes behind them is read, and only that it came is told."""


class PeerEnded(Event):
    """Nothing more is told of a connection, and why.

    It was ``closed`` by its other end or ``reset``, ``too-much`` has come on it, or the kernel's error.
    """

    at: int
    host: str
    peer: str
    how: str


# --- lines -------------------------------------------------------------------------------------------

Line = Mapping[str, object]
"""What a line holds."""

_AS_TEXT = json.JSONEncoder(separators=(",", ":"), default=vars).encode


def encode(line: Line) -> bytes:
    """A line with its end."""
    return _AS_TEXT(line).encode() + b"\n"


def ask(number: int, request: Request[Any]) -> Line:
    """A request."""
    return {"id": number, "op": request.op, **vars(request)}


def answer(number: int, answered: object) -> Line:
    """The answer to the request of this number."""
    return {"id": number, "ok": answered}


def refuse(number: int, why: str) -> Line:
    """Why the request of this number was not done."""
    return {"id": number, "error": why}


def tell(event: Event) -> Line:
    """An event."""
    return {"event": event.event, **vars(event)}


def request_in(line: dict[str, Any]) -> Request[Any]:
    """The request that a line holds, except for its number. ValueError if it is none of these."""
    op = line.pop("op", None)
    if op not in REQUESTS:
        raise ValueError(f"there is no request {op!r}")
    return _read_message(REQUESTS[op], line)


def answer_in(kind: type[Request[A]], answered: Any) -> A:
    """The answer to a request of this kind. ValueError if it is another."""
    (base,) = kind.__orig_bases__  # type: ignore[attr-defined]  # Request[A]
    (expected,) = get_args(base)
    read: A = _read(expected, answered)
    return read


def event_in(line: dict[str, Any]) -> Event | Misheard:
    """The event that a line holds."""
    event = str(line.pop("event"))
    if event not in EVENTS:
        return Misheard(event, repr(event[:100]))
    try:
        return _read_message(EVENTS[event], line)
    except ValueError as error:
        return Misheard(event, str(error))


def _read(kind: Any, value: Any) -> Any:
    """A value of JSON as one of a type that messages have. ValueError if it is another."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:  # with None
        return None if value is None else _read(parts[0], value)
    if origin is Literal and value in parts:
        return value
    if isinstance(value, dict) and origin is Mapping:
        return {key: _read(parts[1], one) for key, one in value.items()}
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Message):
        return _read_message(kind, value)
    if isinstance(value, list):
        return _read_list(kind, origin, parts, value)
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise ValueError(f"{str(value)[:100]!r} is no {kind}")


def _read_list(kind: Any, origin: Any, parts: tuple[Any, ...], values: list[Any]) -> Any:
    if origin is Sequence or parts[-1:] == (...,):
        return tuple([_read(parts[0], value) for value in values])
    if origin is tuple:
        # As a rule it is flat: there may be thousands of such rows.
        return tuple(values) if (*map(type, values),) == parts else tuple(_read_each(parts, values))
    if isinstance(kind, type) and issubclass(kind, tuple):
        return kind(*_read_each(kind.__annotations__.values(), values))
    raise ValueError(f"a list is no {kind}")


def _read_each(kinds: Iterable[Any], values: list[Any]) -> list[Any]:
    return [_read(kind, value) for kind, value in zip(kinds, values, strict=True)]


M = TypeVar("M", bound=Message)


def _read_message(kind: type[M], fields: dict[str, Any]) -> M:
    types = kind.__annotations__
    wrong = [name for name in types if name not in fields and not hasattr(kind, name)]
    wrong += fields.keys() - types.keys()
    if wrong:
        raise ValueError(f"{kind.__name__} lacks or does not know {', '.join(wrong)}")
    return kind(**{name: _read(types[name], value) for name, value in fields.items()})
