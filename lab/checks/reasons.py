"""Causes and what programs were doing, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch

from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import (
    AddressInUse,
    Buffered,
    CarriageReturns,
    Cause,
    ChildCrashed,
    Deadlock,
    Died,
    HeldByAnother,
    InBackground,
    InLoop,
    IsStopped,
    LeftEarly,
    LoopbackOnly,
    MemoryUsedUp,
    NoSuchAddress,
    NotAccepted,
    NoticedLate,
    NotListening,
    NotPassedOn,
    NotRead,
    OtherPort,
    RunsOn,
    ServesUdp,
    Starved,
    StillHeld,
    SwappedPort,
    WaitsForLock,
    WaitsForPeer,
    WithoutNewline,
)
from lab.checks.printed import last_lines
from lab.checks.programs import Asleep, Busy, Ended, ProgramState, Scene, State, Stopped, Wait
from lab.checks.select import endpoint
from lab.checks.telling import counted, listed, span
from lab.core.quote import quoted
from lab.core.words import describe_status, signal_name
from lab.evidence.transcript import StepEnded

_EPHEMERAL = range(32768, 61000)
"""The ports of which Linux chooses one (ip_local_port_range), unless told otherwise."""
_SIGPIPE = ": it wrote to a connection or a pipe that nobody reads"
_MOST_CHILDREN = 4
_MOST_WAITS = 3
_BUSY = 80
"""Percent of the time that a busy program uses a processor or waits for one."""
_MOST_PROGRAMS = 64


def programs_told(failure: Failure, causes: Iterable[Cause]) -> Iterator[str]:
    """A line for each program, below it the last lines that it printed and no step consumed."""
    scene, step = failure.scene, failure.step
    told = {cause.words for cause in causes if isinstance(cause, Died | RunsOn)}
    for one in scene.programs[:_MOST_PROGRAMS]:
        line = f"{scene.named(one)}: {_told(scene, one, step)}"
        unread = scene.unread.get((one.host, one.name), "")
        shown = last_lines(unread) if failure.shows_unread(one) else []
        shown = [text for text in shown if text.strip() not in told]
        if shown:
            line += "; output that no step consumed:"
        yield "\n".join([line, *(f"  | {text}" for text in shown)])
    if len(scene.programs) > _MOST_PROGRAMS:
        yield f"and {len(scene.programs) - _MOST_PROGRAMS} more programs"


def _told(scene: Scene, one: ProgramState, step: StepEnded) -> str:
    parts = [_state(one.state, step.at)]
    parts += [
        f"its child {child.name} (process {child.number}) {_state(child.state, step.at)}"
        for child in one.children[:_MOST_CHILDREN]
    ]
    if len(one.children) > _MOST_CHILDREN:
        more = len(one.children) - _MOST_CHILDREN
        parts.append(f"and {more} more process{'es' if more > 1 else ''}")
    for listener in scene.listeners(one.host):
        if listener.inode in one.inodes and (rows := scene.queued(one.host, listener)):
            waiting = listed(list(dict.fromkeys(scene.peer(one.host, row) for row in rows)))
            queued = counted(len(rows), "connection")
            parts.append(f"{queued} ({waiting}) in the accept queue of port {listener.local_port}")
    return "; ".join(parts)


def _state(state: State, now: int) -> str:
    match state:
        case Ended():
            before = now - state.at
            when = f" {span(before)} before" if before > 0 else ""
            return f"ended{when}: {describe_status(state.status)}"
        case Busy():
            if state.used < state.waited // 4 and not state.awake:
                return f"ready to run: it waited {state.waited} % of the time for a processor"
            waited = f" and waited {state.waited} % for one" if state.waited > state.used // 2 else ""
            used = f"it used {state.used} % of a processor{waited}"
            busy = state.awake or state.used + state.waited >= _BUSY
            return f"busy: {used} and slept in no call" if busy else f"running: {used}"
        case Stopped():
            return "stopped by a signal"
        case Asleep():
            return f"asleep in {asleep_in(state)}"
        case _:
            return "running"


def asleep_in(state: Asleep) -> str:
    """The calls, those on sockets first."""
    waits = sorted(state.waits, key=lambda wait: (not wait.protocol, wait.call))
    first, *others = dict.fromkeys(map(_wait, waits))
    told = [first, *(f"in {other}" for other in others)]
    more = [f"{len(told) - _MOST_WAITS} more"] if len(told) > _MOST_WAITS else []
    return listed(told[:_MOST_WAITS] + more)


def _wait(wait: Wait) -> str:
    if wait.protocol == "udp":
        return f"{wait.call} on UDP port {wait.port}"
    if wait.protocol == "tcp" and wait.call == "accept":
        return f"accept on port {wait.port}"
    if wait.protocol == "tcp":
        peer = f"{wait.peer}:{wait.peer_port}" if wait.serves else wait.peer
        joint = "to" if wait.call == "connect" else "on its connection with"
        return f"{wait.call} {joint} {peer}"
    if wait.input:
        return "read: it waits for its standard input"
    return wait.call


def reasons(causes: Iterable[Cause], now: int) -> tuple[str, ...]:
    """A sentence for each cause; ``now`` is when the step failed."""
    return tuple(_reason(cause, now) for cause in causes)


@singledispatch
def _reason(cause: Cause, now: int) -> str:
    raise NotImplementedError(f"{cause!r} has no words")


@_reason.register
def _memory(cause: MemoryUsedUp, _: int) -> str:
    whom = listed(list(cause.programs)) if cause.programs else "a process"
    return (
        f"the kernel killed {whom}: the memory of host {cause.host}, {_bytes(cause.limit)}, was used up"
        " (limits.memory)"
    )


def _bytes(number: int) -> str:
    """``64 MiB``."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= factor and number % factor == 0:
            return f"{number // factor} {unit}"
    return counted(number, "byte")


