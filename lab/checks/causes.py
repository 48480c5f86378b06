"""Why a step failed or a program ended as it did: causes as data, drawn from what was seen, never guessed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from lab.checks.programs import Asleep, Busy, Ended, ProgramState, Scene, State, Stopped, Wait
from lab.checks.select import host_of
from lab.evidence import Evidence
from lab.flows import Side
from lab.scenario import Scenario
from lab.scenario.checks import ConnectionCheck, ExitCheck, ListenerCheck
from lab.scenario.script import numbered_lines
from lab.scenario.steps import RUN, Action, Expect, Line, Start
from lab.scenario.steps import Run as RunStep
from lab.scenario.steps import Wait as WaitStep
from lab.situation import Killed, OutOfMemory
from lab.sockets import SocketRow
from lab.transcript import Input, ProgramRun, StepEnded
from lab.words import FAULTS, TcpState, signal_name

_NEARLY_ALL, _ENOUGH = 80, 20
"""Percent of the time that a program in a loop uses a processor or waits for one, and that it uses one.

Where it had one for less than that, the machine is short of processors, and nobody knows what it does.
"""

_OPEN = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT, TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2
"""States of a connection in which a program may still get something, or a FIN."""

_LAST_LINE = 300
_TRACEBACK, _TRACED = 80, "Traceback (most recent call last)"
"""Of an output, the last lines among which an exception is looked for, and how Python begins one."""
_PIECES = 200
"""Of an output, the last that are looked at for its last lines."""
_KILL = "SIGKILL"
_GRACE = 100_000_000
"""ns after which a look tells of a child that has ended, at the most."""
_IN_USE = "Address already in use"
"""What strerror(EADDRINUSE) is in the C locale."""
_SECOND, _LATE = 1_000_000_000, 500_000_000
"""ns; and from so much more than its time on, a step is noticed late."""
_MUCH = 30
"""Percent of the time that a process waits for a processor, from which on that is told."""
_SOON = 1_000_000_000
"""ns between the engine's word that memory was used up and the end that it brought, at the most."""


@dataclass(frozen=True, slots=True)
class MemoryUsedUp:
    """The kernel killed processes of a host, for it had used up its memory (bytes)."""

    host: str
    limit: int
    programs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChildCrashed:
    """A process that a program had started was ended by a signal that means a fault."""

    program: str
    number: int
    name: str
    signal: str
    at: int


@dataclass(frozen=True, slots=True)
class Died:
    """A program ended by itself, and not well; ``exception`` says that its ``words`` are those of one."""

    program: str
    status: int
    at: int
    words: str
    exception: bool


@dataclass(frozen=True, slots=True)
class LeftEarly:
    """A program ended well before the step failed that needs it, and the script had not told it to."""

    program: str
    at: int


@dataclass(frozen=True, slots=True)
class InBackground:
    """A program ended well, and a process that it had started goes on."""

    program: str
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class AddressInUse:
    """A program could not bind to a port where a connection of before is in TIME_WAIT, and nobody listens."""

    program: str
    port: int


@dataclass(frozen=True, slots=True)
class Starved:
    """Processes of these programs waited so long (percent) for a processor when the step's time was up."""

    programs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class NoticedLate:
    """That the step's time (s) was up was noticed so late (ns): the lab itself waited for a processor."""

    limit: float
    took: int


@dataclass(frozen=True, slots=True)
class CarriageReturns:
    """The lines of a program's script end with CR LF."""

    program: str


@dataclass(frozen=True, slots=True)
class SwappedPort:
    """A port with its bytes the other way round is listened on, or connected to: no htons()."""

    program: str
    wanted: int
    found: int
    connects: bool = False


@dataclass(frozen=True, slots=True)
class OtherPort:
    """It listens, but elsewhere."""

    program: str
    wanted: int
    found: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ServesUdp:
    """It has a UDP socket at the port where TCP is wanted."""

    program: str
    port: int


@dataclass(frozen=True, slots=True)
class NotListening:
    """It has a TCP socket that is not in LISTEN, bound to a port or (0) as far as is known to none."""

    program: str
    wanted: int
    bound: int


@dataclass(frozen=True, slots=True)
class HeldByAnother:
    """The port is listened on, by another program."""

    program: str
    port: int
    holder: str


