"""What a host's kernel counts of TCP and UDP: a set for each network namespace (proc_net(5))."""

from __future__ import annotations

import contextlib
from io import FileIO

from .protocol import Counts

_NET = "/proc/{pid}/net/{file}"
_PROTOCOLS = {"TcpExt": "netstat", "Tcp": "snmp"}
"""The protocols that are read, and the file of each."""

_SIX = "snmp6"
"""A file with a name and a number in each line; a kernel without IPv6 has none."""

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

_BUFFER_LOSSES = "UdpRcvbufErrors", "Udp6RcvbufErrors"
"""What it calls the datagrams that found a receive buffer full, by IPv4 and by IPv6."""


class Counters:
    """The counters of the namespace that a process is in, which stays open. OSError."""

    def __init__(self, pid: int) -> None:
        self._files = {
            file: open(_NET.format(pid=pid, file=file), "rb", buffering=0)  # noqa: SIM115 - stays open
            for file in _PROTOCOLS.values()
        }
        with contextlib.suppress(FileNotFoundError):
            self._files[_SIX] = open(_NET.format(pid=pid, file=_SIX), "rb", buffering=0)  # noqa: SIM115

    def close(self) -> None:
        """Let the namespace go."""
        for file in self._files.values():
            file.close()

    def read(self) -> Counts:
        """The counters now. OSError if the kernel does not tell them."""
        texts = {file: _whole(opened) for file, opened in self._files.items()}
        told: dict[str, str] = {}
        for protocol, file in _PROTOCOLS.items():
            told |= _of(protocol, texts[file])
        counts = {count: int(told.get(name, 0)) for count, name in _NAMES.items()}
        losses = _of_udp(texts["snmp"]) | _of_six(texts.get(_SIX, ""))
        return Counts(**counts, buffer_losses=sum(int(losses.get(name, 0)) for name in _BUFFER_LOSSES))


def _whole(file: FileIO) -> str:
    file.seek(0)
    return file.readall().decode("ascii")


def _of_udp(text: str) -> dict[str, str]:
    """How many datagrams over IPv4 found a receive buffer full, if the file tells that."""
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith("Udp:")]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        return {}
    return {f"Udp{name}": number for name, number in zip(*lines, strict=True)}


def _of_six(text: str) -> dict[str, str]:
    """The numbers of IPv6 by their names."""
    lines = (line.split() for line in text.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def _of(protocol: str, text: str) -> dict[str, str]:
    """The numbers of a protocol by their names: it has a line of names and a line of numbers.

    The file has lines of other protocols, and the kernel adds some to them as it has something to count.
    """
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(f"{protocol}:")]
    if len(lines) != 2 or len(lines[0]) != len(lines[1]):
        raise OSError(f"the kernel tells its {protocol} counters in a form that is not known")
    names, numbers = lines
    return dict(zip(names, numbers, strict=True))
