"""What the agent does for each request of the protocol, with the instruments that it holds."""

from __future__ import annotations

import base64
import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from . import output, protocol
from .capture import Capture
from .diag import LISTEN
from .event_writer import EventWriter
from .exits import signal_that_ended, status_of_ended
from .files import Reading
from .inputs import Inputs
from .link_proxy import LinkProxy, cable_end
from .losses import Losses
from .namespaces import Hosts, require_own_networks
from .peers import Peers
from .process_monitor import ProcessMonitor
from .processes import began, status_of
from .sampler import Sampler
from .situation import Measured, Situation, measured
from .waiting import Condition, Process, Waiting, now_and_then
from .wiring import trunk, wire

_CAPTURES = "/var/lib/tcp-lab"
_CHUNK = 1 << 18
"""Bytes of a file that one answer holds."""

_REAPING_SECONDS = 0.05
"""How long a program may take to wait for a child that has ended, before it counts as a zombie."""


class Handlers:
    """A method ``do_NAME`` for each request of the protocol, where it is explained.

    It returns the answer, or what to wait for before the answer is given: a condition that is tried again and
    again, or a process.
    """

    def __init__(self, sources: selectors.BaseSelector, waiting: Waiting, event_writer: EventWriter) -> None:
        self._sources = sources
        self._waiting = waiting
        self._event_writer = event_writer
        self.hosts = Hosts()
        self.losses = Losses()
        self.sampler = Sampler(self._tell_sockets, self.losses)
        self.process_monitor = ProcessMonitor(self._tell, self.losses)
        self.captures: dict[str, Capture] = {}
        self.staying: set[str] = set()
        """The captures that go on in a lab that is kept."""
        self.kept = False
        self._peers = Peers(self._tell)
        self._inputs = Inputs()
        self._proxies: dict[str, list[LinkProxy]] = {}
        self._processes: dict[str, int] = {}
        """The first process of each host."""
        self._measured = Measured()
        self._reading: Reading | None = None
        """The file that was read last, or is being read."""
        sources.register(self.process_monitor.exits, selectors.EVENT_READ, self._hear_exits)
        sources.register(self._peers, selectors.EVENT_READ, self._peers.see_to)

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
        if asked.keep_input:
            self._inputs.keep(asked.pid)
        return protocol.Origin(made=made, output=output.of(asked.pid))

    def do_end_input(self, asked: protocol.EndInput) -> None:
        self._inputs.end(asked.pid)

    def do_output_held(self, asked: protocol.OutputHeld) -> protocol.OutputState:
        held = output.is_held(asked.host, asked.pid, asked.output)
        return protocol.OutputState(alive=output.lives(asked.pid), held=held)

    def do_keep(self, _: protocol.Keep) -> None:
        self.kept = True

    def do_own(self, asked: protocol.Own) -> None:
        self.hosts.own(asked.pid)

    def do_wire(self, asked: protocol.Wire) -> Mapping[str, int]:
        indices = wire(asked.bridges, asked.hosts, asked.names)
        for host in asked.hosts:
            self._processes[host.name] = host.pid
            if host.proxied:
                ends = [(cable_end(leg.port), cable_end(trunk(leg.port)[1])) for leg in host.legs]
                proxies = self._proxies[host.name] = [
                    LinkProxy(host.name, *both, self._tell) for both in ends
                ]
                for proxy in proxies:
                    for end, forward in ((proxy.port, proxy.outward), (proxy.trunk, proxy.inward)):
                        passing = partial(self._forward, host.name, forward)
                        self._sources.register(end, selectors.EVENT_READ, passing)
        return indices

    def do_hold(self, asked: protocol.Hold) -> None:
        for proxy in self._proxies[asked.host]:
            proxy.hold(asked.segment, asked.peers, asked.step)

    def do_wait_held(self, asked: protocol.WaitHeld) -> Condition[bool]:
        return lambda: any(proxy.keeps(asked.segment) for proxy in self._proxies.get(asked.host, ()))

    def do_release(self, asked: protocol.Release) -> int:
        return sum(proxy.release(asked.segment) for proxy in self._proxies.get(asked.host, ()))

    def do_begin_capture(self, asked: protocol.BeginCapture) -> None:
        # Not on a network that is not ours: a capture sends frames of its own there.
        require_own_networks([])
        os.makedirs(_CAPTURES, exist_ok=True)
        path = f"{_CAPTURES}/{asked.capture}.pcap"
        capture = Capture(path, asked.limit, asked.snaplen, asked.pid)
        self.captures[asked.capture] = capture
        if asked.stays:
            self.staying.add(asked.capture)
        capture.wait_ready()

    def do_end_capture(self, asked: protocol.EndCapture) -> protocol.CaptureEnd:
        return self.captures[asked.capture].stop()

    def do_read_capture(self, asked: protocol.ReadCapture) -> str:
        with open(self.captures[asked.capture].path, "rb") as file:
            file.seek(asked.offset)
            return base64.b64encode(file.read(_CHUNK)).decode()

    def do_begin_sampling(self, asked: protocol.BeginSampling) -> None:
        self.process_monitor.start(asked.hosts)
        self.sampler.start(asked.hosts, asked.interval)

    def do_end_sampling(self, _: protocol.EndSampling) -> protocol.SamplingEnd:
        ended = self.sampler.stop()
        self.process_monitor.stop()
        return ended

    def do_look(self, _: protocol.Look) -> Condition[bool]:
        enough = time.monotonic() + _REAPING_SECONDS
        return now_and_then(lambda: self.process_monitor.is_clean() or time.monotonic() > enough)

    def do_glance(self, asked: protocol.Glance) -> None:
        self.process_monitor.glance(asked.host)

    def do_look_around(self, asked: protocol.LookAround) -> Condition[Sequence[protocol.HostSituation]]:
        return Situation(self.process_monitor.processes, self.sampler, asked.window, self._measured).seen

    def do_measure(self, _: protocol.Measure) -> None:
        self._measured = measured(self.process_monitor.processes)

    def do_wait_asleep(self, asked: protocol.WaitAsleep) -> Condition[bool]:
        return now_and_then(lambda: self.process_monitor.sleeps(asked.host, asked.pid, asked.call))

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
            held = frozenset[int]().union(*self.process_monitor.of_start(host, asked.mark).values())
            bound = self.sampler.datagrams(host) if asked.udp else ()
            return wanted <= {row[2] for row in self.sampler.now_in(host, listening) if row[7] in held} and {
                *asked.udp
            } <= {row.port for row in bound if row.inode in held}

        looked = now_and_then(by_this_start)

        def met() -> bool:
            listeners = self.sampler.now_in(host, listening)
            return wanted <= {row[2] for row in listeners} and looked() and bool(self.sampler.look(host))

        return met

    def do_wait_bound(self, asked: protocol.WaitBound) -> Condition[bool]:
        return now_and_then(lambda: any(row.port == asked.port for row in self.sampler.datagrams(asked.host)))

    def do_wait_left(self, asked: protocol.WaitLeft) -> Condition[bool]:
        return now_and_then(lambda: not self.process_monitor.of_start(asked.host, asked.mark))

    def do_wait_exit(self, asked: protocol.WaitExit) -> Process[protocol.Exit] | None:
        self.process_monitor.begun(asked.pid)
        try:
            program = self.process_monitor.processes.ends_as(asked.pid)
            pidfd = os.pidfd_open(program)
        except OSError:
            self._inputs.end(asked.pid)
            return None
        above = _between(asked.pid, program)

        def ended() -> protocol.Exit:
            self._inputs.end(asked.pid)
            return _ended_below(above, pidfd, program)

        return Process(pidfd, ended)

    def do_wait_killed(self, asked: protocol.WaitKilled) -> Process[int] | int:
        try:
            pidfd = os.pidfd_open(asked.pid)
        except ProcessLookupError:
            return 0
        return Process(pidfd, partial(signal_that_ended, pidfd, asked.pid))

    def do_connect_peers(self, asked: protocol.ConnectPeers) -> Condition[protocol.Opened]:
        return self._peers.connect(self._processes[asked.host], asked)

    def do_listen_peer(self, asked: protocol.ListenPeer) -> protocol.Opened:
        return self._peers.listen(self._processes[asked.host], asked)

    def do_accept_peer(self, asked: protocol.AcceptPeer) -> Condition[protocol.Accepted]:
        return self._peers.accept(asked)

    def do_say_peers(self, asked: protocol.SayPeers) -> protocol.Unsent | None:
        return self._peers.say(asked.host, asked.names, base64.b64decode(asked.data))

    def do_end_peers(self, asked: protocol.EndPeers) -> None:
        self._peers.end(asked.host, asked.names, asked.how)

    def do_read_file(self, asked: protocol.ReadFile) -> Condition[protocol.FileFound]:
        first = self._processes[asked.host]
        self._reading = Reading(
            lambda: self.hosts.root(first), first, asked.path, wait=asked.wait, wanted=asked.wanted,
            busy=lambda: self.process_monitor.runs_any(asked.host),
        )  # fmt: skip
        return self._reading

    def do_read_piece(self, asked: protocol.ReadPiece) -> str:
        content = self._reading.content if self._reading else b""
        return base64.b64encode(content[asked.offset : asked.offset + _CHUNK]).decode()

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
        self._waiting.cancel(asked.request)

    def _program(self, pid: int) -> int:
        """The program that the engine started as this process; 0 if it has ended."""
        try:
            return self.process_monitor.program(pid) if pid else 0
        except OSError:
            return 0

    def _hear_exits(self) -> None:
        with self.losses.noted("ends", ""):
            self.process_monitor.exits.hear()

    def _tell(self, event: protocol.Event) -> None:
        self._event_writer.say(protocol.tell(event))

    def _tell_sockets(self, event: protocol.SocketsChanged | protocol.DatagramSocketsChanged) -> None:
        self._event_writer.say_soon(protocol.tell(event))
        if isinstance(event, protocol.SocketsChanged):
            self.process_monitor.stir(event.host)

    def _forward(self, host: str, forward: Callable[[], None]) -> None:
        with self.losses.noted("hold", host):
            forward()
        # What was passed on may have made a state that the next frame ends: try before, if that costs little.
        self._waiting.shorten_rests()


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
