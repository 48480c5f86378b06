"""Programs, and processes that they had started, that ended: why, and which of them did too early."""

from __future__ import annotations

from collections.abc import Iterator

from lab.checks.causes.failure import Failure
from lab.checks.causes.kinds import (
    CarriageReturns,
    Cause,
    ChildCrashed,
    Died,
    InBackground,
    LeftEarly,
    MemoryUsedUp,
    RunsOn,
)
from lab.checks.printed import last_exception, last_words, printed_by
from lab.checks.programs import Ended, ProgramState
from lab.checks.select import model_of
from lab.core.words import FAULTS, TcpState, signal_name
from lab.evidence.evidence import OUT_OF_MEMORY_WITHIN, Evidence
from lab.evidence.situation import Killed, OutOfMemory
from lab.evidence.transcript import Input, ProgramRun
from lab.scenario.steps import RUN

_KILL = "SIGKILL"
_GRACE = 100_000_000
"""ns after which a look tells of a child that has ended, at the most."""


def causes_of_end(evidence: Evidence, run: ProgramRun) -> tuple[Cause, ...]:
    """Why a program ended as it did."""
    if run.exited is None:
        return ()
    found: list[Cause] = []
    if evidence.killed_for_memory(run.started.host, run.exited.status, run.exited.at):
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
    started = run.started
    return model_of(evidence.scenario, started.host, started.program) in evidence.info.carriage_returns


def memory(failure: Failure) -> Iterator[MemoryUsedUp]:
    """The hosts whose memory was used up before the step failed, and their programs killed for it."""
    used_up = [event for event in failure.evidence.situation if isinstance(event, OutOfMemory)]
    before = [
        event for event in used_up if event.at <= failure.scene.looked_at(event.host) + OUT_OF_MEMORY_WITHIN
    ]
    for host in dict.fromkeys(event.host for event in before):
        limit = failure.evidence.scenario.hosts[host].limits.memory
        killed = tuple(
            one.name
            for one in failure.scene.programs
            if one.host == host
            and isinstance(one.state, Ended)
            and failure.evidence.killed_for_memory(host, one.state.status, one.state.at)
        )
        yield MemoryUsedUp(host, limit, killed)


def carriage_returns(failure: Failure) -> Iterator[CarriageReturns]:
    """The programs that failed and whose script has CR LF line ends."""
    for one in failure.scene.programs:
        if (
            isinstance(one.state, Ended)
            and one.state.status
            and has_carriage_returns(failure.evidence, one.run)
        ):
            yield CarriageReturns(failure.scene.named(one))


def crashed(failure: Failure) -> Iterator[ChildCrashed]:
    """The processes below the script's programs that a fault has ended before the step failed."""
    until = max(map(failure.scene.looked_at, failure.evidence.scenario.hosts)) + _GRACE
    return (crash for crash in crashes(failure.evidence) if crash.at <= until)


def died(failure: Failure) -> Iterator[Died]:
    """The programs that ended by themselves, and not well, the first of them first."""
    found = []
    for one in failure.scene.programs:
        if one.name == RUN or not isinstance(one.state, Ended) or not one.state.status:
            continue
        if _was_wanted(failure, one) or _was_for_memory(failure, one):
            continue
        words, exception = last_words(failure.evidence, one.run)
        if one.state.at > failure.step.at and not _was_dying(failure, one.run):
            continue
        if words or one not in failure.mine:  # how the step's own ended is observed
            found.append(Died(failure.scene.named(one), one.state.status, one.state.at, words, exception))
    yield from sorted(found, key=lambda one: one.at)


def _was_dying(failure: Failure, run: ProgramRun) -> bool:
    """Whether a program had printed an exception when the step failed: it closes all before it ends."""
    return last_exception(printed_by(failure.evidence, run, failure.step.at))[1]


def left_early(failure: Failure) -> Iterator[LeftEarly]:
    """The programs that ended well, and that the step still needed."""
    for one in failure.scene.programs:
        state = one.state
        if one.name == RUN or not isinstance(state, Ended) or state.status or state.at > failure.step.at:
            continue
        needed = one in failure.mine and _serves(failure, one)
        refused = any(
            connection.server.host == one.host
            and connection.handshake == "refused"
            and state.at <= connection.began.time <= failure.step.at
            for connection in failure.evidence.connections
        )
        if (needed or refused) and not _was_told(failure, one):
            yield LeftEarly(failure.scene.named(one), state.at)


def _serves(failure: Failure, one: ProgramState) -> bool:
    """Whether a program is said, or was seen, to listen."""
    model = failure.model_of(one)
    history = failure.evidence.sockets.get(one.host)
    return bool(model and model.ports("tcp")) or (
        history is not None and bool(history.in_state(TcpState.LISTEN))
    )


def in_background(failure: Failure) -> Iterator[InBackground]:
    """The step's program, if it ended well and left a child running."""
    for one in failure.mine:
        living = [child for child in one.children if not isinstance(child.state, Ended)]
        if isinstance(one.state, Ended) and not one.state.status and living:
            yield InBackground(failure.scene.named(one), living[0].number, living[0].name)


def runs_on(failure: Failure) -> Iterator[RunsOn]:
    """The programs that printed the traceback of an exception and did not end."""
    for one in failure.scene.programs:
        if one.host not in failure.met and one not in failure.concerned():
            continue
        text = failure.scene.unread.get((one.host, one.name), "")
        if one in failure.mine:
            text = failure.step.rest or text
        words, exception = last_exception(text)
        if exception and not isinstance(one.state, Ended):
            yield RunsOn(failure.scene.named(one), words)


def _was_for_memory(failure: Failure, one: ProgramState) -> bool:
    return any(isinstance(cause, MemoryUsedUp) for cause in causes_of_end(failure.evidence, one.run))


def _was_wanted(failure: Failure, one: ProgramState) -> bool:
    """Whether the script has told it to end, or a check asks for just this end."""
    if _was_told(failure, one):
        return True
    checks, state = failure.evidence.scenario.checks, one.state
    return isinstance(state, Ended) and any(
        check.asks_for_end(one.host, one.name, state.status) for check in checks
    )


def _was_told(failure: Failure, one: ProgramState) -> bool:
    """Whether the script has told it to end."""
    return any(
        isinstance(event, Input)
        and (event.host, event.program) == (one.host, one.name)
        and event.kind in {"key", "signal", "end"}
        and event.at >= one.run.started.at
        for event in failure.evidence.transcript.events
    )
