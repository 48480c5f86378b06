"""What a host's kernel counts of TCP: a set for each network namespace (proc_net(5), netstat and snmp)."""

from __future__ import annotations

from .protocol import Counts

_NET = "/proc/{pid}/net/{file}"
_PROTOCOLS = {"netstat": "TcpExt", "snmp": "Tcp"}
"""The files that are read, and the protocol in each."""

_NAMES = {
    "overflows": "ListenOverflows",
    "drops": "ListenDrops",
    "unread_closes": "TCPAbortOnClose",
    "data_aborts": "TCPAbortOnData",
    "timeouts": "TCPAbortOnTimeout",
    "memory_aborts": "TCPAbortOnMemory",
    "resets": "OutRsts",
    "opens": "ActiveOpens",
}
"""What the kernel calls each of the counts: no name is in both files."""


class Counters:
    """The counters of the namespace that a process is in, which stays open. OSError."""

    def __init__(self, pid: int) -> None:
        self._files = {
            protocol: open(_NET.format(pid=pid, file=file), "rb", buffering=0)  # noqa: SIM115 - stays open
            for file, protocol in _PROTOCOLS.items()
        }

    def close(self) -> None:
        """Let the namespace go."""
        for file in self._files.values():
            file.close()

    def read(self) -> Counts:
        """The counters now. OSError if the kernel does not tell them."""
        told: dict[str, str] = {}
        for protocol, file in self._files.items():
            file.seek(0)
            told |= _of(protocol, file.readall().decode("ascii"))
        return Counts(**{count: int(told.get(name, 0)) for count, name in _NAMES.items()})


def _of(protocol: str, text: str) -> dict[str, str]:
    """The numbers of a protocol by their names: it has a line of names and a line of numbers.

    The file has lines of other protocols, and the kernel adds some to them as it has something to count.
    """
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(f"{protocol}:")]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        raise OSError(f"the kernel tells its {protocol} counters in a form that is not known")
    names, numbers = lines
    return dict(zip(names, numbers, strict=True))
