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

from . import namespaces, protocol

_PIECE = 1 << 16
_MOST_HEARD = 1 << 23
"""Bytes that are told of one socket; what comes behind them is read, and only that it came is told."""

_MOST_UNSENT = 1 << 24
"""Bytes that wait for room in one socket."""

_MOST_SOCKETS = 4096
_BACKLOG = 1024

_ABORT = struct.pack("ii", 1, 0)
"""struct linger: on, 0 seconds. close(2) then sends RST (socket(7))."""


class Peer:
    """A socket that the script speaks on. A UDP socket that ``serves`` answers who has sent last."""

    def __init__(
        self, host: str, name: str, own: socket.socket, *, stream: bool, serves: bool = False
    ) -> None:
        self.host, self.name = host, name
        self.socket = own
        self.stream, self.serves = stream, serves
        self.unsent = bytearray()
        self.heard = 0
        self.asker: tuple[object, ...] | None = None
        self.ending = ""
        """How it is to end once all is sent: ``write`` or ``both``."""
        self.reads = True
        """Whether the other end may still send."""
        self.heeded = 0
        """The events that are waited for (epoll(7))."""


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
            code = own.connect_ex((asked.address, asked.port))
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
                self._keep(Peer(asked.host, name, own, stream=asked.transport == "tcp"))
            return protocol.Opened(trouble="", ports=ports)

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
        except OSError as error:
            own.close()
            return protocol.Opened(trouble=os.strerror(error.errno or 0), ports=[])
        if asked.transport == "udp":
            self._keep(Peer(asked.host, asked.names[0], own, stream=False, serves=True))
        else:
            self._listeners[asked.host, asked.names[0]] = own
        return protocol.Opened(trouble="", ports=[asked.port])

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

    def say(self, host: str, names: Iterable[str], data: bytes) -> str:
        """Send, at once as far as there is room, the rest when there is; why that cannot be, if so."""
        for peer in self._open(host, names):
            if not peer.stream:
                trouble = _send_datagram(peer, data)
            elif len(peer.unsent) + len(data) > _MOST_UNSENT:
                trouble = f"more than {_MOST_UNSENT} bytes wait to be sent"
            else:
                peer.unsent += data
                self._send(peer)
                trouble = ""
            if trouble:
                return f"{peer.name}: {trouble}"
        return ""

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
            data, asker = peer.socket.recvfrom(_PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            if peer.stream:
                self._over(peer, error)
            return  # what ICMP said of a datagram, the capture shows
        if peer.serves:
            peer.asker = asker
        if peer.stream and not data:
            peer.reads = False
            self._heed(peer)
            self._tell_end(peer, "closed")
            return
        before, peer.heard = peer.heard, peer.heard + len(data)
        if peer.heard <= _MOST_HEARD:
            text = base64.b64encode(data).decode()
            self._tell(protocol.PeerHeard(at=time.time_ns(), host=peer.host, peer=peer.name, data=text))
        elif before <= _MOST_HEARD:
            self._tell_end(peer, f"more than {_MOST_HEARD} bytes came")

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


def _send_datagram(peer: Peer, data: bytes) -> str:
    """Send to whom it is connected with, or who has sent last; why that cannot be done, if so."""
    if peer.serves and peer.asker is None:
        return "no datagram has come that could be answered"
    try:
        peer.socket.sendto(data, peer.asker) if peer.asker else peer.socket.send(data)
    except ConnectionRefusedError:
        # What ICMP said of one before: the kernel tells that once, and sends nothing.
        return _send_datagram(peer, data)
    except OSError as error:
        return os.strerror(error.errno or 0)
    return ""


def _given_up(opened: dict[str, socket.socket], code: int) -> Callable[[], protocol.Opened]:
    """None of several sockets is kept, because one could not be connected."""
    for own in opened.values():
        own.close()
    return lambda: protocol.Opened(trouble=os.strerror(code), ports=[])
