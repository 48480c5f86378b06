"""The agent's loop: requests in, answers and events out."""

from __future__ import annotations

import gc
import json
import os
import resource
import selectors
import signal
import time

from . import protocol
from .event_writer import EventWriter
from .handlers import Handlers
from .losses import describe
from .waiting import POLL, Waiting

_INPUT = 0

_LEASE_SECONDS = 600.0
"""How long it lives where neither the engine nor the CLI says it."""

_LONGEST_REQUEST = 1 << 24


class Agent:
    """Reads requests, wakes up for whatever comes, and keeps the instruments going."""

    def __init__(self) -> None:
        self._sources = selectors.DefaultSelector()
        """What to wait for, each with the function that sees to it. It takes descriptors of any number."""
        self._event_writer = EventWriter()
        self._waiting = Waiting(self._sources, self._event_writer.say)
        self.handlers = Handlers(self._sources, self._waiting, self._event_writer)
        self._sources.register(_INPUT, selectors.EVENT_READ, self._read_requests)
        self._input, self._open = b"", True
        self._attentive = False

    def serve(self) -> None:
        """Answer requests until the input ends; if the lab is kept, then until the lease ends."""
        while self._open:
            self._attend()
            self._tick()
        for name, capture in self.handlers.captures.items():
            if not (self.handlers.kept and name in self.handlers.staying):
                capture.abandon()
        self._sources.unregister(_INPUT)
        self._heed(attentive=False)
        while self.handlers.kept:
            self._see_to(None)

    def _attend(self) -> None:
        """Wait for whatever comes next and see to it."""
        patience = self._patience()
        self._heed(
            attentive=self.handlers.sampler.attentive
        )  # asked after the patience: it may become so any moment
        self._see_to(patience)

    def _see_to(self, patience: float | None) -> None:
        for key, _ in self._sources.select(patience):
            key.data()

    def _heed(self, *, attentive: bool) -> None:
        """Wake up for what happens at the hosts, or not."""
        if attentive and not self._attentive:
            self._sources.register(self.handlers.sampler, selectors.EVENT_READ, self.handlers.sampler.wake)
        elif self._attentive and not attentive:
            self._sources.unregister(self.handlers.sampler)
        self._attentive = attentive

    def _read_requests(self) -> None:
        """Take what has come in and answer each whole line; the end of the input is the end of all."""
        chunk = os.read(_INPUT, 1 << 16)
        *lines, self._input = (self._input + chunk).split(b"\n")
        for line in lines:
            self._answer(line)
        self._open = bool(chunk) and len(self._input) <= _LONGEST_REQUEST

    def _patience(self) -> float | None:
        """Seconds until something has to be looked at; None if nothing has."""
        if self._waiting.has_conditions:
            return POLL
        due = min(self.handlers.sampler.due, self.handlers.process_monitor.due, self._event_writer.due)
        return max(0.0, due - time.monotonic()) if due < float("inf") else None

    def _tick(self) -> None:
        now = time.monotonic()
        if self.handlers.sampler.due <= now:
            self.handlers.sampler.look_where_due()
        for capture in self.handlers.captures.values():
            with self.handlers.losses.noted("capture", ""):
                capture.count()
        if self.handlers.process_monitor.due <= time.monotonic():
            self.handlers.process_monitor.look_where_due()
        if self._event_writer.due <= time.monotonic():
            self._event_writer.write()
        self._waiting.try_all()

    def _answer(self, line: bytes) -> None:
        message = json.loads(line)
        number = message.pop("id")
        try:
            request = protocol.request_in(message)
            answer = getattr(self.handlers, f"do_{request.op}")(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the CLI has to hear of it
            self._event_writer.say(protocol.refuse(number, describe(error)))
            return
        self._waiting.answer(number, answer)


def _end(*_: object) -> None:
    raise SystemExit


def _may_open_many() -> None:
    """Open as many descriptors as the engine allows at most: each host takes some."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Serve; whatever ends it, the hosts end with it. It has a lease before anybody speaks to it."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGALRM, _end)
    signal.setitimer(signal.ITIMER_REAL, float(os.environ.get("TCP_LAB_LEASE", _LEASE_SECONDS)))
    gc.set_threshold(50_000)
    _may_open_many()
    agent = Agent()
    try:
        agent.serve()
    finally:
        agent.handlers.hosts.kill()


if __name__ == "__main__":
    main()
