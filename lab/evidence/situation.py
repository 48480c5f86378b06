"""What every program of the lab was doing when the script broke off, and what ended unasked meanwhile.

Times are whole nanoseconds since the epoch on the clock of the machine that captures.
"""

from __future__ import annotations

from msgspec import Struct

from lab.evidence.processes import ProcessRow, show_name
from lab.evidence.sockets import DatagramSocket, SocketRow


class Doing(Struct, frozen=True):
    """A process between two looks: its ``row`` is that of the second.

    It ``used`` a processor and ``waited`` for one so long (ns), and one of its threads used it so long that
    was ``awake`` all the time, running or ready to; ``running`` says that a thread ran, or was
    ready to, at both looks, ``stopped`` that a signal has stopped it, ``input`` that it waits for its
    standard input. ``unlisted`` counts its TCP sockets that are neither bound, in LISTEN nor connected.
    ``status`` is how a zombie has ended, as a shell counts. ``used_since`` and ``waited_since`` are as
    ``used`` and ``waited``, for a longer time: that of the situation's ``since``.
    """

    row: ProcessRow
    used: int = 0
    waited: int = 0
    running: bool = False
    stopped: bool = False
    input: bool = False
    unlisted: int = 0
    status: int = 0
    awake: int = 0
    used_since: int = 0
    waited_since: int = 0


class Situation(Struct, frozen=True):
    """All programs of a host, looked at twice within a ``window`` (ns), and its sockets.

    ``tcp`` are those that ``ss`` lists; ``bound`` are TCP sockets that neither listen nor connect, as far as
    the kernel tells of them (Linux 6.8); ``udp`` are the UDP sockets. ``since`` is for how long the processes
    were measured (ns), about half the time that the step had; 0 if that was not done. ``trouble`` is
    the error for which the sockets could not be listed.
    """

    at: int
    host: str
    window: int
    processes: tuple[Doing, ...] = ()
    tcp: tuple[SocketRow, ...] = ()
    bound: tuple[SocketRow, ...] = ()
    udp: tuple[DatagramSocket, ...] = ()
    trouble: str = ""
    since: int = 0


class Unread(Struct, frozen=True):
    """The end of what a program had printed and no step had consumed."""

    at: int
    host: str
    program: str
    text: str


class Killed(Struct, frozen=True):
    """A process of a host was ended by a signal; ``status`` is as a shell counts, ``number`` its id there.

    The kernel began to end it when it was ``dying``; 0 if nobody told. Of a process that ended before it was
    looked at ``number`` may be 0 and ``name`` empty: not known.
    """

    at: int
    host: str
    pid: int
    parent: int
    session: int
    number: int
    name: str
    status: int
    dying: int = 0

    def __post_init__(self) -> None:
        """Show what a terminal would act on."""
        show_name(self, self.name)


class OutOfMemory(Struct, frozen=True):
    """The kernel killed a process of a host because the host's memory was used up (limits.memory)."""

    at: int
    host: str


SituationEvent = Situation | Unread | Killed | OutOfMemory
