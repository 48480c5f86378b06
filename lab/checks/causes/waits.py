"""Who waits for whom, or for nothing: programs that are there and do not do what the step needs."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from lab.checks.causes.failure import Failure, filled
from lab.checks.causes.kinds import (
    Buffered,
    Deadlock,
    HeardLate,
    InLoop,
    IsStopped,
    LastSent,
    NotAccepted,
    NoticedLate,
    NotRead,
    OtherLineEnds,
    ReturnsTyped,
    Starved,
    StillHeld,
    WaitsForLock,
    WaitsForPeer,
    WithoutNewline,
)
from lab.checks.holders import copies_closed, holding
from lab.checks.printed import has_printed
from lab.checks.programs import Asleep, Busy, Ended, ProgramState, Stopped, Wait
from lab.core.words import TcpState
from lab.evidence.sockets import SocketRow
from lab.evidence.transcript import Input
from lab.steps.actions.expect import Expect
from lab.steps.actions.start import Start
from lab.steps.actions.wait import Wait as WaitStep

_NEARLY_ALL, _ENOUGH = 80, 20
"""Percent of the time that a program in a loop uses a processor or waits for one, and that it uses one.

Where it had one for less than that, the machine is short of processors: then it has to be seen not to sleep.
"""

_SECOND, _LATE = 1_000_000_000, 500_000_000
"""ns; and from so much more than its time on, a step is noticed late."""

_HALF = 50
"""Percent of the time that a process waits for a processor, from which on nobody knows what it would do."""

_MUCH = 30
"""Percent of the time that a process waits for a processor, from which on that is told."""


def not_accepted(failure: Failure) -> Iterator[NotAccepted]:
    """The programs that leave connections in an accept queue."""
    for one in failure.scene.programs:
        for listener in failure.scene.listeners(one.host):
            if listener.inode not in one.inodes or _accepts(one, listener.local_port):
                continue
            rows = failure.scene.queued(one.host, listener)
            clients = tuple(dict.fromkeys(failure.scene.peer(one.host, row) for row in rows))
            own = {failure.step.host.partition(".")[0]}
            if clients and (one in failure.mine or own & {*clients}):
                yield NotAccepted(failure.scene.named(one), listener.local_port, clients, one.states)


def deadlocks(failure: Failure) -> Iterator[Deadlock]:
    """The connections of which both ends sleep in the same call."""
    for one in failure.mine:
        for wait in _waits(one):
            if wait.protocol != "tcp" or wait.call not in {"recv", "send"}:
                continue
            for row, other in failure.connections(one):
                on_it = (row.local_port, row.remote_port) == (wait.port, wait.peer_port)
                matters = failure.matters(one, other)
                if on_it and matters and any(_is_other_end(wait, back, one.host) for back in _waits(other)):
                    names = sorted((failure.scene.named(one), failure.scene.named(other)))
                    last = _last_sent(failure, one, other, row) if wait.call == "recv" else None
                    yield Deadlock((names[0], names[1]), wait.call, last)


def _last_sent(failure: Failure, one: ProgramState, other: ProgramState, row: SocketRow) -> LastSent | None:
    """Who of two programs sent last on their connection, as far as that is known."""
    found = failure.sides(one, row)
    if found is None:
        return None
    mine, peer = found
    heard = [(side.heard.time, side) for side in found if side.heard]
    if not heard or max(time for time, _ in heard) > failure.step.at:
        return None
    time, hearer = max(heard, key=lambda pair: pair[0])
    sender, silent, from_ = (other, one, peer) if hearer is mine else (one, other, mine)
    elsewhere = (
        their.host
        for connection in failure.evidence.connections
        for own, their in (connection.sides, connection.sides[::-1])
        if own.host == silent.host and their.host not in {sender.host, ""}
        if their.heard and time < their.heard.time <= failure.step.at
    )
    names = failure.scene.named(sender), failure.scene.named(silent)
    return LastSent(names[0], from_.bytes, names[1], tuple(dict.fromkeys(elsewhere)))


def not_read(failure: Failure) -> Iterator[NotRead]:
    """The programs that leave what was sent to them unread."""
    for one in failure.concerned():
        for row, other in failure.connections(one):
            unread = row.recv_queue - (row.state is TcpState.CLOSE_WAIT)
            near = one in failure.mine or other in failure.mine
            if near and unread > 0 and _is_left_alone(one, row):
                yield NotRead(failure.scene.named(one), failure.scene.named(other), unread, one.states)


def still_held(failure: Failure) -> Iterator[StillHeld]:
    """The connections that a peer waits to see closed, and that one process has closed and another has not.

    A parent that closes its copy and leaves the rest to its child does what it is to do.
    """
    for one in failure.scene.programs:
        seen = failure.scene.hosts.get(one.host)
        for row in seen.tcp if seen else ():
            last = [doing.row for doing in one.own if row.inode and row.inode in doing.row.sockets]
            if not last or not _is_left_alone(one, row) or not _is_awaited(failure, one, row):
                continue
            gone = copies_closed(failure.evidence.holders.get((one.host, row.inode), ()), last)
            if {each.pid for each in gone} - {each.parent for each in last}:
                held = holding(failure.evidence, one.host, last, gone)
                yield StillHeld(one.host, failure.scene.peer(one.host, row), held)


def _is_awaited(failure: Failure, one: ProgramState, row: SocketRow) -> bool:
    """Whether the step waits for the end of a connection: its program for the peer, or it for a state."""
    peer, action = failure.scene.peer(one.host, row), failure.line.action if failure.line else None
    if isinstance(action, WaitStep) and action.wait.state is not None:
        pair, own = {one.host, peer}, failure.step.host.partition(".")[0]
        return row.state is TcpState.CLOSE_WAIT and own in pair and action.wait.peer in {None, *pair - {own}}
    return any(
        mine.host == peer and wait.call == "recv" and _is_on(wait, row.remote_port, row.local_port)
        for mine in failure.mine
        for wait in _waits(mine)
    )


def waits_for_lock(failure: Failure) -> Iterator[WaitsForLock]:
    """The programs that wait for a lock while a peer waits for them."""
    for one in failure.concerned():
        calls = {wait.call for wait in _waits(one)}
        if "futex" not in calls or "poll" in calls:
            continue
        for row, other in failure.connections(one):
            awaited = any(
                wait.call == "poll" or _is_on(wait, row.remote_port, row.local_port) for wait in _waits(other)
            )
            if awaited and not row.recv_queue and _is_left_alone(one, row) and failure.matters(one, other):
                yield WaitsForLock(failure.scene.named(one), failure.scene.named(other), one.states)


def waits_for_peer(failure: Failure) -> Iterator[WaitsForPeer]:
    """The peers that the step's program waits for."""
    for one in failure.mine:
        for wait in _waits(one):
            if (wait.protocol, wait.call) != ("tcp", "recv"):
                continue
            for row, other in failure.connections(one):
                on_it = (row.local_port, row.remote_port) == (wait.port, wait.peer_port)
                if on_it and failure.matters(one, other):
                    yield WaitsForPeer(failure.scene.named(one), failure.scene.named(other), other.states)


