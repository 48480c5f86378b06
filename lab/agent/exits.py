"""Hears how processes of the hosts end, children of programs too: by a pidfd(2) of each that was seen.

For engines whose kernel does not say it by itself (see connector.py).

The kernel tells how a process ended to its parent alone, which may forget it. From Linux 6.15 on a pidfd that
was opened before tells it, too (PIDFD_GET_INFO); on older kernels /proc does as long as the parent has not
waited for it, and where it was faster nothing is told.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from . import processes
from .losses import Losses
from .protocol import ProcessKilled, ProcessRow

_PIDFD_GET_INFO = 0xC040FF0B
"""_IOWR(0xFF, 11, struct pidfd_info), of which the first 64 bytes are asked for (linux/pidfd.h)."""

_INFO_BYTES = 64
_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60
_SIGNALLED = 128
_SIGNAL = 0x7F
"""The part of what wait(2) tells that is the signal."""

_MOST = 256
"""Processes of a host that are held at once."""

_MOST_TOLD = 1000
"""Ends of processes of a host that are told."""


class Exits:
    """The processes that were seen, each held by a pidfd until it has ended."""

    def __init__(self, tell: Callable[[ProcessKilled], None], losses: Losses) -> None:
        self._tell = tell
        self._losses = losses
        self._ready = select.epoll()
        self._held: dict[int, tuple[str, ProcessRow, int]] = {}
        """By pidfd: the host, what was seen last, and the process id."""
        self._pidfds: dict[int, int] = {}
        self._ended: dict[str, set[int]] = {}
        """Those of each host that have ended and were seen at the last look all the same: zombies."""
        self._held_of: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        """How many of each host are held, and were told of."""

    def fileno(self) -> int:
        """For select(2): readable when one of them has ended."""
        return self._ready.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._ready.close()

    def hold(self, seen: Mapping[str, Iterable[ProcessRow]], process_of: Callable[[ProcessRow], int]) -> None:
        """These are the processes of each host now; ``process_of`` tells which process a row is about."""
        for host, rows in seen.items():
            for row in rows:
                if (pidfd := self._pidfds.get(row[0])) is not None:
                    self._held[pidfd] = host, row, self._held[pidfd][2]
                elif row[0] not in self._ended.get(host, ()):
                    self._open(host, row, process_of(row))
            self._ended[host] = self._ended.get(host, set()) & {row[0] for row in rows}

    def _open(self, host: str, row: ProcessRow, pid: int) -> None:
        if self._held_of[host] >= _MOST:
            self._losses.note("ends", host, "too-many-at-once", _MOST)
            return
        with contextlib.suppress(OSError):  # it has just ended
            pidfd = os.pidfd_open(pid)
            self._held[pidfd], self._pidfds[row[0]] = (host, row, pid), pidfd
            self._held_of[host] += 1
            self._ready.register(pidfd, select.EPOLLIN)

    def hear(self) -> None:
        """Tell of those that have ended by a signal."""
        for pidfd, _ in self._ready.poll(0):
            at = time.time_ns()
            host, row, process = self._held.pop(pidfd)
            del self._pidfds[row[0]]
            self._held_of[host] -= 1
            self._ended.setdefault(host, set()).add(row[0])
            status = status_of_ended(pidfd, process) or 0
            os.close(pidfd)
            if status > _SIGNALLED:
                self._told[host] += 1
                if self._told[host] > _MOST_TOLD:
                    self._losses.note("ends", host, "too-many-ends", _MOST_TOLD)
                    continue
                pid, parent, session, number, name = row[:5]
                self._tell(
                    ProcessKilled(
                        at=at, host=host, pid=pid, parent=parent, session=session, number=number, name=name,
                        status=status, dying=0,
                    )
                )  # fmt: skip


def signal_that_ended(pidfd: int, pid: int) -> int:
    """The signal that ended a process; 0 if none did, or if nobody tells."""
    return (_wait_status(pidfd, pid) or 0) & _SIGNAL


def status_of_ended(pidfd: int, pid: int) -> int | None:
    """How a process has ended, as a shell counts; None if nobody tells."""
    status = _wait_status(pidfd, pid)
    return None if status is None else processes.as_shells_count(status)


def _wait_status(pidfd: int, pid: int) -> int | None:
    """How a process has ended, as wait(2) tells; None if nobody does.

    Its parent may wait for it meanwhile: before that /proc tells, after that the pidfd does.
    """
    told = (ask() for ask in (partial(_told_by, pidfd), partial(processes.wait_status_of_zombie, pid)) * 2)
    return next((status for status in told if status is not None), None)


def _told_by(pidfd: int) -> int | None:
    with contextlib.suppress(OSError):
        asked = struct.pack("=Q", _INFO_EXIT).ljust(_INFO_BYTES, b"\0")
        told = fcntl.ioctl(pidfd, _PIDFD_GET_INFO, asked)
        if struct.unpack_from("=Q", told)[0] & _INFO_EXIT:
            return int(struct.unpack_from("=i", told, _EXIT_CODE_AT)[0])
    return None