@dataclass(frozen=True, slots=True)
class LoopbackOnly:
    """It listens where other hosts cannot reach it, and one has tried to."""

    program: str
    address: str
    port: int
    client: str


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Connections from these hosts wait in the accept queue, while the program does something else."""

    program: str
    port: int
    clients: tuple[str, ...]
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class NotRead:
    """So many bytes of a peer are unread, and none of the program's threads reads there."""

    program: str
    peer: str
    unread: int
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class WaitsForLock:
    """No thread of a program reads from a peer that waits for it; one waits for a lock, or a thread."""

    program: str
    peer: str
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class LastSent:
    """Who sent last on a connection, its bytes in all, and to whom else ``other`` has sent since."""

    sender: str
    bytes: int
    other: str
    elsewhere: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Both ends of a connection sleep in the same call."""

    programs: tuple[str, str]
    call: str
    last: LastSent | None = None


@dataclass(frozen=True, slots=True)
class NoSuchAddress:
    """A program of a host has tried to connect to an address that no host has."""

    host: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class RunsOn:
    """A program has printed the traceback of an exception, which no step consumed, and has not ended."""

    program: str
    words: str


@dataclass(frozen=True, slots=True)
class WaitsForPeer:
    """A program sleeps in recv on its connection with another, which does these things."""

    program: str
    peer: str
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class IsStopped:
    """A signal has stopped a program."""

    program: str


@dataclass(frozen=True, slots=True)
class InLoop:
    """A program runs all the time, and holds connections that these hosts have closed."""

    program: str
    used: int
    waited: int
    closed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Buffered:
    """A program is asleep and has printed nothing at all: on a terminal, or into a pipe."""

    program: str
    tty: bool


Cause = (
    MemoryUsedUp
    | ChildCrashed
    | Died
    | LeftEarly
    | InBackground
    | AddressInUse
    | Starved
    | NoticedLate
    | CarriageReturns
    | SwappedPort
    | OtherPort
    | ServesUdp
    | NotListening
    | HeldByAnother
    | LoopbackOnly
    | NotAccepted
    | NotRead
    | WaitsForLock
    | NoSuchAddress
    | RunsOn
    | Deadlock
    | WaitsForPeer
    | IsStopped
    | InLoop
    | Buffered
)


def causes_of_end(evidence: Evidence, run: ProgramRun) -> tuple[Cause, ...]:
    """Why a program ended as it did."""
    if run.exited is None:
        return ()
    found: list[Cause] = []
    if signal_name(run.exited.status) == _KILL and _memory_used_up(evidence, run.started.host, run.exited.at):
        limit = evidence.scenario.hosts[run.started.host].limits.memory
        found.append(MemoryUsedUp(run.started.host, limit, (run.started.program,)))
    if run.exited.status and has_carriage_returns(evidence, run):
        found.append(CarriageReturns(run.started.program))
    return tuple(found)


def crashes(evidence: Evidence) -> tuple[ChildCrashed, ...]:
    """The processes below the script's programs that a fault has ended."""
    return tuple(_crashes(evidence))


def _crashes(evidence: Evidence) -> Iterator[ChildCrashed]:
    own = {
        (run.started.host, run.started.pid): run.started.program
        for run in evidence.transcript.runs()
        if run.started.program != RUN
    }
    for event in evidence.situation:
        if not isinstance(event, Killed) or signal_name(event.status) not in FAULTS:
            continue
        program = own.get((event.host, event.parent)) or own.get((event.host, event.session))
        if program and (event.host, event.pid) not in own:
            yield ChildCrashed(program, event.number, event.name, signal_name(event.status), event.at)


def has_carriage_returns(evidence: Evidence, run: ProgramRun) -> bool:
    """Whether the script that a run was made of has CR LF line ends."""
    return _model(evidence.scenario, run) in evidence.info.carriage_returns


def _model(scenario: Scenario, run: ProgramRun) -> str:
    """The program of the scenario that was started under a name of its own, or under its own."""
    name, host = run.started.program, run.started.host
    for _, line in numbered_lines(scenario):
        if isinstance(line.action, Start) and line.host == host and line.action.as_ == name:
            return line.action.start
    return name


def _memory_used_up(evidence: Evidence, host: str, at: int) -> bool:
    return any(
        isinstance(event, OutOfMemory) and event.host == host and abs(event.at - at) < _SOON
        for event in evidence.situation
    )


