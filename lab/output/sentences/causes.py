"""Why a step failed, and what each program was doing then (``lab.checks.causes.kinds``)."""

from __future__ import annotations

from lab.core.endpoint import endpoint
from lab.core.quote import quoted
from lab.core.words import describe_status, signal_name
from lab.evidence.message import Message
from lab.output.describe import Teller, counted, listed, span

_EPHEMERAL = range(32768, 61000)
"""The ports of which Linux chooses one (ip_local_port_range), unless told otherwise."""
_SIGPIPE = ": it wrote to a connection or a pipe that nobody reads"
_MOST_WAITS = 3
_BUSY = 80
"""Percent of the time that a busy program uses a processor or waits for one."""

Messages = tuple[Message, ...]


# What programs were doing


def _program(
    teller: Teller,
    *,
    who: str,
    doing: Message,
    children: Messages,
    others: int,
    queued: Messages,
    lines: tuple[str, ...],
) -> str:
    """A line for a program, below it the last lines that it printed and no step consumed."""
    more = [f"and {others} more process{'es' if others > 1 else ''}"] if others else []
    told = [*map(teller.text, (doing, *children)), *more, *map(teller.text, queued)]
    line = f"{who}: {'; '.join(told)}" + ("; output that no step consumed:" if lines else "")
    return "\n".join([line, *(f"  | {text}" for text in lines)])


def _ended(_: Teller, status: int, before: int) -> str:
    when = f" {span(before)} before" if before > 0 else ""
    return f"ended{when}: {describe_status(status)}"


def _busy(_: Teller, used: int, waited: int, awake: bool) -> str:
    if used < waited // 4 and not awake:
        return f"ready to run: it waited {waited} % of the time for a processor"
    told = f"it used {used} % of a processor" + (
        f" and waited {waited} % for one" if waited > used // 2 else ""
    )
    busy = awake or used + waited >= _BUSY
    return f"busy: {told} and slept in no call" if busy else f"running: {told}"


def _asleep(teller: Teller, waits: Messages) -> str:
    """The calls, those on sockets first."""
    in_order = sorted(waits, key=lambda wait: (not wait.parameters["protocol"], wait.parameters["call"]))
    first, *others = dict.fromkeys(map(teller.text, in_order))
    told = [first, *(f"in {other}" for other in others)]
    more = [f"{len(told) - _MOST_WAITS} more"] if len(told) > _MOST_WAITS else []
    return f"asleep in {listed(told[:_MOST_WAITS] + more)}"


def _wait(
    _: Teller,
    *,
    call: str,
    protocol: str,
    state: str | None,  # noqa: ARG001 - it is there
    port: int,
    peer: str,
    peer_port: int,
    serves: bool,
    input: bool,  # noqa: A002 - as the wait calls it
) -> str:
    if protocol == "udp":
        return f"{call} on UDP port {port}"
    if protocol == "tcp" and call == "accept":
        return f"accept on port {port}"
    if protocol == "tcp":
        joint = "to" if call == "connect" else "on its connection with"
        return f"{call} {joint} {f'{peer}:{peer_port}' if serves else peer}"
    return "read: it waits for its standard input" if input else call


# Causes


def _memory(_: Teller, host: str, limit: int, programs: tuple[str, ...]) -> str:
    whom = listed(programs) if programs else "a process"
    return (
        f"the kernel killed {whom}: the memory of host {host}, {_bytes(limit)}, was used up (limits.memory)"
    )


def _bytes(number: int) -> str:
    """``64 MiB``."""
    for factor, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= factor and number % factor == 0:
            return f"{number // factor} {unit}"
    return counted(number, "byte")


def _crashed(_: Teller, program: str, number: int, name: str, signal: str, before: int) -> str:
    when = f" {span(before)} before the step ended" if before > 0 else ""
    which = f", {name} (process {number})," if number else ""
    return f"a child of {program}{which} was killed by {signal}{when}"


def _died(_: Teller, program: str, status: int, words: str, exception: bool, before: int) -> str:
    when = f"{span(before)} before the step failed" if before > 0 else "as the step failed"
    if exception:
        return f"{program} ended with an unhandled exception {when}, {describe_status(status)}: {words}"
    told = f"; its last line of output: {words}" if words else "; it had printed nothing"
    if not (name := signal_name(status)):
        return f"{program} ended with exit status {status} {when}{told}"
    return f"{program} was killed by {name} {when}{_SIGPIPE if name == 'SIGPIPE' else ''}{told}"


def _starved(_: Teller, programs: tuple[tuple[str, int], ...]) -> str:
    told = listed([f"{program} waited {percent} % of the time" for program, percent in programs])
    return f"the machine is short of processors: {told} for one"


def _other_port(_: Teller, program: str, wanted: int, found: tuple[int, ...]) -> str:
    told = f"{program} listens on port {listed([str(port) for port in found])}, not on {wanted}"
    if any(port in _EPHEMERAL for port in found):
        told += "; without bind, or with port 0, the kernel chooses such a port"
    return told


def _loop(_: Teller, program: str, used: int, waited: int, closed: tuple[str, ...]) -> str:
    for_one = f", waited {waited} % for one" if waited > used // 2 else ""
    told = (
        f"{program} is busy, maybe in a loop: it used {used} % of a processor{for_one} and slept in no call"
    )
    if closed:
        told += (
            f"; it still holds its connection with {listed(closed)}, who closed it (CLOSE_WAIT):"
            " recv returns 0 there at once"
        )
    return told


