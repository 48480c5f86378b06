"""Sockets of the script: connections that it makes, accepts and speaks on from within a host.

Nothing runs in the host for them: a socket is opened in the host's network namespace, and stays there.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv6Address
from typing import NamedTuple

from . import namespaces, protocol

_PIECE = 1 << 16

_MOST_UNSENT = 1 << 24
"""Bytes that wait for room in one socket."""

_MOST_SOCKETS = 4096
_BACKLOG = 1024

_ABORT = struct.pack("ii", 1, 0)
"""struct linger: on, 0 seconds. close(2) then sends RST (socket(7))."""


_IP_PKTINFO = 8
_PACKET_INFO = struct.Struct("=i4s4s")
"""struct in_pktinfo (ip(7)): an interface, the own address, and the one that the packet went to."""

_PACKET_INFO_6 = struct.Struct("=16si")
"""struct in6_pktinfo (ipv6(7)): the own address and an interface."""

_ROOM_FOR_INFO = 2 * socket.CMSG_SPACE(_PACKET_INFO_6.size)


class Asker(NamedTuple):
    """Who has sent a datagram, and what has the answer come from the address that it went to (cmsg(3))."""

    address: tuple[object, ...]
    own: list[tuple[int, int, bytes]]


class Peer:
    """A socket that the script speaks on.

    A UDP socket that ``serves`` answers who has sent last. So does one that ``follows`` an address: it hears
    that address only, and has somebody there to begin with.
    """

    def __init__(
        self,
        host: str,
        name: str,
        own: socket.socket,
        *,
        stream: bool,
        serves: bool = False,
        follows: Asker | None = None,
    ) -> None:
        self.host, self.name = host, name
        self.socket = own
        self.stream, self.serves = stream, serves or follows is not None
        self.follows = str(follows.address[0]) if follows else ""
        self.unsent = bytearray()
        self.heard = 0
        self.asker = follows
        self.ending = ""
        """How it is to end once all is sent: ``write`` or ``both``."""
        self.reads = True
        """Whether the other end may still send."""
        self.heeded = 0
        """The events that are waited for (epoll(7))."""

    def turn_to(self, asker: Asker) -> bool:
        """Whether who has sent a datagram is heard; what is said next is then said to him."""
        if self.follows and asker.address[0] != self.follows:
            return False
        self.asker = asker
        return True


class Peers:
    """All sockets of the script."""

    def __init__(self, tell: Callable[[protocol.Event], None]) -> None:
        self._tell = tell
        self._peers: dict[tuple[str, str], Peer] = {}
        self._listeners: dict[tuple[str, str], socket.socket] = {}
        self._by_number: dict[int, Peer] = {}
        self._ready = select.epoll()

    def fileno(self) -> int:
        """For epoll(7): readable when there is something to do."""
        return self._ready.fileno()

    def see_to(self) -> None:
        """Hear what has come, and send what there is room for now."""
        for number, events in self._ready.poll(0):
            peer = self._by_number.get(number)
            if peer is not None and events & select.EPOLLOUT and peer.unsent:
                self._send(peer)
            if number in self._by_number and peer is not None and events & ~select.EPOLLOUT:
                self._hear(peer)

    # --- opening -------------------------------------------------------------------------------

    def connect(self, pid: int, asked: protocol.ConnectPeers) -> Callable[[], protocol.Opened | None]:
        """Connect from the host of process ``pid``, under each of the names; all succeed, or none is kept.

        The condition gives the answer when that is known.
        """
        opened: dict[str, socket.socket] = {}
        ready = select.poll()
        waiting: dict[int, socket.socket] = {}
        for name in asked.names:
            own = opened[name] = self._socket(pid, asked)
            code = _connected(own, asked)
            if code not in {0, errno.EINPROGRESS}:
                return _given_up(opened, code)
            waiting[own.fileno()] = own
            ready.register(own, select.POLLOUT)

        def met() -> protocol.Opened | None:
            for number, _ in ready.poll(0):
                ready.unregister(number)
                if code := waiting.pop(number).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return _given_up(opened, code)()
            if waiting:
                return None
            ports = [own.getsockname()[1] for own in opened.values()]
            for name, own in opened.items():
                there = Asker((asked.address, asked.port), []) if asked.follows else None
                self._keep(Peer(asked.host, name, own, stream=asked.transport == "tcp", follows=there))
            return protocol.Opened(error="", ports=ports)

        return met

    def listen(self, pid: int, asked: protocol.ListenPeer) -> protocol.Opened:
        """Listen on a port of the host of process ``pid``; on UDP be ready for datagrams."""
        own = self._socket(pid, asked)
        try:
            if own.family == socket.AF_INET6:
                own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind((asked.address, asked.port))
            if asked.transport == "tcp":
                own.listen(_BACKLOG)
            else:
                own.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
                if own.family == socket.AF_INET6:
                    own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        except OSError as error:
            own.close()
            return protocol.Opened(error=os.strerror(error.errno or 0), ports=[])
        if asked.transport == "udp":
            self._keep(Peer(asked.host, asked.names[0], own, stream=False, serves=True))
        else:
            self._listeners[asked.host, asked.names[0]] = own
        return protocol.Opened(error="", ports=[asked.port])

    def accept(self, asked: protocol.AcceptPeer) -> Callable[[], protocol.Accepted | None]:
        """Accept a connection; the condition gives whose it is once there is one."""
        listener = self._listeners[asked.host, asked.listener]

        def met() -> protocol.Accepted | None:
            try:
                own, (address, peer_port, *_) = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return None
            own.setblocking(False)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._keep(Peer(asked.host, asked.name, own, stream=True))
            port = own.getsockname()[1]
            return protocol.Accepted(address=address.removeprefix("::ffff:"), peer_port=peer_port, port=port)

        return met

    def _socket(self, pid: int, asked: protocol.ConnectPeers | protocol.ListenPeer) -> socket.socket:
        """A socket in the host of process ``pid``. OSError."""
        if len(self._peers) + len(self._listeners) >= _MOST_SOCKETS:
            raise OSError(errno.EMFILE, f"the script has {_MOST_SOCKETS} sockets")
        family = socket.AF_INET6 if ":" in asked.address else socket.AF_INET
        with namespaces.inside(pid):
            own = socket.socket(family, socket.SOCK_STREAM if asked.transport == "tcp" else socket.SOCK_DGRAM)
        own.setblocking(False)
        if asked.transport == "tcp":
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if asked.receive_buffer:
            # Before there is a connection: its SYN offers the window (tcp(7)).
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, asked.receive_buffer)
        return own

    def _keep(self, peer: Peer) -> None:
        self._peers[peer.host, peer.name] = peer
        self._by_number[peer.socket.fileno()] = peer
        self._heed(peer)

    # --- speaking ------------------------------------------------------------------------------

    def say(self, host: str, names: Iterable[str], data: bytes) -> protocol.Unsent | None:
        """Send, at once as far as there is room, the rest when there is; who takes nothing, if so."""
        for peer in self._open(host, names):
            if not peer.stream:
                unsent = _send_datagram(peer, data)
            elif len(peer.unsent) + len(data) > _MOST_UNSENT:
                unsent = protocol.Unsent(peer=peer.name, most_waiting=_MOST_UNSENT, error="")
            else:
                peer.unsent += data
                self._send(peer)
                unsent = None
            if unsent is not None:
                return unsent
        return None

    def end(self, host: str, names: Iterable[str], how: str) -> None:
        """End connections: ``write`` sends FIN behind what was said, ``both`` closes, ``reset`` sends RST."""
        for peer in self._open(host, names):
            if how == "reset":
                peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                self._close(peer)
            else:
                peer.ending = how
                self._send(peer)

    def _open(self, host: str, names: Iterable[str]) -> Iterator[Peer]:
        for name in names:
            peer = self._peers.get((host, name))
            if peer is not None:
                yield peer

    def _send(self, peer: Peer) -> None:
        """Send what there is room for; end what is to end when all is sent."""
        try:
            while peer.unsent:
                del peer.unsent[: peer.socket.send(peer.unsent[:_PIECE])]
        except BlockingIOError:
            self._heed(peer)
            return
        except OSError as error:
            self._over(peer, error)
            return
        if peer.ending == "both":
            self._close(peer)
            return
        if peer.ending == "write":
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_WR)
        self._heed(peer)

    # --- hearing -------------------------------------------------------------------------------

    def _hear(self, peer: Peer) -> None:
        try:
            data, controls, _, address = peer.socket.recvmsg(_PIECE, _ROOM_FOR_INFO)
        except BlockingIOError:
            return
        except OSError as error:
            if peer.stream:
                self._over(peer, error)
            return  # what ICMP said of a datagram, the capture shows
        if peer.serves and not peer.turn_to(Asker(address, _own_address(controls))):
            return
        if peer.stream and not data:
            peer.reads = False
            self._heed(peer)
            self._tell_end(peer, "closed")
            return
        before, peer.heard = peer.heard, peer.heard + len(data)
        if peer.heard <= protocol.MOST_HEARD:
            text = base64.b64encode(data).decode()
            self._tell(protocol.PeerHeard(at=time.time_ns(), host=peer.host, peer=peer.name, data=text))
        elif before <= protocol.MOST_HEARD:
            self._tell_end(peer, "too-much")

    def _heed(self, peer: Peer) -> None:
        """Wait for what can still happen. If that is nothing, then not for the hang-up: it would not end."""
        wanted = (select.EPOLLIN if peer.reads else 0) | (select.EPOLLOUT if peer.unsent else 0)
        if wanted and peer.heeded:
            self._ready.modify(peer.socket, wanted)
        elif wanted:
            self._ready.register(peer.socket, wanted)
        elif peer.heeded:
            self._ready.unregister(peer.socket)
        peer.heeded = wanted

    def _over(self, peer: Peer, error: OSError) -> None:
        """The connection broke: nothing can be said or heard on it any more."""
        broken = {errno.ECONNRESET, errno.EPIPE}
        self._tell_end(peer, "reset" if error.errno in broken else os.strerror(error.errno or 0))
        self._close(peer)

    def _tell_end(self, peer: Peer, how: str) -> None:
        self._tell(protocol.PeerEnded(at=time.time_ns(), host=peer.host, peer=peer.name, how=how))

    def _close(self, peer: Peer) -> None:
        peer.reads = False
        peer.unsent.clear()
        self._heed(peer)
        del self._by_number[peer.socket.fileno()], self._peers[peer.host, peer.name]
        peer.socket.close()


def _connected(own: socket.socket, asked: protocol.ConnectPeers) -> int:
    """Bind a socket and begin to connect it, as far as is asked; the kernel's number for why it cannot be."""
    try:
        if asked.own_port or asked.follows:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(asked.transport == "tcp"))
            own.bind(("::" if own.family == socket.AF_INET6 else "", asked.own_port))
    except OSError as error:
        return error.errno or 0
    return 0 if asked.follows else own.connect_ex((asked.address, asked.port))


