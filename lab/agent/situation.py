"""What every program of the hosts is doing now: asked for once, when the script breaks off (proc(5))."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from . import processes
from .diag import LISTEN
from .processes import Processes
from .protocol import Doing, HostSituation, ProcessRow, SocketRow
from .sampler import Sampler
from .socket_monitor import Listed

_MOST_PROCESSES, _MOST_THREADS, _MOST_SOCKETS = 128, 128, 1024
"""Of one host, of one process, and of one kind of a host's sockets, that are told."""

_LONGEST_SECONDS, _AGAIN_SECONDS = 1.0, 0.02
"""Where processors are short the second look waits so long for a busy process to have used one."""

AWAKE = 50_000_000
"""ns of a processor that a thread uses without a pause before it counts as busy, however long that takes."""

_VOLUNTARY = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)
_STOPPED = frozenset("Tt")

_NANOSECONDS_A_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Nanoseconds of a processor that a process has used and waited for, and the states of its threads.

    Of each thread that runs or is ready to: what it has used, and how often it has gone to sleep.
    """

    used: int = 0
    waited: int = 0
    states: str = ""
    ready: Mapping[str, tuple[int, int]] = MappingProxyType({})


class Measured(NamedTuple):
    """How much each process had used and waited at a time (time.monotonic_ns), 0 if that is not known."""

    at: int = 0
    usage: Mapping[int, Usage] = MappingProxyType({})


def measured(looked_at: Processes) -> Measured:
    """How much each process has used and waited until now."""
    rows = [row for rows in looked_at.look().values() for row in rows]
    return Measured(time.monotonic_ns(), {row[0]: _usage(looked_at.process_of(row)) for row in rows})


class Situation:
    """Two looks at all processes, some time apart: only so a busy one is told from one that is asleep."""

    def __init__(self, looked_at: Processes, sampler: Sampler, window: float, measured: Measured) -> None:
        self._measured = measured
        self._processes = looked_at
        self._sampler = sampler
        self._began = time.monotonic()
        self._until = self._began + window
        rows = [row for rows in looked_at.look().values() for row in rows]
        self._processes_of = {row[0]: looked_at.process_of(row) for row in rows}
        self._before = {pid: _usage(process) for pid, process in self._processes_of.items()}

    def seen(self) -> list[HostSituation] | None:
        """An entry for each host once the time between the looks is over; None before that."""
        now = time.monotonic()
        if now < self._until:
            return None
        if now < self._began + _LONGEST_SECONDS and any(map(self._waits_for_its_turn, self._before)):
            self._until = now + _AGAIN_SECONDS
            return None
        window = round((now - self._began) * 1e9)
        return [self._told(host, rows, window) for host, rows in self._processes.look().items()]

    def _waits_for_its_turn(self, pid: int) -> bool:
        """Whether a process wanted a processor all the time and had little: nobody knows if it is busy."""
        before = self._before[pid]
        return bool(before.ready) and -1 < _awake(before, _usage(self._processes_of[pid])) < AWAKE

    def _told(self, host: str, rows: tuple[ProcessRow, ...], window: int) -> HostSituation:
        trouble, listed = "", Listed()
        try:
            listed = self._sampler.listed(host)
        except (OSError, LookupError) as error:
            trouble = str(error)
        known = {row[7] for row in (*listed.tcp, *listed.bound)} | {row.inode for row in listed.udp}
        return HostSituation(
            at=time.time_ns(),
            host=host,
            window=window,
            since=time.monotonic_ns() - self._measured.at if self._measured.at else 0,
            processes=[self._doing(row, known) for row in rows[:_MOST_PROCESSES]],
            tcp=_most_telling(listed.tcp),
            bound=_most_telling(listed.bound),
            udp=listed.udp[:_MOST_SOCKETS],
            trouble=trouble,
        )

    def _doing(self, row: ProcessRow, known: set[int]) -> Doing:
        pid = self._processes.process_of(row)
        before, after = self._before.get(row[0], Usage()), _usage(pid)
        first = self._measured.usage.get(row[0], Usage())
        return Doing(
            row=row,
            used=max(0, after.used - before.used) if before.states else 0,
            waited=max(0, after.waited - before.waited) if before.states else 0,
            awake=max(0, _awake(before, after)),
            running="R" in before.states and "R" in after.states,
            stopped=bool(after.states) and {*after.states} <= _STOPPED,
            input=("read", 0) in row[8] and _reads_input(pid),
            unlisted=_unlisted_tcp(pid, {*row[7]} - known),
            status=processes.status_of_zombie(pid) if row[5] else 0,
            used_since=max(0, after.used - first.used),
            waited_since=max(0, after.waited - first.waited),
        )


def _most_telling(sockets: Iterable[SocketRow]) -> list[SocketRow]:
    """As many as are told: those that listen or wait to be accepted before those that are held."""
    return sorted(sockets, key=lambda socket: (socket[0] != LISTEN, socket[7] != 0))[:_MOST_SOCKETS]


def _threads(pid: int) -> Iterator[str]:
    """The folder of each thread of a process."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"{processes.PROC}/{pid}/task")[:_MOST_THREADS]:
            yield f"{processes.PROC}/{pid}/task/{thread}"


def _usage(pid: int) -> Usage:
    """Of all threads of a process together; nothing if it has just ended."""
    used = waited = 0
    states = ""
    ready = {}
    for thread in _threads(pid):
        with contextlib.suppress(OSError):
            _, fields = processes.stat(thread)
            of_thread = _used_and_waited(thread, fields)
            used, waited, states = used + of_thread[0], waited + of_thread[1], states + fields[0]
            if fields[0] == "R":
                ready[thread] = of_thread[0], _pauses(thread)
    return Usage(used, waited, states, ready)


def _awake(before: Usage, after: Usage) -> int:
    """What a thread has used of a processor (ns) that did not go to sleep meanwhile; -1 if each did."""
    both = ((before.ready[one], after.ready[one]) for one in before.ready.keys() & after.ready.keys())
    return max((now[0] - then[0] for then, now in both if now[1] == then[1]), default=-1)


def _pauses(thread: str) -> int:
    """How often a thread has gone to sleep; that another took the processor from it does not count."""
    found = _VOLUNTARY.search(processes.read(f"{thread}/status"))
    return int(found[1]) if found else 0


def _used_and_waited(thread: str, fields: Sequence[str]) -> tuple[int, int]:
    """Where the kernel does not keep them in ``schedstat``: in ticks, and without the wait."""
    with contextlib.suppress(OSError):
        used, waited, _ = map(int, processes.read(f"{thread}/schedstat").split())
        if used:
            return used, waited
    return (int(fields[11]) + int(fields[12])) * _NANOSECONDS_A_TICK, 0


def _reads_input(pid: int) -> bool:
    """Whether the first argument of a call that a thread sleeps in is descriptor 0."""
    for thread in _threads(pid):
        with contextlib.suppress(OSError):
            if processes.read(f"{thread}/syscall").split()[1:2] == ["0x0"]:
                return True
    return False


def _unlisted_tcp(pid: int, inodes: set[int]) -> int:
    """How many of these sockets of a process are TCP (sockfs, system.sockprotoname)."""
    if not inodes:
        return 0
    found = set()
    with contextlib.suppress(OSError):
        for number, inode in processes.descriptors(pid).items():
            if inode in inodes:
                name = os.getxattr(f"{processes.PROC}/{pid}/fd/{number}", "system.sockprotoname")
                found |= {inode} if name.startswith(b"TCP") else set()
    return len(found)
