"""Rows of accept queues: what the kernels' looks prove, in records and while it goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.sockets import SocketEnds, SocketRow, SocketSample
from lab.output.ladder import as_json, as_mermaid, as_svg, as_text, segments_of, story
from lab.output.ladder.live import Live, Wire
from lab.output.ladder.rows import FIRST_BYTES, Accepted, Packet, Queued, Row
from lab.output.style import Style
from lab.wire.packets import Reader
from lab.wire.tcp import CapturePoint
from tests.unit import sketch, staged
from tests.unit.staged import MS, Stage, at

HANDSHAKE = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""
SERVER, CLIENT = f"{sketch.HOSTS['server']}:19999", f"{sketch.HOSTS['client_a']}:40000"
ENDS = SocketEnds(sketch.HOSTS["server"], 19999, sketch.HOSTS["client_a"], 40000)
SWITCH = CapturePoint(
    {address: host for host, address in sketch.HOSTS.items()},
    {index: host for host, index in sketch.PORTS.items()},
)


def shown(inode: int, state: TcpState = TcpState.ESTABLISHED) -> SocketRow:
    return staged.row(state, SERVER, CLIENT, inode=inode)


def look(
    milliseconds: float, *rows: SocketRow, gone: Sequence[SocketEnds] = (), whole: bool = False, took: int = 0
) -> SocketSample:
    return SocketSample(
        at(milliseconds), "server", rows, took=took, until=at(milliseconds), whole=whole, gone=tuple(gone)
    )


def told(folder: Path, talk: str, *samples: SocketSample, only: int = 0) -> tuple[Evidence, list[Row]]:
    stage = Stage(folder, talk, samples=[look(-50, whole=True), *samples])
    evidence = stage.evidence()
    segments = {one.path: segments_of(folder, one) for one in evidence.info.captures}
    return evidence, list(story(evidence, segments, only=only))


def live(talk: str, *samples: SocketSample) -> list[Row]:
    """The same rows, where everything comes before it is due."""
    going = Live([Wire(SWITCH)])
    since = at(-60)
    for sample in (look(-50, whole=True), *samples):
        going.look(sample, since)
        since = sample.at
    going.see(0, list(Reader(BytesIO(sketch.switch(talk)), kept=FIRST_BYTES)))
    return list(going.due(at(1e6)))


def of_queue(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if isinstance(row, Queued | Accepted)]


def test_a_connection_waits_until_its_program_takes_it(tmp_path: Path) -> None:
    samples = look(1, shown(0)), look(7, shown(0)), look(12, shown(9))
    evidence, rows = told(tmp_path, HANDSHAKE + "5 client_a > server P. text=hello", *samples)
    assert of_queue(rows) == [
        Queued(at(1), 1, "server", 19999),
        Accepted(at(12), 1, "server", 19999, since=at(7)),
    ]
    drawing = "\n".join(as_text(rows, evidence, Style(width=100)))
    assert drawing.splitlines()[-4:] == [
        "    0.200  ESTABLISHED │◀─────────── ACK 1 ───────────┤                              │",
        "    1.000              │ queued, not accepted         │                              │",
        '    5.000              │◀─── PSH 1+5 ACK 1 "hello" ───┤                              │',
        "   12.000              │ accepted                     │                              │",
    ]
    assert [type(row) for row in live(HANDSHAKE + "5 client_a > server P. text=hello", *samples)] == [
        type(row) for row in rows
    ]


def test_what_is_sent_after_the_look_that_showed_it_is_no_second_row(tmp_path: Path) -> None:
    talk = HANDSHAKE + "15 server > client_a P. text=welcome"
    samples = look(1, shown(0)), look(7, shown(0)), look(12, shown(9))
    _, rows = told(tmp_path, talk, *samples)
    assert [(type(row), row.time) for row in of_queue(rows)] == [(Queued, at(1)), (Accepted, at(12))]


def test_each_form_tells_it(tmp_path: Path) -> None:
    evidence, rows = told(tmp_path, HANDSHAKE, look(1, shown(0)), look(12, shown(9)))
    forms = as_mermaid(rows, evidence), as_svg(rows, evidence)
    for form in map("\n".join, forms):
        assert "queued, not accepted" in form.replace("#58;", ":")
        assert "accepted" in form.replace("queued, not accepted", "")
    document = json.loads("".join(as_json(rows, evidence, "record")))
    assert [row for row in document["rows"] if row["row"] in {"queued", "accepted"}] == [
        {"row": "queued", "time": at(1), "number": 1, "host": "server", "port": 19999},
        {"row": "accepted", "time": at(12), "number": 1, "host": "server", "port": 19999, "since": at(1)},
    ]


@pytest.mark.parametrize(
    ("samples", "kinds"),
    [
        pytest.param([look(1, shown(9))], [], id="accepted-between-two-looks"),
        pytest.param([look(1, shown(0), whole=True)], [Queued], id="still-waits"),
        pytest.param([look(1, shown(0)), look(2, gone=[ENDS])], [Queued], id="gone-unaccepted"),
        pytest.param([look(1, shown(0)), look(2, whole=True)], [Queued], id="gone-from-the-table"),
        pytest.param(
            [look(1, shown(0)), look(2, shown(0, TcpState.CLOSE_WAIT))], [Queued], id="client-closed"
        ),
        pytest.param(
            [
                look(1, shown(0)),
                look(2, shown(0, TcpState.CLOSE_WAIT)),
                look(3, shown(9, TcpState.CLOSE_WAIT)),
            ],
            [Queued, Accepted],
            id="accepted-when-the-client-had-closed",
        ),
        pytest.param(
            [look(1, shown(0)), look(2, shown(0, TcpState.LAST_ACK))], [Queued], id="closed-between"
        ),
        pytest.param([look(0.15, shown(0, TcpState.SYN_RECEIVED))], [], id="no-handshake-yet"),
        pytest.param([look(1, shown(9)), look(2, shown(0, TcpState.FIN_WAIT_2))], [], id="orphan"),
        pytest.param([look(1, shown(0, TcpState.TIME_WAIT))], [], id="time-wait"),
    ],
)
def test_only_what_the_looks_prove_is_told(
    tmp_path: Path, samples: list[SocketSample], kinds: list[type[Row]]
) -> None:
    _, rows = told(tmp_path, HANDSHAKE, *samples)
    assert [type(row) for row in of_queue(rows)] == kinds
    assert [type(row) for row in of_queue(live(HANDSHAKE, *samples))] == kinds


def test_what_the_program_sends_proves_that_it_has_accepted(tmp_path: Path) -> None:
    talk = HANDSHAKE + "5 server > client_a P. text=welcome\n6 server > client_a P. text=again"
    samples = look(1, shown(0)), look(12, shown(9))
    for rows in (told(tmp_path, talk, *samples)[1], live(talk, *samples)):
        place = next(number for number, row in enumerate(rows) if isinstance(row, Accepted))
        packet = rows[place + 1]
        assert isinstance(packet, Packet)
        assert packet.payload == b"welcome"
        assert rows[place].time == packet.time == at(5)
        assert len(of_queue(rows)) == 2


def test_what_was_sent_before_it_waited_proves_nothing(tmp_path: Path) -> None:
    """Such a segment can only be forged: the kernel's word counts."""
    talk = HANDSHAKE + "5 server > client_a P. text=forged"
    _, rows = told(tmp_path, talk, look(6, shown(0)), look(7, shown(0)), look(12, shown(9)))
    (_, accepted) = of_queue(rows)
    assert accepted.time == at(12)