@_reason.register
def _crashed(cause: ChildCrashed, now: int) -> str:
    when = f" {span(now - cause.at)} before the step ended" if now > cause.at else ""
    which = f", {cause.name} (process {cause.number})," if cause.number else ""
    return f"a child of {cause.program}{which} was killed by {cause.signal}{when}"


@_reason.register
def _died(cause: Died, now: int) -> str:
    when = f"{span(now - cause.at)} before the step failed" if now > cause.at else "as the step failed"
    if cause.exception:
        status = describe_status(cause.status)
        return f"{cause.program} ended with an unhandled exception {when}, {status}: {cause.words}"
    words = f"; its last line of output: {cause.words}" if cause.words else "; it had printed nothing"
    if not (name := signal_name(cause.status)):
        return f"{cause.program} ended with exit status {cause.status} {when}{words}"
    more = _SIGPIPE if name == "SIGPIPE" else ""
    return f"{cause.program} was killed by {name} {when}{more}{words}"


@_reason.register
def _left_early(cause: LeftEarly, now: int) -> str:
    when = f"{span(now - cause.at)} before the step failed"
    return f"{cause.program} ended with exit status 0 {when}: the script had not told it to"


@_reason.register
def _in_background(cause: InBackground, _: int) -> str:
    return (
        f"{cause.program} ended with exit status 0 and left its child {cause.name} (process {cause.number})"
        " running in the background: what that prints to another file is not seen"
    )


@_reason.register
def _in_use(cause: AddressInUse, _: int) -> str:
    return (
        f"port {cause.port} was in use when {cause.program} called bind: a connection is in TIME_WAIT there,"
        " and no program listens (set SO_REUSEADDR before bind)"
    )


@_reason.register
def _starved(cause: Starved, _: int) -> str:
    told = listed([f"{program} waited {percent} % of the time" for program, percent in cause.programs])
    return f"the machine is short of processors: {told} for one"


@_reason.register
def _noticed_late(cause: NoticedLate, _: int) -> str:
    return (
        f"the machine is short of processors: the lab noticed after {span(cause.took)} that"
        f" {cause.limit:g} s were over"
    )


@_reason.register
def _carriage_returns(cause: CarriageReturns, _: int) -> str:
    return (
        f"the lines of the script of {cause.program} end with CR LF (\\r\\n), and the CR counts as a part of"
        " each line; save it with LF alone"
    )


@_reason.register
def _swapped(cause: SwappedPort, _: int) -> str:
    does = "connects to port" if cause.connects else "listens on port"
    return (
        f"{cause.program} {does} {cause.found}, which is {cause.wanted} with its two bytes swapped:"
        f" htons({cause.wanted}) is missing"
    )


@_reason.register
def _other_port(cause: OtherPort, _: int) -> str:
    found = listed([str(port) for port in cause.found])
    told = f"{cause.program} listens on port {found}, not on {cause.wanted}"
    if any(port in _EPHEMERAL for port in cause.found):
        told += "; without bind, or with port 0, the kernel chooses such a port"
    return told


@_reason.register
def _udp(cause: ServesUdp, _: int) -> str:
    return (
        f"{cause.program} has a UDP socket (SOCK_DGRAM) at port {cause.port}, and none of TCP (SOCK_STREAM)"
    )


@_reason.register
def _not_listening(cause: NotListening, _: int) -> str:
    where = f", bound to port {cause.bound}," if cause.bound else ""
    return f"{cause.program} has a TCP socket{where} and has not called listen"


