"""Records: what is written is read back, and what anybody else wrote is refused in words."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks.judging import judge
from lab.core import limits
from lab.core.errors import EvidenceError, UsageError
from lab.core.words import Outcome, TcpState
from lab.evidence.capture import HeldSegment
from lab.evidence.evidence import Evidence
from lab.evidence.facts import Described, HadEnded, Late, LateOutput
from lab.evidence.files import FileEvidence, SeenFile
from lab.evidence.processes import ProcessRow, ProcessSample, Sleep
from lab.evidence.record import is_recorded, read, read_transcript, write_verdict
from lab.evidence.record import write as write_record
from lab.evidence.record.codec import Unfit, decode, encode, escaped
from lab.evidence.situation import Doing, Killed, OutOfMemory, Situation, Unread
from lab.evidence.sockets import DatagramSample, DatagramSocket, SocketRow, SocketSample
from lab.evidence.transcript import Input, Output, StepEnded, Transcript
from lab.output.document import verdict_as_data
from lab.output.sentences.steps import tell

GOLDEN = Path(__file__).parents[2] / "golden" / "runs"
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


write = partial(write_record, tell=tell)


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
    datagrams = DatagramSocket("0.0.0.0", 53, "0.0.0.0", 0, 768, 8, drops=2)  # noqa: S104 - as a kernel says it
    process = ProcessRow(9, 1, 9, 9, "caf\udce9", False, 3, (7,), (Sleep("recv", 7),))
    situation = (
        Situation(1, "server", 80, (Doing(process, used=5, running=True),), (row,), (row,), (datagrams,)),
        Unread(2, "server", "server", "\udcff?"),
        Killed(3, "server", 9, 1, 9, 9, "srv", 139),
        OutOfMemory(4, "server"),
    )
    write(record, evidence.scenario, evidence.info, evidence.transcript, [], situation=situation)
    assert read(record).situation == situation


def seen(content: bytes, **more: Any) -> FileEvidence:
    digest = hashlib.sha256(content).hexdigest()
    size, stored = len(content), "file-1.bin" if content else ""
    fields = {"size": size, "sha256": digest, "kept": size, "stored": stored, **more}
    return FileEvidence(SeenFile(1, "server", "server", "out", "file", **fields), content)


def test_files_are_written_and_read_back(record: Path, evidence: Evidence) -> None:
    missing = FileEvidence(SeenFile(2, "client_a", "", "out", "missing", beside=("caf\udce9",)))
    larger = replace(seen(b"abc", size=9, sha256="", changing=True).seen, stored="file-2.bin")
    files = (seen(b"abc"), FileEvidence(larger, b"abc"), missing, seen(b""))
    write(record, evidence.scenario, evidence.info, evidence.transcript, [], files=files)
    assert read(record).files == files


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "nobody"}, "no such host"),
        ({"stored": "../secret"}, "stored"),
        ({"stored": "run.json"}, "stored"),
        ({"stored": "file-7.bin"}, "lacks this file"),
        ({"size": 2}, "kept"),
        ({"kept": 2}, "kept"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"kind": "secret"}, "kind"),
    ],
)
def test_a_file_that_is_not_what_the_record_says(
    record: Path, evidence: Evidence, change: dict[str, Any], said: str
) -> None:
    write(record, evidence.scenario, evidence.info, evidence.transcript, [], files=[seen(b"abc")])
    line = json.loads((record / "files.jsonl").read_text().splitlines()[0])
    (record / "files.jsonl").write_text(json.dumps(line | change) + '\n{"end": 1}\n')
    with pytest.raises(EvidenceError) as refused:
        read(record)
    assert said in refused.value.what


def test_a_link_in_the_place_of_a_file_is_refused(record: Path, evidence: Evidence) -> None:
    write(record, evidence.scenario, evidence.info, evidence.transcript, [], files=[seen(b"abc")])
    (record / "file-1.bin").rename(record / "elsewhere")
    (record / "file-1.bin").symlink_to("elsewhere")
    with pytest.raises(EvidenceError, match="lacks this file"):
        read(record)


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


LATE = LateOutput(Late(0.5, of_script=False), "printed", other=True, life=HadEnded(139))
BROKEN = StepEnded(
    3, 2, "1", "a.yaml:1:1", "server", "expect", Outcome.FAIL, Described("the text '\udcff'"), LATE, "x"
)


def test_a_failed_step_is_told_as_text_and_as_data(record: Path, evidence: Evidence) -> None:
    again = _rewrite(record, replace(evidence, transcript=Transcript((BROKEN,), "2")))
    assert again.transcript.failed == BROKEN
    told = json.loads((record / "transcript.jsonl").read_text().splitlines()[0])
    assert told["observed"] == (
        "not within 0.5 s: it printed something else, it had ended: killed by SIGSEGV (status 139)"
    )
    assert told["data"]["observed"] == {
        "key": "late-output",
        "parameters": {
            "late": {"key": "late", "parameters": {"seconds": 0.5, "of_script": False}},
            "verb": "printed",
            "other": True,
            "life": {"key": "had-ended", "parameters": {"status": 139}},
        },
    }


def test_a_failed_step_that_is_told_as_text_alone_is_read(record: Path, evidence: Evidence) -> None:
    _rewrite(record, replace(evidence, transcript=Transcript((BROKEN,), "2")))
    lines = (record / "transcript.jsonl").read_text().splitlines()
    step = json.loads(lines[0])
    del step["data"]
    (record / "transcript.jsonl").write_text("\n".join((json.dumps(step), *lines[1:], "")))
    failed = read(record).transcript.failed
    assert failed is not None
    assert (failed.expected, failed.observed) == (BROKEN.expected, Described(step["observed"]))


@pytest.mark.parametrize(
    "observed",
    [
        7,
        {"key": "had-ended"},
        {"key": "had-ended", "parameters": {"status": "0"}},
        {"key": "nobody-says-that", "parameters": {}},
        {"key": "late-match", "parameters": {"late": {"key": "text", "parameters": {}}, "characters": 1}},
    ],
)
def test_a_failed_step_without_a_sentence_is_refused(record: Path, evidence: Evidence, observed: Any) -> None:
    _rewrite(record, replace(evidence, transcript=Transcript((BROKEN,), "2")))
    lines = (record / "transcript.jsonl").read_text().splitlines()
    step = json.loads(lines[0])
    step["data"]["observed"] = observed
    (record / "transcript.jsonl").write_text("\n".join((json.dumps(step), *lines[1:], "")))
    with pytest.raises(EvidenceError) as refused:
        read(record)
    assert "observed" in refused.value.what


def test_bytes_that_are_no_utf8_survive(record: Path, evidence: Evidence) -> None:
    printed = b"\xff\x00\xe5\xae\xa2\xe5\xae".decode("utf-8", "surrogateescape")
    transcript = Transcript((Output(1, "server", "server", printed),), unplayed="2")
    again = _rewrite(record, replace(evidence, transcript=transcript))
    assert again.transcript == transcript
    assert (record / "transcript.jsonl").read_bytes().isascii()


def test_a_record_that_cannot_be_written(record: Path, evidence: Evidence) -> None:
    shutil.rmtree(record)
    with pytest.raises(EvidenceError, match="cannot be written"):
        write_verdict(record, verdict_as_data(judge(evidence)))


def test_a_verdict_is_the_same_byte_for_byte(record: Path, evidence: Evidence) -> None:
    verdict = judge(evidence)
    write_verdict(record, verdict_as_data(verdict))
    assert is_recorded(record, verdict_as_data(verdict))
    assert not is_recorded(record, verdict_as_data(replace(verdict, scenario="another")))
    (record / "verdict.json").unlink()
    assert not is_recorded(record, verdict_as_data(verdict))


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
def test_a_folder_in_the_place_of_a_file(record: Path, name: str) -> None:
    (record / name).unlink()
    (record / name).mkdir()
    with pytest.raises(EvidenceError, match="lacks this file: Is a directory"):
        read(record)


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
    assert list(encode(read(record).info.held)) == [HELD]


@pytest.mark.parametrize(
    "change",
    [
        _info(lambda info: info.pop("began")),
        _info(lambda info: info.pop("format")),
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


@pytest.mark.parametrize("other", [0, 2, "1", None, [1], "x" * 10_000])
def test_a_record_of_another_format_is_told(record: Path, other: object) -> None:
    _info(lambda info: info.update(format=other))(record)
    for reader in (read, read_transcript):
        with pytest.raises(EvidenceError) as caught:
            reader(record)
        assert caught.value.code == "other-format"
        assert caught.value.exit_code == 3
        assert len(caught.value.what) < 120


def test_keys_that_are_not_known_are_passed_over(record: Path, evidence: Evidence) -> None:
    _info(lambda info: (info.update(more=1), info["sampling"].update(more=[1])))(record)
    assert read(record).info == evidence.info


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


def test_samples_of_udp_sockets_are_written_and_read_back(record: Path, evidence: Evidence) -> None:
    row = DatagramSocket("fd00::1", 53, "::", 0, 768, 8, drops=2)
    samples = DatagramSample(1, "server", (row,)), DatagramSample(2, "server", (), (8,))
    write(record, evidence.scenario, evidence.info, evidence.transcript, [], datagrams=samples)
    assert read(record).datagram_samples == samples
    write(
        record, evidence.scenario, evidence.info, evidence.transcript, [],
        datagrams=[DatagramSample(1, "server", (replace(row, local="here"),))],
    )  # fmt: skip
    _refused(record, "datagrams.jsonl")
    (record / "datagrams.jsonl").unlink()
    assert read(record).datagram_samples == ()


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
    with pytest.raises(Unfit, match=r"^rows\[0\]\.state: Invalid enum value 'LISTENING'"):
        decode(SocketSample, data)


def test_what_has_a_default_may_be_missing() -> None:
    step = StepEnded(2, 1, "1", "a.yaml:1:1", "a", "send", Outcome.PASS)
    data = encode(step)
    del data["rest"]
    assert decode(StepEnded, data) == step


@pytest.mark.parametrize("text", ["caf\udce9 \udcff", "\\\udc80\\x80\\", "plain \\xff", "\U0001f600\udcf0\n"])
def test_a_text_with_any_bytes_is_read_back_from_plain_unicode(text: str) -> None:
    event = Output(1, "a", "p", text)
    told = json.dumps(escaped(encode(event)), ensure_ascii=False)
    assert told.encode("utf-8"), "no lone surrogates"
    assert decode(Output, json.loads(told)) == event


@pytest.mark.parametrize(
    "data",
    [
        {"escaped": "\\"},
        {"escaped": "\\x7f"},
        {"escaped": "\\q"},
        {"escaped": 7},
        {"escaped": "", "more": 1},
        {},
    ],
)
def test_a_text_that_is_told_otherwise_is_refused(data: Any) -> None:
    with pytest.raises(Unfit):
        decode(Output, {**encode(Output(1, "a", "p", "")), "text": data})


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 1, "version": 1}',
        '{"title": "\\ud800"}',
        '{"title": "\\uDCFF"}',
        b'{"title": "\xff"}',
        b'{"title": "\xed\xb3\xbf"}',
        '{"title": "x"}'.encode("utf-16"),
        "NaN",
    ],
)
@pytest.mark.parametrize("name", ["scenario.json", "run.json", "transcript.jsonl"])
def test_json_that_readers_take_differently_is_refused(record: Path, name: str, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (record / name).write_bytes(data + b"\n")
    with pytest.raises(EvidenceError, match="no JSON"):
        read(record)


def test_a_pair_of_surrogates_is_a_character(record: Path, evidence: Evidence) -> None:
    transcript = Transcript((Output(1, "server", "server", "\U0001f600 \\ud800"),))
    assert _rewrite(record, replace(evidence, transcript=transcript)).transcript == transcript


WIDE = "2001:db8:ffff:ffff:ffff:ffff:ffff:fff"


def _wide(number: int) -> SocketRow:
    return SocketRow(
        TcpState.ESTABLISHED, f"{WIDE}{number % 16:x}", 65535 - number % 5000, f"{WIDE}e", number // 5000 + 1,
        2**32 - 1, 2**32 - 1, 2**32 - 1,
    )  # fmt: skip


SCALE = 20
"""The limits on how much there may be in all are so many times smaller here: it is a matter of seconds."""


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("OUTPUT", "PROGRAM_OUTPUT", "EVENTS", "STEPS", "ROWS", "HELD"):
        monkeypatch.setattr(limits, limit, getattr(limits, limit) // SCALE)


@pytest.mark.usefixtures("smaller")
def test_a_record_at_every_limit_at_once_is_read(record: Path, evidence: Evidence) -> None:
    """What is written can be read: one table says how much there may be, and all of it finds room."""
    text = "\U0001f600" * limits.PROGRAM_OUTPUT
    programs = limits.OUTPUT // limits.PROGRAM_OUTPUT
    outputs = [Output(2**60, "server", f"p{number}", text) for number in range(programs)]
    inputs = [Input(2**60, "server", "server", "1", "text", "x" * 80)] * (limits.EVENTS - programs)
    step = StepEnded(
        2**60, 2**60, "finally.1", "f.yaml:1:1", "server", "x" * 80, Outcome.PASS, rest="x" * 300
    )
    transcript = Transcript((*outputs, *inputs, *([step] * limits.STEPS)), "")
    samples = [SocketSample(2**60, "server", tuple(map(_wide, range(limits.ROWS - 1))), took=1, until=2**60)]
    program = ProcessRow(
        1, 1, 1, 1, "x" * 15, False, 1, (2**32 - 1,) * 900, (Sleep("connect", 2**32 - 1),) * 98
    )
    processes = [ProcessSample(2**60, "server", (program,) * ((limits.ROWS - 1) // 999))]
    one = HeldSegment(2**60, 2**60, "server", "1", WIDE, 65535, WIDE, 65535, 2**32 - 1, 2**32 - 1, 255, 65535)
    info = replace(evidence.info, held=(one,) * limits.HELD)
    write(record, evidence.scenario, info, transcript, samples, processes=processes)
    again = read(record)
    assert again.transcript == transcript
    assert again.processes == tuple(processes)
    assert again.sockets["server"].samples == tuple(samples)
    assert again.info.held == info.held
    for name in LINES:
        assert (record / name).stat().st_size * SCALE < limits.LINES, name
    assert (record / "run.json").stat().st_size * SCALE < limits.DOCUMENT
    for name in ("sockets.jsonl", "processes.jsonl"):
        assert max(map(len, (record / name).read_bytes().splitlines())) < limits.LINE, "all rows of a line"
    assert limits.PIECE * len(json.dumps("\U0001f600")) < limits.LINE


LINES = ("transcript.jsonl", "sockets.jsonl", "processes.jsonl")


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ("OUTPUT", "transcript.jsonl"),
        ("PROGRAM_OUTPUT", "transcript.jsonl"),
        ("ROWS", "sockets.jsonl"),
        ("ROWS", "processes.jsonl"),
        ("CAPTURE", "capture.pcap"),
        ("DOCUMENT", "scenario.json"),
        ("LINES", "transcript.jsonl"),
        ("LINE", "sockets.jsonl"),
    ],
)
def test_what_is_above_a_limit_is_refused(
    record: Path, monkeypatch: pytest.MonkeyPatch, limit: str, name: str
) -> None:
    monkeypatch.setattr(limits, limit, 10)
    with pytest.raises(EvidenceError) as caught:
        read(record)
    assert caught.value.where.startswith(str(record / name)) or limit in {"DOCUMENT", "LINES", "LINE", "ROWS"}


def test_more_events_than_a_run_has_are_refused(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS", 3)
    monkeypatch.setattr(limits, "STEPS", 2)
    with pytest.raises(EvidenceError, match="more events"):
        read(record)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_sample_may_stand_in_several_lines(
    record: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(limits, "ROWS_OF_LINE", size)
    samples = [sample for host in evidence.sockets.values() for sample in host.samples]
    write(
        record, evidence.scenario, evidence.info, evidence.transcript, samples, processes=evidence.processes
    )
    again = read(record)
    assert again.sockets == evidence.sockets
    assert again.processes == evidence.processes


@pytest.mark.parametrize("line", ['{"rows": 7}', '{"rows": [], "more": 1}', '{"rows": [7]}', '{"gone": {}}'])
def test_lines_that_do_not_go_on(record: Path, line: str) -> None:
    path = record / "sockets.jsonl"
    *lines, _ = path.read_text().splitlines()
    text = "\n".join([*lines[:1], line, *lines[1:], json.dumps({"end": len(lines) + 1}), ""])
    path.write_text(text)
    with pytest.raises(EvidenceError):
        read(record)


def test_what_no_reader_takes_is_not_written(
    record: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, size in (("DOCUMENT", 10), ("LINE", 10), ("LINES", limits.LINE + 10)):
        with monkeypatch.context() as now:
            now.setattr(limits, limit, size)
            with pytest.raises(EvidenceError) as caught:
                _rewrite(record, evidence)
            assert caught.value.code == "record-too-large"
