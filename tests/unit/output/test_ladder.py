"""Ladders of small runs, line by line."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.checks.judging import judge
from lab.core.words import TcpState
from lab.evidence.evidence import Evidence
from lab.evidence.record import read
from lab.evidence.sockets import SocketSample
from lab.evidence.transcript import Exited, Input, Output, Started
from lab.output.ladder import as_text, folded, labels, segments_of, story
from lab.output.ladder.rows import Folded, Packet, Row, Said
from lab.output.ladder.text import Ladder
from lab.output.style import Style, columns
from lab.wire.packets import ACK, PSH, Segment
from tests.unit import sketch, staged
from tests.unit.staged import FAIL, Stage, step

GOLDEN = Path(__file__).parents[2] / "golden" / "runs"
ORDERLY = {"connection": {"from": "client_a", "to": "server:19999"}, "close": {"kind": ["orderly"]}}
HANDSHAKE = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""
DATAGRAMS = """
       ms           server                   client_a                  client_b
                192.168.153.128           192.168.153.129           192.168.153.130
    0.000              │◀─ UDP :53 len=4 "who?" ─┤                         │
    1.000              ├── UDP :40000 len=15 ───▶│                         │
                       │    "a-longer-answer"    │                         │
    2.000              │   ✗─ UDP :53 len=4 lost ┤                         │
                       │         "lost"          │                         │
"""
CLOSE = """
2    client_a > server  F.
2.1  server > client_a  .
3    server > client_a  F.
3.1  client_a > server  .
"""


def told(stage: Stage, *specs: Mapping[str, Any], only: int = 0) -> tuple[Evidence, Iterator[Row]]:
    """The rows of a run; its checks are judged where there are any."""
    evidence = stage.evidence(*specs)
    segments = {one.path: segments_of(stage.folder, one) for one in evidence.info.captures}
    return evidence, story(evidence, segments, judge(evidence) if specs else None, only)


def drawn(
    stage: Stage, *specs: Mapping[str, Any], only: int = 0, width: int = 80, unicode: bool = True
) -> str:
    evidence, rows = told(stage, *specs, only=only)
    return "\n".join(as_text(folded(rows), evidence, Style(width=width, unicode=unicode)))


def body(drawing: str) -> list[str]:
    """The lines below the hosts' names."""
    return [line.strip() for line in drawing.splitlines()[2:]]


def words(drawing: str) -> str:
    """What is written between the columns, broken lines put together."""
    return " ".join(re.sub(r"[│┊|]", " ", re.sub(r"\d+\.\d{3}", " ", drawing)).split())


def shows(drawing: str, expected: str) -> None:
    assert drawing.splitlines() == expected.strip("\n").splitlines()


@pytest.mark.parametrize(("room", "mark"), [("", "keep-alive"), ("full", "window probe")])
def test_who_asks_while_there_is_no_room_probes_the_window(tmp_path: Path, room: str, mark: str) -> None:
    data = f"1 client_a > server P. 5\n1.1 server > client_a . {room}\n5000 client_a > server . seq-1\n"
    evidence, rows = told(Stage(tmp_path, HANDSHAKE + data))
    assert [row.mark for row in rows if isinstance(row, Packet) and row.mark] == [mark]
    [connection] = evidence.connections
    assert connection.client.retransmissions.data == 0


