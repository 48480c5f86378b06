"""Sockets of a network namespace as its kernel lists them, here TCP: sock_diag(7), what ``ss`` asks."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple, TypeVar

from . import namespaces
from .protocol import Ends, SocketRow

SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG (linux/netlink.h)."""

_TCPDIAG_GETSOCK = 18
"""The older of two requests, and the only one that answers for IPv4 and IPv6 at once: half the work."""

_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _REQUEST_DUMP = 0x001, 0x301
_REPLY = 1 << 13
"""Bytes of a reply at the most. The kernel makes its replies as large as who asks has room for once."""

MOST_LISTED, MOST_WAITING = 4096, 1 << 15
"""Sockets of a host that are listed at once: those in TIME_WAIT, and all others."""

_REST_SECONDS = 2.0
"""So long nothing is listed after there were too many: other hosts have to be looked at, too."""

_ANY_COOKIE = b"\xff" * 8
_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECEIVED", 4: "FIN_WAIT_1", 5: "FIN_WAIT_2", 6: "TIME_WAIT",
    7: "CLOSED", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECEIVED",
}  # fmt: skip
"""The states as Linux numbers them (include/net/tcp_states.h) and as RFC 9293 calls them.

Linux tells a half-open connection twice: 3 for the socket of a simultaneous open and 12 (TCP_NEW_SYN_RECV)
for a request that has no socket yet. Later kernels add a pseudo-state for sockets that are only bound.
"""

ALL_STATES = frozenset(_STATES.values())
TIME_WAIT, LISTEN = "TIME_WAIT", "LISTEN"
_LISTENERS, _WAITING = frozenset({LISTEN}), frozenset({TIME_WAIT})
_BOUND_INACTIVE = 1 << 13
"""TCP_BOUND_INACTIVE (linux 6.8 and later): sockets that are bound, and neither listen nor connect."""

_HEADER = struct.Struct("=IHHII")
MESSAGE = struct.Struct("=BB2x2s2s16s16sI8xIII4xI")
"""struct inet_diag_msg (linux/inet_diag.h).

Family, state, ports, addresses, interface, expires, receive queue, send queue, inode; timer, retrans, cookie
and user are passed over.
"""


_EXACT = struct.Struct(_HEADER.format + "BB6x2s2s16s16sI8s")
"""struct nlmsghdr and struct inet_diag_req_v2: family, protocol, ports, addresses, interface, cookie."""


class Found(NamedTuple):
    """A socket, the ``interface`` it is bound to (0: none), and the seconds ``left`` of its TIME_WAIT.

    The kernel may end TIME_WAIT some seconds later than that, for it keeps many such timers together.
    """

    row: SocketRow
    interface: int
    left: float


T = TypeVar("T")

_Part = tuple[list[T], bool]


@cache
def _request(states: frozenset[str]) -> bytes:
    """A struct inet_diag_req that asks for every socket in one of the states."""
    body = bytes(52) + struct.pack(
        "=II", sum(1 << number for number, state in _STATES.items() if state in states), 0
    )
    return _HEADER.pack(_HEADER.size + len(body), _TCPDIAG_GETSOCK, _REQUEST_DUMP, 1, 0) + body


@cache
def of_family(family: int, protocol: int, states: int, extensions: int = 0) -> bytes:
    """A struct inet_diag_req_v2 that asks for every socket of a protocol in one of the states (as bits)."""
    body = struct.pack("=BBBBI", family, protocol, extensions, 0, states) + bytes(48)
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + body


def _exact(ends: Ends, interface: int) -> bytes:
    """A struct inet_diag_req_v2 that asks for one socket."""
    local, port, remote, peer = ends
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    ports = port.to_bytes(2, "big"), peer.to_bytes(2, "big")
    body = family, socket.IPPROTO_TCP, *ports, _packed(local), _packed(remote), interface, _ANY_COOKIE
    return _EXACT.pack(_EXACT.size, _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0, *body)


