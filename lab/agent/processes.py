"""The processes of the hosts as /proc shows them (proc(5)): what they hold, and where they sleep."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from .losses import Losses
from .protocol import ProcessRow, Reason

_CALLS = {
    "x86_64": {
        "accept": (43, 288), "recv": (45, 47, 299), "send": (44, 46, 307), "connect": (42,),
        "read": (0, 19), "write": (1, 20), "poll": (7, 271, 23, 270, 232, 281, 441),
        "wait": (61, 247), "futex": (202,), "sleep": (35, 230),
    },
    "aarch64": {
        "accept": (202, 242), "recv": (207, 212, 243), "send": (206, 211, 269), "connect": (203,),
        "read": (63, 65), "write": (64, 66), "poll": (73, 72, 22, 441),
        "wait": (260, 95), "futex": (98,), "sleep": (101, 115),
    },
}  # fmt: skip
"""System calls that a process may sleep in, by their numbers on each machine (asm/unistd.h)."""

_X86_64, _AARCH64 = 62, 183
_NUMBERS = {
    machine: {number: call for call, numbers in _CALLS[name].items() for number in numbers}
    for machine, name in ((_X86_64, "x86_64"), (_AARCH64, "aarch64"))
}
"""The same by the machine that a program was made for (elf(5), e_machine): programs of 64 bits only."""

UNKNOWN = "unknown"
"""The call of a program for a machine whose numbers are not known here."""

_ON_SOCKETS = {"read": "recv", "write": "send"}
_WITH_DESCRIPTOR = frozenset({"accept", "recv", "send", "connect", "read", "write"})
_SOCKET = re.compile(r"socket:\[(\d+)\]")
FIRST_MARK, WRAPPER = 1 << 50, 1 << 51
"""Marks are greater than the first; the other is the mark of what stays between a terminal and a program: a
shell, and what it starts beside that."""

HIDDEN = -1
"""The mark of a process that has changed its limits: nobody knows which start it came from."""

_RESIDENT = re.compile(r"^Max resident set\s+\S+\s+(\S+)", re.MULTILINE)
_LOCKS = re.compile(r"^Max file locks\s+\S+\s+(\S+)", re.MULTILINE)
"""The hard limits in /proc/PID/limits."""

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PROC = "/proc"
"""Where the processes are; all that is asked about them is asked below."""

_ENGINE = "runc:["
"""The name of the engine's helper while it brings a program into a host.

Any process may call itself that, but none that came from a start is without a mark.
"""

_THREADS, _STARTTIME, _EXIT_CODE = 17, 19, 49
"""Their places behind the name in /proc/PID/stat."""

_MOST_DESCRIPTORS = 4096
"""Descriptors of all processes of a host together that are looked at: 10 microseconds each."""

_MOST = 512
"""Processes and threads of a host that are looked at."""

_REST_SECONDS = 2.0
"""How long a host where there was more than that is not looked at again: others do not wait for it."""


class Status(NamedTuple):
    """What /proc/PID/stat tells; ``began`` is in the kernel's ticks."""

    name: str
    state: str
    parent: int
    session: int
    threads: int
    began: int

    @property
    def ended(self) -> bool:
        """Whether all of it has: where only the first thread has, the kernel says Z as well."""
        return self.state in "ZX" and self.threads <= 1


