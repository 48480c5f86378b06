"""``lab analyze``: a table for people, a document for programs, and files that are none."""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from lab.core.assets import EXAMPLES
from lab.core.errors import ExitCode
from lab.wire.udp.flows import UdpFlows
from tests.cli.fakes import Lab
from tests.unit import sketch
from tests.unit.wire.tunnelled import tunnels, unreadable

CAPTURES = Path(__file__).parents[1] / "unit" / "captures"
TALK = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
    1    client_a > server  P. 5
    300  client_a > server  P. again
    301  server > client_a  .
    302  server > client_a  R.
"""


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "talk.pcap"
    path.write_bytes(sketch.single(TALK, isn={"client_a": 2**32 - 3}))
    return path


@pytest.mark.usefixtures("no_engine")
def test_what_a_person_reads(lab: Lab, capture: Path) -> None:
    said = lab("analyze", str(capture))
    assert (said.code, said.err) == (ExitCode.PASSED, "")
    for text in (
        "192.168.153.129:40000  192.168.153.128:19999  complete   reset  2",
        "began   frame 1, +0.000 ms, 2023-11-14 22:13:20.000000 UTC",
        "lasted  302.000 ms",
        "bytes   5 bytes from the client (16 a second); 0 bytes from the server",
        "trips   handshake 0.200 ms",
        "SYN     client: no options; server: no options",
        "client  SYN_SENT +0.000 ms, ESTABLISHED +0.100 ms, CLOSED +302.000 ms",
        "resent  frame 5, +300.000 ms: data from 192.168.153.129:40000",
        "RST     frame 7, +302.000 ms: from 192.168.153.128:19999, cause: abort",
        "odd     the sequence numbers of 192.168.153.129:40000 wrap around",
        "7 frames, 7 TCP segments, 1 connection",
    ):
        assert text in said.out


@pytest.mark.usefixtures("no_engine")
def test_what_a_program_reads(lab: Lab, capture: Path) -> None:
    data = json.loads(lab("analyze", str(capture), "--json").out)
    [connection] = data["connections"]
    assert (connection["handshake"], connection["close"], connection["client"]["bytes"]) == (
        "complete",
        "reset",
        5,
    )
    assert connection["client"]["retransmissions"] == {"syn": 0, "data": 1, "fin": 0}
    assert connection["server"]["reset"]["cause"] == "abort"


MANY = """
    0    client_a > server  S
    1    server > client_a  S.
    2    client_a > server  .
    3    client_b:1025 > server  S
    4    server > client_b:1025  S.
    5    client_b:1025 > server  .
    6    client_b:1025 > server  P. 5
    7    client_b:1025 > server  P. again
    8    server > client_b:1025  . full
    9    client_a:5000 > server:53  U 30
    10   server:53 > client_a:5000  U 500
    30   client_a:5000 > server:53  U 20
    90   client_a:5000 > server:53  U 25
    91   client_b:68 > server:67  U 9
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.pcap"
    path.write_bytes(sketch.single(MANY))
    return path


def rows(said: str) -> list[str]:
    return [line.split()[0] for line in said.splitlines() if "complete" in line]


def test_the_worst_connection_stands_first_and_keeps_its_number(lab: Lab, many: Path) -> None:
    said = lab("analyze", many).out
    assert rows(said) == ["2", "1"]
    assert "   2  counts  server: 1 zero window" in said
    assert said.index("   2  began") < said.index("   1  began")
    connections = json.loads(lab("analyze", many, "--json").out)["connections"]
    assert [(one["number"], one["trouble"]) for one in connections] == [(1, 0), (2, 2)]


def test_udp_flows_with_their_sizes_and_gaps(lab: Lab, many: Path) -> None:
    said = " ".join(lab("analyze", many).out.split())
    assert (
        "UDP 192.168.153.129:5000 to 192.168.153.128:53: 3 datagrams of 20 to 30 bytes, 40.500 ms apart on average, "
        "60.000 ms at most; back 1 datagram of 500 bytes; 2023-11-14 22:13:20.009000 UTC, lasted 81.000 ms"
        in said
    )
    assert "192.168.153.130:68 to 192.168.153.128:67: 1 datagram of 9 bytes; nothing back" in said
    assert "other frames: 5 UDP" in said