def stopped(failure: Failure) -> Iterator[IsStopped]:
    """The programs that a signal has stopped."""
    for one in failure.concerned():
        if any(isinstance(state, Stopped) for state in one.states):
            yield IsStopped(failure.scene.named(one))


def loops(failure: Failure) -> Iterator[InLoop]:
    """The programs that run all the time."""
    for one in failure.concerned():
        enough = _NEARLY_ALL * min(1.0, failure.evidence.scenario.hosts[one.host].limits.cpus)
        for state in one.states:
            if isinstance(state, Busy) and _runs_all_the_time(state, enough):
                yield InLoop(failure.scene.named(one), state.used, state.waited, _closed_by(failure, one))


def _closed_by(failure: Failure, one: ProgramState) -> tuple[str, ...]:
    """The hosts that have closed a connection which a program still holds."""
    seen = failure.scene.hosts.get(one.host)
    rows = [row for row in (seen.tcp if seen else ()) if row.inode in one.inodes]
    closed = [failure.scene.peer(one.host, row) for row in rows if row.state == "CLOSE_WAIT"]
    return tuple(dict.fromkeys(closed))


def without_newline(failure: Failure) -> Iterator[WithoutNewline]:
    """The step's program, or that which the script hears, if its last line lacks nothing but the end."""
    action = failure.line.action if failure.line else None
    if not isinstance(action, Expect) or not (shape := action.expect.line or action.expect.glob):
        return
    wanted, last = filled(shape, failure.step, failure.evidence), failure.step.rest.rpartition("\n")[2]
    if wanted is None or not last:
        return
    if last == wanted or (action.expect.line is None and fnmatchcase(last, wanted)):
        for one in failure.mine or failure.partners:
            if not isinstance(one.state, Ended):
                yield WithoutNewline(failure.scene.named(one), last, sent=bool(failure.opened))


