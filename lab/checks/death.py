"""Whose doing a FIN or RST is: a program closed, or it ended and its kernel closed what it left behind.

Both look alike on the wire. What tells them apart is when: the kernel closes everything as a process ends,
and the end is heard right after that. A program that ends unasked has chosen to, and its end counts as its
close. One that the script ended, or that crashed, has not. A program that crashes may have closed shortly
before. The kernel says when it began to end a process for a fault: what left before that is the program's
own, what left after that is not. Where it has not said that, a look that shows the program alive and without
the socket proves a close, and where none does nobody knows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from lab.checks.completeness import of_looks
from lab.checks.holders import held_by
from lab.checks.select import history_of, runs_of
from lab.core.words import FAULTS, TcpState, signal_name
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.evidence.processes import ProcessRow
from lab.evidence.situation import Killed
from lab.evidence.sockets import Instrument
from lab.evidence.transcript import Exited, Input, ProgramRun
from lab.scenario.script import line_of
from lab.steps.actions.end import Key, SendSignal
from lab.wire.tcp import Connection, Moment, Side

_KEYS = {"ctrl-c": "SIGINT", "ctrl-\\": "SIGQUIT"}
"""What a terminal makes of keys that end a program."""

_ENDINGS = frozenset({"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGKILL"})
"""Signals by which a program is asked or made to end; others are so only if it ends by them."""

_OBEYS = 1_000_000_000
"""ns within which a program that was told to end does so, if what it closes belongs to its end."""

_AT_ONCE = 50_000_000
"""ns between what the kernel closes as a process ends and the moment when its end is heard, at the most."""

_BUSY = 250_000_000
"""The same where the machine is short of processors, for an end of which nobody has said when it began."""

_HEARD_EARLY = 5_000_000
"""ns by which an end may be heard before the segment is seen."""

_HUNG_UP = 200_000_000
"""ns after a program's end within which its children have ended that lost their terminal by it."""


class Reason(StrEnum):
    """Why a program ended."""

    SCRIPT = "script"
    CRASH = "crash"
    ITSELF = "itself"


class Death(Struct, frozen=True):
    """The end of a program, or of a process that it had started, that sent a FIN or an RST.

    ``counts`` says whether that is the program's close all the same. ``order`` is what the script gave it.
    ``proven`` says that it was sent by that; otherwise the program may have closed ``earlier`` (ns).
    ``unheard`` says, of an end that nobody has heard of, why there may have been one.
    """

    who: Message | str
    status: int
    reason: Reason
    counts: bool
    order: Input | None = None
    proven: bool = True
    earlier: int = 0
    unheard: Message | None = None

    def beside(self) -> Message:
        """How the end and what was sent belong together: ``as server ended: killed by SIGSEGV``."""
        if self.unheard:
            return message("perhaps-at-an-end")
        if self.earlier:
            return message("before-end", earlier=self.earlier, end=self.end())
        return message("as-end", end=self.end())

    def unknown(self, who: str, what: Message | str) -> Message | None:
        """Why nobody knows whether a side closed; None if that is known."""
        if self.proven:
            return None
        why = self.unheard or message("was-sent", what=what, when=self.beside())
        return message("close-not-known", host=who, why=why)

    def end(self) -> Message:
        """The end, as the cause of what was sent: ``SIGTERM (step finally.1) ended server``."""
        if self.order is None:
            return message("end-by-itself", who=self.who, status=self.status)
        given, key = self.order, "" if self.order.kind == "signal" else self.order.text
        signal = "" if key else given.text
        return message(
            "end-by-script", signal=signal, key=key, step=given.step, who=self.who, status=self.status
        )


def death_behind(what: Moment | None, side: Side, connection: Connection, evidence: Evidence) -> Death | None:
    """The end of a program that sent what left a side at a moment; None if its program went on.

    Where several programs ran then and no look tells which of them had the socket, nothing is guessed.
    """
    if what is None:
        return None
    ports = side.port, connection.peer_of(side).port
    shown = history_of(evidence, side.host).owned(ports)
    socket = _Socket(side.host, shown.inode if shown else 0, held_by(evidence, side.host, ports))
    runs = _holders(what, side, socket.held, evidence)
    death = _death(runs[0], what, side, socket, evidence) if len(runs) == 1 else None
    death = death or _death_of_child(what, side, socket, evidence)
    return death or _death_of_another(what, side, socket, evidence) or _death_unheard(what, side, evidence)