class Failure:
    """A step that failed, and all that was there at that moment."""

    def __init__(self, scene: Scene, step: StepEnded) -> None:
        self.scene = scene
        self._evidence = scene.evidence
        self.step = step
        self._line = _line_of(scene.evidence.scenario, step)
        self._mine = self._programs_of_step()

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Why it failed, what explains most first."""
        told = [
            *self._memory(), *self._carriage_returns(), *self._crashed(), *self._ports(),
            *self._nowhere(), *self._in_use(), *self._died(), *self._in_background(), *self._runs_on(),
            *self._stopped(), *self._loops(),
            *self._not_accepted(), *self._not_read(), *self._waits_for_lock(), *self._deadlocks(),
        ]  # fmt: skip
        told = told or [*self._left_early()] or [*self._buffered()] or [*self._waits_for_peer()]
        return tuple(dict.fromkeys((*told, *self._short_of_processors())))

    # --- whom it concerns ----------------------------------------------------------------------

    def shows_unread(self, program: ProgramState) -> bool:
        """Whether what a program has printed unread says something about the failure.

        Of a program beside the step's own on its host it does so if it has ended or is connected with that.
        """
        if program in self._mine:
            return not self.step.rest  # which is told with the step
        beside = program.host == self.step.host.partition(".")[0]
        return not beside or isinstance(program.state, Ended) or program in self._concerned()

    def _programs_of_step(self) -> tuple[ProgramState, ...]:
        """The program that the step speaks with, or starts."""
        host, _, program = self.step.host.partition(".")
        action = self._line.action if self._line else None
        if isinstance(action, Start):
            program = action.as_ or action.start
        elif isinstance(action, RunStep):
            program = RUN
        here = [one for one in self.scene.programs if one.host == host]
        named = [one for one in here if program and one.name == program]
        return tuple(named or here[-1:])

    def _concerned(self) -> tuple[ProgramState, ...]:
        """The step's program, and those that it is connected with, directly or by others."""
        found = list(self._mine)
        for one in found:
            found += [other for other in self._neighbours(one) if other not in found]
        return tuple(found)

    def _neighbours(self, program: ProgramState) -> Iterator[ProgramState]:
        seen = self.scene.hosts.get(program.host)
        for row in seen.tcp if seen else ():
            if row.inode not in program.inodes or not row.inode:
                continue
            host = self.scene.peer(program.host, row)
            for other in self.scene.programs:
                if other.host == host and self._holds_end(other, row.remote_port):
                    yield other

    @cached_property
    def _addressed(self) -> tuple[str, str]:
        """The host and the program that the script gave something last before the step failed."""
        given = (
            (event.host, event.program)
            for event in reversed(self._evidence.transcript.events)
            if isinstance(event, Input) and event.at <= self.step.at
        )
        return next(given, ("", ""))

    def _matters(self, one: ProgramState, other: ProgramState) -> bool:
        """Whether the step may hang on what one program gets of another: it has to do with both.

        The script has spoken with one of them last: what it waits for is of that.
        """
        pair = {(program.host, program.name) for program in (one, other)}
        own = one in self._mine or other in self._mine
        return own and (not self._addressed[0] or self._addressed in pair)

    def _connections(self, one: ProgramState) -> Iterator[tuple[SocketRow, ProgramState]]:
        """The connections that a program holds, each with the program at its other end."""
        seen = self.scene.hosts.get(one.host)
        for row in seen.tcp if seen else ():
            if row.inode in one.inodes and row.inode and row.state in _OPEN:
                host = self.scene.peer(one.host, row)
                for other in self.scene.programs:
                    if other.host == host and self._holds_end(other, row.remote_port):
                        yield row, other

    def _sides(self, one: ProgramState, row: SocketRow) -> tuple[Side, Side] | None:
        """A program's side of a connection that it holds and its peer's, as the captures show them."""
        wanted = one.host, row.local, row.local_port, row.remote_port
        found = None
        for connection in self._evidence.connections:
            for mine, peer in (connection.sides, connection.sides[::-1]):
                if (mine.host, mine.address, mine.port, peer.port) == wanted:
                    found = mine, peer
        return found

    def _holds_end(self, program: ProgramState, port: int) -> bool:
        rows = self.scene.hosts[program.host].tcp if program.host in self.scene.hosts else ()
        return any(row.local_port == port and row.inode in program.inodes for row in rows)

    # --- what ended ----------------------------------------------------------------------------

    def _crashed(self) -> Iterator[ChildCrashed]:
        until = max(map(self.scene.looked_at, self._evidence.scenario.hosts)) + _GRACE
        return (crash for crash in crashes(self._evidence) if crash.at <= until)

    def _memory(self) -> Iterator[MemoryUsedUp]:
        used_up = [event for event in self._evidence.situation if isinstance(event, OutOfMemory)]
        before = [event for event in used_up if event.at <= self.scene.looked_at(event.host) + _SOON]
        for host in dict.fromkeys(event.host for event in before):
            limit = self._evidence.scenario.hosts[host].limits.memory
            killed = tuple(
                one.name
                for one in self.scene.programs
                if one.host == host
                and isinstance(one.state, Ended)
                and signal_name(one.state.status) == _KILL
                and _memory_used_up(self._evidence, host, one.state.at)
            )
            yield MemoryUsedUp(host, limit, killed)

    def _died(self) -> Iterator[Died]:
        died = []
        for one in self.scene.programs:
            if one.name == RUN or not isinstance(one.state, Ended) or not one.state.status:
                continue
            if one.state.at > self.step.at or self._was_wanted(one) or self._was_for_memory(one):
                continue
            words, exception = last_words(self._evidence, one.run)
            if words or one not in self._mine:  # how the step's own ended is observed
                died.append(Died(self.scene.named(one), one.state.status, one.state.at, words, exception))
        yield from sorted(died, key=lambda one: one.at)

    def _left_early(self) -> Iterator[LeftEarly]:
        for one in self.scene.programs:
            state = one.state
            if one.name == RUN or not isinstance(state, Ended) or state.status or state.at > self.step.at:
                continue
            needed = one in self._mine and self._serves(one)
            refused = any(
                connection.server.host == one.host
                and connection.handshake == "refused"
                and state.at <= connection.began.time <= self.step.at
                for connection in self._evidence.connections
            )
            if (needed or refused) and not self._was_told(one):
                yield LeftEarly(self.scene.named(one), state.at)

    def _serves(self, one: ProgramState) -> bool:
        """Whether a program is said, or was seen, to listen."""
        said = self._evidence.scenario.programs[_model(self._evidence.scenario, one.run)].listens
        history = self._evidence.sockets.get(one.host)
        return bool(said) or (history is not None and bool(history.in_state(TcpState.LISTEN)))

    def _in_background(self) -> Iterator[InBackground]:
        for one in self._mine:
            living = [child for child in one.children if not isinstance(child.state, Ended)]
            if isinstance(one.state, Ended) and not one.state.status and living:
                yield InBackground(self.scene.named(one), living[0].number, living[0].name)

    def _in_use(self) -> Iterator[AddressInUse | HeldByAnother]:
        """Who was in the way of a program that said so."""
        for one in self.scene.programs:
            if one.name == RUN or _IN_USE not in printed_by(self._evidence, one.run):
                continue
            listeners = self.scene.listeners(one.host)
            for port in self._evidence.scenario.programs[_model(self._evidence.scenario, one.run)].listens:
                held = [row for row in listeners if row.local_port == port and row.inode not in one.inodes]
                holder = next(filter(None, (self.scene.holder_of(one.host, row.inode) for row in held)), None)
                if holder:
                    yield HeldByAnother(self.scene.named(one), port, self.scene.named(holder))
                elif not held and self._in_time_wait(one.host, port):
                    yield AddressInUse(self.scene.named(one), port)

    def _in_time_wait(self, host: str, port: int) -> bool:
        """Whether a connection of a port was in TIME_WAIT when the step failed."""
        seen = self.scene.hosts.get(host)
        return any(
            row.state is TcpState.TIME_WAIT and row.local_port == port for row in (seen.tcp if seen else ())
        )

    def _was_for_memory(self, one: ProgramState) -> bool:
        return any(isinstance(cause, MemoryUsedUp) for cause in causes_of_end(self._evidence, one.run))

    def _was_wanted(self, one: ProgramState) -> bool:
        """Whether the script has told it to end, or a check asks for just this end."""
        return self._was_told(one) or any(
            isinstance(spec, ExitCheck) and _asks_for(spec, one) for spec in self._evidence.scenario.checks
        )

    def _was_told(self, one: ProgramState) -> bool:
        """Whether the script has told it to end."""
        return any(
            isinstance(event, Input)
            and (event.host, event.program) == (one.host, one.name)
            and event.kind in {"key", "signal", "end"}
            and event.at >= one.run.started.at
            for event in self._evidence.transcript.events
        )

    def _carriage_returns(self) -> Iterator[CarriageReturns]:
        for one in self.scene.programs:
            if (
                isinstance(one.state, Ended)
                and one.state.status
                and has_carriage_returns(self._evidence, one.run)
            ):
                yield CarriageReturns(self.scene.named(one))

    # --- who listens where ---------------------------------------------------------------------

    def _ports(self) -> Iterator[Cause]:
        for one, port in self._wanted_by_step():
            yield from self._not_there(one, port)
        for client, host, port in self._refused():
            yield from self._refused_at(client, host, port)

    def _wanted_by_step(self) -> Iterator[tuple[ProgramState, int]]:
        """The ports that the step has waited for, each with a program that should listen there."""
        action: Action | None = self._line.action if self._line else None
        if isinstance(action, Start):
            ports = self._evidence.scenario.programs[action.start].listens
        elif isinstance(action, WaitStep) and action.wait.listening is not None:
            ports = (action.wait.listening,)
        else:
            return
        for one in self._mine:
            for port in ports:
                yield one, port

    def _not_there(self, one: ProgramState, port: int) -> Iterator[Cause]:
        """Why a program is not found to listen on a port."""
        listeners, name = self.scene.listeners(one.host), self.scene.named(one)
        mine = tuple(sorted({row.local_port for row in listeners if row.inode in one.inodes}))
        if port in mine or isinstance(one.state, Ended):
            return
        if holder := next((row for row in listeners if row.local_port == port), None):
            other = self.scene.holder_of(one.host, holder.inode)
            if other is not None:
                yield HeldByAnother(name, port, self.scene.named(other))
        elif swapped(port) in mine:
            yield SwappedPort(name, port, swapped(port))
        elif mine:
            yield OtherPort(name, port, mine)
        else:
            yield from self._without_listener(one, port)

    def _without_listener(self, one: ProgramState, port: int) -> Iterator[Cause]:
        seen, name = self.scene.hosts.get(one.host), self.scene.named(one)
        udp = [row.local_port for row in (seen.udp if seen else ()) if row.inode in one.inodes]
        bound = [row.local_port for row in (seen.bound if seen else ()) if row.inode in one.inodes]
        if port in udp:
            yield ServesUdp(name, port)
        elif bound:
            yield NotListening(name, port, port if port in bound else bound[0])
        elif any(doing.unlisted for doing in one.own):
            yield NotListening(name, port, 0)

    def _refused(self) -> Iterator[tuple[str, str, int]]:
        """The attempts that were refused before the step failed: from which host, to which, at which port."""
        tried = [
            (connection.client.host, connection.server.host, connection.server.port)
            for connection in self._evidence.connections
            if connection.handshake == "refused" and connection.began.time <= self.step.at
        ]
        yield from dict.fromkeys(tried)

    def _refused_at(self, client: str, host: str, port: int) -> Iterator[Cause]:
        listeners = self.scene.listeners(host)
        if local := next((row for row in listeners if row.local_port == port), None):
            holder = self.scene.holder_of(host, local.inode)
            if holder and client != host and ip_address(local.local).is_loopback:
                yield LoopbackOnly(self.scene.named(holder), local.local, port, client)
            return
        for one in self.scene.programs:
            if one.host != host or isinstance(one.state, Ended):
                continue
            listens = any(row.inode in one.inodes and row.local_port == swapped(port) for row in listeners)
            if listens and self._is_meant(host, swapped(port)):
                yield SwappedPort(client, swapped(port), port, connects=True)
            elif self._is_meant(host, port):
                yield from self._not_there(one, port)

    def _is_meant(self, host: str, port: int) -> bool:
        """Whether a program of a host is said to listen on a port, by itself or by a check."""
        scenario = self._evidence.scenario
        names = {
            line.action.start
            for _, line in numbered_lines(scenario)
            if isinstance(line.action, Start) and line.host == host
        }
        said = {port for name in names for port in scenario.programs[name].listens}
        for check in scenario.checks:
            if isinstance(check, ListenerCheck) and check.listener.host == host:
                said.add(check.listener.port)
            elif isinstance(check, ConnectionCheck) and check.connection.to.host == host:
                said.add(check.connection.to.port)
        return port in said

    def _short_of_processors(self) -> Iterator[Starved | NoticedLate]:
        """Whether a step ran out of time beside programs, or the lab itself, that waited for a processor."""
        action = self._line.action if self._line else None
        if not isinstance(action, Start | Expect | WaitStep):
            return
        limit = action.within or self._evidence.scenario.timeouts.step
        took = self.step.at - self.step.began
        if took < limit * _SECOND:
            return
        starved = tuple(
            (self.scene.named(one), waited) for one in self._concerned() if (waited := self._waited(one))
        )
        if starved:
            yield Starved(starved)
        if took > limit * _SECOND + _LATE:
            yield NoticedLate(limit, took)

    def _waited(self, one: ProgramState) -> int:
        """How long a process of a program waited for a processor (percent), if that is much."""
        seen = self.scene.hosts.get(one.host)
        if seen is None or not seen.window:
            return 0
        waited = (min(doing.waited, max(0, seen.window - doing.used)) for doing in one.own)
        percent = max(waited, default=0) * 100 // seen.window
        return percent if percent >= _MUCH else 0

    # --- who waits for whom --------------------------------------------------------------------

    def _not_accepted(self) -> Iterator[NotAccepted]:
        for one in self.scene.programs:
            for listener in self.scene.listeners(one.host):
                if listener.inode not in one.inodes or _accepts(one, listener.local_port):
                    continue
                rows = self.scene.queued(one.host, listener)
                clients = tuple(dict.fromkeys(self.scene.peer(one.host, row) for row in rows))
                own = {mine.host for mine in self._mine}
                if clients and (one in self._mine or own & {*clients}):
                    yield NotAccepted(self.scene.named(one), listener.local_port, clients, one.states)

    def _deadlocks(self) -> Iterator[Deadlock]:
        for one in self._mine:
            for wait in _waits(one):
                if wait.protocol != "tcp" or wait.call not in {"recv", "send"}:
                    continue
                for row, other in self._connections(one):
                    on_it = (row.local_port, row.remote_port) == (wait.port, wait.peer_port)
                    matters = self._matters(one, other)
                    if (
                        on_it
                        and matters
                        and any(_is_other_end(wait, back, one.host) for back in _waits(other))
                    ):
                        names = sorted((self.scene.named(one), self.scene.named(other)))
                        last = self._last_sent(one, other, row) if wait.call == "recv" else None
                        yield Deadlock((names[0], names[1]), wait.call, last)

    def _last_sent(self, one: ProgramState, other: ProgramState, row: SocketRow) -> LastSent | None:
        """Who of two programs sent last on their connection, as far as that is known."""
        found = self._sides(one, row)
        if found is None:
            return None
        mine, peer = found
        heard = [(side.heard.time, side) for side in found if side.heard]
        if not heard or max(time for time, _ in heard) > self.step.at:
            return None
        time, hearer = max(heard, key=lambda pair: pair[0])
        sender, silent, from_ = (other, one, peer) if hearer is mine else (one, other, mine)
        elsewhere = (
            their.host
            for connection in self._evidence.connections
            for own, their in (connection.sides, connection.sides[::-1])
            if own.host == silent.host and their.host not in {sender.host, ""}
            if their.heard and time < their.heard.time <= self.step.at
        )
        names = self.scene.named(sender), self.scene.named(silent)
        return LastSent(names[0], from_.bytes, names[1], tuple(dict.fromkeys(elsewhere)))

    def _not_read(self) -> Iterator[NotRead]:
        for one in self._concerned():
            for row, other in self._connections(one):
                unread = row.recv_queue - (row.state is TcpState.CLOSE_WAIT)
                near = one in self._mine or other in self._mine
                if near and unread > 0 and _is_left_alone(one, row):
                    yield NotRead(self.scene.named(one), self.scene.named(other), unread, one.states)

    def _waits_for_lock(self) -> Iterator[WaitsForLock]:
        for one in self._concerned():
            calls = {wait.call for wait in _waits(one)}
            if "futex" not in calls or "poll" in calls:
                continue
            for row, other in self._connections(one):
                awaited = any(
                    wait.call == "poll" or _is_on(wait, row.remote_port, row.local_port)
                    for wait in _waits(other)
                )
                if awaited and not row.recv_queue and _is_left_alone(one, row) and self._matters(one, other):
                    yield WaitsForLock(self.scene.named(one), self.scene.named(other), one.states)

    def _runs_on(self) -> Iterator[RunsOn]:
        for one in self._concerned():
            text = self.scene.unread.get((one.host, one.name), "")
            if one in self._mine:
                text = self.step.rest or text
            words, exception = last_exception(text)
            if exception and not isinstance(one.state, Ended):
                yield RunsOn(self.scene.named(one), words)

    def _nowhere(self) -> Iterator[NoSuchAddress]:
        """Addresses that no host has, and the last that a host of the step has tried."""
        for host in dict.fromkeys((self.step.host.partition(".")[0], self._addressed[0])):
            if not (tried := sorted(self._tried(host), key=lambda one: one[0])):
                continue
            at, row = tried[-1]
            later = any(
                connection.client.host == host and at < connection.began.time <= self.step.at
                for connection in self._evidence.connections
            )
            if not later and not host_of(self._evidence, row.remote, host):
                yield NoSuchAddress(host, row.remote, row.remote_port)

    def _tried(self, host: str) -> Iterator[tuple[int, SocketRow]]:
        """The attempts of a host to connect that its kernel showed, and when, also without a frame."""
        until = self.scene.looked_at(host)
        if history := self._evidence.sockets.get(host):
            for stand in history.in_state(TcpState.SYN_SENT):
                if (at := history.samples[stand.first].at) <= until:
                    yield at, stand.row
        if seen := self.scene.hosts.get(host):
            yield from ((until, row) for row in seen.tcp if row.state is TcpState.SYN_SENT)

    def _waits_for_peer(self) -> Iterator[WaitsForPeer]:
        for one in self._mine:
            for wait in _waits(one):
                if (wait.protocol, wait.call) != ("tcp", "recv"):
                    continue
                for row, other in self._connections(one):
                    on_it = (row.local_port, row.remote_port) == (wait.port, wait.peer_port)
                    if on_it and self._matters(one, other):
                        yield WaitsForPeer(self.scene.named(one), self.scene.named(other), other.states)

    def _stopped(self) -> Iterator[IsStopped]:
        for one in self._concerned():
            if any(isinstance(state, Stopped) for state in one.states):
                yield IsStopped(self.scene.named(one))

    def _loops(self) -> Iterator[InLoop]:
        for one in self._concerned():
            enough = _NEARLY_ALL * min(1.0, self._evidence.scenario.hosts[one.host].limits.cpus)
            for state in one.states:
                if isinstance(state, Busy) and _runs_all_the_time(state, enough):
                    yield InLoop(self.scene.named(one), state.used, state.waited, self._closed_by(one))

    def _closed_by(self, one: ProgramState) -> tuple[str, ...]:
        """The hosts that have closed a connection which a program still holds."""
        seen = self.scene.hosts.get(one.host)
        rows = [row for row in (seen.tcp if seen else ()) if row.inode in one.inodes]
        closed = [self.scene.peer(one.host, row) for row in rows if row.state == "CLOSE_WAIT"]
        return tuple(dict.fromkeys(closed))

    def _buffered(self) -> Iterator[Buffered]:
        if self._line is None or not isinstance(self._line.action, Expect):
            return
        for one in self._mine:
            if (
                _sleeps(one)
                and not _has_printed(self._evidence, one.run, self.step.at)
                and self._had_cause(one)
            ):
                model = self._evidence.scenario.programs[_model(self._evidence.scenario, one.run)]
                yield Buffered(self.scene.named(one), model.tty)

    def _had_cause(self, one: ProgramState) -> bool:
        """Whether a program had what it needs to print: all that was sent to it is read, if it gets anything.

        One that has sockets and got nothing may just print later; not if the script has given nothing to
        others: then it was to print by itself.
        """
        seen = self.scene.hosts.get(one.host)
        rows = [row for row in (seen.tcp if seen else ()) if row.inode and row.inode in one.inodes]
        connections = [row for row in rows if row.state is not TcpState.LISTEN]
        if any(row.recv_queue for row in rows) or any(wait.call == "connect" for wait in _waits(one)):
            return False
        if any(sides[1].bytes for row in connections if (sides := self._sides(one, row))):
            return True
        return not rows or (not connections and not self._addressed[0])