def other_line_ends(failure: Failure) -> Iterator[OtherLineEnds]:
    """That the text is there, if only the ends of its lines are others."""
    action = failure.line.action if failure.line else None
    if not isinstance(action, Expect) or "\n" not in (action.expect.text or ""):
        return
    wanted = filled(action.expect.text or "", failure.step, failure.evidence)
    if wanted and wanted.replace("\r\n", "\n") in failure.step.rest.replace("\r\n", "\n"):
        yield OtherLineEnds(*(("LF", "CRLF") if "\r\n" in wanted else ("CRLF", "LF")))


def maybe_other_line_ends(failure: Failure) -> Iterator[OtherLineEnds]:
    """That a regular expression has CR LF, and what came has none; whether it would match is not tried."""
    action = failure.line.action if failure.line else None
    regex = (action.expect.regex or "") if isinstance(action, Expect) else ""
    rest = failure.step.rest
    if ("\r\n" in regex or r"\r\n" in regex) and "\n" in rest and "\r\n" not in rest:
        yield OtherLineEnds("LF", "CRLF", maybe=True)


def returns_typed(failure: Failure) -> Iterator[ReturnsTyped]:
    """The step's program, if CR was typed to it on a terminal."""
    if failure.line is None or not isinstance(failure.line.action, Expect):
        return
    for one in failure.mine:
        model = failure.model_of(one)
        typed = (
            event
            for event in failure.evidence.transcript.events
            if isinstance(event, Input) and (event.host, event.program) == (one.host, one.name)
        )
        if model and model.tty and any(event.kind == "text" and "\r" in event.text for event in typed):
            yield ReturnsTyped(failure.scene.named(one))


def buffered(failure: Failure) -> Iterator[Buffered]:
    """The step's program, if its output may still be in its buffer."""
    if failure.line is None or not isinstance(failure.line.action, Expect):
        return
    for one in failure.mine:
        if (
            _sleeps(one)
            and not has_printed(failure.evidence, one.run, failure.step.at)
            and _had_cause(failure, one)
        ):
            model = failure.model_of(one)
            yield Buffered(failure.scene.named(one), bool(model and model.tty))


def _had_cause(failure: Failure, one: ProgramState) -> bool:
    """Whether a program had what it needs to print: all that was sent to it is read, if it gets anything.

    One that has sockets and got nothing may just print later; not if the script has given nothing to
    others: then it was to print by itself.
    """
    seen = failure.scene.hosts.get(one.host)
    rows = [row for row in (seen.tcp if seen else ()) if row.inode and row.inode in one.inodes]
    connections = [row for row in rows if row.state is not TcpState.LISTEN]
    if any(row.recv_queue for row in rows) or any(wait.call == "connect" for wait in _waits(one)):
        return False
    if any(sides[1].bytes for row in connections if (sides := failure.sides(one, row))):
        return True
    return not rows or (not connections and not failure.addressed[0])