def test_a_whole_connection(tmp_path: Path) -> None:
    events = (
        step("1"),
        Started(staged.at(-2), "server", "server", "1", "./server", 7),
        Input(staged.at(0.5), "client_a", "client", "2", "text", "hello\n"),
        Output(staged.at(1.2), "server", "server", "client said: hello\r\nyour turn: "),
        Input(staged.at(1.9), "client_a", "client", "3", "key", "ctrl-c"),
        Exited(staged.at(4), "client_a", "client", 130),
    )
    samples = (
        SocketSample(staged.at(-1), "server", (staged.row(TcpState.LISTEN, "0.0.0.0:19999"),)),
        SocketSample(staged.at(9), "server", ()),
    )
    talk = HANDSHAKE + "1 client_a > server P. text=hello\n1.1 server > client_a ." + CLOSE
    drawing = drawn(Stage(tmp_path, talk, events=events, samples=samples), ORDERLY)
    shows(
        drawing,
        """
       ms           server              client_a             client_b
                192.168.153.128      192.168.153.129      192.168.153.130
   -2.000              │ $ ./server         │                    │
   -1.000              │ LISTEN :19999      │                    │
          connection 1: client_a:40000 → server:19999
    0.000              │◀────── SYN 0 ──────┤ SYN_SENT           │
    0.100 SYN_RECEIVED ├─── SYN 0 ACK 1 ───▶│ ESTABLISHED        │
    0.200  ESTABLISHED │◀────── ACK 1 ──────┤                    │
    0.500              │                    │ > hello            │
    1.000              │◀── PSH 1+5 ACK 1 ──┤                    │
                       │      "hello"       │                    │
    1.100              ├────── ACK 6 ──────▶│                    │
    1.200              │ "client said:      │                    │
                       │ hello"             │                    │
    1.200              │ "your turn: "      │                    │
    1.900              │                    │ > [key ctrl-c]     │
    2.000   CLOSE_WAIT │◀─── FIN 6 ACK 1 ───┤ FIN_WAIT_1         │
    2.100              ├────── ACK 7 ──────▶│ FIN_WAIT_2         │
    3.000     LAST_ACK ├─── FIN 1 ACK 7 ───▶│ TIME_WAIT          │
    3.100       CLOSED │◀────── ACK 2 ──────┤                    │
    4.000              │                    │ = killed by SIGINT │
                       │                    │ (status 130)       │
    9.000              │ CLOSED :19999      │                    │
""",
    )


def test_in_ascii_and_on_a_narrow_screen(tmp_path: Path) -> None:
    talk = HANDSHAKE + "1 client_a > server P. 5\n1.1 server > client_a ." + CLOSE
    shows(
        drawn(Stage(tmp_path, talk), ORDERLY, width=60, unicode=False),
        """
          1=server  2=client_a  3=client_b
       ms 1   2   3
          connection 1: client_a:40000 -> server:19999
    0.000 |<--|   |   SYN 0  client_a SYN_SENT
    0.100 |-->|   |   SYN 0 ACK 1  server SYN_RECEIVED;
          |   |   |   client_a ESTABLISHED
    0.200 |<--|   |   ACK 1  server ESTABLISHED
    1.000 |<--|   |   PSH 1+5 ACK 1 "xxxxx"
    1.100 |-->|   |   ACK 6
    2.000 |<--|   |   FIN 6 ACK 1  client_a FIN_WAIT_1;
          |   |   |   server CLOSE_WAIT
    2.100 |-->|   |   ACK 7  client_a FIN_WAIT_2
    3.000 |-->|   |   FIN 1 ACK 7  server LAST_ACK; client_a
          |   |   |   TIME_WAIT
    3.100 |<--|   |   ACK 2  server CLOSED
""",
    )


def test_what_is_lost_and_what_is_sent_again(tmp_path: Path) -> None:
    talk = """
        0      client_a > server  S entered
        1000   client_a > server  S again
        1000.1 server > client_a  S.
        1000.2 client_a > server  .
    """
    shows(
        drawn(Stage(tmp_path, talk)),
        """
       ms           server              client_a             client_b
                192.168.153.128      192.168.153.129      192.168.153.130
          connection 1: client_a:40000 → server:19999
    0.000              │   ✗── SYN 0 lost ──┤ SYN_SENT           │
 1000.000              │◀─── again: SYN 0 ──┤                    │
 1000.100 SYN_RECEIVED ├─── SYN 0 ACK 1 ───▶│ ESTABLISHED        │
 1000.200  ESTABLISHED │◀────── ACK 1 ──────┤                    │
""",
    )


def test_a_capture_that_lacks_frames_proves_no_loss(tmp_path: Path) -> None:
    drawing = drawn(Stage(tmp_path, "0 client_a > server S entered", dropped=3))
    assert "SYN 0 not seen to arrive" in words(drawing)
    assert "lost" not in drawing


