"""Hears from the kernel how processes that a signal ends have ended (the process connector, cn_proc.h).

None is missed, however short it lived and however soon its parent has waited for it, and the times are the
kernel's own. The kernel says it in the machine's first network namespace only, and to nobody outside the
first namespaces of processes and users: where the engine itself runs in a container, nothing is said.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from . import namespaces, processes
from .losses import Losses
from .protocol import ProcessKilled, ProcessRow, Reason

_NETLINK_CONNECTOR = 11
_CN_IDX_PROC = _CN_VAL_PROC = 1
_LISTEN = struct.pack("=I", 1)
"""PROC_CN_MCAST_LISTEN (linux/cn_proc.h)."""

_ACK, _COREDUMP, _EXIT = 0, 0x40000000, 0x80000000
_HEADER = struct.Struct("=IIQ")
"""struct proc_event: what, cpu, timestamp_ns; behind it a process and what follows below."""

_ERROR, _OF_COREDUMP, _OF_EXIT = struct.Struct("=I"), struct.Struct("=IIII"), struct.Struct("=IIIIII")
"""Of an answer its error; else process and thread group, of an exit then its wait status and a signal, and
behind that the parent and the parent's thread group."""

_AT = 36
"""Where that begins: behind struct nlmsghdr and struct cn_msg."""

_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33
_ROOM = 1 << 23
"""Bytes: of some 20,000 words, each of a process that was made and has ended, while nobody hears."""

_LONGEST = 4096
_SIGNALLED = 0x7F

_EXACT = 20_000
"""ns within which two clocks are read, or they are read again."""

_MOST_DYING = 1024
"""Processes that have begun to end and have not ended, of which is remembered when they began."""

_MOST_TOLD = 1000
"""Ends of processes of a host that are told."""


class Word(NamedTuple):
    """The end of a process by a signal; ``status`` is as wait(2) has it.

    The kernel began with it when it was ``dying`` (ns since the epoch), 0 for signals without a core.
    """

    pid: int
    parent: int
    status: int
    dying: int
    at: int


class Connector:
    """The kernel's words about the processes of the hosts; OSError if it says none."""

    def __init__(
        self, tell: Callable[[ProcessKilled], None], host_of: Callable[[int], str], losses: Losses
    ) -> None:
        self._tell = tell
        self._losses = losses
        self._host_of = host_of
        self._socket = _opened()
        self._seen: dict[int, tuple[str, ProcessRow]] = {}
        self._shown: dict[str, set[int]] = {}
        """The processes of the hosts at the last two looks, and which were each host's at the last: that one
        has ended may be heard after a look that does not show it any more."""
        self._dying: dict[int, tuple[int, int]] = {}
        """When each process began to end, and its parent: an exit does not tell one that ignores SIGCHLD."""
        self._told: Counter[str] = Counter()

    def fileno(self) -> int:
        """For epoll(7): readable when a process has ended."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def hold(self, seen: Mapping[str, Iterable[ProcessRow]], process_of: Callable[[ProcessRow], int]) -> None:
        """These are the processes of each host now; ``process_of`` tells which process a row is about."""
        self.hear()  # of those that were there before
        for host, rows in seen.items():
            now = {process_of(row): (host, row) for row in rows}
            kept = self._shown.get(host, set()) | now.keys()
            for gone in [pid for pid, (where, _) in self._seen.items() if where == host and pid not in kept]:
                del self._seen[gone]
            self._seen |= now
            self._shown[host] = {*now}

    def hear(self) -> None:
        """Tell of the processes of the hosts that a signal has ended."""
        for word in self._words():
            seen, of_parent = self._seen.get(word.pid), self._seen.get(word.parent)
            if seen:
                self._tell_of(seen[0], word, seen[1][:5])
            elif of_parent:
                self._tell_of(of_parent[0], word, _unseen(word, *of_parent[1][:3:2]))
            elif host := self._host_of(word.parent):
                # No look has shown its parent yet, which is there.
                with contextlib.suppress(OSError):
                    self._tell_unshown(host, word)

    def _tell_unshown(self, host: str, word: Word) -> None:
        """Tell of the child of a process that no look has shown. OSError if that has ended, too.

        A program that is wrapped is told in the place of what wraps it, as looks show it; what a wrapping
        shell starts for itself is no child.
        """
        session = processes.status_of(word.parent).session
        if processes.mark_of(word.parent) != processes.WRAPPER:
            self._tell_of(host, word, _unseen(word, word.parent, session))
        elif word.parent != session:
            _, _, _, number, name = _unseen(word, word.parent, session)
            self._tell_of(host, word, (session, processes.status_of(session).parent, session, number, name))

    def _tell_of(self, host: str, word: Word, who: tuple[int, int, int, int, str]) -> None:
        if self._told[host] >= _MOST_TOLD:
            self._losses.note("ends", host, "too-many-ends", _MOST_TOLD)
            return
        self._told[host] += 1
        pid, parent, session, number, name = who
        self._tell(
            ProcessKilled(
                at=word.at, host=host, pid=pid, parent=parent, session=session, number=number, name=name,
                status=processes.as_shells_count(word.status), dying=word.dying,
            )
        )  # fmt: skip

    def _words(self) -> Iterator[Word]:
        while data := self._received():
            what, _, stamp = _HEADER.unpack_from(data, _AT)
            at = stamp + _since_boot()
            if what == _COREDUMP:
                if len(self._dying) >= _MOST_DYING:
                    self._lose("too-many-dying", _MOST_DYING)
                _, pid, _, parent = _OF_COREDUMP.unpack_from(data, _AT + _HEADER.size)
                self._dying[pid] = at, parent
            elif what == _EXIT:
                _, pid, status, _, _, parent = _OF_EXIT.unpack_from(data, _AT + _HEADER.size)
                dying, had = self._dying.pop(pid, (0, 0))
                yield Word(pid, parent or had, status, dying, at)

    def _received(self) -> bytes:
        """The next word; empty if there is none.

        Where the kernel had no room for more, nobody knows how many are missing, nor of which host. The
        numbers in the words do not tell: what the filter drops has its number, too.
        """
        while True:
            try:
                return self._socket.recv(_LONGEST)
            except BlockingIOError:
                return b""
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # that is told once; another would come again and again
                    raise
                self._lose("ends-unheard")

    def _lose(self, why: Reason, limit: int = 0) -> None:
        """The ends of some processes, of whatever host, are not known, nor which of them have yet to end."""
        self._losses.note("ends", "", why, limit)
        self._dying.clear()


def _since_boot() -> int:
    """What to add to a time of the kernel's own clock (ns); exact except for the time that a call takes."""
    while True:
        before, now, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if after - before < _EXACT:
            return now - before


