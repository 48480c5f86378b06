"""The field's words that several rooms share: TCP states, signals, outcomes, what a host calls itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

LOOPBACK = {"127.0.0.1": ("localhost",), "::1": ("localhost", "ip6-localhost", "ip6-loopback")}
"""The names that each host has for itself, by address, as Debian has them in its /etc/hosts."""


class TcpState(StrEnum):
    """The states of a connection (RFC 9293, section 3.3.2)."""

    __hash__ = str.__hash__

    LISTEN = "LISTEN"
    SYN_SENT = "SYN_SENT"
    SYN_RECEIVED = "SYN_RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN_WAIT_1"
    FIN_WAIT_2 = "FIN_WAIT_2"
    CLOSE_WAIT = "CLOSE_WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST_ACK"
    TIME_WAIT = "TIME_WAIT"
    CLOSED = "CLOSED"


class Outcome(StrEnum):
    """What became of a check. Only the first three are judgements."""

    PASS = "pass"  # noqa: S105 - no secret
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


EndingSignal = Literal["SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGTERM"]
"""Signals that a script may send and that end a program, unless it catches them (signal(7))."""

Signal = Literal[EndingSignal, "SIGCONT", "SIGSTOP"]
"""The signals a script may send."""


SleepingCall = Literal["accept", "recv", "send", "connect", "read", "write", "poll", "wait", "futex", "sleep"]
"""System calls that a program may be asleep in; poll stands for select and epoll_wait too."""


_SIGNALS = tuple(
    f"SIG{name}"
    for name in (
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    )
)  # fmt: skip
"""Linux's signals from 1 on (signal(7)): a record is judged the same where they are numbered otherwise."""


MEMORY_ENDS = frozenset({129, 137})
"""The statuses of what ends for want of memory: by SIGKILL, or by SIGHUP with the shell above it."""

FAULTS = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS", "SIGPIPE"})
"""Signals by which a program ends that has done something wrong, not one that somebody has ended."""


def signal_name(status: int) -> str:
    """The signal an exit status stands for: shells and Docker add 128 to its number; "" for none."""
    return _SIGNALS[status - 129] if 129 <= status <= 128 + len(_SIGNALS) else ""


def signal_by_number(number: int) -> str:
    """What Linux calls a signal; one that has no name has its number."""
    return signal_name(number + 128) or f"signal {number}"


def describe_status(status: int) -> str:
    """An exit status in words, a signal by its name."""
    name = signal_name(status)
    return f"killed by {name} (status {status})" if name else f"exit status {status}"
