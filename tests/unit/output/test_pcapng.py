"""The one pcapng of a run: read back by a small reader here, and by tshark where it is installed."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec.structs import replace

from lab.evidence.capture import Interface
from lab.evidence.evidence import Evidence
from lab.evidence.record import read
from lab.evidence.transcript import StepEnded
from lab.output.pcapng import View, export
from lab.wire.packets.files import records
from lab.wire.packets.problems import Problems
from tests.unit import sketch, staged
from tests.unit.staged import PASS, Stage

GOLDEN = Path(__file__).parents[2] / "golden" / "runs" / "multi_client"
TALK = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""


@dataclass
class Block:
    """A block as it stands in the file; options by code, in order."""

    kind: int
    body: bytes
    options: list[tuple[int, bytes]] = field(default_factory=list)

    def texts(self, code: int) -> list[str]:
        return [value.decode() for known, value in self.options if known == code]

    @property
    def time(self) -> int:
        high, low = struct.unpack_from("<II", self.body, 4)
        return int(high << 32 | low)


def blocks(data: bytes) -> Iterator[Block]:
    """Every block, its structure held against the specification."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        yield block(kind, data[at + 8 : at + length - 4])
        at += length
    assert at == len(data)


def block(kind: int, content: bytes) -> Block:
    fixed = {0x0A0D0D0A: 16, 1: 8, 4: len(content), 6: 20}[kind]
    if kind == 6:
        captured = struct.unpack_from("<I", content, 12)[0]
        fixed += captured + -captured % 4
    return Block(kind, content[:fixed], list(options(content[fixed:])))


