"""What judging and drawing cost grows with what there is, not with its square: calls are counted, not seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks.judging import judge
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.history import ends_of
from lab.evidence.processes import ProcessRow, ProcessSample
from lab.evidence.sockets import SocketEnds, SocketRow, SocketSample
from lab.output.ladder.story import segments_of, story
from tests.unit.staged import PASS, Stage, at, exited, printed, row, started, step

FEW, MANY = 50, 200
"""Four times as many take about four times as many calls; with their square it would be sixteen."""

TO = "server:80"
CHECKS: Sequence[dict[str, Any]] = (
    {"connections": {"to": TO, "count": ">=1"}},
    {
        "connection": {"from": "client_a", "to": TO, "nth": 40},
        "handshake": "complete",
        "close": {"kind": ["orderly"], "active": "client_a"},
        "fin": ["client_a", "server"],
        "rst": {"by": "server", "cause": "unread_data"},
        "retransmissions": {"data": 0},
        "bytes": {"client_a": 5},
        "states": {"server": ["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]},
        "time_wait": "client_a",
    },
    {
        "close_wait": {
            "host": "server",
            "dwell": {"max": "1s"},
            "left": True,
            "blame": "not_closed",
            "eof_read": True,
        }
    },
    {"state": {"host": "server", "state": "ESTABLISHED"}},
    {"state": {"host": "server", "state": "CLOSE_WAIT", "peer": "client_a", "owner": "process"}},
    {"listener": {"host": "server", "port": 80, "backlog": 5, "queue_max": 0, "syn_queue_max": 0}},
    {"output": {"host": "server", "lines": {"hello": ">=1"}, "lacks": ["error"]}},
    {"exit": {"host": "server", "status": 0}},
    {"process": {"host": "server", "asleep_in": "recv", "descriptors": ">=1"}},
)

_OPENS = """\
{0} client_a:{port} > server:80 S
{1} server:80 > client_a:{port} S.
{2} client_a:{port} > server:80 .
{3} client_a:{port} > server:80 P. 5
"""
_CLOSES = _OPENS + "{4} client_a:{port} > server:80 F.\n{5} server:80 > client_a:{port} .\n"
_ENDS = _CLOSES + "{6} server:80 > client_a:{port} F.\n{7} client_a:{port} > server:80 .\n"
_BREAKS = _OPENS + "{4} server:80 > client_a:{port} R.\n"


def talk(number: int, pattern: str, port: int | None = None) -> str:
    """A connection that begins so many times 20 ms after the run."""
    times = [f"{20 * number + 2 * moment}" for moment in range(8)]
    return pattern.format(*times, port=port or 10_000 + number)


def sample(milliseconds: float, *rows: SocketRow, gone: Sequence[SocketRow] = ()) -> SocketSample:
    return SocketSample(
        at(milliseconds),
        "server",
        rows,
        unread_closes=round(milliseconds),
        whole=not milliseconds,
        gone=tuple(SocketEnds(*ends_of(one)) for one in gone),
    )


def socket(number: int, state: TcpState, port: int | None = None) -> SocketRow:
    remote = f"192.168.153.129:{port or 10_000 + number}"
    return row(state, "192.168.153.128:80", remote, inode=100 + number)


def process(pid: int, *sockets: int) -> ProcessRow:
    return ProcessRow(pid, 1, pid, 7, "server", zombie=False, descriptors=9, sockets=sockets, asleep=())


def staged(folder: Path, number: int, pattern: str, *, port: int | None = None) -> Evidence:
    """So many connections, each looked at as it opens and closes, and a program run as often."""
    listener = row(TcpState.LISTEN, "0.0.0.0:80")
    samples = [sample(0, listener)]
    looks = []
    for n in range(number):
        samples.append(sample(20 * n + 5, socket(n, TcpState.ESTABLISHED, port)))
        if pattern in {_CLOSES, _ENDS}:
            samples.append(sample(20 * n + 10, socket(n, TcpState.CLOSE_WAIT, port)))
        if pattern in {_ENDS, _BREAKS}:
            samples.append(sample(20 * n + 17, gone=[socket(n, TcpState.CLOSE_WAIT, port)]))
        looks.append(ProcessSample(at(20 * n + 11), "server", (process(1000 + n, 99 + n, 100 + n),)))
    runs = [
        event
        for n in range(number)
        for event in (replace(started(), pid=1000 + n), printed("hello\n"), exited(0))
    ]
    text = "".join(talk(n, pattern, port) for n in range(number))
    return Stage(
        folder, text, samples=samples, processes=looks, events=[*runs, step("1", PASS)], worst_gap=0
    ).evidence(*CHECKS)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, of Python's own too."""
    number = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal number
        number += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return number


@pytest.mark.parametrize(
    ("pattern", "port"),
    [(_OPENS, None), (_CLOSES, None), (_ENDS, None), (_ENDS, 4000), (_BREAKS, None), (_BREAKS, 4000)],
    ids=["open", "left", "closed", "closed, on one port", "reset", "reset, on one port"],
)
def test_judging_grows_with_the_evidence(tmp_path: Path, pattern: str, port: int | None) -> None:
    few, many = (staged(tmp_path, number, pattern, port=port) for number in (FEW, MANY))
    assert len(many.connections) == MANY
    assert calls(lambda: judge(many)) < 5 * calls(lambda: judge(few))


def test_reading_and_drawing_grow_with_the_evidence(tmp_path: Path) -> None:
    def draw(number: int) -> int:
        folder = tmp_path / str(number)
        folder.mkdir()
        evidence = staged(folder, number, _ENDS)
        (capture,) = evidence.info.captures
        rows = story(evidence, {capture.path: segments_of(folder, capture)}, judge(evidence))
        return sum(1 for _ in rows)

    assert draw(FEW) > FEW
    assert calls(lambda: draw(MANY)) < 5 * calls(lambda: draw(FEW + 1)) * (FEW + 1) / FEW