@lru_cache(maxsize=1024)
def _packed(address: str) -> bytes:
    """An address as a request has it: 4 or 16 bytes, filled up to 16."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address).ljust(16, b"\0")


class Table:
    """What the kernel says of the sockets of the namespace that it was opened in.

    OSError if it refuses or does not answer, and if there are more than are listed.
    """

    def __init__(self, most: int = MOST_LISTED) -> None:
        self._most = most
        self._home = namespaces.current()
        self._rests_until = 0.0
        self._netlink = self._opened()

    @staticmethod
    def _opened() -> socket.socket:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, SOCK_DIAG)
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        # A timeout of Python's own costs a poll(2) before each call.
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 1, 0))
        return netlink

    def answers(self, request: bytes, parsed: Callable[[bytes], _Part[T]], most: int = 0) -> list[T]:
        """What the kernel answers to a request, in its order."""
        most = most or self._most
        if time.monotonic() < self._rests_until:
            raise OSError(f"there were more than {most}")
        self._netlink.send(request)
        sockets: list[T] = []
        ended = False
        while not ended:
            part, ended = parsed(self._netlink.recv(_REPLY))
            sockets += part
            if len(sockets) > most:
                self._break_off()
                raise OSError(f"there are more than {most}")
        return sockets

    def _break_off(self) -> None:
        """Hear no more of what the kernel was asked: that takes another socket."""
        self._rests_until = time.monotonic() + _REST_SECONDS
        with namespaces.within(self._home):
            self._netlink.close()
            self._netlink = self._opened()

    def close(self) -> None:
        """Let the namespace go."""
        self._netlink.close()
        os.close(self._home)


class SocketTable(Table):
    """The TCP sockets of the namespace it was opened in."""

    def rows(self, states: frozenset[str] = ALL_STATES) -> tuple[SocketRow, ...]:
        """The TCP sockets in some states, sorted."""
        return tuple(sorted([found.row for found in self.sockets(states)]))

    def listeners(self) -> tuple[SocketRow, ...]:
        """The TCP sockets in LISTEN, sorted: ten times cheaper than all."""
        return tuple(sorted([found.row for found in self._dump(_LISTENERS, _parsed_before)]))

    def sockets(self, states: frozenset[str] = ALL_STATES) -> list[Found]:
        """The TCP sockets in some states, as the kernel comes to them, those in TIME_WAIT last."""
        waiting = states & _WAITING
        found = self._dump(states - waiting, _parsed) if states - waiting else []
        return found + (self._dump(waiting, _parsed, MOST_WAITING) if waiting else [])

    def bound(self) -> tuple[SocketRow, ...]:
        """The TCP sockets that are bound and neither listen nor connect; none if a kernel does not tell."""
        families = socket.AF_INET, socket.AF_INET6
        requests = [of_family(family, socket.IPPROTO_TCP, _BOUND_INACTIVE) for family in families]
        return tuple(sorted([one.row for request in requests for one in self.answers(request, _parsed)]))

    def _dump(
        self, states: frozenset[str], parsed: Callable[[bytes], _Part[Found]], most: int = 0
    ) -> list[Found]:
        return self.answers(_request(states), parsed, most)

    def find(self, ends: Ends, interface: int = 0) -> Found | None:
        """The socket of one connection, None if there is none: fifty times cheaper than all sockets.

        One that is bound to an interface is found only if that is told; another is found whatever is told.
        """
        self._netlink.send(_exact(ends, interface))
        reply = self._netlink.recv(_REPLY)
        if _HEADER.unpack_from(reply)[1] == _NLMSG_ERROR:
            error = -struct.unpack_from("=i", reply, _HEADER.size)[0]
            if error != errno.ENOENT:
                raise OSError(error, "sock_diag")
            return None
        found = _found(reply, _HEADER.size)
        # Where there is no connection, the listener that would take one is told.
        return found if found.row[1:5] == ends else None


def messages_in(reply: bytes, read: Callable[[bytes, int, int], T]) -> _Part[T]:
    """What stands in a reply, each ``read`` from where to where it stands, and whether the reply is the last.

    OSError if it is a refusal.
    """
    found: list[T] = []
    offset = 0
    while offset < len(reply):
        length, kind, _, _, _ = _HEADER.unpack_from(reply, offset)
        if kind == _NLMSG_DONE:
            return found, True
        if kind == _NLMSG_ERROR:
            raise OSError(-struct.unpack_from("=i", reply, offset + _HEADER.size)[0], "sock_diag")
        found.append(read(reply, offset + _HEADER.size, offset + length))
        offset += (length + 3) & ~3
    return found, False


def _parsed(reply: bytes) -> _Part[Found]:
    return messages_in(reply, _found)


_parsed_before = lru_cache(maxsize=256)(_parsed)
"""The same where the kernel as a rule says what it said before, word for word."""


def _found(reply: bytes, offset: int, _: int = 0) -> Found:
    family, number, sport, dport, source, destination, interface, expires, received, sent, inode = (
        MESSAGE.unpack_from(reply, offset)
    )
    if family == socket.AF_INET:
        source, destination = source[:4], destination[:4]
    ends = text_of(source), int.from_bytes(sport, "big"), text_of(destination), int.from_bytes(dport, "big")
    state = _STATES[number]
    left = expires / 1000 if state == TIME_WAIT else 0.0
    return Found((state, *ends, received, sent, inode), interface, left)


@lru_cache(maxsize=1024)
def text_of(address: bytes) -> str:
    """An address of 4 or 16 bytes as text; an IPv4-mapped one as IPv4."""
    if len(address) == 4:
        return socket.inet_ntop(socket.AF_INET, address)
    text = socket.inet_ntop(socket.AF_INET6, address)
    return text.removeprefix("::ffff:") if "." in text else text