def options(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        code, length = struct.unpack_from("<HH", data)
        if not code:
            assert data == bytes(4)
            return
        yield code, data[4 : 4 + length]
        data = data[4 + length + -length % 4 :]


BOTH = View(both=True)


def exported(folder: Path, evidence: Evidence, view: View = BOTH) -> tuple[list[Block], tuple[str, ...]]:
    stream = io.BytesIO()
    done = export(folder, evidence, stream, view)
    found = list(blocks(stream.getvalue()))
    assert done.frames == sum(one.kind == 6 for one in found)
    return found, done.unsound


def packets(found: list[Block]) -> list[Block]:
    return [one for one in found if one.kind == 6]


def interfaces(found: list[Block]) -> list[str]:
    return [name for one in found if one.kind == 1 for name in one.texts(2)]


def step(number: str, began: float, what: str = "send 'Hi'") -> StepEnded:
    return StepEnded(staged.at(began + 1), staged.at(began), number, "chat.yaml:9:3", "client_a", what, PASS)


def test_a_host_has_an_interface_for_each_direction(tmp_path: Path) -> None:
    found, _ = exported(tmp_path, Stage(tmp_path, TALK).evidence())
    ways = [f"{host} eth0 {way}" for host in sketch.HOSTS for way in ("sent", "received")]
    assert interfaces(found) == ways
    seen = [ways[struct.unpack_from("<I", one.body)[0]] for one in packets(found)]
    assert seen[:4] == [
        "client_a eth0 sent", "server eth0 received", "server eth0 sent", "client_a eth0 received",
    ]  # fmt: skip
    assert [value for one in packets(found)[:2] for code, value in one.options if code == 2] == [
        struct.pack("<I", 2), struct.pack("<I", 1),
    ]  # fmt: skip


def test_a_loopback_has_one_and_keeps_its_link_layer(tmp_path: Path) -> None:
    found, _ = exported(tmp_path, Stage(tmp_path, TALK, loopback={"server": TALK}).evidence())
    links = [struct.unpack_from("<H", one.body)[0] for one in found if one.kind == 1]
    assert dict(zip(interfaces(found), links, strict=True))["server lo"] == sketch.ETHERNET
    assert set(links) == {sketch.COOKED2, sketch.ETHERNET}


def test_all_captures_in_one_order_of_time_byte_for_byte(tmp_path: Path) -> None:
    stage = Stage(tmp_path, TALK, loopback={"server": TALK, "client_a": TALK})
    found, unsound = exported(tmp_path, stage.evidence())
    assert unsound == ()
    sources = [frame for path in sorted(tmp_path.glob("*.pcap")) for frame in frames(path)]
    written = [
        (one.time, one.body[20 : 20 + struct.unpack_from("<I", one.body, 12)[0]]) for one in packets(found)
    ]
    assert sorted(written) == sorted(sources)
    assert [time for time, _ in written] == sorted(time for time, _ in sources)


def test_frames_that_were_written_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    frame = sketch.framed(b"\x45" + bytes(39))
    capture = sketch.pcap([(staged.at(time), frame) for time in (0, 3, 2, 1, 4)])
    found, _ = exported(tmp_path, Stage(tmp_path, capture=capture).evidence())
    assert [one.time for one in packets(found)] == [staged.at(time) for time in range(5)]


def frames(path: Path) -> list[tuple[int, bytes]]:
    with path.open("rb") as stream:
        return [(time, data[start:end]) for time, _, data, start, end, _, _ in records(stream, Problems())]


def test_a_step_is_a_comment_on_the_first_frame_since_it_began(tmp_path: Path) -> None:
    steps = step("1", -5), step("2", 0), step("3", 0.05), step("4", 90), step("5", 80)
    found, _ = exported(tmp_path, Stage(tmp_path, TALK, events=steps).evidence())
    comments = [[text.partition(",")[0] for text in one.texts(1)] for one in packets(found)]
    assert comments == [["step 1", "step 2"], [], ["step 3"], [], [], ["step 5", "step 4"]]
    assert packets(found)[0].texts(1)[0] == "step 1, client_a: send 'Hi'"


def test_comments_are_harmless_and_bounded(tmp_path: Path) -> None:
    steps = [step(str(number), 0, "say \x1b[2J \udcff " + "好" * 40_000) for number in range(100)]
    found, _ = exported(tmp_path, Stage(tmp_path, TALK, events=steps).evidence())
    comments = packets(found)[0].texts(1)
    assert comments[0].startswith("step 0, client_a: say ␛[2J \\xff 好")
    assert max(len(text.encode()) for text in comments) <= 4096
    assert len(comments) == 65
    assert comments[-1] == "and 36 more steps"


def names_of(found: list[Block]) -> list[str]:
    """The interface of each packet."""
    known = interfaces(found)
    return [known[struct.unpack_from("<I", one.body)[0]] for one in packets(found)]


def test_each_frame_is_there_once_where_it_was_sent(tmp_path: Path) -> None:
    found, _ = exported(tmp_path, Stage(tmp_path, TALK).evidence(), View())
    assert names_of(found) == ["client_a eth0 sent", "server eth0 sent", "client_a eth0 sent"]
    assert interfaces(found) == [f"{host} eth0 sent" for host in sketch.HOSTS]


def test_a_frame_that_is_only_seen_to_arrive_is_there(tmp_path: Path) -> None:
    late = "0 client_a > server S left\n1 server > client_a S. entered\n"
    found, _ = exported(tmp_path, Stage(tmp_path, late).evidence(), View())
    assert names_of(found) == ["server eth0 received", "server eth0 sent"]


def test_what_one_host_saw(tmp_path: Path) -> None:
    stage = Stage(tmp_path, TALK, loopback={"server": TALK, "client_a": TALK})
    found, _ = exported(tmp_path, stage.evidence(), View(host="server"))
    assert set(names_of(found)) == {"server eth0 sent", "server eth0 received", "server lo"}
    assert len(packets(found)) == 6


def test_addresses_have_names(tmp_path: Path) -> None:
    found, _ = exported(tmp_path, Stage(tmp_path, TALK).evidence())
    (block,) = (one for one in found if one.kind == 4)
    names = {value[:4]: value[4:].rstrip(b"\0") for code, value in options(block.body) if code == 1}
    assert names[ip_address(sketch.HOSTS["server"]).packed] == b"server"
    assert len(names) == len(sketch.HOSTS)


def test_markers_are_explained_and_what_hosts_send_is_no_marker(tmp_path: Path) -> None:
    marker = b"tcp-lab sentinel" + bytes(16)
    frames = [
        (staged.at(n), cooked(0x88B5, marker, place)) for n, place in enumerate((99, sketch.PORTS["server"]))
    ]
    found, _ = exported(tmp_path, Stage(tmp_path, capture=sketch.pcap(frames)).evidence())
    lab, host = (one.texts(1) for one in packets(found))
    assert lab[0].startswith("a marker of the lab, which no program sent")
    assert [text for text in host if "marker" in text] == []


def cooked(kind: int, data: bytes, interface: int) -> bytes:
    return struct.pack("!HHIHBB8s", kind, 0, interface, 1, 0, 6, bytes(8)) + data


def test_what_was_sent_by_hand_comes_after_the_script(tmp_path: Path) -> None:
    marker = (staged.at(50), cooked(0x88B5, b"tcp-lab sentinel" + bytes(16), 99))
    evidence = Stage(tmp_path, TALK).evidence()
    later = [(time + 10**9, frame) for time, frame in frames(tmp_path / "capture.pcap")]
    (tmp_path / "by-hand.pcap").write_bytes(sketch.pcap([marker, *later]))
    found, _ = exported(tmp_path, evidence, View())
    comments = [[text for text in one.texts(1) if "step" not in text] for one in packets(found)]
    by_hand = "from here on: sent after the script, while the lab stayed up"
    assert comments == [[], [], [], [by_hand], [], []]


def test_the_section_says_what_run_it_is(tmp_path: Path) -> None:
    head, *_ = exported(tmp_path, Stage(tmp_path, TALK).evidence())[0]
    assert struct.unpack("<IHHq", head.body) == (0x1A2B3C4D, 1, 0, -1)
    assert head.texts(1) == ["Staged\nrun r1"]
    assert head.texts(4)[0].startswith("tcp-lab ")


def test_a_capture_cut_short_yields_what_is_sound(tmp_path: Path) -> None:
    stage = Stage(tmp_path, capture=sketch.switch(TALK)[:-7])
    found, unsound = exported(tmp_path, stage.evidence())
    assert len(packets(found)) == 5
    assert unsound == ("capture.pcap: frame 6: the capture ends within this frame",)


def test_an_interface_may_be_called_anything(tmp_path: Path) -> None:
    evidence = Stage(
        tmp_path, capture=sketch.pcap([(staged.at(0), sketch.framed(b"\x45", interface=9))])
    ).evidence()
    bridge = Interface(9, "br\udcff\x1b", "", "lan")
    found, _ = exported(tmp_path, replace(evidence, info=replace(evidence.info, interfaces=(bridge,))))
    assert interfaces(found) == ["switch br\\xff␛ received"]


@pytest.mark.parametrize("capture", [b"", b"no capture at all, but longer than a header"])
def test_a_capture_that_is_none_yields_an_empty_file(tmp_path: Path, capture: bytes) -> None:
    stage = Stage(tmp_path, TALK)
    evidence = stage.evidence()
    (tmp_path / "capture.pcap").write_bytes(capture)
    found, unsound = exported(tmp_path, evidence)
    assert [one.kind for one in found] == [0x0A0D0D0A, 4]
    assert unsound == ("capture.pcap: this is no capture, neither pcap nor pcapng",)


def test_frames_at_unknown_places_share_one_interface(tmp_path: Path) -> None:
    strange = [(staged.at(n), sketch.framed(b"\x45" + bytes(39), interface=77 + n)) for n in range(9)]
    short = [(staged.at(10), b"\x08")]
    found, _ = exported(tmp_path, Stage(tmp_path, capture=sketch.pcap(strange + short)).evidence())
    assert [name for name in interfaces(found) if "unknown" in name] == [
        "switch unknown received", "switch unknown",
    ]  # fmt: skip


def test_a_host_may_be_called_switch(tmp_path: Path) -> None:
    evidence = Stage(tmp_path, TALK).evidence()
    named = tuple(
        replace(one, host="switch" if one.host == "client_a" else one.host)
        for one in evidence.info.interfaces
    )
    addresses = {"switch": evidence.info.addresses["client_a"], **evidence.info.addresses}
    info = replace(evidence.info, interfaces=named, addresses=addresses)
    found, _ = exported(tmp_path, replace(evidence, info=info))
    number = struct.unpack_from("<I", packets(found)[0].body)[0]
    assert interfaces(found)[number] == "switch eth0 sent"


# Against Wireshark's own tools

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def told(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    # Whoever is root hears about that and about nothing else.
    assert [line for line in done.stderr.splitlines() if "Running as user" not in line] == []
    return done.stdout


def tshark(path: Path, *fields: str) -> list[list[str]]:
    wanted = [word for name in fields for word in ("-e", name)]
    lines = told("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", *wanted).splitlines()
    return [line.split("\t") for line in lines]


@needs_tshark
def test_wireshark_reads_what_the_captures_hold(tmp_path: Path) -> None:
    target = tmp_path / "lab.pcapng"
    with target.open("wb") as stream:
        done = export(GOLDEN, read(GOLDEN), stream, BOTH)
    shared = ("frame.time_epoch", "tcp.flags", "tcp.seq_raw", "tcp.len")
    ours = tshark(target, *shared, "frame.interface_name", "frame.comment")
    theirs = tshark(GOLDEN / "capture.pcap", *shared)
    assert sorted(line[:4] for line in ours) == sorted(theirs)
    assert len(ours) == done.frames == len(theirs)
    assert {line[4] for line in ours} >= {"server eth0 sent", "client_a eth0 received"}
    steps = [event for event in read(GOLDEN).transcript.events if isinstance(event, StepEnded)]
    assert sum(line[5].count("step ") for line in ours if len(line) > 5) >= len(steps)


@needs_tshark
@pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos is not installed")
def test_capinfos_finds_it_in_order_and_in_nanoseconds(tmp_path: Path) -> None:
    target = tmp_path / "lab.pcapng"
    stage = Stage(tmp_path, TALK, loopback={"server": TALK})
    with target.open("wb") as stream:
        export(tmp_path, stage.evidence(), stream, BOTH)
    told_of = told("capinfos", target)
    assert "pcapng" in told_of
    assert "nanoseconds (9)" in told_of
    assert "Strict time order:   True" in told_of
    assert "Number of packets:   9" in told_of


def test_what_became_of_datagrams_and_echoes_is_a_comment(tmp_path: Path) -> None:
    talk = """
    0   client_a > server:53  U  text=who
    1   client_a > server:53  U  text=lost entered
    2   client_a > server     Q  id=7 no=1
    3   server   > client_a   A  id=7 no=1
    """
    stage = Stage(tmp_path, talk)
    stream = io.BytesIO()
    export(tmp_path, stage.evidence(), stream, BOTH)
    told = [one.texts(1) for one in blocks(stream.getvalue()) if one.kind == 6]
    said = [text for texts in told for text in texts if text.startswith(("UDP", "ICMP"))]
    assert said == [
        'UDP :53 len=3 "who" from client_a to server: it arrives as frame 2 of capture.pcap',
        'UDP :53 len=3 "who" from client_a to server: sent as frame 1 of capture.pcap',
        'UDP :53 len=4 "lost" from client_a to server: it is not seen to arrive',
        "ICMP echo-request id 7 seq 1 from client_a to server: it arrives as frame 5 of capture.pcap, answered by frame 6",
        "ICMP echo-request id 7 seq 1 from client_a to server: sent as frame 4 of capture.pcap",
        "ICMP echo-reply id 7 seq 1 from server to client_a: it arrives as frame 7 of capture.pcap",
        "ICMP echo-reply id 7 seq 1 from server to client_a: sent as frame 6 of capture.pcap",
    ]
