"""A proxy between the lab and the engine that delays, cuts, corrupts, refuses and hangs, by rule.

It listens on a UNIX socket and reads HTTP/1.1 as far as it must: heads, and bodies by their length or in
chunks. What follows a request to attach to a container or to start a program is a stream of raw bytes.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CHUNK = 1 << 16
_STREAMS = re.compile(r"POST /v[\d.]+/(containers/[^/]+/attach|exec/[^/]+/start)")
_NONSENSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
_REFUSAL = b'{"message":"the engine is out of order"}\n'


class Kind(Enum):
    """What is done to a request or to its stream."""

    DELAY = "answered late"
    REFUSE = "answered with 500, and not carried out"
    CONFLICT = "answered with 409, and not carried out"
    CUT = "cut before it is carried out"
    CUT_AFTER = "carried out, and cut before the answer"
    CORRUPT = "answered with text that is not JSON"
    WRONG = "answered with JSON of another kind"
    HANG = "never answered"
    CUT_STREAM = "its stream is cut"
    STALL_STREAM = "its stream is open, and nothing comes through any more"


@dataclass
class Fault:
    """What is done to the requests that match ``request`` ("METHOD path?query"), from ``first`` on.

    ``times``: to so many of them. ``seconds``: how late; for streams, how long they work.
    ``go``: for streams, the fault comes only after this is set.
    """

    request: str
    kind: Kind
    times: int = 1 << 30
    first: int = 1
    seconds: float = 0.0
    met: int = 0
    done: int = 0
    go: threading.Event | None = None

    def hits(self, line: str) -> bool:
        """Whether this request is to suffer it."""
        if not re.search(self.request, line):
            return False
        self.met += 1
        if self.met < self.first or self.done >= self.times:
            return False
        self.done += 1
        return True


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class _EndedError(Exception):
    """A side closed its connection."""


@dataclass
class _Side:
    """One end of a connection, read with a buffer."""

    socket: socket.socket
    held: bytes = b""

    def more(self) -> bytes:
        data = self.socket.recv(_CHUNK)
        if not data:
            raise _EndedError
        return data

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self.held:
            self.held += self.more()
        head, _, self.held = self.held.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def line(self) -> bytes:
        while b"\n" not in self.held:
            self.held += self.more()
        line, _, self.held = self.held.partition(b"\n")
        return line + b"\n"

    def exactly(self, count: int) -> Iterator[bytes]:
        while count:
            piece = self.held or self.more()
            piece, self.held = piece[:count], piece[count:]
            count -= len(piece)
            yield piece

    def body(self, head: bytes) -> Iterator[bytes]:
        """What follows a head, as it comes."""
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length:
            yield from self.exactly(int(length[1]))
        elif re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            size = 1
            while size:
                line = self.line()
                size = int(line, 16)
                yield line
                yield from self.exactly(size + 2)


@dataclass
class Proxy:
    """The proxy; ``faults`` may be changed while it runs."""

    path: Path
    engine: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._thawed = threading.Event()
        self._thawed.set()
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(self.path))
        self._door.listen(128)
        self._spawn(self._serve)

    @property
    def address(self) -> str:
        """As DOCKER_HOST takes it."""
        return f"unix://{self.path}"

    def freeze(self) -> None:
        """From now on nothing comes through, and nothing ends."""
        self._thawed.clear()

    def thaw(self) -> None:
        """End :meth:`freeze`; what waited comes through."""
        self._thawed.set()

    def cut(self) -> None:
        """Whoever listens hears nothing more, whoever asks is refused."""
        self._closing.set()
        _shut(self._door, *self._sockets)
        self._thawed.set()  # only now: what waited is not handed on to the engine

    def close(self) -> None:
        """Cut everything and wait until no thread is left."""
        self.cut()
        for thread in self._threads:
            thread.join(10)
        for end in [self._door, *self._sockets]:
            end.close()

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.engine)
                self._sockets += [client, server]
                if self._closing.is_set():
                    _shut(client, server)
                self._spawn(lambda pair=(client, server): self._attend(*pair))  # type: ignore[misc]

    def _attend(self, client: socket.socket, server: socket.socket) -> None:
        """One connection, until a side has ended it."""
        with contextlib.suppress(OSError, _EndedError):
            while self._request(_Side(client), _Side(server)):
                pass
        _shut(client, server)

    def _request(self, client: _Side, server: _Side) -> bool:
        """One request with its answer; False if the connection ends with it."""
        head = client.head()
        body = b"".join(client.body(head))
        line = head.partition(b"\r\n")[0].decode().removesuffix(" HTTP/1.1")
        with self._lock:
            self.seen.append(line)
            fault = next((one for one in self.faults if one.hits(line)), None)
        self._thawed.wait()
        streams = _STREAMS.match(line) is not None and b"upgrade" in head.lower()
        if fault and fault.kind not in (Kind.CUT_STREAM, Kind.STALL_STREAM) and self._suffers(client, fault):
            return fault.kind in (Kind.REFUSE, Kind.CONFLICT, Kind.CORRUPT, Kind.WRONG)
        server.socket.sendall(head + body)
        answer = server.head()
        self._thawed.wait()
        if fault and fault.kind is Kind.CUT_AFTER:
            return False
        client.socket.sendall(answer)
        if streams:
            self._stream(client, server, fault)
            return False
        if not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304")) and not line.startswith("HEAD"):
            for piece in server.body(answer):
                self._thawed.wait()
                client.socket.sendall(piece)
        return True

    def _suffers(self, client: _Side, fault: Fault) -> bool:
        """Do what the fault says; True if the engine is not to hear of the request."""
        match fault.kind:
            case Kind.DELAY:
                self._closing.wait(fault.seconds)
            case Kind.REFUSE | Kind.CONFLICT:
                status = "409 Conflict" if fault.kind is Kind.CONFLICT else "500 Internal Server Error"
                head = f"HTTP/1.1 {status}\r\nContent-Length: {len(_REFUSAL)}\r\n\r\n"
                client.socket.sendall(head.encode() + _REFUSAL)
            case Kind.CORRUPT:
                client.socket.sendall(_NONSENSE + b"}{ not JSON }{ ")
            case Kind.WRONG:
                client.socket.sendall(_NONSENSE + b'["not", "that"]')
            case Kind.HANG:
                self._closing.wait()
            case _:
                return fault.kind is Kind.CUT
        return fault.kind is not Kind.DELAY

    def _stream(self, client: _Side, server: _Side, fault: Fault | None) -> None:
        """Both directions, until both have ended or the fault comes."""
        stalled = threading.Event()
        directions = [
            threading.Thread(target=self._hand_on, args=(source, sink, stalled), daemon=True)
            for source, sink in ((client, server), (server, client))
        ]
        for direction in directions:
            direction.start()
        if fault:
            self._wait_for(fault)
            if fault.kind is Kind.CUT_STREAM:
                _shut(client.socket, server.socket)
            elif fault.kind is Kind.STALL_STREAM:
                stalled.set()
        for direction in directions:
            direction.join()

    def _wait_for(self, fault: Fault) -> None:
        if fault.go:
            while not fault.go.wait(0.05) and not self._closing.is_set():
                pass
        self._closing.wait(fault.seconds)

    def _hand_on(self, source: _Side, sink: _Side, stalled: threading.Event) -> None:
        with contextlib.suppress(OSError, _EndedError):
            while True:
                data = source.held or source.more()
                source.held = b""
                self._thawed.wait()
                if stalled.is_set():
                    self._closing.wait()
                sink.socket.sendall(data)
        with contextlib.suppress(OSError):
            sink.socket.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def between(path: Path, engine: str, *faults: Fault) -> Iterator[Proxy]:
    """A proxy at ``path`` in front of the engine's socket."""
    proxy = Proxy(path, engine.removeprefix("unix://"), list(faults))
    try:
        yield proxy
    finally:
        proxy.close()


def settled(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """What a condition gives once that is true; AssertionError if it is not in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not in {seconds:g} s"
        time.sleep(0.05)
    return found
