"""The sockets of the hosts as their kernels showed them, sampled by the agent.

Times are whole nanoseconds since the epoch on the clock of the machine that captures.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.words import TcpState


@dataclass(frozen=True, slots=True)
class SocketRow:
    """One TCP socket as the host's kernel shows it (sock_diag(7)).

    Addresses are text, IPv4-mapped IPv6 ones as IPv4. For a listener ``recv_queue`` is the accept queue's
    length and ``send_queue`` its limit; otherwise both are bytes, an unread FIN counting 1 in ``recv_queue``.
    ``inode`` 0: no process holds the socket.
    """

    state: TcpState
    local: str
    local_port: int
    remote: str
    remote_port: int
    recv_queue: int
    send_queue: int
    inode: int


@dataclass(frozen=True, slots=True)
class SocketSample:
    """All TCP sockets of a host at one moment; kept only when something changed since the one before.

    ``overflows`` and ``drops`` are the host's counters ListenOverflows and ListenDrops since it came up: how
    often a full accept queue took no connection, and how many SYNs and last ACKs its listeners dropped.
    """

    at: int
    host: str
    rows: tuple[SocketRow, ...]
    overflows: int = 0
    drops: int = 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the kernel was asked: from when to when, how often, and what failed.

    The gaps (ns) are between two looks at one host. A host is looked at when something happens there and else
    ten times a second, so that the worst gap is one in which nothing was sent.
    """

    began: int
    ended: int
    mean_gap: int
    worst_gap: int
    trouble: str = ""
    process_trouble: str = ""
    """What of the processes could not be seen; of the sockets, that is ``trouble``."""
