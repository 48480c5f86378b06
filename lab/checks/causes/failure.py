"""A step that failed: the programs it concerns, and how they are connected."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from lab.checks.programs import Ended, ProgramState, Scene
from lab.checks.select import model_of
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.sockets import SocketRow
from lab.evidence.transcript import Input, Opened, StepEnded
from lab.scenario.cast import Program
from lab.scenario.script import line_of
from lab.scenario.steps import RUN
from lab.scenario.variables import VariableError, substitute
from lab.steps.actions.run import Run as RunStep
from lab.steps.actions.start import Start
from lab.wire.tcp import Side

_OPEN = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT, TcpState.FIN_WAIT_1, TcpState.FIN_WAIT_2
"""States of a connection in which a program may still get something, or a FIN."""


class Failure:
    """A step that failed, and all that was there at that moment."""

    def __init__(self, scene: Scene, step: StepEnded) -> None:
        self.scene = scene
        self.evidence = scene.evidence
        self.step = step
        self.line = line_of(scene.evidence.scenario, step.step)
        self.ports = frozenset(port for event in self.opened for port in event.ports)
        """The script's own ports of the connection that the step speaks on, if it speaks on one."""
        self.mine = self._programs_of_step()

    def model_of(self, program: ProgramState) -> Program | None:
        """What the scenario says of a program; None for a command of a ``run`` step."""
        scenario = self.evidence.scenario
        return scenario.programs.get(model_of(scenario, program.host, program.name))

    def shows_unread(self, program: ProgramState) -> bool:
        """Whether what a program has printed unread says something about the failure.

        Of a program beside the step's own on its host it does so if it has ended or is connected with that.
        """
        if program in self.mine:
            return not self.step.rest  # which is told with the step
        beside = program.host == self.step.host.partition(".")[0]
        return not beside or isinstance(program.state, Ended) or program in self.concerned()

    @cached_property
    def opened(self) -> tuple[Opened, ...]:
        """How the script opened what the step speaks on; nothing if that is a program."""
        host, _, name = self.step.host.partition(".")
        return tuple(
            event
            for event in self.evidence.transcript.events
            if isinstance(event, Opened) and (event.host, event.program) == (host, name.partition(".")[0])
        )

    def _programs_of_step(self) -> tuple[ProgramState, ...]:
        """The program that the step speaks with, or starts; none if that is a connection of the script."""
        host, _, program = self.step.host.partition(".")
        if self.opened:
            return ()
        action = self.line.action if self.line else None
        if isinstance(action, Start):
            program = action.as_ or action.start
        elif isinstance(action, RunStep):
            program = RUN
        here = [one for one in self.scene.programs if one.host == host]
        named = [one for one in here if program and one.name == program]
        return tuple(named or here[-1:])

    def concerned(self) -> tuple[ProgramState, ...]:
        """The step's program, and those that it, or the script, is connected with, directly or by others."""
        found = [*self.mine, *self.partners]
        for one in found:
            found += [other for other in self._neighbours(one) if other not in found]
        return tuple(found)

    @cached_property
    def partners(self) -> tuple[ProgramState, ...]:
        """The programs at the other end of the script's connection that the step speaks on."""
        return tuple(one for one in self.scene.programs if self._is_partner(one))

    def _is_partner(self, one: ProgramState) -> bool:
        own, seen = self.step.host.partition(".")[0], self.scene.hosts.get(one.host)
        return any(
            row.inode in one.inodes
            and row.remote_port in self.ports
            and self.scene.peer(one.host, row) == own
            for row in (seen.tcp if seen else ())
        )

    def _neighbours(self, program: ProgramState) -> Iterator[ProgramState]:
        """The programs at the other ends of what a program holds."""
        seen = self.scene.hosts.get(program.host)
        for row in seen.tcp if seen else ():
            if row.inode not in program.inodes or not row.inode:
                continue
            host = self.scene.peer(program.host, row)
            for other in self.scene.programs:
                if other.host == host and self._holds_end(other, row.remote_port):
                    yield other

    @cached_property
    def met(self) -> frozenset[str]:
        """The step's host, and the hosts that it has had connections with."""
        own = self.step.host.partition(".")[0]
        ends = ({side.host for side in one.sides} for one in self.evidence.connections)
        return frozenset({own}.union(*(hosts for hosts in ends if own in hosts)))

    @cached_property
    def addressed(self) -> tuple[str, str]:
        """The host and the program that the script gave something last before the step failed."""
        given = (
            (event.host, event.program)
            for event in reversed(self.evidence.transcript.events)
            if isinstance(event, Input) and event.at <= self.step.at
        )
        return next(given, ("", ""))

    def matters(self, one: ProgramState, other: ProgramState) -> bool:
        """Whether the step may hang on what one program gets of another: it has to do with both.

        The script has spoken with one of them last: what it waits for is of that.
        """
        pair = {(program.host, program.name) for program in (one, other)}
        own = one in self.mine or other in self.mine
        return own and (not self.addressed[0] or self.addressed in pair)

    def connections(self, one: ProgramState) -> Iterator[tuple[SocketRow, ProgramState]]:
        """The connections that a program holds, each with the program at its other end."""
        seen = self.scene.hosts.get(one.host)
        for row in seen.tcp if seen else ():
            if row.inode in one.inodes and row.inode and row.state in _OPEN:
                host = self.scene.peer(one.host, row)
                for other in self.scene.programs:
                    if other.host == host and self._holds_end(other, row.remote_port):
                        yield row, other

    def sides(self, one: ProgramState, row: SocketRow) -> tuple[Side, Side] | None:
        """A program's side of a connection that it holds and its peer's, as the captures show them."""
        wanted = one.host, row.local, row.local_port, row.remote_port
        found = None
        for connection in self.evidence.connections:
            for mine, peer in (connection.sides, connection.sides[::-1]):
                if (mine.host, mine.address, mine.port, peer.port) == wanted:
                    found = mine, peer
        return found

    def _holds_end(self, program: ProgramState, port: int) -> bool:
        rows = self.scene.hosts[program.host].tcp if program.host in self.scene.hosts else ()
        return any(row.local_port == port and row.inode in program.inodes for row in rows)


def filled(text: str, step: StepEnded, evidence: Evidence) -> str | None:
    """A text of a step with the values that its variables had; None where one has none."""
    variables = {**evidence.info.variables, "i": step.step.rpartition("@")[2]}
    try:
        return substitute(text, variables)
    except VariableError:
        return None
