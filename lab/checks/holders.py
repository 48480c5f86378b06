"""Who holds a socket: which processes of a host have a descriptor of it, and which had one before."""

from __future__ import annotations

from collections.abc import Sequence

from lab.checks.select import history_of
from lab.checks.telling import listed
from lab.evidence import Evidence
from lab.history import order_of
from lab.processes import ProcessRow
from lab.transcript import Started


def children_of(own: ProcessRow, rows: Sequence[ProcessRow]) -> tuple[ProcessRow, ...]:
    """The processes that one started, and those that they did: of its session, or below it."""
    family = {own.pid}
    for row in sorted(rows, key=lambda row: row.pid):
        if row.parent in family or row.session == own.pid:
            family.add(row.pid)
    return tuple(row for row in rows if row.pid in family - {own.pid})


def holders(evidence: Evidence, host: str, ports: tuple[int, int]) -> str:
    """Who still holds a connection's socket (local and remote port), and who did and has closed its copy.

    Empty if no look at the processes tells: nothing is guessed.
    """
    shown = [stand for stand in history_of(evidence, host).between(ports) if stand.row.inode]
    looks = [sample for sample in evidence.processes if sample.host == host]
    if not shown or not looks:
        return ""
    inode = max(shown, key=lambda stand: (stand.last, order_of(stand.row))).row.inode
    held = [[row for row in look.rows if inode in row.sockets] for look in looks]
    last = next((rows for rows in reversed(held) if rows), [])
    before = {row.pid: row for rows in held for row in rows}
    gone = [row for pid, row in before.items() if pid not in {holder.pid for holder in last}]
    if not last:
        return ""
    return _told(evidence, host, last, gone)


def _told(evidence: Evidence, host: str, last: list[ProcessRow], gone: list[ProcessRow]) -> str:
    still = listed([_named(evidence, host, row) for row in last])
    if not gone:
        return f"{still} {'holds' if len(last) == 1 else 'hold'} the socket"
    closed = listed([_named(evidence, host, row) for row in gone])
    return f"{closed} closed its copy, {still} still holds one: FIN is sent when the last holder closes"


def _named(evidence: Evidence, host: str, row: ProcessRow) -> str:
    """``server (process 11)``, or ``its child (process 12)`` for what a program of the script started."""
    started = {
        event.pid: event.program
        for event in evidence.transcript.events
        if isinstance(event, Started) and event.host == host
    }
    if row.pid in started:
        return f"{started[row.pid]} (process {row.number})"
    parent = started.get(row.parent) or started.get(row.session)
    return f"the child of {parent} (process {row.number})" if parent else f"process {row.number} ({row.name})"