@_reason.register
def _held(cause: HeldByAnother, _: int) -> str:
    return f"port {cause.port} is listened on by {cause.holder}, not by {cause.program}"


@_reason.register
def _loopback(cause: LoopbackOnly, _: int) -> str:
    return (
        f"{cause.program} listens on {cause.address} only, where other hosts cannot reach it: port"
        f" {cause.port} was refused; bind to 0.0.0.0 (INADDR_ANY)"
    )


@_reason.register
def _not_accepted(cause: NotAccepted, now: int) -> str:
    doing = " and ".join(dict.fromkeys(_state(state, now) for state in cause.states))
    whose = listed(list(cause.clients))
    verb = "was never accepted and waits" if len(cause.clients) == 1 else "were never accepted and wait"
    noun = "connection" if len(cause.clients) == 1 else "connections"
    return (
        f"the {noun} of {whose} to port {cause.port} {verb} in the accept queue: {cause.program} is {doing}"
    )


@_reason.register
def _deadlock(cause: Deadlock, _: int) -> str:
    one, other = cause.programs
    waits = "for the other to send" if cause.call == "recv" else "for the other to read"
    told = f"{one} and {other} are both asleep in {cause.call} on their connection: each waits {waits}"
    if last := cause.last:
        told += (
            f"; {last.sender} was the last to send ({counted(last.bytes, 'byte')} in all), {last.other} has"
            " read that and has not answered, or waits for more, such as the newline of a line"
        )
        if last.elsewhere:
            told += f"; since then {last.other} has sent to {listed(list(last.elsewhere))} instead"
    return told


@_reason.register
def _not_read(cause: NotRead, now: int) -> str:
    are = "is" if cause.unread == 1 else "are"
    doing = " and ".join(dict.fromkeys(_state(state, now) for state in cause.states))
    unread = counted(cause.unread, "byte")
    return f"{unread} from {cause.peer} {are} unread: {cause.program} is {doing}"


@_reason.register
def _still_held(cause: StillHeld, _: int) -> str:
    return f"{cause.host} has not closed its connection with {cause.peer}: {cause.told}"


@_reason.register
def _waits_for_lock(cause: WaitsForLock, now: int) -> str:
    doing = " and ".join(dict.fromkeys(_state(state, now) for state in cause.states))
    return (
        f"no thread of {cause.program} reads from {cause.peer}, which waits:"
        f" {cause.program} is {doing} (futex: a lock, or the end of another thread)"
    )


@_reason.register
def _nowhere(cause: NoSuchAddress, _: int) -> str:
    return f"{cause.host} tried to connect to {endpoint(cause.address, cause.port)}: no host has that address"


@_reason.register
def _not_passed_on(cause: NotPassedOn, _: int) -> str:
    return f"{cause.router} did not pass on what {cause.host} sent to {cause.peer}: {cause.meaning} (ICMP)"


@_reason.register
def _runs_on(cause: RunsOn, _: int) -> str:
    return f"{cause.program} printed the traceback of an exception and runs on: {cause.words}"


@_reason.register
def _waits_for_peer(cause: WaitsForPeer, now: int) -> str:
    doing = " and ".join(dict.fromkeys(_state(state, now) for state in cause.states))
    return f"{cause.program} waits for {cause.peer} to send (asleep in recv), and {cause.peer} is {doing}"


@_reason.register
def _stopped(cause: IsStopped, _: int) -> str:
    return f"{cause.program} is stopped by a signal (SIGSTOP, SIGTSTP, SIGTTIN): it goes on at SIGCONT"


@_reason.register
def _loop(cause: InLoop, _: int) -> str:
    waited = f", waited {cause.waited} % for one" if cause.waited > cause.used // 2 else ""
    used = f"it used {cause.used} % of a processor{waited} and slept in no call"
    told = f"{cause.program} is busy, maybe in a loop: {used}"
    if cause.closed:
        told += (
            f"; it still holds its connection with {listed(list(cause.closed))}, who closed it (CLOSE_WAIT):"
            " recv returns 0 there at once"
        )
    return told


@_reason.register
def _without_newline(cause: WithoutNewline, _: int) -> str:
    return f"{cause.program} printed {quoted(cause.text)} without the newline (\\n) that ends a line"


@_reason.register
def _buffered(cause: Buffered, _: int) -> str:
    where = "a line without its end" if cause.tty else "output into a pipe"
    return (
        f"{cause.program} has printed nothing and is asleep: its output may still be in its buffer, where"
        f" {where} stays (fflush(stdout), flush=True)"
    )
