"""The processes of the hosts as their kernels showed them, looked at by the agent now and then.

Times are whole nanoseconds since the epoch on the clock of the machine that captures.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import force_setattr

from lab.core.escape import one_line

UNKNOWN = "unknown"
"""What a program for a machine whose system calls are not known here sleeps in."""

HIDDEN = -1
"""The mark of a process that has changed it: nobody knows which start it came from."""


class Sleep(Struct, frozen=True):
    """A thread that sleeps in a system call, and the inode of the socket it waits for (0: none).

    ``call`` is accept, recv, send, connect, read, write, poll, wait, futex or sleep, or :data:`UNKNOWN`;
    ``read`` and ``write`` of a socket are told as recv and send.
    """

    call: str
    inode: int


def show_name(of: Struct, name: str) -> None:
    """Let a process have a name on one line: a program chooses its own, and may put into it what it likes."""
    if not name.isprintable():
        force_setattr(of, "name", one_line(name))


class ProcessRow(Struct, frozen=True):
    """One process of a host (proc(5)).

    ``pid``, ``parent`` and ``session`` are as the engine's machine counts, ``number`` is its id within the
    host. A ``zombie`` has ended, and its parent has not waited for it. ``sockets`` are the inodes it holds.
    All processes that came from one start of the script have its ``mark``, whoever their parent is now; one
    that came from none has 0.
    """

    pid: int
    parent: int
    session: int
    number: int
    name: str
    zombie: bool
    descriptors: int
    sockets: tuple[int, ...]
    asleep: tuple[Sleep, ...]
    mark: int = 0

    def __post_init__(self) -> None:
        """Show what a terminal would obey."""
        show_name(self, self.name)


class ProcessSample(Struct, frozen=True):
    """All programs of a host at one moment; kept only when something changed since the look before.

    Looks are taken soon after something happened to the host's sockets, before a program is told to end,
    at the end of the script, and while the script waits for a process.
    """

    at: int
    host: str
    rows: tuple[ProcessRow, ...]