def test_a_look_takes_its_time(tmp_path: Path) -> None:
    """It began before the handshake was complete, and showed it complete; the accept came before its end."""
    _, rows = told(tmp_path, HANDSHAKE, look(0.05, shown(0), took=MS), look(9, shown(9), took=2 * MS))
    queued, accepted = of_queue(rows)
    last = rows[rows.index(queued) - 1]
    assert isinstance(last, Packet)
    assert last.states[1] == (TcpState.ESTABLISHED,)
    assert accepted.time == at(11)


def test_ports_that_are_used_again_are_two_connections(tmp_path: Path) -> None:
    close = "2 client_a > server F.\n2.1 server > client_a F.\n2.2 client_a > server ."
    again = "20 client_a > server S\n20.1 server > client_a S.\n20.2 client_a > server ."
    samples = look(1, shown(9)), look(3, gone=[ENDS]), look(21, shown(0)), look(25, shown(8))
    _, rows = told(tmp_path, HANDSHAKE + close + "\n" + again, *samples)
    assert [row.number for row in of_queue(rows) if isinstance(row, Queued | Accepted)] == [2, 2]
    _, first = told(tmp_path, HANDSHAKE + close + "\n" + again, *samples, only=1)
    assert of_queue(first) == []


def test_a_connection_that_no_capture_shows_is_not_told(tmp_path: Path) -> None:
    other = staged.row(TcpState.ESTABLISHED, "127.0.0.1:19999", "127.0.0.1:50000", inode=0)
    _, rows = told(tmp_path, HANDSHAKE, look(1, other))
    assert of_queue(rows) == []
    assert of_queue(live(HANDSHAKE, look(1, other))) == []


def test_while_it_goes_on_a_look_may_come_before_the_packets() -> None:
    going = Live([Wire(SWITCH)])
    going.look(look(1, shown(0)), at(0))
    assert list(going.due(at(0.5))) == []
    going.see(0, list(Reader(BytesIO(sketch.switch(HANDSHAKE)))))
    assert of_queue(list(going.due(at(2)))) == [Queued(at(1), 1, "server", 19999)]
    going.look(look(5, shown(9)), at(4))
    assert list(going.due(at(1e6))) == [Accepted(at(5), 1, "server", 19999, since=at(4))]