def test_a_late_arrival_has_its_state_in_its_own_time(tmp_path: Path) -> None:
    talk = """
        1      client_a > server  F. entered
        201    client_a > server  F. again left
        201.1  server > client_a  .
    """
    assert body(drawn(Stage(tmp_path, HANDSHAKE + talk)))[-4:] == [
        "│ FIN 1 ACK 1 +200ms │                    │",
        "1.000              │◀───────────────────┤ FIN_WAIT_1         │",
        "201.010              │ CLOSE_WAIT         │                    │",
        "201.100              ├────── ACK 2 ──────▶│ FIN_WAIT_2         │",
    ]


def test_a_check_is_marked_where_it_broke(tmp_path: Path) -> None:
    talk = HANDSHAKE + "1 client_a > server P. 5\n2 server > client_a R."
    shows(
        drawn(Stage(tmp_path, talk), ORDERLY),
        """
       ms           server              client_a             client_b
                192.168.153.128      192.168.153.129      192.168.153.130
          connection 1: client_a:40000 → server:19999
    0.000              │◀────── SYN 0 ──────┤ SYN_SENT           │
    0.100 SYN_RECEIVED ├─── SYN 0 ACK 1 ───▶│ ESTABLISHED        │
    0.200  ESTABLISHED │◀────── ACK 1 ──────┤                    │
    1.000              │◀── PSH 1+5 ACK 1 ──┤                    │
                       │      "xxxxx"       │                    │
    2.000✗      CLOSED ├─── RST 1 ACK 6 ───▶│ CLOSED             │
    2.000✗ fail: connection from client_a to server:19999
          expected  close orderly
          observed  RST from server: its program closed with data unread, or
                    with linger 0, or its listener before anybody had accepted
                    the connection
""",
    )


def test_a_step_is_marked_where_it_broke(tmp_path: Path) -> None:
    broken = step("4", FAIL, expected="the text 'x'", observed="nothing for 5 s")
    drawing = drawn(Stage(tmp_path, HANDSHAKE, events=(broken,)))
    assert body(drawing)[-3:] == [
        "2.000✗ fail: step 4, server: expect 'x'",
        "expected  the text 'x'",
        "observed  nothing for 5 s",
    ]


def test_a_check_without_frames_is_told_at_the_end(tmp_path: Path) -> None:
    check = {"exit": {"host": "server", "running": True}}
    assert body(drawn(Stage(tmp_path, HANDSHAKE), check))[-3:] == [
        "10000.000✗ fail: exit of server",
        "expected  still running",
        "observed  no program of server was started",
    ]


def test_a_simultaneous_close(tmp_path: Path) -> None:
    talk = (
        HANDSHAKE
        + """
        1      client_a > server  F.
        1.005  server > client_a  F. crossing
        1.05   client_a > server  .
        1.06   server > client_a  .
    """
    )
    shows(
        drawn(Stage(tmp_path, talk)),
        """
       ms           server              client_a             client_b
                192.168.153.128      192.168.153.129      192.168.153.130
          connection 1: client_a:40000 → server:19999
    0.000              │◀────── SYN 0 ──────┤ SYN_SENT           │
    0.100 SYN_RECEIVED ├─── SYN 0 ACK 1 ───▶│ ESTABLISHED        │
    0.200  ESTABLISHED │◀────── ACK 1 ──────┤                    │
    1.000              │◀─── FIN 1 ACK 1 ───┤ FIN_WAIT_1         │
    1.005   FIN_WAIT_1 ├─── FIN 1 ACK 1 ───▶│ CLOSING            │
    1.010              │ CLOSING            │                    │
    1.050              │◀────── ACK 2 ──────┤                    │
    1.060    TIME_WAIT ├────── ACK 2 ──────▶│ TIME_WAIT          │
""",
    )


