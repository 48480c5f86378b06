"""The sockets of the hosts as their kernels showed them, sampled by the agent.

Times are whole nanoseconds since the epoch on the clock of the machine that captures.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from lab.core.words import TcpState


class SocketRow(Struct, frozen=True):
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


class DatagramSocket(Struct, frozen=True):
    """One UDP socket as the host's kernel shows it (sock_diag(7)).

    ``recv_queue`` is what waits to be read, in bytes as the kernel counts them, with what it needs itself.
    So many datagrams found no room there since the socket was made (``drops``).
    """

    local: str
    local_port: int
    remote: str
    remote_port: int
    recv_queue: int
    inode: int
    drops: int = 0


class DatagramSample(Struct, frozen=True):
    """What a look at a host's UDP sockets showed to be new.

    ``rows`` are sockets that came or that are not as they were in the host's sample before; ``gone`` are the
    inodes of those that are no more. A look that showed nothing new is not kept.
    """

    at: int
    host: str
    rows: tuple[DatagramSocket, ...]
    gone: tuple[int, ...] = ()


class SocketEnds(Struct, frozen=True):
    """Where a socket is bound, and where it is connected to: a listener to port 0."""

    local: str
    local_port: int
    remote: str
    remote_port: int


class SocketSample(Struct, frozen=True):
    """What a look at a host's TCP sockets showed to be new, and what its kernel counts.

    If it is ``whole``, ``rows`` are all sockets of the host. Otherwise it differs from the host's sample
    before: in place of what had the ends of any of its ``rows`` there are now these, at the ends that are
    ``gone`` there is no socket any more, and all others are as they were. A look that showed nothing new is
    not kept.

    The look began at ``at`` and took at most ``took``; one that began at ``until`` still showed the same, and
    the next sample is what came after that. A connection in TIME_WAIT is asked for when that should end, and
    from then on ten times a second: that it has left is seen so late.

    The counters are the host's since it came up (proc_net(5)): ``overflows`` is ListenOverflows, how often a
    full accept queue took no connection; ``drops`` ListenDrops, how many SYNs and last ACKs its listeners
    dropped; ``unread_closes`` TCPAbortOnClose, closes with data unread; ``data_aborts`` TCPAbortOnData, those
    with linger 0, and data that came to a closed socket; ``timeouts`` TCPAbortOnTimeout, connections given up
    because the peer did not answer; ``memory_aborts`` TCPAbortOnMemory, those given up for lack of memory;
    ``resets`` OutRsts, the RSTs it sent; ``opens`` ActiveOpens, how many connections it began, -1 if nobody
    asked; ``buffer_losses`` RcvbufErrors and Udp6RcvbufErrors, how many UDP datagrams found a receive buffer
    full: they are read at the last look, and before that only where something goes wrong.
    """

    at: int
    host: str
    rows: tuple[SocketRow, ...]
    overflows: int = 0
    drops: int = 0
    unread_closes: int = 0
    data_aborts: int = 0
    timeouts: int = 0
    memory_aborts: int = 0
    resets: int = 0
    opens: int = -1
    buffer_losses: int = 0
    took: int = 0
    until: int = 0
    whole: bool = True
    gone: tuple[SocketEnds, ...] = ()


class Instrument(StrEnum):
    """What observes a host."""

    SOCKETS = "sockets"
    """The looks at its sockets."""
    DATAGRAMS = "datagrams"
    """The looks at its UDP sockets."""
    COUNTERS = "counters"
    """What its kernel counts of TCP."""
    PROCESSES = "processes"
    """The looks at its processes."""
    ENDS = "ends"
    """The kernel's word of how processes ended that a signal ended."""
    CAPTURE = "capture"
    """What watches how large the captures become."""
    HOLD = "hold"
    """What keeps segments back."""
    PEERS = "peers"
    """The sockets of the script."""
    EVENTS = "events"
    """What the agent tells of that the lab does not know."""


class Loss(Struct, frozen=True):
    """How often an instrument failed at a host ("": at all of them), and ``why`` it did so first.

    That is an error as Python or the kernel told it, or a reason that ``lab.output.sentences.doubt`` knows,
    which may be of a ``limit``.
    """

    instrument: Instrument
    host: str
    count: int
    why: str
    limit: int = 0


class Sampling(Struct, frozen=True):
    """How the kernels were asked: from when to when, how often, and what was ``lost``.

    The gaps (ns) are between two looks at one host. A host is looked at when something happens there and else
    ten times a second, so that the worst gap is one in which nothing was sent.
    """

    began: int
    ended: int
    mean_gap: int
    worst_gap: int
    lost: tuple[Loss, ...] = ()

    def lost_of(self, host: str, *instruments: Instrument) -> Loss | None:
        """The first loss of one of these instruments that concerns a host; None if there is none."""
        mine = (loss for loss in self.lost if loss.host in {"", host})
        return next((loss for loss in mine if loss.instrument in instruments), None)
