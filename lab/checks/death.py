"""Whose doing a FIN or RST is: a program closed, or it ended and its kernel closed what it left behind.

Both look alike on the wire. What tells them apart is when: the kernel closes everything as a process ends,
and the end is heard right after that. A program that ends unasked has chosen to, and its end counts as its
close. One that the script ended, or that crashed, has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.checks.holders import held_by
from lab.checks.select import runs_of
from lab.evidence import Evidence
from lab.flows import Connection, Moment, Side
from lab.processes import ProcessRow
from lab.scenario.script import lines_by_number
from lab.scenario.steps import Key, SendSignal
from lab.transcript import Exited, Input, ProgramRun
from lab.words import FAULTS, TcpState, describe_status, signal_name

_KEYS = {"ctrl-c": "SIGINT", "ctrl-\\": "SIGQUIT"}
"""What a terminal makes of keys that end a program."""

_ENDINGS = frozenset({"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGKILL"})
"""Signals by which a program is asked or made to end; others are so only if it ends by them."""

_OBEYS = 1_000_000_000
"""ns within which a program that was told to end does so, if what it closes belongs to its end."""

_AT_ONCE = 50_000_000
"""ns between what the kernel closes as a process ends and the moment when its end is heard, at the most."""

_HEARD_EARLY = 5_000_000
"""ns by which an end may be heard before the segment is seen."""

_HUNG_UP = 200_000_000
"""ns after a program's end within which its children have ended that lost their terminal by it."""


class Reason(StrEnum):
    """Why a program ended."""

    SCRIPT = "script"
    CRASH = "crash"
    ITSELF = "itself"


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a program, or of a process that it had started, that sent a FIN or an RST.

    ``counts`` says whether that is the program's close all the same. ``order`` is what the script gave it.
    """

    who: str
    status: int
    reason: Reason
    counts: bool
    order: Input | None = None

    def told(self) -> str:
        """The end, as the cause of what was sent: ``SIGTERM (step finally.1) ended server``."""
        how = describe_status(self.status)
        if self.order is None:
            return f"{self.who} ended: {how}"
        given = self.order.text if self.order.kind == "signal" else f"the key {self.order.text}"
        return f"{given} (step {self.order.step}) ended {self.who}: {how}"


def death_behind(what: Moment | None, side: Side, connection: Connection, evidence: Evidence) -> Death | None:
    """The end of a program that sent what left a side at a moment; None if its program went on.

    Where several programs ran then and no look tells which of them had the socket, nothing is guessed.
    """
    if what is None:
        return None
    held = held_by(evidence, side.host, (side.port, connection.peer_of(side).port))
    runs = _holders(what, side, held, evidence)
    death = _death(runs[0], what, side, evidence) if len(runs) == 1 else None
    return death or _death_of_child(what, side, held, evidence)


def _death_of_child(what: Moment, side: Side, held: Sequence[ProcessRow], evidence: Evidence) -> Death | None:
    """The crash of a process that was seen to hold a side's socket and is no program of the script itself."""
    holders = {row.pid for row in held if (side.host, row.pid) not in evidence.programs}
    for killed in evidence.killed.get(side.host, ()):
        crashed = killed.pid in holders and signal_name(killed.status) in FAULTS
        if crashed and -_HEARD_EARLY <= killed.at - what.time <= _AT_ONCE:
            who = f"{killed.name} (process {killed.number})"
            return Death(who, killed.status, Reason.CRASH, counts=False)
    return None


def _holders(what: Moment, side: Side, held: Sequence[ProcessRow], evidence: Evidence) -> list[ProgramRun]:
    """The programs that may have had a side's socket at a moment: where looks tell, those that did."""
    runs = [
        run
        for run in runs_of(evidence, side.host)
        if run.started.at <= what.time and (run.exited is None or run.exited.at >= what.time - _HUNG_UP)
    ]
    known = {pid for row in held for pid in (row.pid, row.parent, row.session)}
    return [run for run in runs if run.started.pid in known] or ([] if known else runs)


def _death(run: ProgramRun, what: Moment, side: Side, evidence: Evidence) -> Death | None:
    exited = run.exited
    if exited is None:
        return None
    order, before_end = _order(run, exited, evidence), exited.at - what.time
    if order is not None:
        by_it = signal_name(exited.status) == _signal_of(order)
        if order.at > what.time or not (by_it or before_end <= _OBEYS):
            return None
        counts = _is_way_to_close(order, what, side, evidence)
        return Death(exited.program, exited.status, Reason.SCRIPT, counts, order)
    if not -_HEARD_EARLY <= before_end <= _AT_ONCE:
        return None
    crashed = bool(signal_name(exited.status))
    reason = Reason.CRASH if crashed else Reason.ITSELF
    return Death(exited.program, exited.status, reason, counts=not crashed)


def _order(run: ProgramRun, exited: Exited, evidence: Evidence) -> Input | None:
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
    line = lines_by_number(evidence.scenario).get(order.step.partition("@")[0])
    if line is not None and isinstance(line.action, Key | SendSignal) and line.action.closes is not None:
        return line.action.closes
    waited = side.entered(TcpState.CLOSE_WAIT)
    return not order.step.startswith("finally") and (waited is None or waited > what)
