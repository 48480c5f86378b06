"""tcpdump, proven ready before anything happens and proven complete when it ends."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import signal
import socket
import subprocess
import time
from typing import NamedTuple

from . import namespaces
from .protocol import CaptureEnd, Drop

_ETHERTYPE = 0x88B5
"""Local experimental ethertype (IEEE 802): what the sentinel frames carry, on a loopback only."""

_RING_FRAMES = 90_000
"""Frames that tcpdump has not taken out yet for which there is room in the kernel's ring, at the least."""

_SLOT_OVERHEAD = 108
"""Bytes of a frame's slot in the ring besides those that are kept of it, about."""

_MOST_RING_KIB = 65536

_COUNTS = re.compile(
    rb"(\d+) packets? captured\D+(\d+) packets? received by filter\D+(\d+) packets? dropped by kernel"
)
"""As tcpdump tells them when it is asked, and at its end."""

_READY_SECONDS, _ENDING_SECONDS = 10.0, 1.0
_SENTINEL_GAP = 0.005
_PIECE = 1 << 20
_MOST_DROPS = 1000
"""Times at which frames were lost that are told apart."""

_COUNTING_SECONDS = 0.05
"""Between two questions for the counts of a capture that grows, at the least."""

_COUNTING_BYTES = 1 << 18
"""By how much it grows between two of them, at the least: a lab where little happens is left alone."""


class Counts(NamedTuple):
    """What tcpdump tells of a capture: packets."""

    captured: int
    received: int
    dropped: int


class Tally:
    """What tcpdump counted, asked again and again: that tells when frames were lost."""

    def __init__(self, began: int) -> None:
        self.counts = Counts(0, 0, 0)
        self.drops: list[Drop] = []
        self._since = began

    def take(self, asked: int, heard: int, counts: Counts) -> None:
        """The counts at some moment between these two (ns)."""
        if counts.dropped > self.counts.dropped:
            self.lost(heard, counts.dropped - self.counts.dropped)
        self.counts, self._since = counts, asked

    def lost(self, until: int, frames: int) -> None:
        """Since it was counted last, and until a moment (ns), frames were lost."""
        last = self.drops[-1] if self.drops else None
        if last is not None and (last.ended >= self._since or len(self.drops) == _MOST_DROPS):
            self.drops[-1] = Drop(last.began, until, last.frames + frames)
        else:
            self.drops.append(Drop(self._since, until, frames))


