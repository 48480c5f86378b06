"""The UDP sockets of one host as its kernel lists them, and what a look finds to be different.

Nothing tells of a datagram that waits, or that found a receive buffer full: the sockets are listed now and
then, as often as a fixed part of a core allows.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import NamedTuple

from . import namespaces
from .diag import MESSAGE, Table, messages_in, of_family, text_of
from .protocol import DatagramRow

_EVERY_STATE = 0xFFFFFFFF
_MEMORY = 7
"""INET_DIAG_SKMEMINFO (linux/inet_diag.h), which a request names by the bit below it."""

_DROPS = 8
"""SK_MEMINFO_DROPS (linux/sock_diag.h): which of its numbers says how many datagrams were dropped."""

_ATTRIBUTE = struct.Struct("=HH")
_REQUESTS = tuple(
    of_family(family, socket.IPPROTO_UDP, _EVERY_STATE, 1 << (_MEMORY - 1))
    for family in (socket.AF_INET, socket.AF_INET6)
)

_LISTED_SECONDS = 0.1
"""Between two looks at a host, at the least."""

_DUTY = 200
"""To list the UDP sockets of all hosts together takes no more than one part in so many of a core."""


class DatagramDifference(NamedTuple):
    """The UDP sockets that are new or not as they were, and the inodes of those that are gone."""

    rows: list[DatagramRow]
    gone: list[int]


class DatagramTable(Table):
    """The UDP sockets of the namespace it was opened in."""

    def rows(self) -> tuple[DatagramRow, ...]:
        """All of them, sorted; those that no process holds are left out."""
        rows = [row for request in _REQUESTS for row in self.answers(request, _parsed)]
        return tuple(sorted(row for row in rows if row.inode))


class DatagramWatch:
    """The UDP sockets of a host: what they were at the last look, and when the next one is due."""

    def __init__(self, pid: int, hosts: int) -> None:
        with namespaces.inside(pid):
            self._table = DatagramTable()
        self._duty = _DUTY * hosts
        self._due = 0.0
        self._known: dict[int, DatagramRow] = {}

    def look(self, *, last: bool = False) -> DatagramDifference | None:
        """What has changed if a look is due, or it is the ``last``; None if nothing has. OSError."""
        if time.monotonic() < self._due and not last:
            return None
        spent = time.thread_time()
        try:
            rows = {row.inode: row for row in self._table.rows()}
        except OSError as error:
            if error.errno == errno.ENOENT:  # a kernel without udp_diag: it will not come to have it
                self._due = float("inf")
                return None
            raise
        finally:
            cost = time.thread_time() - spent
            self._due = max(self._due, time.monotonic() + max(_LISTED_SECONDS, cost * self._duty))
        new = [row for inode, row in rows.items() if self._known.get(inode) != row]
        gone = sorted(self._known.keys() - rows.keys())
        self._known = rows
        return DatagramDifference(new, gone) if new or gone else None

    def listed(self) -> tuple[DatagramRow, ...]:
        """All of them as they are now; nothing is told. OSError."""
        return self._table.rows()

    def close(self) -> None:
        """Let the namespace go."""
        self._table.close()


def _parsed(reply: bytes) -> tuple[list[DatagramRow], bool]:
    return messages_in(reply, _row)


def _row(reply: bytes, offset: int, end: int) -> DatagramRow:
    family, _, sport, dport, source, destination, _, _, received, _, inode = MESSAGE.unpack_from(
        reply, offset
    )
    if family == socket.AF_INET:
        source, destination = source[:4], destination[:4]
    ports = int.from_bytes(sport, "big"), int.from_bytes(dport, "big")
    drops = _drops(reply, offset + MESSAGE.size, end)
    return DatagramRow(text_of(source), ports[0], text_of(destination), ports[1], received, drops, inode)


def _drops(reply: bytes, offset: int, end: int) -> int:
    """How many datagrams a socket has dropped; 0 if the kernel does not say."""
    while offset + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(reply, offset)
        if kind == _MEMORY and length >= _ATTRIBUTE.size + 4 * (_DROPS + 1):
            (drops,) = struct.unpack_from("=I", reply, offset + _ATTRIBUTE.size + 4 * _DROPS)
            return int(drops)
        offset += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return 0