WORDS = {
    "awaited": {"recv": "send", "send": "read"},
    "uses-port": {"False": "listens on port", "True": "connects to port"},
    "buffered": {"False": "output into a pipe", "True": "a line without its end"},
}

_LINE_ENDS = {"LF": "LF", "CRLF": "CR LF"}


def _other_line_ends(_: Teller, found: str, wanted: str, maybe: bool) -> str:
    what = "what came has lines that" if maybe else "the text is there, but its lines"
    return f"{what} end with {_LINE_ENDS[found]}, not with {_LINE_ENDS[wanted]}"


SENTENCES = {
    "program": _program,
    "child": "its child {name} (process {number}) {doing}",
    "queued": ("{number} {number:connection|connections} ({peers}) in the accept queue of port {port}"),
    "more-programs": "and {number} more programs",
    # states
    "ended": _ended,
    "busy": _busy,
    "stopped": "stopped by a signal",
    "running": "running",
    "asleep": _asleep,
    "wait": _wait,
    # causes
    "memory-used-up": _memory,
    "child-crashed": _crashed,
    "died": _died,
    "left-early": (
        "{program} ended with exit status 0 {before:span} before the step failed: the script had not told it"
        " to"
    ),
    "in-background": (
        "{program} ended with exit status 0 and left its child {name} (process {number}) running in the"
        " background: what that prints to another file is not seen"
    ),
    "address-in-use": (
        "port {port} was in use when {program} called bind: a connection is in TIME_WAIT there, and no"
        " program listens (set SO_REUSEADDR before bind)"
    ),
    "not-raw": (
        "{program} was not permitted to open a socket: host {host} has no raw sockets (`raw: true` at the"
        " host allows them)"
    ),
    "starved": _starved,
    "noticed-late": (
        "the machine is short of processors: the lab noticed after {took:span} that {limit} s were over"
    ),
    "heard-late": "{program} had ended {before:span} before, in time, and the lab heard of it too late",
    "carriage-returns": (
        "the lines of the script of {program} end with CR LF (\\r\\n), and the CR counts as a part of each"
        " line; save it with LF alone"
    ),
    "swapped-port": (
        "{program} {connects:uses-port} {found}, which is {wanted} with its two bytes swapped:"
        " htons({wanted}) is missing"
    ),
    "other-port": _other_port,
    "serves-tcp": "{program} has a TCP socket (SOCK_STREAM) at port {port}, and none of UDP (SOCK_DGRAM)",
    "other-udp-port": "{program} has bound UDP port {found}, not {wanted}",
    "serves-udp": "{program} has a UDP socket (SOCK_DGRAM) at port {port}, and none of TCP (SOCK_STREAM)",
    "not-listening": "{program} has a TCP socket[, bound to port {bound},] and has not called listen",
    "held-by-another": "port {port} is listened on by {holder}, not by {program}",
    "loopback-only": (
        "{program} listens on {address} only, where other hosts cannot reach it: port {port} was refused;"
        " bind to 0.0.0.0 (INADDR_ANY)"
    ),
    "not-accepted": (
        "the {clients:connection|connections} of {clients} to port {port} {clients:was|were} never accepted"
        " and {clients:waits|wait} in the accept queue: {program} is {states}"
    ),
    "deadlock": (
        "{programs} are both asleep in {call} on their connection: each waits for the other to"
        " {call:awaited}[; {last}]"
    ),
    "last-sent": (
        "{sender} was the last to send ({bytes} {bytes:byte|bytes} in all), {other} has read that and has not"
        " answered, or waits for more, such as the newline of a line"
        "[; since then {other} has sent to {elsewhere} instead]"
    ),
    "not-read": ("{unread} {unread:byte|bytes} from {peer} {unread:is|are} unread: {program} is {states}"),
    "buffer-full": (
        "the receive buffer of {program} at UDP port {port} was full: {dropped}"
        " {dropped:datagram was|datagrams were} dropped, so it read too slowly or too late"
    ),
    "datagrams-unread": "datagrams at UDP port {port} are unread: {program} is {states}",
    "answered-elsewhere": (
        "{peer} answered {connection} from UDP port {found}, not from port {port}: with `follow: true` the"
        " script hears it"
    ),
    "still-held": "{host} has not closed its connection with {peer}: {held}",
    "waits-for-lock": (
        "no thread of {program} reads from {peer}, which waits: {program} is {states}"
        " (futex: a lock, or the end of another thread)"
    ),
    "no-such-address": lambda _, host, address, port: (
        f"{host} tried to connect to {endpoint(address, port)}: no host has that address"
    ),
    "not-passed-on": "{router} did not pass on what {host} sent to {peer}: {meaning} (ICMP)",
    "runs-on": "{program} printed the traceback of an exception and runs on: {words}",
    "waits-for-peer": "{program} waits for {peer} to send (asleep in recv), and {peer} is {states}",
    "is-stopped": "{program} is stopped by a signal (SIGSTOP, SIGTSTP, SIGTTIN): it goes on at SIGCONT",
    "in-loop": _loop,
    "without-newline": lambda _, program, text, sent: (
        f"{program} {'sent' if sent else 'printed'} {quoted(text)} without the newline (\\n) that ends a line"
    ),
    "other-line-ends": _other_line_ends,
    "returns-typed": (
        "the terminal of {program} makes LF (\\n) of each CR (\\r) that is typed: with `tty: false` it reads"
        " the bytes as they are"
    ),
    "buffered": (
        "{program} has printed nothing and is asleep: its output may still be in its buffer, where"
        " {tty:buffered} stays (fflush(stdout), flush=True)"
    ),
}