class Processes:
    """Finds the programs of each host; the container's first process and what keeps it alive are none."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._hosts: dict[str, int] = {}
        self._by_namespace: dict[int, str] = {}
        self._known: dict[int, str] = {}
        self._numbers: dict[int, int] = {}
        self._marks: dict[int, int] = {}
        self._shown: dict[str, tuple[int, ...]] = {}
        """The processes of each host at the last look."""
        self._wrapped: dict[int, int] = {}
        """The process that each wrapper wraps."""
        self._listed: dict[int, list[str]] = {}
        """The names of the descriptors of each process that are looked at in this look."""
        self._rests: dict[str, tuple[float, Reason, int]] = {}
        """Until when a host where there was too much rests (time.monotonic), and what that was."""
        self._rows_before: dict[str, tuple[ProcessRow, ...]] = {}
        """What was found of each host at the last look."""
        self._began: dict[int, int] = {}
        """When each process was made, by which it is told from another with its number."""
        self._machines: dict[int, tuple[tuple[int, int], int]] = {}
        """The file that each process runs (device and inode), and for which machine that is."""

    def start(self, hosts: Mapping[str, int]) -> None:
        """Watch these hosts: name to the process id of the first process. OSError if one is gone."""
        self._hosts = dict(hosts)
        self._by_namespace = {_namespace(pid): name for name, pid in hosts.items()}

    def look(self, hosts: Collection[str] | None = None) -> dict[str, tuple[ProcessRow, ...]]:
        """The programs of some hosts, or of all, by process id; of one that rests those found before."""
        self._find()
        wanted = self._hosts.keys() if hosts is None else self._hosts.keys() & hosts
        resting = {host for host in wanted if self._is_resting(host)}
        found: dict[str, list[ProcessRow]] = {name: [] for name in self._hosts if name in wanted - resting}
        self._list_descriptors(
            {pid: host for pid, host in self._known.items() if host in found and pid != self._hosts[host]}
        )
        for pid, host in sorted(self._known.items()):
            if host not in found or pid == self._hosts[host]:
                continue
            if len(found[host]) < _MOST:
                found[host] += self._rows(pid, host, self._hosts[host])
            else:
                self._let_rest(host, "too-many-processes", _MOST)
        self._shown |= {host: tuple(row[0] for row in rows if not row[5]) for host, rows in found.items()}
        self._rows_before |= {host: self._without_wrappers(rows) for host, rows in found.items()}
        return {host: self._rows_before.get(host, ()) for host in wanted}

    def _list_descriptors(self, processes: Mapping[int, str]) -> None:
        """Those of these processes, each with its host; none of a host where they are too many.

        To list them costs a fiftieth of what it costs to look at them: to look at as many as may be, and then
        to give up, would keep the other hosts waiting for 50 ms.
        """
        self._listed = {}
        room = dict.fromkeys(processes.values(), _MOST_DESCRIPTORS)
        for pid, host in processes.items():
            if room[host] >= 0:
                self._listed[pid] = names = _names_of_descriptors(pid)
                room[host] -= len(names)
        overfull = {host for host, left in room.items() if left < 0}
        for host in overfull:
            self._let_rest(host, "too-many-descriptors", _MOST_DESCRIPTORS)
        self._listed |= {pid: [] for pid, host in processes.items() if host in overfull}

    def _let_rest(self, host: str, why: Reason, limit: int) -> None:
        """There is more at a host than is looked at."""
        self._rests[host] = time.monotonic() + _REST_SECONDS, why, limit
        self._losses.note("processes", host, why, limit)

    def _is_resting(self, host: str) -> bool:
        """Whether a host is not looked at now, which is one more failure."""
        rest = self._rests.get(host)
        if rest is None or time.monotonic() >= rest[0]:
            return False
        self._losses.note("processes", host, *rest[1:])
        return True

    def of_start(self, host: str, mark: int) -> dict[int, frozenset[int]]:
        """The living processes of a host that came from one start, each with the inodes of its sockets."""
        self._find()
        marked = {pid: name for pid, name in self._known.items() if name == host and self._is_of(pid, mark)}
        self._list_descriptors(marked)
        found = {}
        for pid in marked:
            if (held := self._held_by(pid, host)) is not None:
                found[pid] = held
        return found

    def _is_of(self, pid: int, mark: int) -> bool:
        """Whether a process came from a start; false if it has ended."""
        with contextlib.suppress(OSError):
            self._status(pid)  # another process may have its number by now
            return self._mark(pid) == mark
        return False

    def _held_by(self, pid: int, host: str) -> frozenset[int] | None:
        """The inodes of a process's sockets; None if it has ended."""
        try:
            status = self._status(pid)
            if status.ended:
                return None
            return frozenset(self._descriptors(_living(pid, status)).values()) - {0}
        except (FileNotFoundError, ProcessLookupError):
            return None  # it has just ended
        except Exception as error:  # noqa: BLE001 - a process may spoil the evidence of its own host only
            self._losses.note("processes", host, error)
            return None

    def program(self, pid: int) -> int:
        """The program that was started as this process: itself, or what it wraps; 0 if that has ended."""
        if self._mark(pid) != WRAPPER:
            return pid
        return next((child for child in self._below(pid) if self._mark(child) != WRAPPER), 0)

    def ends_as(self, pid: int) -> int:
        """A process that ends as the program does that was started as this one: it, or what waits for it."""
        return self.program(pid) or next(self._below(pid), pid)

    def _below(self, pid: int) -> Iterator[int]:
        """What a wrapper wraps, and the others between them."""
        self._find()
        host = self._known.get(pid)
        for child, name in [*self._known.items()]:
            with contextlib.suppress(OSError):
                if name == host and self._is_wrapped(child, by=pid):
                    yield child

    def has_new_child(self, host: str) -> bool:
        """Whether a process of a host has made one since the last look (proc(5), children): cheap to ask."""
        for pid in self._shown.get(host, ()):
            with contextlib.suppress(OSError):
                children = read(f"{PROC}/{pid}/task/{pid}/children").split()
                if any(int(child) not in self._known for child in children):
                    return True
        return False

    def process_of(self, row: ProcessRow) -> int:
        """The process that a row tells of: what is wrapped has the process id of what wraps it there."""
        return self._wrapped.get(row[0], row[0])

    def _is_wrapped(self, child: int, *, by: int) -> bool:
        status = self._status(child)
        return status.session == by and self._mark(status.parent) == WRAPPER

    def _mark(self, pid: int) -> int:
        """The mark of a process; that of a program lasts."""
        mark = self._marks.get(pid) or mark_of(pid)
        if mark not in {0, WRAPPER, HIDDEN}:
            self._marks[pid] = mark
        return mark

    def _status(self, pid: int) -> Status:
        """What a process is; nothing is known any more of one that had its number before. OSError."""
        status = status_of(pid)
        if self._began.setdefault(pid, status.began) != status.began:
            self._forget({pid})
            self._began[pid] = status.began
        return status

    def _without_wrappers(self, rows: list[ProcessRow]) -> tuple[ProcessRow, ...]:
        """What is wrapped is told in the place of what wraps it: by its process id, with its parent."""
        wrappers = {row[0]: row for row in rows if self._wraps(row[0])}
        first = {pid: row for pid, row in wrappers.items() if row[1] not in wrappers}
        place = {row[0]: row[2] for row in rows if row[1] in wrappers and row[2] in first}
        self._wrapped |= {wrapper: pid for pid, wrapper in place.items()}
        return tuple(
            (place[row[0]], first[row[2]][1], *row[2:])
            if row[0] in place
            else (row[0], place.get(row[1], row[1]), *row[2:])
            for row in rows
            if row[0] not in wrappers
        )

    def _wraps(self, pid: int) -> bool:
        try:
            return self._mark(pid) == WRAPPER
        except OSError:
            return False  # it has just ended

    def host_of(self, pid: int) -> str:
        """The host that a process is in; empty if it is in none, or has ended."""
        try:
            return self._by_namespace.get(_namespace(pid), "")
        except OSError:
            return ""

    def _find(self) -> None:
        """Whose each process is: asked once, for there may be very many that are nobody's."""
        there = {int(name) for name in os.listdir(PROC) if name.isdigit()}
        self._forget(self._known.keys() - there)
        for pid in there - self._known.keys():
            try:
                self._known[pid] = self._by_namespace.get(_namespace(pid), "")
            except OSError:
                continue  # it has ended

    def _forget(self, gone: Collection[int]) -> None:
        for known in (self._known, self._numbers, self._marks, self._wrapped, self._began, self._machines):
            for pid in gone:
                known.pop(pid, None)

    def _rows(self, pid: int, host: str, first: int) -> Iterator[ProcessRow]:
        try:
            status, mark = self._status(pid), self._mark(pid)
            if status.session == first or (status.name.startswith(_ENGINE) and not mark):
                return
            if pid not in self._numbers:
                self._numbers[pid] = number_of(pid)
            itself = pid, status.parent, status.session, self._numbers[pid], status.name
            if status.ended:
                yield *itself, True, 0, (), (), mark
                return
            thread = _living(pid, status)
            held = self._descriptors(thread)
            sockets = tuple(sorted({inode for inode in held.values() if inode}))
            asleep = tuple(_asleep(pid, held, self._machine_of(thread)))
            yield *itself, False, len(held), sockets, asleep, mark
        except (FileNotFoundError, ProcessLookupError):
            return  # it has just ended
        except Exception as error:  # noqa: BLE001 - a process may spoil the evidence of its own host only
            self._losses.note("processes", host, error)

    def _descriptors(self, pid: int) -> dict[int, int]:
        """Those of a process, as :func:`descriptors` tells them; none where its host has too many."""
        names = self._listed.get(pid)
        return descriptors(pid) if names is None else _sockets_among(pid, names)

    def _machine_of(self, pid: int) -> int:
        """To open the file that a process runs costs more than all else: it is done once."""
        found = os.stat(f"{PROC}/{pid}/exe")
        file = found.st_dev, found.st_ino
        if self._machines.get(pid, (None, 0))[0] != file:
            self._machines[pid] = file, _machine(pid)
        return self._machines[pid][1]


