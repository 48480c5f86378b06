"""tcpdump, proven ready before anything happens and proven complete when it ends."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import time

from . import namespaces

_ETHERTYPE = 0x88B5
"""Local experimental ethertype (IEEE 802): what the sentinel frames carry, on a loopback only."""

_COUNTS = {
    "captured": re.compile(r"(\d+) packets? captured"),
    "received": re.compile(r"(\d+) packets? received by filter"),
    "dropped": re.compile(r"(\d+) packets? dropped by kernel"),
}
_READY_SECONDS = 10.0
_SENTINEL_GAP = 0.005


class Capture:
    """One tcpdump writing to a file, on all interfaces of the sidecar or on a host's loopback."""

    def __init__(self, path: str, snaplen: int, limit: int, pid: int | None = None) -> None:
        self.path = path
        self._limit = limit
        self._pid = pid
        self._seen = 0
        self._messages = b""
        entry = [] if pid is None else ["nsenter", f"--net=/proc/{pid}/ns/net"]
        interface = "any" if pid is None else "lo"
        # -U and --immediate-mode: a frame is in the file as soon as it is seen; each then takes a whole slot
        # of the ring, hence -B. -Z root: the file's folder is root's.
        how = ["-n", "-p", "-U", "--immediate-mode", "-B", "16384", "--nano", "-Z", "root", "-s"]
        self._process = subprocess.Popen(
            [*entry, "tcpdump", "-i", interface, *how, str(snaplen), "-w", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._stderr = self._process.stderr.fileno() if self._process.stderr else -1

    def wait_ready(self) -> None:
        """Return when a frame sent now is sure to be recorded.

        Raises TimeoutError, and RuntimeError if tcpdump ended.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while b"listening on" not in self._messages:
            self._read_messages(deadline)
        self._await_sentinel(deadline)

    def stop(self) -> dict[str, int | bool]:
        """End the capture.

        Returns ``captured``, ``received`` and ``dropped`` as tcpdump counts (-1: not told), whether it
        is ``sealed`` by the closing sentinel, and the file's ``size`` in bytes.
        """
        try:
            self._await_sentinel(time.monotonic() + _READY_SECONDS)
            sealed = True
        except (TimeoutError, RuntimeError, OSError):
            sealed = False
        self._process.send_signal(signal.SIGINT)
        self._hear_counts(time.monotonic() + _READY_SECONDS)
        return {**_counts(self._messages.decode(errors="replace")), "sealed": sealed, "size": self.size()}

    def size(self) -> int:
        """Bytes recorded so far."""
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def guard(self) -> None:
        """Abandon the capture if its file has more bytes than it may."""
        if self.size() > self._limit:
            self.abandon()

    def abandon(self) -> None:
        """Stop writing at once. What is there stays, and is not sealed."""
        self._process.send_signal(signal.SIGKILL)

    def _hear_counts(self, deadline: float) -> None:
        """Read until tcpdump has told its counts: all it saw is then in the file.

        It goes on to close its socket, which takes the kernel 30 ms that nobody needs to wait for.
        """
        try:
            while not _COUNTS["dropped"].search(self._messages.decode(errors="replace")):
                self._read_messages(deadline)
        except RuntimeError:
            return  # it has ended, with or without them
        except TimeoutError:
            self._process.kill()

    def _read_messages(self, deadline: float) -> None:
        if not select.select([self._stderr], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError("tcpdump says nothing")
        chunk = os.read(self._stderr, 4096)
        self._messages += chunk
        if not chunk:
            raise RuntimeError(f"tcpdump ended: {self._messages.decode(errors='replace').strip()}")

    def _await_sentinel(self, deadline: float) -> None:
        """Send a frame that only this capture can hold, again and again, until it is in the file."""
        token = os.urandom(16)
        frame = bytes(12) + _ETHERTYPE.to_bytes(2, "big") + b"tcp-lab sentinel" + token
        with self._loopback() as loopback:
            while True:
                loopback.send(frame)
                pause = time.monotonic() + _SENTINEL_GAP
                while time.monotonic() < pause:
                    if self._holds(token):
                        return
                    if self._process.poll() is not None:
                        raise RuntimeError("tcpdump ended")
                    time.sleep(0.0005)
                if time.monotonic() > deadline:
                    raise TimeoutError("the sentinel frame is not recorded")

    def _loopback(self) -> socket.socket:
        if self._pid is None:
            return _packet_socket()
        with namespaces.inside(self._pid):
            return _packet_socket()

    def _holds(self, token: bytes) -> bool:
        try:
            with open(self.path, "rb") as file:
                file.seek(self._seen)
                tail = file.read()
        except FileNotFoundError:
            return False
        # What is behind is never read again; a token may straddle two reads.
        self._seen += max(0, len(tail) - len(token))
        return token in tail


def _counts(text: str) -> dict[str, int]:
    return {name: int(found[1]) if (found := rule.search(text)) else -1 for name, rule in _COUNTS.items()}


def _packet_socket() -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.bind(("lo", 0))
    return packets
