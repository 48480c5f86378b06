"""TCP sockets of a network namespace as its kernel lists them: sock_diag(7), what ``ss`` asks."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from functools import cache

SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG (linux/netlink.h)."""

_TCPDIAG_GETSOCK = 18
"""The older of two requests, and the only one that answers for IPv4 and IPv6 at once: half the work."""

_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _REQUEST_DUMP = 0x001, 0x301
_ANY_COOKIE = b"\xff" * 8
ALL_STATES = frozenset(range(1, 13))
"""ESTABLISHED (1) to NEW_SYN_RECV (12); later kernels add a pseudo-state for sockets that are only bound."""
LISTEN = 10

Row = tuple[int, str, int, str, int, int, int, int]
"""state, local address, local port, remote address, remote port, receive queue, send queue, inode"""

Ends = tuple[str, int, str, int]
"""Local address and port, remote address and port."""

_HEADER = struct.Struct("=IHHII")
# struct inet_diag_msg: family, state, timer, retrans, ports, addresses, interface, cookie,
# expires, receive queue, send queue, user, inode (linux/inet_diag.h).
_INTERFACE = 16 + 40
"""Where in a message with its header the interface stands that the socket is bound to."""

_MESSAGE = struct.Struct("=BBBB2s2s16s16sI8sIIIII")


@cache
def _request(states: frozenset[int]) -> bytes:
    """A struct inet_diag_req that asks for every socket in one of the states."""
    body = bytes(52) + struct.pack("=II", sum(1 << state for state in states), 0)
    return _HEADER.pack(_HEADER.size + len(body), _TCPDIAG_GETSOCK, _REQUEST_DUMP, 1, 0) + body


def _exact(ends: Ends, interface: int) -> bytes:
    """A struct inet_diag_req_v2 that asks for one socket."""
    local, port, remote, peer = ends
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    packed = [socket.inet_pton(family, address).ljust(16, b"\0") for address in (local, remote)]
    body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0)
    body += (
        struct.pack(">HH", port, peer) + packed[0] + packed[1] + struct.pack("=I", interface) + _ANY_COOKIE
    )
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + body


class SocketTable:
    """The TCP sockets of the namespace it was opened in."""

    def __init__(self) -> None:
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, SOCK_DIAG)
        self._netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._netlink.settimeout(1)
        self.bound: dict[Ends, int] = {}
        """The interface of each socket that the last list of sockets told to be bound to one."""

    def rows(self, states: frozenset[int] = ALL_STATES) -> tuple[Row, ...]:
        """The TCP sockets in some states, sorted; listeners alone are ten times cheaper than all.

        OSError if the kernel refuses or does not answer.
        """
        return tuple(sorted(self._dump(_request(states))))

    def row(self, ends: Ends, interface: int = 0) -> Row | None:
        """The socket of one connection, None if there is none: fifty times cheaper than all sockets.

        One that is bound to an interface is found only if that is told; another is found whatever is told.
        OSError if the kernel refuses or does not answer.
        """
        self._netlink.send(_exact(ends, interface))
        reply = self._netlink.recv(1 << 13)
        if _HEADER.unpack_from(reply)[1] == _NLMSG_ERROR:
            error = -struct.unpack_from("=i", reply, _HEADER.size)[0]
            if error != errno.ENOENT:
                raise OSError(error, "sock_diag")
            return None
        found = _row(reply, _HEADER.size)
        # Where there is no connection, the listener that would take one is told.
        return found if found[1:5] == ends else None

    def close(self) -> None:
        """Let the namespace go."""
        self._netlink.close()

    def _dump(self, request: bytes) -> list[Row]:
        self._netlink.send(request)
        self.bound = {}
        rows: list[Row] = []
        while True:
            reply = self._netlink.recv(1 << 16)
            offset = 0
            while offset < len(reply):
                length, kind, _, _, _ = _HEADER.unpack_from(reply, offset)
                if kind == _NLMSG_DONE:
                    return rows
                if kind == _NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", reply, offset + _HEADER.size)[0], "sock_diag")
                rows.append(row := _row(reply, offset + _HEADER.size))
                if interface := int.from_bytes(
                    reply[offset + _INTERFACE : offset + _INTERFACE + 4], sys.byteorder
                ):
                    self.bound[row[1:5]] = interface
                offset += (length + 3) & ~3


def _row(reply: bytes, offset: int) -> Row:
    fields = _MESSAGE.unpack_from(reply, offset)
    family, state, _, _, sport, dport, source, destination, _, _, _, received, sent, _, inode = fields
    return (
        state,
        _address(family, source),
        int.from_bytes(sport, "big"),
        _address(family, destination),
        int.from_bytes(dport, "big"),
        received,
        sent,
        inode,
    )


def _address(family: int, raw: bytes) -> str:
    return text_of(raw[:4] if family == socket.AF_INET else raw)


def text_of(address: bytes) -> str:
    """An address of 4 or 16 bytes as text; an IPv4-mapped one as IPv4."""
    if len(address) == 4:
        return socket.inet_ntop(socket.AF_INET, address)
    text = socket.inet_ntop(socket.AF_INET6, address)
    return text.removeprefix("::ffff:") if "." in text else text
