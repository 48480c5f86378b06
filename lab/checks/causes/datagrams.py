"""What became of datagrams at the programs that they were sent to: no room for them, or nobody reads them."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checks.buffers import full_buffers
from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import BufferFull, DatagramsUnread
from lab.checks.programs import Asleep, ProgramState, Wait


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
