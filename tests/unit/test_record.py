"""Records: what is written is read back, and what anybody else wrote is refused in words."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.capture import HeldSegment
from lab.errors import EvidenceError, UsageError
from lab.evidence import Evidence
from lab.judge import judge
from lab.processes import ProcessRow, Sleep
from lab.record import is_recorded, read, read_transcript, write, write_verdict
from lab.record.codec import Unfit, decode, encode
from lab.situation import Doing, Killed, OutOfMemory, Situation, Unread
from lab.sockets import SocketRow, SocketSample
from lab.transcript import Output, StepEnded, Transcript
from lab.words import Outcome, TcpState

GOLDEN = Path(__file__).parent.parent / "golden" / "runs"
FILES = ("scenario.json", "transcript.jsonl", "sockets.jsonl", "run.json", "capture.pcap")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record that may be damaged."""
    folder = tmp_path / "record"
    shutil.copytree(GOLDEN / "multi_client", folder)
    return folder


@pytest.fixture
def evidence(record: Path) -> Evidence:
    """What is in it."""
    return read(record)


def _rewrite(folder: Path, evidence: Evidence) -> Evidence:
    """Written over the record and read back."""
    samples = [sample for history in evidence.sockets.values() for sample in history.samples]
    samples.sort(key=lambda sample: sample.at)
    write(folder, evidence.scenario, evidence.info, evidence.transcript, samples)
    return read(folder)


def test_what_is_written_is_read_back(record: Path, evidence: Evidence) -> None:
    before = {name: (record / name).read_bytes() for name in FILES}
    assert _rewrite(record, evidence) == evidence
    assert {name: (record / name).read_bytes() for name in FILES} == before


def test_what_surrounded_a_failure_is_written_and_read_back(record: Path, evidence: Evidence) -> None:
    row = SocketRow(TcpState.LISTEN, "192.168.153.128", 1, "192.168.153.129", 0, 1, 8, 7)
    process = ProcessRow(9, 1, 9, 9, "srv", False, 3, (7,), (Sleep("recv", 7),))
    situation = (
        Situation(1, "server", 80, (Doing(process, used=5, running=True),), (row,), (row,), (row,)),
        Unread(2, "server", "server", "\udcff?"),
        Killed(3, "server", 9, 1, 9, 9, "srv", 139),
        OutOfMemory(4, "server"),
    )
    write(record, evidence.scenario, evidence.info, evidence.transcript, [], situation=situation)
    assert read(record).situation == situation


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"event": "started", "at": 1, "host": "server"}', "event: one of"),
        ('{"event": "out_of_memory", "at": 1, "host": "nobody"}', "no such host"),
        ('{"event": "unread", "at": 1, "host": "server", "program": 7, "text": ""}', "program"),
    ],
)
def test_what_surrounded_no_failure_is_refused(record: Path, line: str, said: str) -> None:
    (record / "situation.jsonl").write_text(line + '\n{"end": 1}\n', encoding="ascii")
    with pytest.raises(EvidenceError) as refused:
        read(record)
    assert said in refused.value.what


def test_bytes_that_are_no_utf8_survive(record: Path, evidence: Evidence) -> None:
    printed = b"\xff\x00\xe5\xae\xa2\xe5\xae".decode("utf-8", "surrogateescape")
    transcript = Transcript((Output(1, "server", "server", printed),), unplayed="2")
    again = _rewrite(record, replace(evidence, transcript=transcript))
    assert again.transcript == transcript
    assert (record / "transcript.jsonl").read_bytes().isascii()


def test_a_record_that_cannot_be_written(record: Path, evidence: Evidence) -> None:
    shutil.rmtree(record)
    with pytest.raises(EvidenceError, match="cannot be written"):
        write_verdict(record, judge(evidence))


def test_a_verdict_is_the_same_byte_for_byte(record: Path, evidence: Evidence) -> None:
    verdict = judge(evidence)
    write_verdict(record, verdict)
    assert is_recorded(record, verdict)
    assert not is_recorded(record, replace(verdict, scenario="another"))
    (record / "verdict.json").unlink()
    assert not is_recorded(record, verdict)


