"""A conversation drawn while it goes on: captures in pieces, rows that wait, and what is waited for no longer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import pytest

from lab.core.words import TcpState
from lab.evidence.transcript import Output, Started
from lab.output.ladder.drawing import Drawing
from lab.output.ladder.live import Live, Wire
from lab.output.ladder.rows import OUTSIDE, Entered, Folded, Opened, Packet, Row, Said
from lab.output.ladder.scroll import Scroll
from lab.output.style import Style
from lab.wire.packets import Reader, Segment
from lab.wire.packets.tail import TailReader
from lab.wire.tcp import CapturePoint
from tests.unit import sketch, staged

HANDSHAKE = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""
SWITCH = CapturePoint(
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
    dice, tail = random.Random(seed), TailReader()
    found: list[Segment] = []
    cuts = sorted(dice.sample(range(1, len(data)), 12))
    for start, end in pairwise([0, *cuts, len(data)]):
        found += tail.feed(data[start:end])
    assert found == list(Reader(BytesIO(data)))
    assert tail.unsound == ()
    assert tail.frames == 10


def test_a_record_is_read_as_soon_as_it_is_whole() -> None:
    data, tail = sketch.switch(HANDSHAKE), TailReader()
    assert len(list(tail.feed(data[:-1]))) == 5
    assert list(tail.feed(b"")) == []
    assert len(list(tail.feed(data[-1:]))) == 1


@pytest.mark.parametrize(
    "damage", [b"no capture, nor the beginning of one", sketch.pcap([])[:24] + b"\xff" * 16]
)
def test_after_damage_nothing_is_kept(damage: bytes) -> None:
    tail = TailReader()
    assert list(tail.feed(damage)) == []
    assert tail.damaged
    assert list(tail.feed(sketch.switch(HANDSHAKE))) == []
    assert tail.damaged


def test_a_drawing_shows_what_is_old_enough_and_the_rest_at_the_end() -> None:
    data = sketch.switch(HANDSHAKE)
    drawing = Drawing(list(sketch.HOSTS.items()), [SWITCH], staged.at(0), Style(width=100))
    for byte in range(len(data)):
        drawing.feed(0, data[byte : byte + 1])
    assert list(drawing.lines(drawing.newest)) == [], "something that belongs to it may still come"
    drawn = "\n".join(drawing.rest(drawing.newest + 1))
    assert drawn.index("connection 1") < drawn.index("SYN_SENT") < drawn.index("SYN_RECEIVED")
    assert not drawing.damaged
    drawing.feed(0, b"\xff" * 64)
    assert drawing.damaged


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
    live, talk = Live([Wire(SWITCH), Wire(CapturePoint(alone="server"))]), HANDSHAKE
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


# Datagrams and ICMP messages


ASKED = """
0    client_a:4000 > server:53   U text=who?
10   server:53 > client_a:4000   U text=you
20   client_a:4000 > server:53   U text=lost entered
30   client_a > server  S
"""


def test_datagrams_are_drawn_when_they_have_waited_for_their_arrival() -> None:
    wire = Wire(SWITCH)
    live, tail = Live([wire]), TailReader(wire.hear, wire.hear_icmp)
    live.see(0, tail.feed(sketch.switch(ASKED)))
    assert wire.newest >= staged.at(20)
    early = packets(list(live.due(staged.at(15))))
    assert [(row.source, row.target, row.datagram, row.payload, row.fate) for row in early] == [
        ("client_a", "server", "UDP :53 len=4", b"who?", "arrived"),
        ("server", "client_a", "UDP :4000 len=3", b"you", "arrived"),
    ]
    (lost, syn) = packets(list(live.due(LATER)))
    assert (lost.datagram, lost.payload, lost.fate) == ("UDP :53 len=4", b"lost", "unseen")
    assert syn.number == 1
    assert packets(list(live.due(LATER))) == [], "each is drawn once"


def test_many_datagrams_take_no_more_room_than_those_that_wait() -> None:
    wire = Wire(SWITCH)
    live, tail = Live([wire]), TailReader(wire.hear, wire.hear_icmp)
    for number in range(20):
        talk = "\n".join(f"{number * 10 + i / 10} client_a:4000 > server:53 U text=again" for i in range(99))
        piece = sketch.switch(talk)
        live.see(0, tail.feed(piece[24:] if number else piece))
        assert any(isinstance(row, Folded) for row in live.due(staged.at(number * 10 + 10)))
        assert not list(wire._datagrams.found())  # noqa: SLF001
        assert not wire._datagrams._under_way  # noqa: SLF001