def _unseen(word: Word, parent: int, session: int) -> tuple[int, int, int, int, str]:
    """Process id, parent, session, number within the host and name of a child that no look has shown.

    Its parent has the same session, unless it has changed that; nobody knows the last two any more when it
    has been waited for.
    """
    number, name = 0, ""
    with contextlib.suppress(OSError):
        name, number = processes.status_of(word.pid).name, processes.number_of(word.pid)
    return word.pid, parent, session, number, name


def _opened() -> socket.socket:
    """A socket that hears what the kernel says. OSError if that is nothing.

    It is opened in the network namespace of the engine, which has started us, and can do nothing else there.
    """
    with namespaces.inside(os.getppid()):
        heard = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _NETLINK_CONNECTOR)
    try:
        _filter(heard)
        heard.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        heard.bind((0, _CN_IDX_PROC))
        message = struct.pack("=IIIIHH", _CN_IDX_PROC, _CN_VAL_PROC, 0, 0, len(_LISTEN), 0) + _LISTEN
        heard.send(struct.pack("=IHHII", 16 + len(message), 3, 0, 0, 0) + message)
        # The kernel answers within send(2), and only whom it will tell what happens.
        what, error = -1, 0
        while what != _ACK:
            answer = heard.recv(_LONGEST)
            what = _HEADER.unpack_from(answer, _AT)[0]
            (error,) = _ERROR.unpack_from(answer, _AT + _HEADER.size)
    except OSError:
        heard.close()
        raise
    if error:
        heard.close()
        raise OSError(error, "cn_proc")
    return heard


def _filter(heard: socket.socket) -> None:
    """Let the kernel drop all words but answers and those of processes that a signal ends (BPF, classic).

    Such a filter reads numbers with the highest byte first; the kernel writes them as this machine has them.
    """
    ways = [  # code, how many to skip if so, and if not so, the number
        (0x20, 0, 0, _AT),  # what
        (0x15, 9, 0, _as_read(_ACK)),
        (0x15, 8, 0, _as_read(_COREDUMP)),
        (0x15, 0, 8, _as_read(_EXIT)),
        (0x20, 0, 0, _AT + _HEADER.size + 8),  # the wait status
        (0x54, 0, 0, _as_read(_SIGNALLED)),
        (0x15, 5, 0, 0),
        (0x20, 0, 0, _AT + _HEADER.size),  # the thread: is it the first of its group?
        (0x07, 0, 0, 0),
        (0x20, 0, 0, _AT + _HEADER.size + 4),
        (0x1D, 0, 1, 0),
        (0x06, 0, 0, _LONGEST),
        (0x06, 0, 0, 0),
    ]
    program = b"".join(struct.pack("=HBBI", *way) for way in ways)
    code = ctypes.create_string_buffer(program)
    description = struct.pack("HP", len(ways), ctypes.addressof(code))
    heard.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, description)


def _as_read(number: int) -> int:
    return int(struct.unpack(">I", struct.pack("=I", number))[0])
