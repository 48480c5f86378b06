"""The processes of the hosts as /proc shows them (proc(5)): what they hold, and where they sleep."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping

from .losses import Losses

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
WRAPPER = 1 << 51
"""The mark of what stays between a terminal and a program: a shell, and what it starts beside that."""

_RESIDENT = re.compile(r"^Max resident set\s+(\d+)", re.MULTILINE)
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PROC = "/proc"
"""Where the processes are; all that is asked about them is asked below."""

_ENGINE = "runc:["
"""The name of the engine's helper while it brings a program into a host."""

_EXIT_CODE = 49
"""Its place behind the name in /proc/PID/stat."""

_MOST = 512
"""Processes and threads of a host that are looked at."""

Row = tuple[int, int, int, int, str, bool, int, tuple[int, ...], tuple[tuple[str, int], ...]]
"""pid, parent, session, number within the host, name, whether it is a zombie, how many descriptors it has,
the inodes of its sockets, and for each sleeping thread the call and the inode of its socket (0: none)"""


class Processes:
    """Finds the programs of each host; the container's first process and what keeps it alive are none."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._hosts: dict[str, int] = {}
        self._by_namespace: dict[int, str] = {}
        self._known: dict[int, str] = {}
        self._numbers: dict[int, int] = {}
        self._marks: dict[int, int] = {}
        self._wrapped: dict[int, int] = {}
        """The process that each wrapper wraps."""
        self._machines: dict[int, tuple[str, int]] = {}
        """The file that each process runs, and for which machine that is."""

    def start(self, hosts: Mapping[str, int]) -> None:
        """Watch these hosts: name to the process id of the first process. OSError if one is gone."""
        self._hosts = dict(hosts)
        self._by_namespace = {_namespace(pid): name for name, pid in hosts.items()}

    def look(self, hosts: Collection[str] | None = None) -> dict[str, tuple[Row, ...]]:
        """The programs of some hosts, or of every one, by process id."""
        self._find()
        wanted = self._hosts.keys() if hosts is None else self._hosts.keys() & hosts
        found: dict[str, list[Row]] = {name: [] for name in self._hosts if name in wanted}
        for pid, host in sorted(self._known.items()):
            if host not in found or pid == self._hosts[host]:
                continue
            if len(found[host]) < _MOST:
                found[host] += self._rows(pid, host, self._hosts[host])
            else:
                self._losses.note("processes", host, f"there are more than {_MOST}")
        return {host: self._without_wrappers(rows) for host, rows in found.items()}

    def of_start(self, host: str, mark: int) -> dict[int, frozenset[int]]:
        """The living processes of a host that came from one start, each with the inodes of its sockets."""
        self._find()
        found = {}
        for pid, name in self._known.items():
            if name == host and (held := self._held_by(pid, host, mark)) is not None:
                found[pid] = held
        return found

    def _held_by(self, pid: int, host: str, mark: int) -> frozenset[int] | None:
        """The inodes of a process's sockets; None if it has ended or did not come from that start."""
        try:
            if self._mark(pid) != mark or _stat(pid)[1] in "ZX":
                return None
            return frozenset(descriptors(pid).values()) - {0}
        except (FileNotFoundError, ProcessLookupError):
            return None  # it has just ended
        except Exception as error:  # noqa: BLE001 - a process may spoil the evidence of its own host only
            self._losses.note("processes", host, error)
            return None

    def program(self, pid: int) -> int:
        """The program that was started as this process: itself, or what it wraps; 0 if that has ended."""
        if self._mark(pid) != WRAPPER:
            return pid
        self._find()
        host = self._known.get(pid)
        for child, name in self._known.items():
            with contextlib.suppress(OSError):
                if name == host and self._mark(child) != WRAPPER and self._is_wrapped(child, by=pid):
                    return child
        return 0

    def process_of(self, row: Row) -> int:
        """The process that a row tells of: what is wrapped has the process id of what wraps it there."""
        return self._wrapped.get(row[0], row[0])

    def _is_wrapped(self, child: int, *, by: int) -> bool:
        _, _, parent, session = _stat(child)
        return session == by and self._mark(parent) == WRAPPER

    def _mark(self, pid: int) -> int:
        """The mark of a process; that of a program lasts."""
        mark = self._marks.get(pid) or mark_of(pid)
        if mark not in {0, WRAPPER}:
            self._marks[pid] = mark
        return mark

    def _without_wrappers(self, rows: list[Row]) -> tuple[Row, ...]:
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
        self._known = {pid: self._known[pid] for pid in self._known.keys() & there}
        self._numbers = {pid: self._numbers[pid] for pid in self._numbers.keys() & there}
        self._machines = {pid: self._machines[pid] for pid in self._machines.keys() & there}
        self._wrapped = {pid: self._wrapped[pid] for pid in self._wrapped.keys() & there}
        self._marks = {pid: self._marks[pid] for pid in self._marks.keys() & there}
        for pid in there - self._known.keys():
            try:
                self._known[pid] = self._by_namespace.get(_namespace(pid), "")
            except OSError:
                continue  # it has ended

    def _rows(self, pid: int, host: str, first: int) -> Iterator[Row]:
        try:
            name, state, parent, session = _stat(pid)
            if session == first or name.startswith(_ENGINE):
                return
            if pid not in self._numbers:
                self._numbers[pid] = _number(pid)
            number = self._numbers[pid]
            if state in "ZX":
                yield pid, parent, session, number, name, True, 0, (), ()
                return
            held = descriptors(pid)
            sockets = tuple(sorted({inode for inode in held.values() if inode}))
            asleep = tuple(_asleep(pid, held, self._machine_of(pid)))
            yield pid, parent, session, number, name, False, len(held), sockets, asleep
        except (FileNotFoundError, ProcessLookupError):
            return  # it has just ended
        except Exception as error:  # noqa: BLE001 - a process may spoil the evidence of its own host only
            self._losses.note("processes", host, error)

    def _machine_of(self, pid: int) -> int:
        """To open the file that a process runs costs more than all else: it is done once."""
        file = os.readlink(f"{PROC}/{pid}/exe")
        if self._machines.get(pid, ("", 0))[0] != file:
            self._machines[pid] = file, _machine(pid)
        return self._machines[pid][1]