def test_a_host_that_talks_to_itself(tmp_path: Path) -> None:
    shows(
        drawn(Stage(tmp_path, loopback={"server": HANDSHAKE + CLOSE})),
        """
       ms           server              client_a             client_b
                192.168.153.128      192.168.153.129      192.168.153.130
          connection 1: server:40000 → server:19999
    0.000              │ 40000 SYN_SENT ─   │                    │
                       │ SYN 0 ─▶ 19999     │                    │
    0.100              │ 19999 SYN_RECEIVED │                    │
                       │ ─ SYN 0 ACK 1 ─▶   │                    │
                       │ 40000 ESTABLISHED  │                    │
    0.200              │ 40000 ─ ACK 1 ─▶   │                    │
                       │ 19999 ESTABLISHED  │                    │
    2.000              │ 40000 FIN_WAIT_1 ─ │                    │
                       │ FIN 1 ACK 1 ─▶     │                    │
                       │ 19999 CLOSE_WAIT   │                    │
    2.100              │ 19999 ─ ACK 2 ─▶   │                    │
                       │ 40000 FIN_WAIT_2   │                    │
    3.000              │ 19999 LAST_ACK ─   │                    │
                       │ FIN 1 ACK 2 ─▶     │                    │
                       │ 40000 TIME_WAIT    │                    │
    3.100              │ 40000 ─ ACK 2 ─▶   │                    │
                       │ 19999 CLOSED       │                    │
""",
    )


TWO = HANDSHAKE + HANDSHAKE.replace("client_a", "client_b").replace("0", "5")


def test_several_connections_are_numbered(tmp_path: Path) -> None:
    shows(
        drawn(Stage(tmp_path, TWO)),
        """
       ms             server             client_a            client_b
                  192.168.153.128     192.168.153.129     192.168.153.130
            connection 1: client_a:40000 → server:19999
    0.000 1              │◀────── SYN 0 ─────┤ SYN_SENT          │
    0.100 1 SYN_RECEIVED ├── SYN 0 ACK 1 ───▶│ ESTABLISHED       │
    0.200 1  ESTABLISHED │◀────── ACK 1 ─────┤                   │
            connection 2: client_b:40000 → server:19999
    5.000 2              │◀──────────────────┼─────── SYN 0 ─────┤ SYN_SENT
    5.100 2 SYN_RECEIVED ├── SYN 0 ACK 1 ────┼──────────────────▶│ ESTABLISHED
    5.200 2  ESTABLISHED │◀──────────────────┼─────── ACK 1 ─────┤
""",
    )


def test_one_connection_of_several(tmp_path: Path) -> None:
    whole, second = body(drawn(Stage(tmp_path, TWO))), body(drawn(Stage(tmp_path, TWO), only=2))
    assert second == whole[4:]


LONG = (
    HANDSHAKE + "".join(f"{2 + n / 100} client_a > server . 9\n" for n in range(40)) + "3 server > client_a ."
)


def test_long_runs_are_folded(tmp_path: Path) -> None:
    shows(
        drawn(Stage(tmp_path, LONG)),
        """
       ms           server              client_a             client_b
                192.168.153.128      192.168.153.129      192.168.153.130
          connection 1: client_a:40000 → server:19999
    0.000              │◀────── SYN 0 ──────┤ SYN_SENT           │
    0.100 SYN_RECEIVED ├─── SYN 0 ACK 1 ───▶│ ESTABLISHED        │
    0.200  ESTABLISHED │◀────── ACK 1 ──────┤                    │
    2.000              │◀──── 1+9 ACK 1 ────┤                    │
                       │    "xxxxxxxxx"     │                    │
    2.010              │◀──── 10+9 ACK 1 ───┤                    │
                       │    "xxxxxxxxx"     │                    │
    2.020              │◀──── 19+9 ACK 1 ───┤                    │
                       │    "xxxxxxxxx"     │                    │
    2.030              │◀──── 28+9 ACK 1 ───┤                    │
                       │    "xxxxxxxxx"     │                    │
                       ┊ ... 35 more        ┊                    ┊
                       ┊ segments, 315 bytes┊                    ┊
    2.390              │◀─── 352+9 ACK 1 ───┤                    │
                       │    "xxxxxxxxx"     │                    │
    3.000              ├───── ACK 361 ─────▶│                    │
""",
    )


def test_printed_lines_are_folded_by_themselves(tmp_path: Path) -> None:
    output = Output(staged.at(1), "server", "server", "".join(f"line {n}\n" for n in range(50)))
    lines = body(drawn(Stage(tmp_path, HANDSHAKE, events=(output,))))
    assert sum('"line ' in line for line in lines) == 6
    assert "... 44 more lines printed" in words("\n".join(lines))