class Capture:
    """One tcpdump writing to a file, on all interfaces of the sidecar or on a host's loopback."""

    def __init__(self, path: str, limit: int, snaplen: int, pid: int | None = None) -> None:
        self.path = path
        self._pid = pid
        self._seen = 0
        self._there = False
        """Whether its file has been seen."""
        self._messages = b""
        self._tally = Tally(time.time_ns())
        self._asked = 0
        """When tcpdump was asked for its counts (ns), if it has not told them yet; else 0."""
        self._counting_due = 0.0
        self._counted_size = 0
        entry = [] if pid is None else ["nsenter", f"--net=/proc/{pid}/ns/net"]
        interface = "any" if pid is None else "lo"
        # -U and --immediate-mode: a frame is in the file as soon as it is seen.
        # -Z root: the file's folder is root's.
        # In the ring each frame has a slot of the same size, whatever its own: the smaller, the more fit in.
        ring = min(_MOST_RING_KIB, _RING_FRAMES * (snaplen + _SLOT_OVERHEAD) >> 10)
        how = ["-n", "-p", "-U", "--immediate-mode", "-B", str(ring), "--nano", "-Z", "root"]
        self._process = subprocess.Popen(
            [*entry, "tcpdump", "-i", interface, *how, "-s", str(snaplen), "-w", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        # The kernel ends what writes more, whatever the agent is doing.
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        self._stderr = self._process.stderr.fileno() if self._process.stderr else -1
        self._heard = select.poll()
        self._heard.register(self._stderr, select.POLLIN)

    def wait_ready(self) -> None:
        """Return when a frame sent now is sure to be recorded.

        Raises TimeoutError, and RuntimeError if tcpdump ended.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while b"listening on" not in self._messages:
            self._read_messages(deadline)
        self._await_sentinel(deadline)

    def count(self) -> None:
        """Ask tcpdump for its counts from time to time while the file grows, and hear them."""
        if self._asked:
            self._hear_what_is_there()
        if self._asked or time.monotonic() < self._counting_due:
            return
        self._counting_due = time.monotonic() + _COUNTING_SECONDS
        if self.size() - self._counted_size >= _COUNTING_BYTES and self._process.poll() is None:
            self._counted_size = self.size()
            self._asked = time.time_ns()
            self._process.send_signal(signal.SIGUSR1)

    def stop(self) -> CaptureEnd:
        """End the capture, and prove it."""
        try:
            self._await_sentinel(time.monotonic() + _READY_SECONDS)
            sealed = True
        except (TimeoutError, RuntimeError, OSError):
            sealed = False
        told = self._end()
        full = not told and self._is_full()
        if full:
            self._tally.lost(time.time_ns(), 0)
        captured, received, dropped = self._tally.counts if told else Counts(-1, -1, -1)
        return CaptureEnd(
            captured=captured, received=received, dropped=dropped,
            sealed=sealed, full=full, drops=self._tally.drops, size=self.size(),
        )  # fmt: skip

    def _end(self) -> bool:
        """Have tcpdump end and tell its counts, whether it did: all it saw is then in the file.

        It goes on to close its socket, which takes the kernel 30 ms that nobody needs to wait for.
        """
        deadline = time.monotonic() + _READY_SECONDS
        try:
            while self._asked:
                self._read_messages(deadline)
            self._asked = time.time_ns()
            self._process.send_signal(signal.SIGINT)
            while self._asked:
                self._read_messages(deadline)
        except RuntimeError:
            return False  # it has ended without them
        except TimeoutError:
            self._process.kill()
            return False
        return True

    def _is_full(self) -> bool:
        """Whether it ended because its file may not become larger."""
        try:
            return self._process.wait(_ENDING_SECONDS) == -signal.SIGXFSZ
        except subprocess.TimeoutExpired:
            return False

    def size(self) -> int:
        """Bytes recorded so far."""
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def abandon(self) -> None:
        """Stop writing at once. What is there stays, and is not sealed."""
        self._process.send_signal(signal.SIGKILL)

    def _hear_what_is_there(self) -> None:
        with contextlib.suppress(TimeoutError, RuntimeError):
            while self._asked:
                self._read_messages(time.monotonic())

    def _read_messages(self, deadline: float) -> None:
        """Take what tcpdump says; TimeoutError if that is nothing, RuntimeError if it has ended."""
        if not self._heard.poll(1000 * max(0.0, deadline - time.monotonic())):
            raise TimeoutError("tcpdump says nothing")
        chunk = os.read(self._stderr, 4096)
        self._messages += chunk
        if not chunk:
            raise RuntimeError(f"tcpdump ended: {self._messages.decode(errors='replace').strip()}")
        if self._asked and (found := _COUNTS.search(self._messages)):
            self._messages = self._messages[found.end() :]
            self._tally.take(self._asked, time.time_ns(), Counts(*map(int, found.groups())))
            self._asked = 0

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
        """Whether the token is in what has been recorded since it was looked for last.

        RuntimeError if the file was there and is gone: nothing will come to be in it.
        """
        try:
            with open(self.path, "rb") as file:
                self._there = True
                while True:
                    file.seek(self._seen)
                    piece = file.read(_PIECE)
                    if token in piece:
                        return True
                    # What is behind is never read again; a token may straddle two reads.
                    self._seen += max(0, len(piece) - len(token))
                    if len(piece) < _PIECE:
                        return False
        except FileNotFoundError:
            if self._there:
                raise RuntimeError("the capture's file is gone") from None
            return False


def _packet_socket() -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.bind(("lo", 0))
    return packets
