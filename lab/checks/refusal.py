"""What a host listened on when it refused a connection, and what it did so before and afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Literal

from msgspec import Struct

from lab.checks.context import CheckContext
from lab.checks.select import history_of
from lab.core.endpoint import endpoint
from lab.core.words import TcpState
from lab.evidence.history import RowSpan
from lab.evidence.message import Message, message
from lab.wire.tcp import Side


class _Listener(Struct, frozen=True):
    """A socket in LISTEN: seen at the time of an event, last seen before it, or first seen after it."""

    where: str
    address: str
    port: int
    seen: Literal["then", "before", "after"]
    at: int


def listened_then(side: Side, context: CheckContext) -> Iterator[Message]:
    """What a host listened on as it sent an RST, and if need be before and afterwards."""
    moment = side.reset.first if side.reset else None
    if moment is None:
        return
    listeners = list(_listeners(side.host, moment.time, context))
    then = [one for one in listeners if one.seen == "then"]
    if then:
        local = all(ip_address(one.address).is_loopback for one in then)
        where = tuple(dict.fromkeys(one.where for one in then))
        yield message("listened-then", where=where, local=local)
    for one in listeners:
        if one.seen != "then" and (one.port == side.port or not then):
            yield _otherwise(one)


def _otherwise(one: _Listener) -> Message:
    key = "listened-afterwards" if one.seen == "after" else "listened-before"
    return message(key, where=one.where, at=one.at)


def _listeners(host: str, time: int, context: CheckContext) -> Iterator[_Listener]:
    history = history_of(context.evidence, host)
    for stand in history.in_state(TcpState.LISTEN):
        first, last = history.samples[stand.first].at, _last_seen(stand, context, host)
        seen: Literal["then", "before", "after"] = (
            "after" if first > time else "before" if last < time else "then"
        )
        row = stand.row
        yield _Listener(
            endpoint(row.local, row.local_port),
            row.local,
            row.local_port,
            seen,
            first if seen == "after" else last,
        )


def _last_seen(stand: RowSpan, context: CheckContext, host: str) -> int:
    """When the last look began that showed a row: at the end of the run, if none showed that it was gone."""
    samples = history_of(context.evidence, host).samples
    last = samples[stand.last]
    return max(last.at, last.until) if stand.last < len(samples) - 1 else context.evidence.info.ended
