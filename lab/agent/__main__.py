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
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from . import output, protocol
from .capture import Capture
from .diag import LISTEN
from .exits import signal_that_ended, status_of_ended
from .lane import Lane, cable_end
from .lookout import Lookout
from .losses import Losses, describe
from .namespaces import Hosts, require_own_networks
from .outbox import Outbox
from .peers import Peers
from .processes import began, status_of
from .sampler import Sampler
from .situation import Measured, Situation, measured
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

A = TypeVar("A")

Condition = Callable[[], A | None]
"""Tried until it gives something that is true: the answer."""


class Process(NamedTuple, Generic[A]):
    """A process that is waited for, by its pidfd(2), which becomes readable when it ends."""

    pidfd: int
    answer: Callable[[], A]
    """Called then: what is answered."""


class Agent:
    """What the agent holds, and a method ``do_NAME`` for each request of the protocol, where it is explained.

    It returns the answer, or what to wait for before the answer is given: a condition that is tried again and
    again, or a process.
    """

    def __init__(self) -> None:
        self.hosts = Hosts()
        self.outbox = Outbox()
        self.losses = Losses()
        self.sampler = Sampler(self._tell_sockets, self.losses)
        self.lookout = Lookout(self._tell, self.losses)
        self.lanes: dict[str, list[Lane]] = {}
        self.captures: dict[str, Capture] = {}
        self.peers = Peers(self._tell)
        self._measured = Measured()
        self._processes: dict[str, int] = {}
        """The first process of each host."""
        self.conditions: dict[int, Condition[Any]] = {}
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
        self._sources.register(self.peers, selectors.EVENT_READ, self.peers.see_to)
        self._attentive = False

    def do_hello(self, asked: protocol.Hello) -> protocol.Greeting:
        signal.setitimer(signal.ITIMER_REAL, asked.lease)
        return protocol.Greeting(
            clock=time.time_ns(), kernel=os.uname().release, python=sys.version.split()[0]
        )

    def do_ping(self, _: protocol.Ping) -> None: ...

    def do_started(self, asked: protocol.Started) -> protocol.Origin:
        try:
            made = began(asked.pid)
        except OSError:
            made = None
        return protocol.Origin(made=made, output=output.of(asked.pid))

    def do_output_held(self, asked: protocol.OutputHeld) -> protocol.OutputState:
        held = bool(output.holders(asked.host, asked.output))
        return protocol.OutputState(alive=output.lives(asked.pid), held=held)

    def do_keep(self, _: protocol.Keep) -> None:
        self.kept = True

    def do_own(self, asked: protocol.Own) -> None:
        self.hosts.own(asked.pid)

    def do_wire(self, asked: protocol.Wire) -> Mapping[str, int]:
        indices = wire(asked.bridges, asked.hosts, asked.names)
        for host in asked.hosts:
            self._processes[host.name] = host.pid
            if host.lane:
                ends = [(cable_end(leg.port), cable_end(trunk(leg.port)[1])) for leg in host.legs]
                lanes = self.lanes[host.name] = [Lane(host.name, *both, self._tell) for both in ends]
                for lane in lanes:
                    for end, forward in ((lane.port, lane.outward), (lane.trunk, lane.inward)):
                        passing = partial(self._forward, host.name, forward)
                        self._sources.register(end, selectors.EVENT_READ, passing)
        return indices

    def do_hold(self, asked: protocol.Hold) -> None:
        for lane in self.lanes[asked.host]:
            lane.hold(asked.segment, asked.peers, asked.step)

    def do_wait_held(self, asked: protocol.WaitHeld) -> Condition[bool]:
        return lambda: any(lane.keeps(asked.segment) for lane in self.lanes.get(asked.host, ()))

    def do_release(self, asked: protocol.Release) -> int:
        return sum(lane.release(asked.segment) for lane in self.lanes.get(asked.host, ()))

    def do_begin_capture(self, asked: protocol.BeginCapture) -> None:
        # Not on a network that is not ours: a capture sends frames of its own there.
        require_own_networks([])
        os.makedirs(_CAPTURES, exist_ok=True)
        path = f"{_CAPTURES}/{asked.capture}.pcap"
        capture = Capture(path, asked.limit, asked.snaplen, asked.pid)
        self.captures[asked.capture] = capture
        capture.wait_ready()

    def do_end_capture(self, asked: protocol.EndCapture) -> protocol.CaptureEnd:
        return self.captures[asked.capture].stop()

    def do_read_capture(self, asked: protocol.ReadCapture) -> str:
        with open(self.captures[asked.capture].path, "rb") as file:
            file.seek(asked.offset)
            return base64.b64encode(file.read(_CHUNK)).decode()

    def do_begin_sampling(self, asked: protocol.BeginSampling) -> None:
        self.lookout.start(asked.hosts)
        self.sampler.start(asked.hosts, asked.interval)

    def do_end_sampling(self, _: protocol.EndSampling) -> protocol.SamplingEnd:
        ended = self.sampler.stop()
        self.lookout.stop()
        return ended

    def do_look(self, _: protocol.Look) -> Condition[bool]:
        enough = time.monotonic() + _REAPING_SECONDS
        return _now_and_then(lambda: self.lookout.is_clean() or time.monotonic() > enough)

    def do_glance(self, asked: protocol.Glance) -> None:
        self.lookout.glance(asked.host)

    def do_look_around(self, asked: protocol.LookAround) -> Condition[Sequence[protocol.HostSituation]]:
        return Situation(self.lookout.processes, self.sampler, asked.window, self._measured).seen

    def do_measure(self, _: protocol.Measure) -> None:
        self._measured = measured(self.lookout.processes)

    def do_wait_asleep(self, asked: protocol.WaitAsleep) -> Condition[bool]:
        return _now_and_then(lambda: self.lookout.sleeps(asked.host, asked.pid, asked.call))

    def do_signal(self, asked: protocol.Signal) -> bool:
        program = self._program(asked.pid)
        return program != 0 and self.hosts.signal(program, signal.Signals[asked.signal])

    def do_wait_socket(self, asked: protocol.WaitSocket) -> Condition[bool]:
        wanted = frozenset(asked.states)

        def among(rows: Iterable[protocol.SocketRow]) -> bool:
            return any(
                row[0] in wanted
                and (not asked.port or asked.port in (row[2], row[4]))
                and (not asked.peers or row[3] in asked.peers)
                for row in rows
            )

        def met() -> bool:
            return among(self.sampler.now_in(asked.host, wanted)) and among(self.sampler.look(asked.host))

        return met

    def do_wait_ready(self, asked: protocol.WaitReady) -> Condition[bool]:
        host, wanted, listening = asked.host, {*asked.tcp}, frozenset({LISTEN})

        def by_this_start() -> bool:
            held = frozenset[int]().union(*self.lookout.of_start(host, asked.mark).values())
            bound = self.sampler.datagrams(host) if asked.udp else ()
            return wanted <= {row[2] for row in self.sampler.now_in(host, listening) if row[7] in held} and {
                *asked.udp
            } <= {row[2] for row in bound if row[7] in held}

        looked = _now_and_then(by_this_start)

        def met() -> bool:
            listeners = self.sampler.now_in(host, listening)
            return wanted <= {row[2] for row in listeners} and looked() and bool(self.sampler.look(host))

        return met

    def do_wait_bound(self, asked: protocol.WaitBound) -> Condition[bool]:
        return _now_and_then(lambda: any(row[2] == asked.port for row in self.sampler.datagrams(asked.host)))

    def do_wait_left(self, asked: protocol.WaitLeft) -> Condition[bool]:
        return _now_and_then(lambda: not self.lookout.of_start(asked.host, asked.mark))

    def do_wait_exit(self, asked: protocol.WaitExit) -> Process[protocol.Exit] | None:
        self.lookout.begun(asked.pid)
        try:
            program = self.lookout.processes.ends_as(asked.pid)
            pidfd = os.pidfd_open(program)
        except OSError:
            return None
        return Process(pidfd, partial(_ended_below, _between(asked.pid, program), pidfd, program))

    def do_wait_killed(self, asked: protocol.WaitKilled) -> Process[int] | int:
        try:
            pidfd = os.pidfd_open(asked.pid)
        except ProcessLookupError:
            return 0
        return Process(pidfd, partial(signal_that_ended, pidfd, asked.pid))

    def do_connect_peers(self, asked: protocol.ConnectPeers) -> Condition[protocol.Opened]:
        return self.peers.connect(self._processes[asked.host], asked)

    def do_listen_peer(self, asked: protocol.ListenPeer) -> protocol.Opened:
        return self.peers.listen(self._processes[asked.host], asked)

    def do_accept_peer(self, asked: protocol.AcceptPeer) -> Condition[protocol.Accepted]:
        return self.peers.accept(asked)

    def do_say_peers(self, asked: protocol.SayPeers) -> str:
        return self.peers.say(asked.host, asked.names, base64.b64decode(asked.data))

    def do_end_peers(self, asked: protocol.EndPeers) -> None:
        self.peers.end(asked.host, asked.names, asked.how)

    def do_settle(self, asked: protocol.Settle) -> Condition[bool]:
        since = time.monotonic()
        self.sampler.look_everywhere()

        def met() -> bool:
            nonlocal since
            if not self.sampler.settled():
                since = time.monotonic()
            return time.monotonic() - since >= asked.quiet

        return met

    def do_cancel(self, asked: protocol.Cancel) -> None:
        self._forget_condition(asked.request)
        if asked.request in self.exits:
            self._forget_exit(asked.request)

    def _program(self, pid: int) -> int:
        """The program that the engine started as this process; 0 if it has ended."""
        try:
            return self.lookout.program(pid) if pid else 0
        except OSError:
            return 0

    def _hear_exits(self) -> None:
        with self.losses.noted("ends", ""):
            self.lookout.exits.hear()

    def _tell(self, event: protocol.Event) -> None:
        self.outbox.say(protocol.tell(event))

    def _tell_sockets(self, event: protocol.SocketsChanged) -> None:
        self.outbox.say_soon(protocol.tell(event))
        self.lookout.stir(event.host)

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
            self._answer(line)
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

    def _try(self, request: int, condition: Condition[Any]) -> None:
        if time.monotonic() < self._again.get(request, 0.0):
            return
        spent = time.thread_time()
        try:
            if not (met := condition()):
                self._again[request] = time.monotonic() + _DUTY * (time.thread_time() - spent) - _POLL
                return
            line = protocol.answer(request, met)
        except Exception as error:  # noqa: BLE001 - whatever it is, the CLI has to hear of it
            line = protocol.refuse(request, describe(error))
        self._forget_condition(request)
        self.outbox.say(line)

    def _forget_condition(self, request: int) -> None:
        self.conditions.pop(request, None)
        self._again.pop(request, None)

    def _await_exit(self, request: int, process: Process[Any]) -> None:
        self.exits[request] = process.pidfd
        ended = partial(self._ended, request, process.answer)
        self._sources.register(process.pidfd, selectors.EVENT_READ, ended)

    def _ended(self, request: int, answer: Callable[[], Any]) -> None:
        """The process that a request waits for has ended."""
        told = answer()
        self._forget_exit(request)
        self.outbox.say(protocol.answer(request, told))

    def _forget_exit(self, request: int) -> None:
        pidfd = self.exits.pop(request)
        self._sources.unregister(pidfd)
        os.close(pidfd)

    def _answer(self, line: bytes) -> None:
        message = json.loads(line)
        number = message.pop("id")
        try:
            request = protocol.request_in(message)
            answer = getattr(self, f"do_{request.op}")(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the CLI has to hear of it
            self.outbox.say(protocol.refuse(number, describe(error)))
            return
        if isinstance(answer, Process):
            self._await_exit(number, answer)
        elif callable(answer):
            self.conditions[number] = answer
        else:
            self.outbox.say(protocol.answer(number, answer))


def _now_and_then(condition: Callable[[], bool]) -> Callable[[], bool]:
    """The same condition, not tried as often: it is dear."""
    due = 0.0

    def met() -> bool:
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


def _ended_below(above: dict[int, int], pidfd: int, program: int) -> protocol.Exit:
    """When a program has ended (ns), which is now, and how.

    A program can stop what waits for it, and keep its end from the engine by that.
    """
    told = protocol.Exit(at=time.time_ns(), status=status_of_ended(pidfd, program))
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
