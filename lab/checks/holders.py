"""Who holds a socket: which processes of a host have a descriptor of it, and which had one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.checks.select import history_of
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.evidence.processes import HIDDEN, ProcessRow


def children_of(own: ProcessRow, rows: Sequence[ProcessRow]) -> tuple[ProcessRow, ...]:
    """The processes that one started, and those that they did: of its session, below it, or of its mark."""
    family = {own.pid} | {row.pid for row in rows if own.mark > 0 and row.mark == own.mark}
    before = 0
    while before != len(family):
        before = len(family)
        family |= {row.pid for row in rows if row.parent in family or row.session == own.pid}
    return tuple(row for row in rows if row.pid in family - {own.pid})


def held_by(evidence: Evidence, host: str, ports: tuple[int, int]) -> tuple[ProcessRow, ...]:
    """The processes that were seen to hold a connection's socket (local and remote port)."""
    return tuple({row.pid: row for _, row in _held(evidence, host, ports)}.values())


def _held(evidence: Evidence, host: str, ports: tuple[int, int]) -> Sequence[tuple[int, ProcessRow]]:
    """Who was seen to hold a connection's socket, each with the number of the look."""
    shown = history_of(evidence, host).owned(ports)
    return evidence.holders.get((host, shown.inode), ()) if shown else ()


def hidden(rows: Iterable[ProcessRow]) -> Message | None:
    """That nobody knows from which start some processes came; None if that is known of all."""
    found = tuple(numbered(row) for row in rows if row.mark == HIDDEN)
    return message("limits-changed", processes=found) if found else None


def numbered(row: ProcessRow) -> Message:
    """A process by its number."""
    return message("numbered", number=row.number, name=row.name)


def holders(evidence: Evidence, host: str, ports: tuple[int, int]) -> Message | None:
    """Who still holds a connection's socket (local and remote port), and who did and has closed its copy.

    None if no look at the processes tells: nothing is guessed.
    """
    held = _held(evidence, host, ports)
    if not held:
        return None
    latest, _ = held[-1]
    last = [row for number, row in held if number == latest]
    return holding(evidence, host, last, copies_closed(held, last))


def copies_closed(held: Iterable[tuple[int, ProcessRow]], last: Iterable[ProcessRow]) -> Sequence[ProcessRow]:
    """Who held a socket before, and is none of those that held it last."""
    pids = {row.pid for row in last}
    return tuple({row.pid: row for _, row in held if row.pid not in pids}.values())


def shared(evidence: Evidence, host: str, ports: tuple[int, int]) -> Message | None:
    """The same of a socket of which a copy was closed while another was held; None of any other."""
    held = _held(evidence, host, ports)
    last = [row for number, row in held if number == held[-1][0]]
    return holders(evidence, host, ports) if copies_closed(held, last) else None


def holding(evidence: Evidence, host: str, last: Sequence[ProcessRow], gone: Sequence[ProcessRow]) -> Message:
    """Who holds a socket, and who has closed its copy of it."""
    still = tuple(_named(evidence, host, row) for row in last)
    if not gone:
        return message("holds-socket", still=still)
    return message("holds-copy", still=still, closed=tuple(_named(evidence, host, row) for row in gone))


def _named(evidence: Evidence, host: str, row: ProcessRow) -> Message:
    """``server (process 11)``, or ``the child of server (process 12)`` for what a program has started."""
    if program := evidence.programs.get((host, row.pid)):
        return message("process", name=program, number=row.number)
    above = (evidence.programs.get((host, pid)) for pid in (row.parent, row.session))
    if parent := next(filter(None, above), evidence.marked.get((host, row.mark))):
        return message("child-of", parent=parent, number=row.number)
    return message("other-process", name=row.name, number=row.number)
