"""Datagrams that arrived and were never read, for a receive buffer was full: by the kernels' own counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from lab.checks.select import history_of
from lab.evidence.evidence import Evidence
from lab.evidence.sockets import DatagramSocket


class FullBuffer(Struct, frozen=True):
    """A UDP socket that had no room for so many datagrams, and when that was seen last (ns)."""

    port: int
    inode: int
    number: int
    at: int


def full_buffers(
    evidence: Evidence, host: str, until: int | None = None, now: Sequence[DatagramSocket] = ()
) -> Sequence[FullBuffer]:
    """The UDP sockets of a host that have dropped datagrams, as seen ``until`` then, and as they are ``now``.

    A socket also counts what has a wrong checksum: it is never more than the host counts as without room.
    """
    most = of_host(evidence, host)
    found: dict[int, FullBuffer] = {}
    for at, row in _seen(evidence, host, until, now):
        number = min(row.drops, most)
        if number:
            found[row.inode] = FullBuffer(row.local_port, row.inode, number, at)
    return tuple(found.values())


def _seen(
    evidence: Evidence, host: str, until: int | None, now: Sequence[DatagramSocket]
) -> Iterable[tuple[int, DatagramSocket]]:
    for sample in evidence.datagram_samples:
        if sample.host == host and (until is None or sample.at <= until):
            yield from ((sample.at, row) for row in sample.rows)
    yield from ((until or 0, row) for row in now)


def of_host(evidence: Evidence, host: str) -> int:
    """How many datagrams found a receive buffer of a host full, as its kernel counted at the end."""
    samples = history_of(evidence, host).samples
    return samples[-1].buffer_losses if samples else 0
