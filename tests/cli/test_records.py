"""check and logs, on saved runs. There is no engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lab.core.errors import ExitCode
from tests.cli.fakes import Lab

pytestmark = pytest.mark.usefixtures("no_engine")


def test_check_gives_the_verdict_that_the_run_wrote(lab: Lab, golden: Path) -> None:
    record = golden / "unfriendly"
    said = lab("check", record, "--json")
    (report,) = said.data["records"]
    assert report["as_recorded"]
    assert report["verdict"] == json.loads((record / "verdict.json").read_text())
    assert said.code == said.data["exit"] == ExitCode.FAILED


def test_check_of_several_ends_with_the_worst(lab: Lab, golden: Path) -> None:
    assert lab("check", golden / "multi_client").code == ExitCode.PASSED
    assert lab("check", golden / "multi_client", golden / "unfriendly").code == ExitCode.FAILED
    assert lab("check", golden / "multi_client", "nowhere").code == ExitCode.USAGE


def test_check_counts_points(lab: Lab, golden: Path, tmp_path: Path) -> None:
    for name in ("multi_client", "unfriendly"):
        shutil.copytree(golden / name, tmp_path / name)
        scenario = json.loads((tmp_path / name / "scenario.json").read_text())
        for check in scenario["checks"]:
            check["points"] = 2
        (tmp_path / name / "scenario.json").write_text(json.dumps(scenario))
    said = lab("check", "multi_client", "unfriendly", "--json").data
    right, wrong = said["records"]
    results = [one["outcome"] for one in wrong["verdict"]["results"][1:]]
    assert right["points"]["total"] == right["points"]["maximum"] > 0
    assert wrong["points"] == {"total": 2 * results.count("pass"), "maximum": 2 * len(results)}
    assert wrong["points"]["total"] < wrong["points"]["maximum"]
    assert said["points"]["total"] == right["points"]["total"] + wrong["points"]["total"]
    assert lab("check", "multi_client", "nowhere", "--json").data["points"]["maximum"] is None


def test_check_tells_a_verdict_that_was_changed(lab: Lab, golden: Path, tmp_path: Path) -> None:
    record = tmp_path / "record"
    shutil.copytree(golden / "unfriendly", record)
    verdict = record / "verdict.json"
    verdict.write_text(verdict.read_text().replace('"fail"', '"pass"'))
    said = lab("check", record)
    assert said.code == ExitCode.FAILED
    assert "warning:" in said.err


def test_check_of_incomplete_evidence_is_inconclusive(lab: Lab, golden: Path, tmp_path: Path) -> None:
    record = tmp_path / "record"
    shutil.copytree(golden / "multi_client", record)
    info = json.loads((record / "run.json").read_text())
    info["captures"][0]["dropped"] = 3
    (record / "run.json").write_text(json.dumps(info))
    said = lab("check", record)
    assert said.code == ExitCode.INCONCLUSIVE
    assert "? inconclusive" in said.out


def test_check_of_a_damaged_record(lab: Lab, golden: Path, tmp_path: Path) -> None:
    record = tmp_path / "record"
    shutil.copytree(golden / "multi_client", record)
    (record / "transcript.jsonl").write_text('{"event": "output"')
    said = lab("check", record)
    assert said.code == ExitCode.INCONCLUSIVE
    assert said.err.startswith("error[damaged-record]: ")
    assert "transcript.jsonl:1" in said.err


def test_only(lab: Lab, golden: Path) -> None:
    said = lab("check", golden / "unfriendly", "--only", "exit of server")
    assert (said.code, said.out.count("✓ pass")) == (ExitCode.PASSED, 2)
    assert lab("check", golden / "unfriendly", "--only", "x").code == ExitCode.NOTHING_SELECTED


def test_nothing_in_a_verdict_is_obeyed_by_the_terminal(lab: Lab, golden: Path) -> None:
    for words in (["check", golden / "unfriendly"], ["logs", golden / "unfriendly"]):
        out = lab(*words).out
        assert "[bold]" in out
        assert "客户端成功连接" in out
        assert all(character.isprintable() or character == "\n" for character in out)


@pytest.mark.parametrize("width", [40, 80, 132])
def test_every_line_fits_the_screen(
    lab: Lab, golden: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    from lab.output.style import columns

    monkeypatch.setenv("COLUMNS", str(width))
    for record in golden.iterdir():
        for command in ("check", "logs"):
            assert max(map(columns, lab(command, record).out.splitlines())) <= width


def test_logs_show_who_typed_and_printed_what(lab: Lab, golden: Path) -> None:
    lines = lab("logs", golden / "multi_client").out.splitlines()
    assert lines[0].split() == ["0.000", "server", "$", "./server_threads"]
    shown = [line.split(maxsplit=1)[1] for line in lines if "client_a" in line]
    assert "client_a  > Hi! I'm ClientA!" in shown
    assert "client_a  > [key ctrl-c]" in shown
    assert "client_a  = killed by SIGINT (status 130)" in shown


def test_logs_as_json_are_a_document_a_line(lab: Lab, golden: Path) -> None:
    lines = lab("logs", golden / "multi_client", "--json").out.splitlines()
    recorded = (golden / "multi_client" / "transcript.jsonl").read_text().splitlines()
    assert lines == [line.replace("{", '{"format": 1, ', 1) for line in recorded[:-1]]


def test_bytes_that_are_no_utf8_are_shown_in_json(lab: Lab, golden: Path) -> None:
    lines = lab("logs", golden / "unfriendly", "--json").out.splitlines()
    (noise,) = (text for line in lines if "[31mred" in (text := json.loads(line).get("text", "")))
    assert noise.startswith("\x1b[31mred\x1b]0;t\x07 \\xff ")
    checked = lab("check", golden / "unfriendly", "--json").out
    assert "\\ud" not in checked
    assert "\\\\xff" in checked


def test_the_last_run_is_meant_unless_one_is_said(lab: Lab, golden: Path, tmp_path: Path) -> None:
    said = lab("logs")
    assert (said.code, said.err.split("\n")[0]) == (2, "error[no-record]: there is no saved run in runs")
    for name, of in (
        ("20260101-000000-b-cafe0001", "unfriendly"),
        ("20260102-000000-a-cafe0002", "multi_client"),
    ):
        shutil.copytree(golden / of, tmp_path / "runs" / name)
    (tmp_path / "runs" / "20260103-000000-c-cafe0003").mkdir()  # this one has not ended
    last, before = golden / "multi_client", golden / "unfriendly"
    for command in ("check", "logs", "flow"):
        assert lab(command).out == lab(command, "cafe0002").out == lab(command, last).out
        assert lab(command, "cafe0001").out == lab(command, before).out
    assert lab("wireshark").code == ExitCode.PASSED
    assert (tmp_path / "runs" / "20260102-000000-a-cafe0002" / "lab.pcapng").is_file()
    assert "say one: cafe0001, cafe0002" in lab("logs", "cafe").err
    assert "no run in runs is called 'beef': the last is cafe0002" in lab("flow", "beef").err
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert lab("logs", "--records", "elsewhere").out == lab("logs", last).out


def test_check_writes_a_junit_report(lab: Lab, golden: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    said = lab("check", golden / "multi_client", golden / "unfriendly", "nowhere", "--junit", report)
    assert said.code == ExitCode.FAILED
    suites = ET.parse(report).getroot().findall("testsuite")  # noqa: S314 - it is ours
    assert [suite.attrib["name"] for suite in suites] == [
        *(str(golden / name) for name in ("multi_client", "unfriendly")),
        "nowhere",
    ]
    assert [int(suite.attrib["failures"]) > 0 for suite in suites] == [False, True, False]
    assert [int(suite.attrib["errors"]) for suite in suites] == [0, 0, 1]


def test_a_junit_report_that_cannot_be_written_is_told_before_anything_is_judged(
    lab: Lab, golden: Path, tmp_path: Path
) -> None:
    for target in (tmp_path / "nowhere" / "report.xml", tmp_path):
        said = lab("check", golden / "multi_client", "--junit", target)
        assert said.code == ExitCode.USAGE
        assert said.out == ""
        assert "--junit FILE" in said.err