def mark_of(pid: int) -> int:
    """What marks the start that a process came from; 0 if nothing does. OSError.

    The mark is a limit of the resident set (setrlimit(2)). Linux does not enforce it, and every process
    inherits it: that init has adopted one, because its parent has ended, does not take it away.
    """
    found = _RESIDENT.search(read(f"{PROC}/{pid}/limits"))
    return int(found[1]) if found else 0


def began(pid: int) -> int:
    """When a process was made (ns since the epoch), up to one of the kernel's ticks too early. OSError."""
    booted = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    ticks = read(f"{PROC}/{pid}/stat").rpartition(")")[2].split()[19]
    return booted + int(ticks) * _TICK


def _namespace(pid: int) -> int:
    return os.stat(f"{PROC}/{pid}/ns/pid").st_ino


def read(path: str) -> str:
    """The beginning of a file. OSError."""
    with open(path, "rb", buffering=0) as file:
        return file.read(4096).decode(errors="replace")


def _stat(pid: int) -> tuple[str, str, int, int]:
    """Name, state, parent and session."""
    name, fields = stat(f"{PROC}/{pid}")
    state, parent, _, session = fields[:4]
    return name, state, int(parent), int(session)


def stat(folder: str) -> tuple[str, list[str]]:
    """The name of a process or thread, and the fields behind it in its ``stat``, its state the first.

    The name stands in brackets and may hold any character.
    """
    head, _, tail = read(f"{folder}/stat").rpartition(")")
    return head.partition("(")[2], tail.split()


def _number(pid: int) -> int:
    """Its process id within its host."""
    found = re.search(r"^NSpid:.*?(\d+)$", read(f"{PROC}/{pid}/status"), re.MULTILINE)
    return int(found[1]) if found else 0


def descriptors(pid: int) -> dict[int, int]:
    """The open descriptors of a process, each with the inode of its socket, 0 if it is none."""
    held = {}
    for name in os.listdir(f"{PROC}/{pid}/fd"):
        try:
            found = _SOCKET.fullmatch(os.readlink(f"{PROC}/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue  # closed meanwhile
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
    """How a process that its parent has not waited for has ended; 0 if it is gone."""
    with contextlib.suppress(OSError, IndexError):
        _, fields = stat(f"{PROC}/{pid}")
        return as_shells_count(int(fields[_EXIT_CODE])) if fields[0] in "ZX" else 0
    return 0


def as_shells_count(wait_status: int) -> int:
    """How a process ended, of what wait(2) tells: its exit status, or 128 and the number of the signal."""
    signal = wait_status & 0x7F
    return 128 + signal if signal else (wait_status >> 8) & 0xFF
