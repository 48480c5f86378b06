"""Who holds a socket: which processes of a host have a descriptor of it, and which had one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.checks.select import history_of
from lab.checks.telling import listed
from lab.evidence.evidence import Evidence
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


def hidden(rows: Iterable[ProcessRow]) -> str:
    """That nobody knows from which start some processes came, in words; empty if that is known of all."""
    found = [f"{row.number} ({row.name})" for row in rows if row.mark == HIDDEN]
    if not found:
        return ""
    return f"process {listed(found)} changed the limits by which it is known which program it came from"


def holders(evidence: Evidence, host: str, ports: tuple[int, int]) -> str:
    """Who still holds a connection's socket (local and remote port), and who did and has closed its copy.

    Empty if no look at the processes tells: nothing is guessed.
    """
    held = _held(evidence, host, ports)
    if not held:
        return ""
    latest, _ = held[-1]
    last = [row for number, row in held if number == latest]
    return holders_told(evidence, host, last, copies_closed(held, last))


def copies_closed(held: Iterable[tuple[int, ProcessRow]], last: Iterable[ProcessRow]) -> Sequence[ProcessRow]:
    """Who held a socket before, and is none of those that held it last."""
    pids = {row.pid for row in last}
    return tuple({row.pid: row for _, row in held if row.pid not in pids}.values())


def shared(evidence: Evidence, host: str, ports: tuple[int, int]) -> str:
    """The same of a socket of which a copy was closed while another was held; empty of any other."""
    held = _held(evidence, host, ports)
    last = [row for number, row in held if number == held[-1][0]]
    return holders(evidence, host, ports) if copies_closed(held, last) else ""


def holders_told(
    evidence: Evidence, host: str, last: Sequence[ProcessRow], gone: Sequence[ProcessRow]
) -> str:
    """Who holds a socket, and who has closed its copy of it, in words."""
    still = listed([_named(evidence, host, row) for row in last])
    if not gone:
        return f"{still} {'holds' if len(last) == 1 else 'hold'} the socket"
    closed = listed([_named(evidence, host, row) for row in gone])
    verb = "holds" if len(last) == 1 else "hold"
    return f"{closed} closed its copy, {still} still {verb} one: FIN is sent when the last holder closes"


def _named(evidence: Evidence, host: str, row: ProcessRow) -> str:
    """``server (process 11)``, or ``its child (process 12)`` for what a program of the script started."""
    if program := evidence.programs.get((host, row.pid)):
        return f"{program} (process {row.number})"
    above = (evidence.programs.get((host, pid)) for pid in (row.parent, row.session))
    parent = next(filter(None, above), evidence.marked.get((host, row.mark)))
    return f"the child of {parent} (process {row.number})" if parent else f"process {row.number} ({row.name})"
