"""A conversation drawn while it goes on: captures in pieces, rows that wait, and what is waited for no longer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import pytest

from lab.core.words import TcpState
from lab.evidence.transcript import Output, Started
from lab.output.ladder.live import Live, Wire
from lab.output.ladder.rows import OUTSIDE, Entered, Folded, Opened, Packet, Row, Said
from lab.output.ladder.scroll import Scroll
from lab.output.style import Style
from lab.wire.packets import Reader, Segment
from lab.wire.packets.growing import Growing
from lab.wire.tcp import Vantage
from tests.unit import sketch, staged

HANDSHAKE = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""
SWITCH = Vantage(
    {address: host for host, address in sketch.HOSTS.items()},
    {index: host for host, index in sketch.PORTS.items()},
)
LATER = staged.at(1e6)


def segments(talk: str) -> list[Segment]:
    return list(Reader(BytesIO(sketch.switch(talk))))


def packets(found: Sequence[Row]) -> list[Packet]:
    return [row for row in found if isinstance(row, Packet)]


# A capture that grows


@pytest.mark.parametrize("seed", range(20))
def test_a_capture_in_pieces_is_the_same_capture(seed: int) -> None:
    data = sketch.switch(HANDSHAKE + "1 client_a > server P. 500\n1.1 server > client_a .")
    dice, growing = random.Random(seed), Growing()
    found: list[Segment] = []
    cuts = sorted(dice.sample(range(1, len(data)), 12))
    for start, end in pairwise([0, *cuts, len(data)]):
        found += growing.feed(data[start:end])
    assert found == list(Reader(BytesIO(data)))
    assert growing.unsound == ()
    assert growing.frames == 10


def test_a_record_is_read_as_soon_as_it_is_whole() -> None:
    data, growing = sketch.switch(HANDSHAKE), Growing()
    assert len(list(growing.feed(data[:-1]))) == 5
    assert list(growing.feed(b"")) == []
    assert len(list(growing.feed(data[-1:]))) == 1


@pytest.mark.parametrize(
    "damage", [b"no capture, nor the beginning of one", sketch.pcap([])[:24] + b"\xff" * 16]
)
def test_after_damage_nothing_is_kept(damage: bytes) -> None:
    growing = Growing()
    assert list(growing.feed(damage)) == []
    assert growing.damaged
    assert list(growing.feed(sketch.switch(HANDSHAKE))) == []
    assert growing.damaged


# Rows that wait


def test_states_and_arrivals_that_come_later_are_put_into_the_row() -> None:
    live = Live([Wire(SWITCH)])
    shown: list[Row] = []
    for segment in segments(HANDSHAKE):
        live.see(0, [segment])
        shown += live.due(staged.at(-1))
    assert shown == [], "nothing is shown before its time"
    opened, syn, syn_ack, ack = live.due(LATER)
    assert isinstance(opened, Opened)
    assert isinstance(syn, Packet)
    assert (syn.source, syn.fate, syn.delay) == ("client_a", "arrived", sketch.DELAY)
    assert isinstance(syn_ack, Packet)
    assert syn_ack.states == ((TcpState.SYN_RECEIVED,), (TcpState.ESTABLISHED,))
    assert isinstance(ack, Packet)
    assert list(live.due(LATER)) == [], "each is shown once"


def test_who_listens_and_no_longer_does_is_shown_once() -> None:
    live = Live([Wire(SWITCH)])
    live.listen(staged.at(1), "server", {80, 22})
    live.listen(staged.at(2), "server", {80, 22})
    live.listen(staged.at(3), "server", {80})
    shown = [(row.time, row.port, row.state) for row in live.due(LATER) if isinstance(row, Entered)]
    assert shown == [
        (staged.at(1), 22, TcpState.LISTEN),
        (staged.at(1), 80, TcpState.LISTEN),
        (staged.at(3), 22, TcpState.CLOSED),
    ]


def test_a_missing_arrival_holds_rows_back_until_the_limit_and_no_longer() -> None:
    live = Live([Wire(SWITCH)])
    live.see(0, segments(HANDSHAKE + "1 client_a > server P. 5 entered\n1.2 server > client_a P. 7"))
    assert [packet.length for packet in packets(list(live.due(staged.at(1))))] == [0, 0, 0]
    assert [(one.length, one.fate) for one in packets(list(live.due(LATER)))] == [
        (5, "unseen"),
        (7, "arrived"),
    ]


def test_what_programs_say_stands_between_the_packets() -> None:
    live = Live([Wire(SWITCH)])
    live.hear(Started(staged.at(0.05), "server", "p", "1", "./p", 7))
    live.hear(Output(staged.at(0.15), "server", "p", "hello\n"))
    live.see(0, segments(HANDSHAKE))
    kinds = [type(row) for row in live.due(LATER)]
    assert kinds == [Opened, Packet, Said, Packet, Said, Packet]


def test_connections_keep_their_numbers_over_wires_and_time() -> None:
    live, talk = Live([Wire(SWITCH), Wire(Vantage(alone="server"))]), HANDSHAKE
    everywhere = dict.fromkeys(sketch.HOSTS, "127.0.0.1")
    live.see(0, segments(talk))
    live.see(1, list(Reader(BytesIO(sketch.single(talk, hosts=everywhere)))))
    live.see(0, [])
    assert {row.number: row.client for row in live.due(LATER) if isinstance(row, Opened)} == {
        1: "client_a:40000",
        2: "server:40000",
    }


# Bounds


def test_a_flood_is_shown_without_being_kept() -> None:
    live = Live([Wire(SWITCH)])
    live.see(0, segments("\n".join(f"{n} client_a:{n + 1000} > server S" for n in range(600))))
    opened = [row for row in live.due(LATER) if isinstance(row, Opened)]
    assert 200 < len(opened) <= 256
    live.see(0, segments(HANDSHAKE))
    assert list(live.due(LATER))


def test_more_rows_than_may_be_held_are_shown_early() -> None:
    live = Live([Wire(SWITCH)])
    for _ in range(5000):
        live.hear(Output(staged.at(1), "server", "p", "x\n"))
    shown = list(live.due(staged.at(0)))
    assert any(isinstance(row, Folded) and "lines printed" in row.what for row in shown)


def test_strangers_get_a_column_when_they_come() -> None:
    scroll = Scroll([("server", "10.0.0.1"), ("client_a", "10.0.0.2")], staged.at(0), Style(width=100))
    packet = Packet(staged.at(1500), 1, "client_a", "server", (40000, 80), 2, 0, 0, 0)
    first = list(scroll.lines([packet]))
    assert [line.split()[0] for line in first] == ["s", "10.0.0.1", "1.500"]
    assert len(list(scroll.lines([packet]))) == 1
    again = list(scroll.lines([Packet(staged.at(1600), 2, OUTSIDE, "server", (40000, 80), 2, 0, 0, 0)]))
    assert OUTSIDE in again[0]
