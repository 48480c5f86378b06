"""Hears that a host's kernel frees TCP sockets: the multicast groups of sock_diag(7), as ``ss -E`` does."""

from __future__ import annotations

import contextlib
import select
import socket

from . import namespaces
from .diag import SOCK_DIAG

_GROUPS = 1 << 0 | 1 << 2
"""SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY (linux/sock_diag.h) as bits: they count from 1."""


class Destroyed:
    """Readable when a socket of the host was freed, a listener too; what waits in TIME_WAIT is none.

    A listener that is closed, or a connection that is given up, puts nothing on the wire. Which socket it
    was, the look that follows tells.
    """

    def __init__(self, pid: int) -> None:
        with namespaces.inside(pid):
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)
        self._netlink.setblocking(False)
        self._netlink.bind((0, _GROUPS))
        readable = select.poll()
        readable.register(self._netlink, select.POLLIN)
        self._there = readable.poll

    def close(self) -> None:
        """Let the namespace go."""
        self._netlink.close()

    def fileno(self) -> int:
        """For select(2)."""
        return self._netlink.fileno()

    def drain(self) -> bool:
        """Whether any socket was freed since it was asked last."""
        freed = False
        while self._there(0):  # to ask is cheaper than an exception
            with contextlib.suppress(OSError):  # ENOBUFS: there were more than there was room for
                self._netlink.recv(1)
            freed = True
        return freed