def _send_datagram(peer: Peer, data: bytes) -> protocol.Unsent | None:
    """Send to whom it is connected with, or who has sent last; why that cannot be done, if so."""
    if peer.serves and peer.asker is None:
        return protocol.Unsent(peer=peer.name, most_waiting=0, error="")
    try:
        if peer.asker:
            peer.socket.sendmsg([data], peer.asker.own, 0, peer.asker.address)
        else:
            peer.socket.send(data)
    except ConnectionRefusedError:
        # What ICMP said of one before: the kernel tells that once, and sends nothing.
        return _send_datagram(peer, data)
    except OSError as error:
        return protocol.Unsent(peer=peer.name, most_waiting=0, error=os.strerror(error.errno or 0))
    return None


def _own_address(controls: Iterable[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """What sends an answer from the address that a datagram went to, as the kernel told of that one.

    A socket of both families is told twice of a datagram of IPv4; the address of a network only once.
    """
    told = {(level, kind): data for level, kind, data in controls}
    if info := told.get((socket.IPPROTO_IP, _IP_PKTINFO)):
        _, own, _ = _PACKET_INFO.unpack(info)
        return [(socket.IPPROTO_IP, _IP_PKTINFO, _PACKET_INFO.pack(0, own, bytes(4)))]
    info = told.get((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))
    if info is None or info.startswith(b"\xff"):  # to a group (RFC 4291): no host has that address
        return []
    own, interface = _PACKET_INFO_6.unpack(info)
    is_local = IPv6Address(own).is_link_local
    info = _PACKET_INFO_6.pack(own, interface if is_local else 0)
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)]


def _given_up(opened: dict[str, socket.socket], code: int) -> Callable[[], protocol.Opened]:
    """None of several sockets is kept, because one could not be connected."""
    for own in opened.values():
        own.close()
    return lambda: protocol.Opened(error=os.strerror(code), ports=[])
