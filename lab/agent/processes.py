"""The processes of the hosts as /proc shows them (proc(5)): what they hold, and where they sleep."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

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
_PROC = "/proc"
_ENGINE = "runc:["
"""The name of the engine's helper while it brings a program into a host."""

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
        self._machines: dict[int, tuple[str, int]] = {}
        """The file that each process runs, and for which machine that is."""

    def start(self, hosts: Mapping[str, int]) -> None:
        """Watch these hosts: name to the process id of the first process. OSError if one is gone."""
        self._hosts = dict(hosts)
        self._by_namespace = {_namespace(pid): name for name, pid in hosts.items()}

    def look(self) -> dict[str, tuple[Row, ...]]:
        """The programs of every host, by process id."""
        self._find()
        found: dict[str, list[Row]] = {name: [] for name in self._hosts}
        for pid, host in sorted(self._known.items()):
            first = self._hosts.get(host, pid)
            if pid == first:
                continue
            if len(found[host]) < _MOST:
                found[host] += self._rows(pid, host, first)
            else:
                self._losses.note("processes", host, f"there are more than {_MOST}")
        return {host: tuple(rows) for host, rows in found.items()}

    def _find(self) -> None:
        """Whose each process is: asked once, for there may be very many that are nobody's."""
        there = {int(name) for name in os.listdir(_PROC) if name.isdigit()}
        self._known = {pid: self._known[pid] for pid in self._known.keys() & there}
        self._numbers = {pid: self._numbers[pid] for pid in self._numbers.keys() & there}
        self._machines = {pid: self._machines[pid] for pid in self._machines.keys() & there}
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
            held = _descriptors(pid)
            sockets = tuple(sorted({inode for inode in held.values() if inode}))
            asleep = tuple(_asleep(pid, held, self._machine_of(pid)))
            yield pid, parent, session, number, name, False, len(held), sockets, asleep
        except (FileNotFoundError, ProcessLookupError):
            return  # it has just ended
        except Exception as error:  # noqa: BLE001 - a process may spoil the evidence of its own host only
            self._losses.note("processes", host, error)

    def _machine_of(self, pid: int) -> int:
        """To open the file that a process runs costs more than all else: it is done once."""
        file = os.readlink(f"{_PROC}/{pid}/exe")
        if self._machines.get(pid, ("", 0))[0] != file:
            self._machines[pid] = file, _machine(pid)
        return self._machines[pid][1]


def _namespace(pid: int) -> int:
    return os.stat(f"{_PROC}/{pid}/ns/pid").st_ino


def _read(path: str) -> str:
    with open(path, "rb", buffering=0) as file:
        return file.read(4096).decode(errors="replace")


def _stat(pid: int) -> tuple[str, str, int, int]:
    """Name, state, parent and session; the name stands in brackets and may hold any character."""
    head, _, tail = _read(f"{_PROC}/{pid}/stat").rpartition(")")
    state, parent, _, session = tail.split()[:4]
    return head.partition("(")[2], state, int(parent), int(session)


def _number(pid: int) -> int:
    """Its process id within its host."""
    found = re.search(r"^NSpid:.*?(\d+)$", _read(f"{_PROC}/{pid}/status"), re.MULTILINE)
    return int(found[1]) if found else 0


def _descriptors(pid: int) -> dict[int, int]:
    """The open descriptors of a process, each with the inode of its socket, 0 if it is none."""
    held = {}
    for name in os.listdir(f"{_PROC}/{pid}/fd"):
        try:
            found = _SOCKET.fullmatch(os.readlink(f"{_PROC}/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue  # closed meanwhile
        held[int(name)] = int(found[1]) if found else 0
    return held


def _asleep(pid: int, held: Mapping[int, int], machine: int) -> Iterator[tuple[str, int]]:
    """The call that each sleeping thread is in, if it is known, and the inode of its socket."""
    calls = _NUMBERS.get(machine)
    for thread in os.listdir(f"{_PROC}/{pid}/task")[:_MOST]:
        try:
            number, *arguments = _read(f"{_PROC}/{pid}/task/{thread}/syscall").split()
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
    with open(f"{_PROC}/{pid}/exe", "rb", buffering=0) as file:
        head = file.read(20)
    return int.from_bytes(head[18:20], "little") if head[:6] == b"\x7fELF\x02\x01" else 0