def short_of_processors(failure: Failure) -> Iterator[Starved | NoticedLate]:
    """Whether a step ran out of time beside programs, or the lab itself, that waited for a processor."""
    action = failure.line.action if failure.line else None
    if not isinstance(action, Start | Expect | WaitStep):
        return
    limit, took = _limit(failure), failure.step.at - failure.step.began
    if took < limit * _SECOND:
        return
    starved = tuple(
        (failure.scene.named(one), waited) for one in failure.concerned() if (waited := _waited(failure, one))
    )
    if starved:
        yield Starved(starved)
    if took > limit * _SECOND + _LATE:
        yield NoticedLate(limit, took)


def starved(failure: Failure) -> Starved | None:
    """The programs of a step that had no processor for half its time, while others than the lab had them.

    Each waited for one at least half of the time since the middle of the step. Who keeps the machine busy by
    himself is none: all programs of the lab together have used less than half a processor, and those of his
    host less than half of what it may use (limits.cpus).
    """
    hosts = failure.scene.hosts
    since = min((seen.since for seen in hosts.values()), default=0)
    limit = _limit(failure) * _SECOND
    used = {host: sum(doing.used_since for doing in seen.processes) for host, seen in hosts.items()}
    if failure.step.at - failure.step.began < limit or since < limit / 4 or sum(used.values()) * 2 > since:
        return None
    waits = {
        failure.scene.named(one): max((doing.waited_since for doing in one.own), default=0) * 100 // since
        for one in failure.concerned() or failure.scene.programs
        if used.get(one.host, 0) * 2 <= failure.evidence.scenario.hosts[one.host].limits.cpus * since
    }
    found = tuple((name, min(100, percent)) for name, percent in waits.items() if percent >= _HALF)
    return Starved(found) if found else None


def noticed_late(failure: Failure) -> NoticedLate | None:
    """That the lab noticed much too late that a step's time was over: nobody knows what it had missed.

    It was half a second late or more, and a quarter of the step's time. Where programs of the lab used half a
    processor or more when the script broke off, they may have kept it busy themselves.
    """
    action = failure.line.action if failure.line else None
    limit, took = _limit(failure), failure.step.at - failure.step.began
    is_late = took > limit * _SECOND + max(_LATE, limit * _SECOND / 4)
    hosts = failure.scene.hosts.values()
    used = sum(doing.used for one in hosts for doing in one.processes)
    if (
        not is_late
        or used * 2 > max((one.window for one in hosts), default=0)
        or not isinstance(action, Start | Expect | WaitStep)
    ):
        return None
    return NoticedLate(limit, took)


def heard_late(failure: Failure) -> HeardLate | None:
    """The program whose end a step waited for in vain, if it had ended in the step's time."""
    action = failure.line.action if failure.line else None
    if not (isinstance(action, WaitStep) and action.wait.exited):
        return None
    until = failure.step.began + int(_limit(failure) * _SECOND)
    ends = ((one, one.state.at) for one in failure.mine if isinstance(one.state, Ended))
    return next((HeardLate(failure.scene.named(one), at) for one, at in ends if at <= until), None)


def _limit(failure: Failure) -> float:
    """Seconds that the step had."""
    within = failure.line.action.within if failure.line else None
    return within or failure.evidence.scenario.timeouts.step


def _waited(failure: Failure, one: ProgramState) -> int:
    """How long a process of a program waited for a processor (percent), if that is much."""
    seen = failure.scene.hosts.get(one.host)
    if seen is None or not seen.window:
        return 0
    waited = (min(doing.waited, max(0, seen.window - doing.used)) for doing in one.own)
    percent = max(waited, default=0) * 100 // seen.window
    return percent if percent >= _MUCH else 0


def _runs_all_the_time(state: Busy, enough: float) -> bool:
    used = state.used + state.waited >= enough and state.used >= min(_ENOUGH, enough)
    return used or state.awake


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