def mark_of(pid: int) -> int:
    """What marks the start that a process came from; 0 if nothing does. OSError.

    The mark is a limit of the resident set (setrlimit(2)). Linux does not enforce it, and every process
    inherits it: that init has adopted one, because its parent has ended, does not take it away. A process may
    lower a limit and never raise it. So the limit of file locks, which Linux does not enforce either, goes
    down where the mark goes up: who lowers one of them fits no start.
    """
    limits = read(f"{PROC}/{pid}/limits")
    mark, locks = _limit(_RESIDENT, limits), _limit(_LOCKS, limits)
    if mark in {None, WRAPPER}:
        return mark or 0
    return mark if locks == locks_of(mark) else HIDDEN


def locks_of(mark: int) -> int:
    """The limit of file locks that belongs to a mark."""
    return FIRST_MARK - ((mark - FIRST_MARK) >> 10)


def _limit(of: re.Pattern[str], limits: str) -> int | None:
    found = of.search(limits)
    return int(found[1]) if found and found[1].isdigit() else None


def began(pid: int) -> int:
    """When a process was made (ns since the epoch), up to one of the kernel's ticks too early. OSError."""
    booted = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return booted + status_of(pid).began * _TICK


def _namespace(pid: int) -> int:
    return os.stat(f"{PROC}/{pid}/ns/pid").st_ino