class _Socket(Struct, frozen=True):
    """A side's socket, and the processes of its host that were seen to hold it."""

    host: str
    inode: int
    held: tuple[ProcessRow, ...]

    def of(self, pids: Collection[int]) -> _Socket:
        """The same socket, as these processes hold it."""
        return replace(self, held=tuple(row for row in self.held if row.pid in pids))

    def was_closed(self, what: Moment, evidence: Evidence) -> bool:
        """Whether looks show that each of the processes lived on without it, or after what was sent."""
        return bool(self.held) and all(self._let_go(row.pid, what, evidence) for row in self.held)

    def _let_go(self, pid: int, what: Moment, evidence: Evidence) -> bool:
        """Whether a process that had the socket was seen alive without it, or after what was sent.

        A look at a process that is just ending misses descriptors. So one counts only if the process surely
        lived on after it: it slept in a call then, or the next look shows it alive.
        """
        looks, had = evidence.looks.get((self.host, pid), ()), False
        for number, (look, row) in enumerate(looks):
            after = any(later.descriptors for _, later in looks[number + 1 : number + 2])
            if row.descriptors and (row.asleep or after):
                if look.at > what.time or (had and self.inode not in row.sockets):
                    return True
                had = had or self.inode in row.sockets
        return False

    def seen_dead(self, what: Moment, evidence: Evidence) -> list[int]:
        """When looks after what was sent found one of the processes dead (ns)."""
        return [
            look.at
            for row in self.held
            for look, shown in evidence.looks.get((self.host, row.pid), ())
            if shown.zombie and look.at > what.time
        ]


def _death_of_child(what: Moment, side: Side, socket: _Socket, evidence: Evidence) -> Death | None:
    """The crash of a process that was seen to hold a side's socket and is no program of the script itself."""
    holders = {row.pid for row in socket.held if (side.host, row.pid) not in evidence.programs}
    for killed in evidence.killed.get(side.host, ()):
        if killed.pid in holders and _is_crash(killed, evidence):
            crash = Death(_named(killed), killed.status, Reason.CRASH, counts=False)
            if found := _crash(crash, killed, what, socket.of({killed.pid}), evidence):
                return found
    return None


def _death_of_another(what: Moment, side: Side, socket: _Socket, evidence: Evidence) -> Death | None:
    """The crash, just then, of a process that may have had the socket though no look shows that.

    It had it from a process that was seen to have it and had made it, or nobody was seen to have it.
    """
    holders = {row.pid for row in socket.held}
    for killed in evidence.killed.get(side.host, ()):
        if killed.pid in holders or (holders and not {killed.parent, killed.session} & holders):
            continue
        if _is_crash(killed, evidence) and _may_come_of(killed, what):
            return Death(_named(killed), killed.status, Reason.CRASH, counts=False, proven=False)
    return None


def _is_crash(killed: Killed, evidence: Evidence) -> bool:
    """Whether the kernel has ended a process, for a fault or for want of memory: nobody has chosen that."""
    fault = signal_name(killed.status) in FAULTS
    return fault or evidence.killed_for_memory(killed.host, killed.status, killed.at)


def _may_come_of(killed: Killed, what: Moment) -> bool:
    """Whether what was sent may come of an end; of one that nobody saw begin, if it was soon after that."""
    if killed.dying:
        return killed.dying <= what.time <= killed.at
    return _may_send(what, killed.at, _BUSY)


def _death_unheard(what: Moment, side: Side, evidence: Evidence) -> Death | None:
    """An end that may have been, where ends of processes of a side's host were not heard of."""
    why = of_looks(evidence, side.host, Instrument.ENDS) or _victim_unheard(what, side, evidence)
    if not why:
        return None
    return Death("", 0, Reason.CRASH, counts=False, proven=False, unheard=why)


def _victim_unheard(what: Moment, side: Side, evidence: Evidence) -> Message | None:
    """That the kernel may just then have killed a process for want of memory of which nobody has heard.

    It says nothing of a process that no look has shown and whose parent ignores SIGCHLD.
    """
    if not evidence.used_up_memory(side.host, what.time):
        return None
    ends = [(one.at, one.status) for one in evidence.killed.get(side.host, ())]
    ends += [(run.exited.at, run.exited.status) for run in runs_of(evidence, side.host) if run.exited]
    if any(evidence.killed_for_memory(side.host, status, at) for at, status in ends):
        return None
    return message("victim-not-heard", host=side.host)


def _named(killed: Killed) -> Message:
    if killed.number:
        return message("process", name=killed.name, number=killed.number)
    return message("child-of-its-program")