def _runs_all_the_time(state: Busy, enough: float) -> bool:
    return state.used + state.waited >= enough and state.used >= min(_ENOUGH, enough)


def _line_of(scenario: Scenario, step: StepEnded) -> Line | None:
    """The step of the scenario that has this number; rounds are not told apart."""
    wanted = step.step.partition("@")[0]
    for path, line in numbered_lines(scenario):
        number = ".".join(str(part + 1) for part in path if isinstance(part, int))
        if wanted == (f"finally.{number}" if path[0] == "finally" else number):
            return line
    return None


def _asks_for(spec: ExitCheck, one: ProgramState) -> bool:
    ref, state = spec.exit, one.state
    if ref.host != one.host or ref.program not in {None, one.name} or not isinstance(state, Ended):
        return False
    wanted = ref.status is not None and state.status in ref.status
    return wanted or (ref.signal is not None and signal_name(state.status) == ref.signal)


def _waits(one: ProgramState) -> Iterator[Wait]:
    for state in one.states:
        if isinstance(state, Asleep):
            yield from state.waits


def _sleeps(one: ProgramState) -> bool:
    return all(isinstance(state, Asleep) for state in one.states)


def _is_on(wait: Wait, port: int, peer_port: int) -> bool:
    """Whether a thread sleeps on the connection with these ports."""
    return wait.protocol == "tcp" and (wait.port, wait.peer_port) == (port, peer_port)


