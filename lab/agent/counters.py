"""What a host's kernel counts of TCP: a set for each network namespace (proc_net(5), netstat and snmp)."""

from __future__ import annotations

from typing import NamedTuple


class Counts(NamedTuple):
    """The counters since the host came up, by the kernel's names; 0 for one that a kernel does not have.

    ``overflows``: ListenOverflows, ``drops``: ListenDrops, ``unread_closes``: TCPAbortOnClose,
    ``data_aborts``: TCPAbortOnData, ``resets``: OutRsts.
    """

    overflows: int = 0
    drops: int = 0
    unread_closes: int = 0
    data_aborts: int = 0
    resets: int = 0


_NET = "/proc/{pid}/net/{name}"
_NETSTAT = (b"ListenOverflows", b"ListenDrops", b"TCPAbortOnClose", b"TCPAbortOnData")
_SNMP = (b"OutRsts",)


class Counters:
    """The counters of the namespace that a process is in, which stays open."""

    def __init__(self, pid: int) -> None:
        self._netstat = _Table(_NET.format(pid=pid, name="netstat"), b"TcpExt:", _NETSTAT)
        self._snmp = _Table(_NET.format(pid=pid, name="snmp"), b"Tcp:", _SNMP)

    def close(self) -> None:
        """Let the namespace go."""
        self._netstat.close()
        self._snmp.close()

    def read(self) -> Counts:
        """The counters now. OSError if the kernel does not say."""
        return Counts(*self._netstat.read(), *self._snmp.read())


class _Table:
    """Some columns of a file that holds a line of names and a line of numbers for each protocol.

    Where they stand is found once: it does not change while a kernel runs.
    """

    def __init__(self, path: str, protocol: bytes, names: tuple[bytes, ...]) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - stays open
        lines = [line.split() for line in self._file.readall().splitlines()]
        self._line = next(place for place, words in enumerate(lines) if words[0] == protocol)
        head = lines[self._line]
        self._columns = [head.index(name) if name in head else 0 for name in names]

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def read(self) -> list[int]:
        """The numbers in these columns now."""
        self._file.seek(0)
        values = self._file.readall().splitlines()[self._line + 1].split()
        return [int(values[column]) if column else 0 for column in self._columns]