def plain(count: int) -> list[Row]:
    return [Packet(n, 1, "a", "b", (1, 2), ACK, n, 1, 10) for n in range(count)]


@pytest.mark.parametrize("count", range(12))
def test_folding_loses_nothing(count: int) -> None:
    rows = list(folded(plain(count)))
    (hidden,) = [row.what for row in rows if isinstance(row, Folded)] or ["0"]
    assert sum(isinstance(row, Packet) for row in rows) + int(hidden.split()[0]) == count
    assert [row.time for row in rows] == sorted(row.time for row in rows)
    # A row that speaks of fewer than three would save nothing.
    assert hidden == "0" or int(hidden.split()[0]) >= 3


def test_nothing_worth_seeing_is_folded() -> None:
    seen = Packet(4, 1, "a", "b", (1, 2), ACK | PSH, 5, 1, 10, mark="again")
    rows = [*plain(4), seen, *plain(4)]
    assert list(folded(rows)) == rows


# What programs print


HOSTILE = "\x1b[2J\x1b]0;title\x07 \u202e \udcff \x85 │ ▶"


def test_a_terminal_obeys_nobody_else(tmp_path: Path) -> None:
    events = (
        Started(staged.at(0), "server", "server", "1", f"./server {HOSTILE}", 7),
        Output(staged.at(1), "server", "server", f"{HOSTILE}\nnext\rline\tend"),
        Input(staged.at(2), "client_b", "client", "2", "text", HOSTILE),
        step("3", FAIL, expected=HOSTILE, observed=HOSTILE),
    )
    for width in (30, 80, 200):
        drawing = drawn(Stage(tmp_path, HANDSHAKE, events=events), width=width)
        assert all(character.isprintable() for character in drawing.replace("\n", ""))


def test_an_address_obeys_nobody_either() -> None:
    scoped = [("a", "fe80::1%\x1b[2J"), ("b", "fe80::2")]
    assert "fe80::1%␛[2J" in "".join(Ladder(scoped, 0, (0, 1), 1, Style()).lines([]))


def test_wide_characters_leave_the_lanes_where_they_are(tmp_path: Path) -> None:
    output = Output(staged.at(1), "server", "server", "你好")
    line = next(line for line in body(drawn(Stage(tmp_path, HANDSHAKE, events=(output,)))) if "你好" in line)
    assert line == '1.000              │ "你好"             │                    │'


def test_programs_are_named_where_several_ran(tmp_path: Path) -> None:
    events = (
        Started(staged.at(0), "server", "server", "1", "./server", 7),
        Started(staged.at(1), "server", "client", "2", "./client", 8),
        Output(staged.at(2), "server", "client", "hi"),
    )
    assert any('│ client: "hi"' in line for line in body(drawn(Stage(tmp_path, HANDSHAKE, events=events))))


# How wide it is