def _is_left_alone(one: ProgramState, row: SocketRow) -> bool:
    """Whether all threads of a program sleep, and none on a connection."""
    return _sleeps(one) and not any(_is_on(wait, row.local_port, row.remote_port) for wait in _waits(one))


def _accepts(one: ProgramState, port: int) -> bool:
    return any(wait.call == "accept" and wait.port == port for wait in _waits(one))


def _is_other_end(wait: Wait, back: Wait, host: str) -> bool:
    """Whether two threads sleep in the same call at the two ends of one connection."""
    ends = back.peer, back.peer_port, back.port
    return (back.protocol, back.call) == ("tcp", wait.call) and ends == (host, wait.port, wait.peer_port)


def swapped(port: int) -> int:
    """A port with its two bytes the other way round: what htons() is for."""
    return (port & 0xFF) << 8 | port >> 8


def _has_printed(evidence: Evidence, run: ProgramRun, until: int) -> bool:
    outputs = evidence.outputs.get((run.started.host, run.started.program), ())
    first = bisect_left(outputs, run.started.at, key=lambda event: event.at)
    return first < len(outputs) and outputs[first].at <= until


def printed_by(evidence: Evidence, run: ProgramRun) -> str:
    """The end of what a run has printed."""
    outputs = evidence.outputs.get((run.started.host, run.started.program), ())
    until = run.exited.at + _SOON if run.exited else evidence.info.ended
    first = bisect_left(outputs, run.started.at, key=lambda event: event.at)
    last = bisect_right(outputs, until, key=lambda event: event.at)
    return "".join(event.text for event in outputs[max(first, last - _PIECES) : last])


def last_words(evidence: Evidence, run: ProgramRun) -> tuple[str, bool]:
    """The last line that a run has printed, and whether it is that of an exception that nobody handled."""
    return last_exception(printed_by(evidence, run))


def last_exception(text: str) -> tuple[str, bool]:
    """The last exception of an output that nobody handled and True, or its last line and False."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-_TRACEBACK:]
    if not lines:
        return "", False
    thrown = [line for line in lines if line.lstrip().startswith(("terminate called", "what():"))]
    java = [line for line in lines if line.startswith('Exception in thread "')]
    words = " ".join(line.strip() for line in thrown) or (java[-1] if java else "") or _raised(lines)
    return (words or lines[-1].strip())[:_LAST_LINE], bool(words)


def _raised(lines: Sequence[str]) -> str:
    """The line below Python's last traceback that names the exception: the first that is not indented."""
    start = max((number for number, line in enumerate(lines) if _TRACED in line), default=len(lines))
    below = (line for line in lines[start + 1 :] if not line.startswith((" ", "\t")))
    return next(below, "")
