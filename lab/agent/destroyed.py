"""Hears that a host's kernel frees TCP sockets: the multicast groups of sock_diag(7), as ``ss -E`` does."""

from __future__ import annotations

import contextlib
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

    def close(self) -> None:
        """Let the namespace go."""
        self._netlink.close()

    def fileno(self) -> int:
        """For select(2)."""
        return self._netlink.fileno()

    def drain(self) -> bool:
        """Whether any socket was freed since it was asked last."""
        freed = False
        with contextlib.suppress(BlockingIOError):
            while True:
                freed = self._take() or freed
        return freed

    def _take(self) -> bool:
        """Take a message. BlockingIOError if there is none."""
        try:
            return bool(self._netlink.recv(1))
        except BlockingIOError:
            raise
        except OSError:
            return True  # ENOBUFS: there were more than there was room for
