"""What each program was doing when the script broke off, from what the agent saw and the transcript."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from lab.checks.holders import children_of
from lab.checks.select import host_of
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.situation import Doing, Situation, Unread
from lab.evidence.sockets import SocketRow
from lab.evidence.transcript import ProgramRun
from lab.scenario.steps import RUN

_AWAKE = 50_000_000
"""ns of a processor that a thread uses without going to sleep before it counts as busy.

However long that takes: where the machine is busy the agent waits for it.
"""

_A_TENTH = 10
"""A process that ran at both looks and used or waited for a processor less than that is not called busy."""


class Ended(Struct, frozen=True):
    """It had ended, at that time, with this status as a shell counts."""

    at: int
    status: int


class Busy(Struct, frozen=True):
    """It ran all the time: it used so much of a processor, and waited for one so long (percent).

    ``awake`` says that one of its threads has used a processor for long, without going to sleep.
    """

    used: int
    waited: int
    awake: bool = False


class Stopped(Struct, frozen=True):
    """A signal has stopped it."""


class Running(Struct, frozen=True):
    """It is there; what it does is not known."""


class Wait(Struct, frozen=True):
    """A call that a thread sleeps in: on a socket of the ``protocol`` ("": on none), connected to a ``peer``.

    ``serves`` says that the peer's port is one that is listened on, so that it is told.
    """

    call: str
    protocol: str = ""
    state: TcpState | None = None
    port: int = 0
    peer: str = ""
    peer_port: int = 0
    serves: bool = False
    input: bool = False


class Asleep(Struct, frozen=True):
    """Its threads sleep in these calls."""

    waits: tuple[Wait, ...]


State = Ended | Busy | Stopped | Running | Asleep


class Member(Struct, frozen=True):
    """A process of a program: its id within the host, its name, what it does."""

    number: int
    name: str
    state: State


class ProgramState(Struct, frozen=True):
    """A program of the script, what it was doing, and the processes that it had started.

    ``queued`` are the hosts whose connections to its listeners waited to be accepted. ``own`` is everything
    that was seen of its processes.
    """

    run: ProgramRun
    state: State
    children: tuple[Member, ...]
    own: tuple[Doing, ...]

    @property
    def host(self) -> str:
        """Where it ran."""
        return self.run.started.host

    @property
    def name(self) -> str:
        """What it was started as."""
        return self.run.started.program

    @property
    def inodes(self) -> frozenset[int]:
        """The sockets that its processes hold."""
        return frozenset(inode for doing in self.own for inode in doing.row.sockets)

    @property
    def states(self) -> tuple[State, ...]:
        """Of all its processes that are there; of those that have ended only where no other is."""
        states = (self.state, *(child.state for child in self.children))
        return tuple(state for state in states if not isinstance(state, Ended)) or states


class Scene:
    """All programs when the script broke off (``at``), and the sockets of their hosts.

    What came later, as the steps of ``finally`` ended programs, is no part of it.
    """

    def __init__(self, evidence: Evidence, at: int) -> None:
        self.evidence = evidence
        self._at = at
        self.hosts: Mapping[str, Situation] = {
            event.host: event for event in evidence.situation if isinstance(event, Situation)
        }
        self.unread: Mapping[tuple[str, str], str] = {
            (event.host, event.program): event.text
            for event in evidence.situation
            if isinstance(event, Unread)
        }

    @cached_property
    def programs(self) -> tuple[ProgramState, ...]:
        """The last run of each program; a command that has ended is none of them."""
        last: dict[tuple[str, str], ProgramRun] = {}
        for run in map(self._as_it_was, self.evidence.transcript.runs()):
            if run.started.at <= self._at and (run.started.program != RUN or run.exited is None):
                last[run.started.host, run.started.program] = run
        return tuple(self._program(run) for run in last.values())

    def looked_at(self, host: str) -> int:
        """When it was seen what a host's programs did, or when the script broke off."""
        seen = self.hosts.get(host)
        return max(self._at, seen.at) if seen else self._at

    def _as_it_was(self, run: ProgramRun) -> ProgramRun:
        """A run without an end that came later."""
        later = run.exited is not None and run.exited.at > self.looked_at(run.started.host)
        return ProgramRun(run.started) if later else run

    def named(self, program: ProgramState) -> str:
        """``server``, or ``host.program`` where a host has several."""
        several = sum(other.host == program.host for other in self.programs) > 1
        return f"{program.host}.{program.name}" if several else program.host

    def holder_of(self, host: str, inode: int) -> ProgramState | None:
        """The program one of whose processes holds a socket."""
        return next((one for one in self.programs if one.host == host and inode in one.inodes), None)

    def listeners(self, host: str) -> Sequence[SocketRow]:
        """The sockets of a host in LISTEN."""
        seen = self.hosts.get(host)
        return [row for row in seen.tcp if row.state is TcpState.LISTEN] if seen else []

    def queued(self, host: str, listener: SocketRow) -> Sequence[SocketRow]:
        """The connections to a listener that nobody has accepted: no process holds them."""
        states = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT
        rows = self.hosts[host].tcp if host in self.hosts else ()
        return [
            row
            for row in rows
            if not row.inode and row.state in states and row.local_port == listener.local_port
        ]

    def peer(self, host: str, row: SocketRow) -> str:
        """The host at the other end of a connection, or its address."""
        return host_of(self.evidence, row.remote, host) or row.remote

    def _program(self, run: ProgramRun) -> ProgramState:
        seen = self.hosts.get(run.started.host)
        doing = {one.row.pid: one for one in seen.processes} if seen else {}
        if run.exited is not None:
            state: State = Ended(run.exited.at, run.exited.status)
        else:
            state = self._state(doing.get(run.started.pid), seen)
        family = self._family(run, doing)
        children = tuple(
            Member(one.row.number, one.row.name, self._state(one, seen))
            for one in family
            if one.row.pid != run.started.pid
        )
        return ProgramState(run, state, children, family)

    def _family(self, run: ProgramRun, doing: Mapping[int, Doing]) -> tuple[Doing, ...]:
        """The processes of a program: its own first, and those that came from it, its own gone or not."""
        rows = [one.row for one in doing.values()]
        if own := doing.get(run.started.pid):
            return (own, *(doing[row.pid] for row in children_of(own.row, rows)))
        looks = self.evidence.looks.get((run.started.host, run.started.pid), ())
        marks = {row.mark for _, row in looks if row.mark > 0}
        return tuple(doing[row.pid] for row in rows if row.session == run.started.pid or row.mark in marks)

    def _state(self, doing: Doing | None, seen: Situation | None) -> State:
        if doing is None or seen is None:
            return Running()
        if doing.row.zombie:
            return Ended(seen.at, doing.status)
        if doing.stopped:
            return Stopped()
        awake = doing.awake >= _AWAKE
        if awake or (doing.running and (doing.used + doing.waited) * _A_TENTH >= seen.window):
            used, waited = (min(100, time * 100 // seen.window) for time in (doing.used, doing.waited))
            return Busy(used, min(waited, 100 - used), awake)
        waits = tuple(dict.fromkeys(self._waits(doing, seen)))
        return Asleep(waits) if waits and not doing.running else Running()

    def _waits(self, doing: Doing, seen: Situation) -> Iterator[Wait]:
        tcp = {row.inode: row for row in seen.tcp if row.inode}
        udp = {row.inode: row for row in seen.udp if row.inode}
        for sleep in doing.row.asleep:
            if row := tcp.get(sleep.inode):
                peer = self.peer(seen.host, row)
                ports = {listener.local_port for listener in self.listeners(peer)}
                yield Wait(
                    sleep.call,
                    "tcp",
                    row.state,
                    row.local_port,
                    peer,
                    row.remote_port,
                    row.remote_port in ports,
                )
            elif bound := udp.get(sleep.inode):
                yield Wait(sleep.call, "udp", None, bound.local_port)
            else:
                yield Wait(sleep.call, input=sleep.call == "read" and doing.input)
