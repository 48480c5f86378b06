"""What became of datagrams at the programs that they were sent to: no room for them, or nobody reads them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checks.buffers import full_buffers
from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import AnsweredElsewhere, BufferFull, DatagramsUnread
from lab.checks.programs import Asleep, ProgramState, Wait
from lab.scenario.script import line_of
from lab.steps.actions.connect import Connect


def buffer_full(failure: Failure) -> Iterator[BufferFull]:
    """The programs that lost datagrams in the receive buffer of a socket of theirs."""
    for host in dict.fromkeys(one.host for one in _receivers(failure)):
        seen = failure.scene.hosts.get(host)
        for full in full_buffers(failure.evidence, host, failure.step.at, seen.udp if seen else ()):
            holder = failure.scene.holder_of(host, full.inode)
            yield BufferFull(failure.scene.named(holder) if holder else host, full.port, full.number)


def unread(failure: Failure) -> Iterator[DatagramsUnread]:
    """The programs that leave datagrams unread."""
    for one in _receivers(failure):
        seen = failure.scene.hosts.get(one.host)
        waits = [wait for state in one.states if isinstance(state, Asleep) for wait in state.waits]
        if not all(isinstance(state, Asleep) for state in one.states):
            continue
        for row in seen.udp if seen else ():
            if (
                row.inode in one.inodes
                and row.recv_queue
                and not any(_reads(wait, row.local_port) for wait in waits)
            ):
                yield DatagramsUnread(failure.scene.named(one), row.local_port, one.states)


def answered_elsewhere(failure: Failure) -> Iterator[AnsweredElsewhere]:
    """The step's UDP connection, if it was answered from a port that it was not opened to, and is deaf to."""
    host = failure.step.host.partition(".")[0]
    sent = [one for one in failure.evidence.datagrams if one.at.time <= failure.step.at]
    ports = _ports(failure)
    asked = {
        (one.target, one.flow.target_port)
        for one in sent
        if one.source == host and one.flow.source_port in ports
    }
    for one in sent:
        answer = one.source, one.flow.source_port
        if one.target != host or one.flow.target_port not in ports or answer in asked:
            continue
        port = next((port for peer, port in asked if peer == one.source), 0)
        if port:
            yield AnsweredElsewhere(failure.step.host, one.source, port, one.flow.source_port)


def _ports(failure: Failure) -> frozenset[int]:
    """The script's own ports of the step's connection, if that hears the port alone that it was opened to."""
    for event in failure.opened:
        line = line_of(failure.evidence.scenario, event.step)
        action = line.action if line else None
        if isinstance(action, Connect) and action.connect.to.transport == "udp" and not action.connect.follow:
            return failure.ports
    return frozenset()


def _receivers(failure: Failure) -> Iterator[ProgramState]:
    """The step's program, and those of hosts that the step's host has sent datagrams to."""
    own = failure.step.host.partition(".")[0]
    reached = {
        one.target
        for one in failure.evidence.datagrams
        if one.source == own and one.at.time <= failure.step.at
    }
    yield from (one for one in failure.scene.programs if one in failure.mine or one.host in reached)


def _reads(wait: Wait, port: int) -> bool:
    return wait.protocol == "udp" and wait.port == port
