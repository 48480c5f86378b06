"""flow and wireshark, on saved runs. There is no engine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lab.core.errors import ExitCode
from tests.cli.fakes import Lab

pytestmark = pytest.mark.usefixtures("no_engine")

DOCUMENT = Path(__file__).parents[2] / "docs" / "flow.md"


def test_flow_draws_a_record(lab: Lab, golden: Path) -> None:
    said = lab("flow", golden / "multi_client")
    assert (said.code, said.err) == (ExitCode.PASSED, "")
    first, *lines = said.out.splitlines()
    assert first.split() == ["ms", "server", "client_a", "client_b"]
    assert any("├─── SYN 0 ACK 1 ───▶│ ESTABLISHED" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_flow_marks_what_failed(lab: Lab, golden: Path) -> None:
    said = lab("flow", golden / "unfriendly")
    assert said.code == ExitCode.PASSED
    assert "✗ fail: It says good-bye" in said.out


def test_flow_of_one_connection(lab: Lab, golden: Path) -> None:
    said = lab("flow", golden / "multi_client", "--connection", "2")
    assert "connection 2: client_b" in said.out
    assert "connection 1:" not in said.out


@pytest.mark.parametrize("number", ["3", "-1"])
def test_flow_of_a_connection_that_is_not_there(lab: Lab, golden: Path, number: str) -> None:
    said = lab("flow", golden / "multi_client", "--connection", number)
    assert said.code == ExitCode.USAGE
    assert "they are numbered 1 to 2" in said.err


def test_flow_as_a_diagram(lab: Lab, golden: Path) -> None:
    said = lab("flow", golden / "multi_client", "--format", "mermaid")
    assert said.code == ExitCode.PASSED
    assert said.out.startswith("sequenceDiagram\n    participant h1 as server\n")


def test_flow_as_json_has_every_row_once(lab: Lab, golden: Path) -> None:
    said = lab("flow", golden / "multi_client", "--json")
    rows = said.data["rows"]
    assert said.data["hosts"][0] == {"host": "server", "address": "192.168.153.128"}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    syn = next(row for row in rows if row["row"] == "packet")
    assert (syn["source"], syn["target"], syn["flags"], syn["seq"]) == ("client_a", "server", 2, 0)
    assert syn["states"] == [["SYN_SENT"], []]
    assert syn["time"] == said.data["origin"]
    of_one = lab("flow", golden / "multi_client", "--connection", "1", "--json").data["rows"]
    assert {row["number"] for row in of_one if row["row"] == "packet"} == {1}


def test_flow_as_svg(lab: Lab, golden: Path) -> None:
    said = lab("flow", golden / "multi_client", "--format", "svg", "--connection", "1")
    root = ET.fromstring(said.out)  # noqa: S314 - the lab wrote it
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    for part in ("client_a", "192.168.153.128", "SYN seq=0", "ESTABLISHED", '"You want to say:"', "> Bye~~"):
        assert part in texts
    arrows = [one for one in root.iter("{http://www.w3.org/2000/svg}line") if "marker-end" in one.attrib]
    assert len(arrows) == sum("seq=" in text for text in texts)
    assert {one.tag.partition("}")[2] for one in root.iter()} <= {
        "svg", "title", "style", "defs", "marker", "path", "rect", "text", "line",
    }  # fmt: skip


def test_svg_holds_what_programs_print_as_text_only(lab: Lab, golden: Path) -> None:
    out = lab("flow", golden / "unfriendly", "--format", "svg").out
    ET.fromstring(out)  # noqa: S314 - the lab wrote it
    assert all(character.isprintable() or character == "\n" for character in out)
    assert "fail:" in out


def test_flow_of_a_capture_cut_short(lab: Lab, golden: Path, tmp_path: Path) -> None:
    record = tmp_path / "record"
    shutil.copytree(golden / "multi_client", record)
    capture = record / "capture.pcap"
    capture.write_bytes(capture.read_bytes()[:2000])
    said = lab("flow", record)
    assert said.code == ExitCode.PASSED
    assert "SYN 0 ACK 1" in said.out
    assert "the capture ends within this frame" in said.err


def test_wireshark_writes_into_the_record(lab: Lab, golden: Path, tmp_path: Path) -> None:
    record = tmp_path / "record"
    shutil.copytree(golden / "multi_client", record)
    before = set(record.iterdir())
    assert lab("wireshark", record).code == ExitCode.PASSED
    assert set(record.iterdir()) - before == {record / "lab.pcapng"}
    assert lab("check", record).code == ExitCode.PASSED


def test_wireshark_writes_elsewhere(lab: Lab, golden: Path, tmp_path: Path) -> None:
    said = lab("wireshark", golden / "multi_client", "-o", "here.pcapng", "--json")
    assert said.data == {
        "format": 1, "exit": 0, "file": "here.pcapng", "frames": said.data["frames"], "unsound": [],
    }  # fmt: skip
    assert said.data["frames"] > 20
    assert (tmp_path / "here.pcapng").read_bytes()[:4] == b"\n\r\r\n"
    assert not (golden / "multi_client" / "lab.pcapng").exists()
    assert (
        "next  wireshark 'of mine.pcapng'"
        in lab("wireshark", golden / "multi_client", "-o", "of mine.pcapng").out
    )


def test_wireshark_writes_a_frame_once_at_both_ends_or_at_one_host(lab: Lab, golden: Path) -> None:
    def frames(*words: str) -> int:
        return int(lab("wireshark", golden / "multi_client", "-o", "x", "--json", *words).data["frames"])

    assert frames() < frames("--both") > frames("--at", "server") > frames("--at", "client_a")
    both = lab("wireshark", golden / "multi_client", "--both", "--at", "server")
    assert (both.code, both.err.split("\n")[0][:14]) == (ExitCode.USAGE, "error[usage]: ")
    unknown = lab("wireshark", golden / "multi_client", "--at", "servr")
    assert (unknown.code, "did you mean" in unknown.err) == (ExitCode.USAGE, True)


def test_wireshark_leaves_nothing_behind_where_it_cannot_write(
    lab: Lab, golden: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    for target in ("folder", "nowhere/file"):
        said = lab("wireshark", golden / "multi_client", "-o", target)
        assert said.code == ExitCode.USAGE
        assert said.err.startswith("error[export]: ")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_wireshark_writes_through_no_link(lab: Lab, golden: Path, tmp_path: Path) -> None:
    record, victim = tmp_path / "record", tmp_path / "victim"
    shutil.copytree(golden / "multi_client", record)
    victim.write_text("mine")
    (record / "lab.pcapng").symlink_to(victim)
    assert lab("wireshark", record).code == ExitCode.PASSED
    assert victim.read_text() == "mine"


def test_the_document_shows_what_is_drawn(lab: Lab, golden: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0].splitlines()
    drawn = iter(lab("flow", golden / "multi_client", "--connection", "1").out.splitlines())
    assert len(shown) > 20
    assert all(line in drawn for line in shown), "each line, in this order"


def test_the_document_names_every_option(lab: Lab) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    helped = lab("flow", "--help").out
    options = set(re.findall(r"^ +(--[a-z]+)", helped, re.MULTILINE)) - {"--help"}
    assert options == {"--format", "--connection", "--all", "--records", "--json"}
    assert all(f"`{option}" in text for option in options)
