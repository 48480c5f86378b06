"""What real kernels did (captures/make.py), told by the facts: both capture points, every kind of close."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.core.words import TcpState
from lab.wire.packets import Reader
from lab.wire.tcp import CapturePoint, Connection, Flows
from tests.unit.captures.make import HOSTS

CAPTURES = Path(__file__).parents[1] / "captures"


def connections(name: str, point: CapturePoint) -> tuple[Connection, ...]:
    flows = Flows(point)
    with (CAPTURES / name).open("rb") as stream:
        reader = Reader(stream)
        for segment in reader:
            flows.add(segment)
    assert reader.unsound == ()
    return flows.connections()


@pytest.fixture(scope="module")
def talk() -> tuple[Connection, ...]:
    addresses = {
        f"{net}{number}": host for host, number in HOSTS.items() for net in ("192.168.153.", "fd00:153::")
    }
    ports = {int(index): host for index, host in json.loads((CAPTURES / "ports.json").read_text()).items()}
    return connections("switch.pcap", CapturePoint(addresses, ports))


def test_handshakes_and_closes(talk: tuple[Connection, ...]) -> None:
    told = [(c.client.host, c.handshake, c.close, c.active.host if c.active else "") for c in talk]
    assert told == [
        ("client_a", "complete", "orderly", "client_a"),
        ("client_b", "complete", "half_close", "client_b"),
        ("client_a", "complete", "reset", ""),
        ("client_b", "complete", "reset", ""),
        ("client_a", "refused", "reset", ""),
        ("client_a", "complete", "orderly", "server"),
        ("client_b", "complete", "still_open", "client_b"),
    ]


def test_who_reset_and_why(talk: tuple[Connection, ...]) -> None:
    resets = [(s.host, s.reset.cause) for c in talk for s in c.sides if s.reset]
    assert resets == [("server", "abort"), ("client_b", "abort"), ("server", "no_listener")]


def test_bytes_and_what_the_cut_wire_made_tcp_send_again(talk: tuple[Connection, ...]) -> None:
    assert [(c.client.bytes, c.server.bytes) for c in talk] == [
        (5, 3000), (0, 100), (6, 0), (0, 0), (0, 0), (4, 0), (0, 0),
    ]  # fmt: skip
    assert [bool(c.client.retransmissions.data) for c in talk] == [False] * 5 + [True, False]
    assert [bool(c.unpaired) for c in talk] == [False] * 5 + [True, False]


def test_how_long_close_wait_lasted(talk: tuple[Connection, ...]) -> None:
    first, last = talk[0].server, talk[-1].server
    began, left = first.entered(TcpState.CLOSE_WAIT), first.left(TcpState.CLOSE_WAIT)
    assert began
    assert left
    assert 100_000_000 <= left.at.time - began.time < 200_000_000
    assert (last.state, last.left(TcpState.CLOSE_WAIT)) == (TcpState.CLOSE_WAIT, None)


def test_loopback() -> None:
    [connection] = connections("loopback.pcap", CapturePoint(alone="server"))
    assert (connection.client.host, connection.server.host) == ("server", "server")
    assert (connection.close, connection.client.bytes) == ("orderly", 6)
    assert connection.active is connection.server