def _holders(what: Moment, side: Side, held: Sequence[ProcessRow], evidence: Evidence) -> list[ProgramRun]:
    """The programs that may have had a side's socket at a moment: where looks tell, those that did."""
    runs = [
        run
        for run in runs_of(evidence, side.host)
        if run.started.at <= what.time and (run.exited is None or run.exited.at >= what.time - _HUNG_UP)
    ]
    known = {pid for row in held for pid in (row.pid, row.parent, row.session)}
    return [run for run in runs if run.started.pid in known] or ([] if known else runs)


def _death(run: ProgramRun, what: Moment, side: Side, socket: _Socket, evidence: Evidence) -> Death | None:
    exited = run.exited
    if exited is None:
        return None
    order, before_end = order_behind(run, exited, evidence), exited.at - what.time
    if order is not None:
        by_it = signal_name(exited.status) == _signal_of(order)
        if order.at > what.time or not (by_it or before_end <= _OBEYS):
            return None
        counts = _is_way_to_close(order, what, side, evidence)
        return Death(exited.program, exited.status, Reason.SCRIPT, counts, order)
    if not signal_name(exited.status):
        near = _may_send(what, exited.at) and not evidence.called_between(side.host, what.time, exited.at)
        return Death(exited.program, exited.status, Reason.ITSELF, counts=True) if near else None
    own = run.started.pid
    family = socket.of({row.pid for row in socket.held if own in {row.pid, row.parent, row.session}})
    crash = Death(exited.program, exited.status, Reason.CRASH, counts=False)
    told = next((one for one in evidence.killed.get(side.host, ()) if one.pid == own), None)
    return _crash(crash, told or exited, what, family, evidence)


def _crash(
    crash: Death, end: Killed | Exited, what: Moment, socket: _Socket, evidence: Evidence
) -> Death | None:
    """The crash of who held a socket, if it has sent what left, or may have."""
    if isinstance(end, Killed) and end.dying:
        known = what.time <= end.at  # what had to wait for what was sent before leaves later
        sent = end.dying <= what.time <= end.at + _HEARD_EARLY
        return replace(crash, proven=known) if sent else None
    if not _may_send(what, end.at, _BUSY) or socket.was_closed(what, evidence):
        return None
    between = min([end.at, *socket.seen_dead(what, evidence)]) - what.time
    return replace(crash, proven=False, earlier=max(0, between))


def _may_send(what: Moment, heard: int, at_once: int = _AT_ONCE) -> bool:
    """Whether what was sent may come from an end that was heard at a time."""
    return -_HEARD_EARLY <= heard - what.time <= at_once


def end_of(host: str, heard: int, evidence: Evidence) -> int:
    """When a process of a host ended (ns): when its end was heard, or what may come from it was sent before.

    Ends of different hosts are heard in any order; what the kernel closed as they came stands in a capture.
    """
    sent = (
        what.time
        for connection in evidence.connections
        for side in connection.sides
        if side.host == host
        for what in (side.fin and side.fin.first, side.reset and side.reset.sent)
        if what and _may_send(what, heard)
    )
    return min([heard, *sent])


def order_behind(run: ProgramRun, exited: Exited, evidence: Evidence) -> Input | None:
    """What the script ended a program with, if it did: the last that it was given for that."""
    by_it = signal_name(exited.status)
    given = [
        event
        for event in evidence.inputs.get((run.started.host, run.started.program), ())
        if run.started.at <= event.at <= exited.at + _HEARD_EARLY
        and (signal := _signal_of(event))
        and signal in {*_ENDINGS, by_it}
    ]
    return given[-1] if given else None


def _signal_of(given: Input) -> str:
    """The signal that the script sent, itself or through the terminal; empty for other input."""
    if given.kind == "signal":
        return given.text
    return _KEYS.get(given.text, "") if given.kind == "key" else ""


def _is_way_to_close(order: Input, what: Moment, side: Side, evidence: Evidence) -> bool:
    """Whether the script ends a program so that it closes.

    What a step of ``steps`` ends while nobody has closed yet is the script's way to close. Once the peer has
    closed the question is whether the program does, too; and ``finally`` tidies up. A step may say otherwise.
    """
    line = line_of(evidence.scenario, order.step)
    if line is not None and isinstance(line.action, Key | SendSignal) and line.action.closes is not None:
        return line.action.closes
    waited = side.entered(TcpState.CLOSE_WAIT)
    return not order.step.startswith("finally") and (waited is None or waited > what)