def read(path: str) -> str:
    """The beginning of a file; a byte that is no UTF-8 is a lone surrogate (surrogateescape). OSError."""
    with open(path, "rb", buffering=0) as file:
        return file.read(4096).decode(errors="surrogateescape")


def status_of(pid: int) -> Status:
    """What a process is. OSError."""
    name, fields = stat(f"{PROC}/{pid}")
    state, parent, _, session = fields[:4]
    return Status(name, state, int(parent), int(session), int(fields[_THREADS]), int(fields[_STARTTIME]))


def _living(pid: int, status: Status) -> int:
    """A thread of a process that has what it holds: its first, or another if that has ended."""
    if status.state not in "ZX":
        return pid
    for thread in os.listdir(f"{PROC}/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if stat(f"{PROC}/{pid}/task/{thread}")[1][0] not in "ZX":
                return int(thread)
    raise ProcessLookupError(f"process {pid} has just ended")


def stat(folder: str) -> tuple[str, list[str]]:
    """The name of a process or thread, and the fields behind it in its ``stat``, its state the first.

    The name stands in brackets and may hold any character.
    """
    head, _, tail = read(f"{folder}/stat").rpartition(")")
    return head.partition("(")[2], tail.split()


def number_of(pid: int) -> int:
    """Its process id within its host."""
    found = re.search(r"^NSpid:.*?(\d+)$", read(f"{PROC}/{pid}/status"), re.MULTILINE)
    return int(found[1]) if found else 0


def descriptors(pid: int) -> dict[int, int]:
    """Some thousand descriptors of a process at most, each with the inode of its socket, 0 if it is none."""
    return _sockets_among(pid, os.listdir(f"{PROC}/{pid}/fd")[:_MOST_DESCRIPTORS])


def _names_of_descriptors(pid: int) -> list[str]:
    """The numbers of all descriptors of a process, as text; none if it has ended."""
    with contextlib.suppress(OSError):
        return os.listdir(f"{PROC}/{pid}/fd")
    return []


def _sockets_among(pid: int, names: Collection[str]) -> dict[int, int]:
    held = {}
    for name in names:
        try:
            found = _SOCKET.fullmatch(os.readlink(f"{PROC}/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue  # closed meanwhile
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            found = None  # a file, in so many folders that the kernel does not tell its path
        held[int(name)] = int(found[1]) if found else 0
    return held


def _asleep(pid: int, held: Mapping[int, int], machine: int) -> Iterator[tuple[str, int]]:
    """The call that each sleeping thread is in, if it is known, and the inode of its socket."""
    calls = _NUMBERS.get(machine)
    for thread in os.listdir(f"{PROC}/{pid}/task")[:_MOST]:
        try:
            number, *arguments = read(f"{PROC}/{pid}/task/{thread}/syscall").split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        call = calls.get(int(number), "") if arguments and calls else ""
        if call:
            inode = held.get(int(arguments[0], 16), 0) if call in _WITH_DESCRIPTOR else 0
            yield _ON_SOCKETS.get(call, call) if inode else call, inode
        elif arguments and not calls:
            yield UNKNOWN, 0


def _machine(pid: int) -> int:
    """The machine of 64 bits that a program was made for (elf(5)); 0 for any other program.

    It says what the numbers of its system calls mean.
    """
    with open(f"{PROC}/{pid}/exe", "rb", buffering=0) as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head[:6] == b"\x7fELF\x02\x01" else 0


def status_of_zombie(pid: int) -> int:
    """How a process that its parent has not waited for has ended, as a shell counts; 0 if it is gone."""
    return as_shells_count(wait_status_of_zombie(pid) or 0)


def wait_status_of_zombie(pid: int) -> int | None:
    """What wait(2) will tell of it; None if it is gone."""
    with contextlib.suppress(OSError, IndexError):
        _, fields = stat(f"{PROC}/{pid}")
        return int(fields[_EXIT_CODE]) if fields[0] in "ZX" else None
    return None


def as_shells_count(wait_status: int) -> int:
    """How a process ended, of what wait(2) tells: its exit status, or 128 and the number of the signal."""
    signal = wait_status & 0x7F
    return 128 + signal if signal else (wait_status >> 8) & 0xFF