def test_no_such_record(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such record"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(record: Path, name: str) -> None:
    (record / name).unlink()
    _refused(record, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_leads_elsewhere_is_not_followed(record: Path, name: str) -> None:
    (record / name).rename(record / "moved")
    (record / name).symlink_to(record / "moved")
    _refused(record, name)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_is_not_waited_for(record: Path, name: str) -> None:
    (record / name).unlink()
    os.mkfifo(record / name)
    _refused(record, name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_too_large_is_not_read(record: Path, name: str) -> None:
    os.truncate(record / name, 2**40)
    _refused(record, name)


@pytest.mark.parametrize("name", [name for name in FILES if name != "capture.pcap"])
def test_a_file_cut_anywhere_is_refused(record: Path, name: str) -> None:
    whole = (record / name).read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 50)):
        (record / name).write_bytes(whole[:length])
        _refused(record, name)


@pytest.mark.parametrize("name", FILES)
def test_any_byte_changed_is_read_or_refused(record: Path, name: str) -> None:
    whole = (record / name).read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        changed = bytearray(whole)
        changed[position] ^= 0x55
        (record / name).write_bytes(changed)
        with suppress(EvidenceError):
            judge(read(record))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", "[" * 100_000, '{"a": NaN}', '{"a": 1e999}', "9" * 5000, "\x00", "\ud800"],
)
@pytest.mark.parametrize("name", ["scenario.json", "run.json", "transcript.jsonl", "sockets.jsonl"])
def test_files_that_are_something_else(record: Path, name: str, text: str) -> None:
    (record / name).write_bytes(f"{text}\n".encode("utf-8", "surrogatepass"))
    _refused(record, name)


def _info(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def changed(record: Path) -> None:
        info = json.loads((record / "run.json").read_text())
        change(info)
        (record / "run.json").write_text(json.dumps(info))

    return changed


HELD = encode(HeldSegment(1, 2, "server", "finally.2.1@3", "10.0.0.1", 1, "10.0.0.2", 2, 1, 1, 1, 0))


def test_what_was_held_is_read_back(record: Path) -> None:
    _info(lambda info: info.update(held=[HELD]))(record)
    assert encode(read(record).info.held) == [HELD]


@pytest.mark.parametrize(
    "change",
    [
        _info(lambda info: info.pop("began")),
        _info(lambda info: info.update(more=1)),
        _info(lambda info: info.update(began="now")),
        _info(lambda info: info.update(began=True)),
        _info(lambda info: info.update(began=2**63)),
        _info(lambda info: info["addresses"].pop("server")),
        _info(lambda info: info["addresses"].update(nobody={})),
        _info(lambda info: info["addresses"]["server"].update(lan=["300.1.1.1"])),
        _info(lambda info: info["captures"].append(info["captures"][0])),
        _info(lambda info: info["captures"][0].update(path="../capture.pcap")),
        _info(lambda info: info["captures"][0].update(path="/etc/passwd")),
        _info(lambda info: info["captures"][0].update(host="nobody")),
        _info(lambda info: info["interfaces"][0].update(host="nobody")),
        _info(lambda info: info["sampling"].pop("began")),
        _info(lambda info: info.update(held=[{**HELD, "host": "nobody"}])),
        _info(lambda info: info.update(held=[{**HELD, "step": "\x1b[2J"}])),
    ],
)
def test_a_run_that_contradicts_itself(record: Path, change: Callable[[Path], None]) -> None:
    change(record)
    _refused(record, "run.json")


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "output"}',
        '{"event": "sung", "at": 1}',
        '{"event": [], "at": 1}',
        '{"event": "output", "at": 1, "host": "nobody", "program": "p", "text": ""}',
        '{"event": "exited", "at": 1, "host": "server", "program": "p", "status": 1.0}',
        '{"event": "exited", "at": 1, "host": "server", "program": "p", "status": null}',
        '{"end": 0, "unplayed": ""}',
        '{"end": 1, "unplayed": 7}',
    ],
)
def test_lines_that_are_no_events(record: Path, line: str) -> None:
    path = record / "transcript.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([line, *lines[1:]]) + "\n")
    _refused(record, path.name)


def test_a_sample_of_no_address(record: Path) -> None:
    row = SocketRow(TcpState.LISTEN, "everywhere", 1, "0.0.0.0", 0, 0, 0, 0)  # noqa: S104 - as a kernel says it
    sample = json.dumps(encode(SocketSample(1, "server", (row,))))
    (record / "sockets.jsonl").write_text(f'{sample}\n{{"end": 1}}\n')
    _refused(record, "sockets.jsonl")


def test_a_scenario_that_cannot_be_played(record: Path) -> None:
    path = record / "scenario.json"
    path.write_text(path.read_text().replace('"host": "client_a"', '"host": "nobody"', 1))
    _refused(record, path.name)


def test_a_transcript_alone(record: Path, evidence: Evidence) -> None:
    (record / "capture.pcap").unlink()
    assert read_transcript(record) == evidence.transcript


def _refused(record: Path, name: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        read(record)
    assert caught.value.code == "damaged-record"
    assert name in caught.value.where
    assert caught.value.fix


def test_a_place_is_told() -> None:
    data = encode(SocketSample(1, "a", (SocketRow(TcpState.LISTEN, "::", 1, "::", 0, 0, 0, 0),)))
    data["rows"][0]["state"] = "LISTENING"
    with pytest.raises(Unfit, match=r"^rows\[0\]\.state: one of LISTEN, "):
        decode(SocketSample, data)


def test_what_has_a_default_may_be_missing() -> None:
    step = StepEnded(2, 1, "1", "a.yaml:1:1", "a", "send", Outcome.PASS)
    data = encode(step)
    del data["rest"]
    assert decode(StepEnded, data) == step
