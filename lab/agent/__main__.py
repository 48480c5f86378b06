"""The agent's loop: requests in, answers and events out."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from . import output
from .capture import Capture
from .diag import LISTEN, Row
from .exits import signal_that_ended, status_of_ended
from .lane import Lane, cable_end
from .lookout import Lookout
from .losses import Losses, describe
from .namespaces import Hosts, require_own_networks
from .outbox import Outbox
from .processes import began, status_of
from .sampler import Sampler
from .situation import Situation
from .wiring import trunk, wire

_CAPTURES = "/var/lib/tcp-lab"
_CHUNK = 1 << 18
_INPUT = 0
_POLL = 0.001
"""Seconds between two looks while somebody waits for a condition."""

_LOOK_SECONDS = 0.005
"""Between two looks at the processes while somebody waits for one to sleep or to be waited for."""

_REAPING_SECONDS = 0.05
"""How long a program may take to wait for a child that has ended, before it counts as a zombie."""

_LEASE_SECONDS = 600.0
"""How long it lives where neither the engine nor the CLI says it."""

_LONGEST_REQUEST = 1 << 24

_DUTY = 10
"""To try a condition is followed by so many times its own length of rest."""

_LITTLE = 0.01
"""Seconds of such a rest that are left out when frames were passed on."""

Condition = Callable[[], Any]
"""Tried until it gives something: True, which is answered with the time, or the answer."""


class Process(NamedTuple):
    """A process that is waited for, by its pidfd(2), which becomes readable when it ends."""

    pidfd: int
    answer: Callable[[], Any]
    """Called then: what is answered."""


class Agent:
    """What the agent holds, and a method ``do_OP`` for each request.

    It returns the answer, or what to wait for before the answer is given: a condition that is tried again and
    again, or a process.
    """

    def __init__(self) -> None:
        self.hosts = Hosts()
        self.outbox = Outbox()
        self.losses = Losses()
        self.sampler = Sampler(self._tell_sockets, self.losses)
        self.lookout = Lookout(self.outbox.say, self.losses)
        self.lanes: dict[str, list[Lane]] = {}
        self.captures: dict[str, Capture] = {}
        self.conditions: dict[int, Condition] = {}
        self._again: dict[int, float] = {}
        """When to try a condition again (time.monotonic): one that costs much keeps nobody else waiting."""
        self.exits: dict[int, int] = {}
        """The pidfd of the process that each request waits for."""
        self.kept = False
        self._input, self._open = b"", True
        self._sources = selectors.DefaultSelector()
        """What to wait for, each with the function that sees to it. It takes descriptors of any number."""
        self._sources.register(_INPUT, selectors.EVENT_READ, self._read_requests)
        self._sources.register(self.lookout.exits, selectors.EVENT_READ, self._hear_exits)
        self._attentive = False

    def do_hello(self, lease: float) -> dict[str, Any]:
        """Who and what the agent is; it ends, with the hosts, after ``lease`` seconds."""
        signal.setitimer(signal.ITIMER_REAL, lease)
        return {"clock": time.time_ns(), "kernel": os.uname().release, "python": sys.version.split()[0]}

    def do_ping(self) -> None:
        """Say that the agent is at work."""

    def do_started(self, pid: int) -> dict[str, Any]:
        """When the kernel made a process (``made``, ns since the epoch), and where its output goes.

        ``made`` is None if the process is gone. ``output`` is what ``output_held`` takes as ``ends``.
        """
        try:
            made = began(pid)
        except OSError:
            made = None
        return {"made": made, "output": output.of(pid)}

    def do_output_held(self, pid: int, host: int, ends: list[list[int]]) -> dict[str, bool]:
        """Whether a program lives, and whether any process of its host can still write to its output.

        ``host`` is the first process of the host.
        """
        return {"alive": output.lives(pid), "held": bool(output.holders(host, ends))}

    def do_keep(self) -> None:
        """Outlive the CLI, until the lease ends."""
        self.kept = True

    def do_own(self, pid: int) -> None:
        """A host container has this first process."""
        self.hosts.own(pid)

    def do_wire(
        self, networks: list[dict[str, Any]], hosts: list[dict[str, Any]], names: str
    ) -> dict[str, int]:
        """Make all bridges and cables; ``names`` is every host's /etc/hosts."""
        indices = wire(networks, hosts, names)
        for host in hosts:
            if host["lane"]:
                tell = partial(self._tell_of, host["name"])
                lanes = [Lane(cable_end(port), cable_end(trunk(port)[1]), tell) for port in _ports(host)]
                self.lanes[host["name"]] = lanes
                for lane in lanes:
                    for end, forward in ((lane.port, lane.outward), (lane.trunk, lane.inward)):
                        passing = partial(self._forward, host["name"], forward)
                        self._sources.register(end, selectors.EVENT_READ, passing)
        return indices

    def do_hold(self, host: str, segment: str, peers: list[str], step: str) -> None:
        """Keep back segments of a kind that a host sends, as a step says; told as events."""
        for lane in self.lanes[host]:
            lane.hold(segment, peers, step)

    def do_wait_held(self, host: str, segment: str) -> Condition:
        """Answered when a segment of a kind is kept back of a host."""
        return lambda: any(lane.keeps(segment) for lane in self.lanes.get(host, ()))

    def do_release(self, host: str, segment: str) -> int:
        """Send on what was kept back of a host, of a kind or all; how many frames."""
        return sum(lane.release(segment) for lane in self.lanes.get(host, ()))

    def do_capture(self, name: str, limit: int, pid: int | None = None) -> None:
        """Start a capture, of the switch or of the loopback of a host; it is ready when this is answered.

        Not on a network that is not ours: a capture sends frames of its own there.
        """
        require_own_networks([])
        os.makedirs(_CAPTURES, exist_ok=True)
        self.captures[name] = Capture(f"{_CAPTURES}/{name}.pcap", limit, pid)
        self.captures[name].wait_ready()

    def do_end_capture(self, name: str) -> dict[str, Any]:
        """Prove a capture complete and end it."""
        return self.captures[name].stop()

    def do_read_capture(self, name: str, offset: int) -> str:
        """A piece of a capture's file, in base64; empty at its end, which may move on."""
        with open(self.captures[name].path, "rb") as file:
            file.seek(offset)
            return base64.b64encode(file.read(_CHUNK)).decode()

    def do_sample(self, hosts: dict[str, int], interval: float) -> None:
        """Begin to look at the sockets and the processes of these hosts."""
        self.lookout.start(hosts)
        self.sampler.start(hosts, interval)

    def do_end_sample(self) -> dict[str, Any]:
        """Stop looking; how well it was done, and what was lost."""
        told = self.sampler.stop()
        self.lookout.stop()
        return {**told, "lost": self.losses.told()}

    def do_look(self) -> Condition:
        """Look at the processes; answered when all that have ended were waited for, or had time enough."""
        enough = time.monotonic() + _REAPING_SECONDS
        return _now_and_then(lambda: self.lookout.is_clean() or time.monotonic() > enough)

    def do_glance(self, host: str) -> None:
        """Look at the processes of a host once: a program there is about to be given input."""
        self.lookout.glance(host)

    def do_situation(self, window: float) -> Condition:
        """Answered with what every program of every host is doing, looked at for so many seconds."""
        return Situation(self.lookout.processes, self.sampler, window).seen

    def do_wait_asleep(self, host: str, pid: int, call: str) -> Condition:
        """Answered when a program of the host, or one of any if ``pid`` is 0, sleeps in a call."""
        return _now_and_then(lambda: self.lookout.sleeps(host, pid, call))

    def do_signal(self, pid: int, name: str) -> bool:
        """Send a signal to a program of a host; False if it has ended."""
        program = self._program(pid)
        return program != 0 and self.hosts.signal(program, signal.Signals[name])

    def do_wait_socket(self, host: str, states: list[int], port: int, peers: list[str]) -> Condition:
        """Answered when a socket of the host is in one of the states, at this port (0: any), with a peer."""
        wanted = frozenset(states)

        def among(rows: Iterable[Row]) -> bool:
            return any(
                row[0] in wanted and (not port or port in (row[2], row[4])) and (not peers or row[3] in peers)
                for row in rows
            )

        def met() -> bool:
            return among(self.sampler.now_in(host, wanted)) and among(self.sampler.look(host))

        return met

    def do_wait_ready(self, host: str, mark: int, ports: list[int]) -> Condition:
        """Answered when the processes of one start hold a socket in LISTEN on each of the ports."""
        wanted, listening = {*ports}, frozenset({LISTEN})

        def by_this_start() -> bool:
            held = frozenset[int]().union(*self.lookout.of_start(host, mark).values())
            return wanted <= {row[2] for row in self.sampler.now_in(host, listening) if row[7] in held}

        looked = _now_and_then(by_this_start)

        def met() -> bool:
            listeners = self.sampler.now_in(host, listening)
            return wanted <= {row[2] for row in listeners} and looked() and bool(self.sampler.look(host))

        return met

    def do_wait_left(self, host: str, mark: int) -> Condition:
        """Answered when no process of one start is left."""
        return _now_and_then(lambda: not self.lookout.of_start(host, mark))

    def do_wait_exit(self, pid: int) -> Process | None:
        """Answered when a program has ended: when, and how, if that is known; at once if there is none."""
        self.lookout.begun(pid)
        try:
            program = self.lookout.processes.ends_as(pid)
            pidfd = os.pidfd_open(program)
        except OSError:
            return None
        return Process(pidfd, partial(_ended_below, _between(pid, program), pidfd, program))

    def do_wait_killed(self, pid: int) -> Process | int:
        """Answered when the first process of a host has ended: by which signal, 0 if none is known."""
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return 0
        return Process(pidfd, partial(signal_that_ended, pidfd, pid))

    def _program(self, pid: int) -> int:
        """The program that the engine started as this process; 0 if it has ended."""
        try:
            return self.lookout.program(pid) if pid else 0
        except OSError:
            return 0

    def do_settle(self, quiet: float) -> Condition:
        """Answered when no socket has been in a passing state for so many seconds."""
        since = time.monotonic()
        self.sampler.look_everywhere()

        def met() -> bool:
            nonlocal since
            if not self.sampler.settled():
                since = time.monotonic()
            return time.monotonic() - since >= quiet

        return met

    def do_cancel(self, request: int) -> None:
        """Nobody waits for this condition, or for the end of this process, any more."""
        self._forget_condition(request)
        if request in self.exits:
            self._forget_exit(request)

    def _tell_of(self, host: str, event: dict[str, Any]) -> None:
        self.outbox.say({**event, "host": host})

    def _hear_exits(self) -> None:
        with self.losses.noted("ends", ""):
            self.lookout.exits.hear()

    def _tell_sockets(self, event: dict[str, Any]) -> None:
        self.outbox.say_soon(event)
        self.lookout.stir(event["host"])

    # --- the loop ------------------------------------------------------------------------------

    def serve(self) -> None:
        """Answer requests until the input ends; if the lab is kept, then until the lease ends."""
        while self._open:
            self._attend()
            self._tick()
        for capture in self.captures.values():
            capture.abandon()
        self._sources.unregister(_INPUT)
        self._heed(attentive=False)
        while self.kept:
            self._see_to(None)

    def _attend(self) -> None:
        """Wait for whatever comes next and see to it."""
        patience = self._patience()
        self._heed(attentive=self.sampler.attentive)  # asked after the patience: it may become so any moment
        self._see_to(patience)

    def _see_to(self, patience: float | None) -> None:
        for key, _ in self._sources.select(patience):
            key.data()

    def _heed(self, *, attentive: bool) -> None:
        """Wake up for what happens at the hosts, or not."""
        if attentive and not self._attentive:
            self._sources.register(self.sampler, selectors.EVENT_READ, self.sampler.wake)
        elif self._attentive and not attentive:
            self._sources.unregister(self.sampler)
        self._attentive = attentive

    def _read_requests(self) -> None:
        """Take what has come in and answer each whole line; the end of the input is the end of all."""
        chunk = os.read(_INPUT, 1 << 16)
        *lines, self._input = (self._input + chunk).split(b"\n")
        for line in lines:
            self._answer(json.loads(line))
        self._open = bool(chunk) and len(self._input) <= _LONGEST_REQUEST

    def _forward(self, host: str, forward: Callable[[], None]) -> None:
        with self.losses.noted("hold", host):
            forward()
        # What was passed on may have made a state that the next frame ends: try before, if that costs little.
        soon = time.monotonic() + _LITTLE
        self._again = {request: at for request, at in self._again.items() if at > soon}

    def _patience(self) -> float | None:
        """Seconds until something has to be looked at; None if nothing has."""
        if self.conditions:
            return _POLL
        due = min(self.sampler.due, self.lookout.due, self.outbox.due)
        return max(0.0, due - time.monotonic()) if due < float("inf") else None

    def _tick(self) -> None:
        now = time.monotonic()
        if self.sampler.due <= now:
            self.sampler.look_where_due()
        for capture in self.captures.values():
            with self.losses.noted("capture", ""):
                capture.count()
        if self.lookout.due <= time.monotonic():
            self.lookout.look_where_due()
        if self.outbox.due <= time.monotonic():
            self.outbox.write()
        for request, condition in list(self.conditions.items()):
            self._try(request, condition)

    def _try(self, request: int, condition: Condition) -> None:
        if time.monotonic() < self._again.get(request, 0.0):
            return
        spent = time.thread_time()
        try:
            if not (met := condition()):
                self._again[request] = time.monotonic() + _DUTY * (time.thread_time() - spent) - _POLL
                return
            answer: dict[str, Any] = {"id": request, "ok": time.time_ns() if met is True else met}
        except Exception as error:  # noqa: BLE001 - whatever it is, the CLI has to hear of it
            answer = {"id": request, "error": describe(error)}
        self._forget_condition(request)
        self.outbox.say(answer)

    def _forget_condition(self, request: int) -> None:
        self.conditions.pop(request, None)
        self._again.pop(request, None)

    def _await_exit(self, request: int, process: Process) -> None:
        self.exits[request] = process.pidfd
        ended = partial(self._ended, request, process.answer)
        self._sources.register(process.pidfd, selectors.EVENT_READ, ended)

    def _ended(self, request: int, answer: Callable[[], Any]) -> None:
        """The process that a request waits for has ended."""
        told = answer()
        self._forget_exit(request)
        self.outbox.say({"id": request, "ok": told})

    def _forget_exit(self, request: int) -> None:
        pidfd = self.exits.pop(request)
        self._sources.unregister(pidfd)
        os.close(pidfd)

    def _answer(self, request: dict[str, Any]) -> None:
        number, operation = request.pop("id"), request.pop("op")
        try:
            answer = getattr(self, f"do_{operation}")(**request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the CLI has to hear of it
            self.outbox.say({"id": number, "error": describe(error)})
            return
        if isinstance(answer, Process):
            self._await_exit(number, answer)
        elif callable(answer):
            self.conditions[number] = answer
        else:
            self.outbox.say({"id": number, "ok": answer})


def _ports(host: dict[str, Any]) -> Iterable[str]:
    """The ends in the sidecar of a host's cables."""
    return (leg["port"] for leg in host["legs"])


def _now_and_then(condition: Condition) -> Condition:
    """The same condition, not tried as often: it is dear."""
    due = 0.0

    def met() -> Any:
        nonlocal due
        if time.monotonic() < due:
            return False
        due = time.monotonic() + _LOOK_SECONDS
        return condition()

    return met


def _between(first: int, program: int) -> dict[int, int]:
    """The processes from which the engine hears how a program ends, each with when it was made."""
    above: dict[int, int] = {}
    with contextlib.suppress(OSError):
        if first != program:
            for pid in (status_of(program).parent, first):
                above[pid] = status_of(pid).began
    return above


def _ended_below(above: dict[int, int], pidfd: int, program: int) -> dict[str, int | None]:
    """When a program has ended (ns), which is now, and how.

    A program can stop what waits for it, and keep its end from the engine by that.
    """
    told = {"at": time.time_ns(), "status": status_of_ended(pidfd, program)}
    for pid, made in above.items():
        with contextlib.suppress(OSError):
            if status_of(pid).began == made:
                os.kill(pid, signal.SIGCONT)
    return told


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
        agent.hosts.kill()


if __name__ == "__main__":
    main()