@pytest.mark.parametrize(
    ("words", "numbers", "datagrams"),
    [
        (("--conn", "1"), ["1"], 0),
        (("--host", "192.168.153.130"), ["2"], 1),
        (("--host", "192.168.153.128/25"), ["2", "1"], 2),
        (("--host", "::1"), [], 0),
        (("--port", "1025", "--port", "67"), ["2"], 1),
        (("--port", "53"), [], 1),
        (("--port", "19999", "--host", "192.168.153.129"), ["1"], 0),
    ],
)
def test_what_is_chosen(lab: Lab, many: Path, words: list[str], numbers: list[str], datagrams: int) -> None:
    said = lab("analyze", many, *words)
    assert (said.code, rows(said.out), said.out.count(" UDP  ")) == (ExitCode.PASSED, numbers, datagrams)
    assert "14 frames, 9 TCP segments, 2 connections" in said.out, "counts are those of the whole capture"
    data = json.loads(lab("analyze", many, *words, "--json").out)
    assert sorted(str(one["number"]) for one in data["connections"]) == sorted(numbers)
    assert len(data["udp_flows"]) == datagrams


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--conn", "3"), "there is no connection 3: the capture has 2 connections"),
        (("--host", "server"), "'server' is neither an IP address nor a network"),
        (("--port", "0"), "Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_chosen(lab: Lab, many: Path, words: tuple[str, ...], said: str) -> None:
    found = lab("analyze", many, *words)
    assert found.code == ExitCode.USAGE
    assert said in found.err
    assert found.out == ""


def test_documents_are_as_their_schema_has_them(lab: Lab, tmp_path: Path, many: Path) -> None:
    """Real captures, those of tests, and what is damaged or holds no TCP."""
    schema = json.loads((EXAMPLES / "analysis.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    odd = tmp_path / "odd.pcap"
    frames = [frame for _, frame in (*tunnels(), *unreadable())]
    odd.write_bytes(sketch.pcap(list(enumerate(frames)), sketch.ETHERNET)[:-3])
    data: dict[str, Any] = {}
    for path in (many, odd, *sorted(CAPTURES.glob("*.pcap"))):
        data = json.loads(lab("analyze", path, "--json").out)
        validator.validate(data)
        assert (data["format"], data["exit"], data["file"]) == (1, 0, str(path))
    data["connections"][0]["client"]["bytes"] = "5"
    assert not validator.is_valid(data)


def test_a_flood_of_udp_flows_is_bounded() -> None:
    flows, places = UdpFlows(most=10), [(0, None, 0), (1, None, 0)]
    for number in range(25):
        way = bytes([10, 0, 0, 1, 10, 0, 0, 2]) + struct.pack("!HH", 1000 + number, 53)
        for place in places:  # the second sighting is a copy
            flows.hear(number + 1, number, place, way, 7)
    told = list(flows.told())
    assert ([flow.client.port for flow in told], flows.forgotten) == (list(range(1015, 1025)), 15)
    assert {flow.client.datagrams for flow in told} == {1}


@pytest.mark.usefixtures("no_engine")
def test_what_cannot_be_read_is_a_warning(lab: Lab, capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-7])
    said = lab("analyze", str(capture))
    assert said.code == ExitCode.PASSED
    assert "frame 7: the capture ends within this frame" in said.err
    assert "6 frames" in said.out


@pytest.mark.usefixtures("no_engine")
def test_a_file_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    said = lab("analyze", str(tmp_path / "none.pcap"))
    assert said.code == ExitCode.USAGE
    assert "there is no such file" in said.err


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"no capture at all", b"BZh9" + bytes(40), gzip.compress(b"no", mtime=0)]
)
def test_what_is_no_capture(lab: Lab, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "some.pcap"
    file.write_bytes(content)
    said = lab("analyze", file)
    assert (said.code, said.out) == (ExitCode.INCONCLUSIVE, "")
    assert said.err.startswith("error[no-capture]: this is ")


def test_a_gzipped_capture_is_read_also_from_standard_input(
    lab: Lab, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, whole = lab("analyze", capture).out, capture.read_bytes()
    packed = gzip.compress(whole[:50]) + gzip.compress(whole[50:])
    capture.write_bytes(packed)
    assert lab("analyze", capture).out == wanted, "two members are one stream"
    capture.write_bytes(packed[:-30])
    assert "its packed file ends too early" in lab("analyze", capture).err
    capture.write_bytes(packed + b"more")
    assert "behind its packed end stands something else" in lab("analyze", capture).err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(packed)))
    assert lab("analyze", "-").out == wanted


def test_tunnels_are_read_and_counted_and_so_is_what_cannot_be_read(lab: Lab, tmp_path: Path) -> None:
    capture = tmp_path / "tunnels.pcap"
    frames = [frame for _, frame in (*tunnels(), *unreadable())]
    capture.write_bytes(sketch.pcap(list(enumerate(frames)), sketch.ETHERNET))
    said = lab("analyze", str(capture))
    assert "packets read within others: 2 AH, 1 ERSPAN, 1 EtherIP, 3 GRE, 1 GTP, 1 Geneve" in said.out
    assert "1 ESP, 1 EtherType 0x1234, 1 GRE, 1 Geneve in UDP" in said.out
    data = json.loads(lab("analyze", str(capture), "--json").out)
    assert (data["tunnels"]["VXLAN"], data["not_tcp"]["MACsec"]) == (3, 1)
    assert data["segments"] + sum(data["not_tcp"].values()) == data["frames"]


def test_icmp_is_counted_by_type_and_a_copy_once(lab: Lab, tmp_path: Path) -> None:
    capture = tmp_path / "pings.pcap"
    capture.write_bytes(
        sketch.switch("0 server > client_a Q\n1 client_a > server A\n2 server > client_a Q wrong")
    )
    assert (
        "ICMP messages: 1 echo-reply, 1 echo-request, 1 echo-request with a wrong checksum"
        in lab("analyze", str(capture)).out
    )