@pytest.mark.parametrize("hosts", range(1, 9))
@pytest.mark.parametrize("width", [60, 80, 100, 132, 240])
def test_it_fits_the_screen(hosts: int, width: int) -> None:
    names = [(f"client_{n}" if n else "server", f"192.168.153.{n + 128}") for n in range(hosts)]
    last = names[-1][0]
    rows: list[Row] = [
        Packet(n, 1, *ends, (1, 2), flags, 123_456_789, 123_456_789, 1448, states=STATES)
        for n, ends in enumerate([(last, "server"), ("server", last), ("server", names[hosts // 2][0])])
        for flags in (2, 18, 16, 24, 17, 4)
    ]
    rows += [Said(5, name, "", "printed", "a long line of what a program printed " * 4) for name, _ in names]
    rows += [Folded(6, "1234567 more segments, 123456789 bytes")]
    for line in Ladder(names, 0, (0, 10**10), 12, Style(width=width)).lines(rows):
        assert columns(line) <= width


STATES = (TcpState.SYN_RECEIVED,), (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT)


# Where it comes from


@pytest.mark.parametrize("name", ["multi_client", "unfriendly"])
def test_every_packet_of_a_record_is_there_once(name: str) -> None:
    evidence = read(GOLDEN / name)
    segments = {one.path: list(segments_of(GOLDEN / name, one)) for one in evidence.info.captures}
    packets = [row for row in story(evidence, segments) if isinstance(row, Packet)]
    sent = [segment for found in segments.values() for segment in found if not segment.leaving]
    assert len(packets) == len(sent)
    assert all(packet.fate == "arrived" and not packet.mark for packet in packets)


def test_packets_pass_through_and_are_not_kept(tmp_path: Path) -> None:
    stage = Stage(tmp_path, HANDSHAKE)
    evidence = stage.evidence()
    (capture,) = evidence.info.captures
    first = next(segments_of(tmp_path, capture))
    alive: list[int] = []

    def endless() -> Iterator[Segment]:
        for number in range(20_000):
            alive.append(number)
            yield first._replace(frame=number + 1, seq=first.seq + number, place=(first.interface, False, 3))

    rows = story(evidence, {capture.path: endless()})
    next(row for row in rows if isinstance(row, Packet))
    # None of them arrives, and still the first is told before much of the rest is read.
    assert len(alive) < 1000


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_is_drawn_somehow(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(sketch.switch(HANDSHAKE + CLOSE + HANDSHAKE))
    for _ in range(chance.randrange(1, 12)):
        data[chance.randrange(24, len(data))] = chance.randrange(256)
    stage = Stage(tmp_path, capture=bytes(data[: chance.randrange(24, 2 * len(data))]))
    assert len(drawn(stage, ORDERLY).splitlines()) >= 2


def test_datagrams_are_drawn_with_their_first_bytes(tmp_path: Path) -> None:
    talk = """
    0  client_a > server:53  U  text=who?
    1  server:53 > client_a  U  text=a-longer-answer
    2  client_a > server:53  U  text=lost  entered
    """
    shows(
        drawn(Stage(tmp_path, talk), width=90),
        DATAGRAMS,
    )
    _, rows = told(Stage(tmp_path, talk), {"datagrams": {"from": "client_a", "to": "server:53", "count": 9}})
    blamed = [row for row in rows if isinstance(row, Packet) and row.blamed]
    assert [row.blamed for row in blamed] == [FAIL, FAIL]


def test_many_datagrams_are_folded(tmp_path: Path) -> None:
    talk = "\n".join(f"{number} client_a > server:53 U 7" for number in range(20))
    drawing = drawn(Stage(tmp_path, talk))
    assert "... 14 more datagrams, 98 bytes" in words(drawing)


def test_icmp_is_drawn_with_what_it_speaks_of(tmp_path: Path) -> None:
    talk = """
    0     client_a > server     Q  id=7 no=1
    1     server   > client_a   A  id=7 no=1
    2     client_a > server     Q  id=7 no=2 wrong entered
    3     client_a > server:53  U  text=who  icmp=server:3.3
    9     client_a > server     Q  id=7 no=3 icmp=client_b:11.0
    """
    _, rows = told(Stage(tmp_path, talk), {"icmp": {"type": "echo-request", "count": 9}})
    drawn = [labels.short(row) for row in rows if isinstance(row, Packet)]
    assert drawn == [
        "ICMP echo-request id 7 seq 1",
        "ICMP echo-reply id 7 seq 1",
        "ICMP echo-request id 7 seq 2, wrong checksum lost",
        "UDP :53 len=3",
        "ICMP destination-unreachable about :53",
        "ICMP echo-request id 7 seq 3",
        "ICMP time-exceeded about id 7 seq 3",
    ]


def test_how_kernels_find_each_other_is_not_drawn(tmp_path: Path) -> None:
    message = sketch.summed("fd00::1", "ff02::1", struct.pack("!BBHI", 135, 0, 0, 0) + bytes(16))
    packet = sketch.ip("fd00::1", "ff02::1", message, protocol=58)
    capture = sketch.pcap([(sketch.EPOCH, sketch.framed(packet, interface=sketch.PORTS["server"]))])
    _, rows = told(Stage(tmp_path, capture=capture), {"icmp": {"type": 135, "count": 1}})
    assert [row for row in rows if isinstance(row, Packet)] == []
