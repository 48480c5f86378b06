"""No line that a command prints is a command for a CI runner, whatever programs, builds and files are called."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.cli.exit_code import run
from lab.core.errors import ExitCode, SubmissionError
from tests.cli.fakes import FakeEngine, Lab, container

HOSTILE = (
    "::error::one\n"
    "\t \u3000::add-mask::pass\n"
    f"{'x' * 70} ::stop-commands::t {'y' * 13} ::set-env::\n"
    f"{'x ::debug::y ' * 40}\n"
    "##[error]two ###[group]three\n"
    "log ##vso[task.complete result=Succeeded;] ##teamcity[testFailed]\n"
    "\r::warning::\x1b[0m::notice::\n"
)
WIDTHS = ("20", "33", "80", "200")


def obeyed(text: str) -> list[str]:
    """The lines that a runner would obey."""
    lines = re.split(r"\r\n|\r|\n", text)
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in lines]
    return [line for line in bare if line.startswith("::") or re.search(r"##(\[|vso\[|teamcity\[)", line)]


def spoiled(data: Any) -> Any:
    """A document of a record with hostile text wherever programs, processes or files may have given it."""
    if isinstance(data, list):
        return [spoiled(one) for one in data]
    if not isinstance(data, dict):
        return data
    given = {"text", "command", "rest", "observed", "what", "where", "expected", "name", "title"}
    return {
        key: f"{HOSTILE}{value}" if key in given and isinstance(value, str) else spoiled(value)
        for key, value in data.items()
    }


@pytest.fixture
def record(golden: Path, tmp_path: Path) -> Path:
    """The record of a run whose programs printed commands, in a folder that is called like one."""
    made = tmp_path / "::error::##[group]"
    shutil.copytree(golden / "unfriendly", made)
    for name in ("transcript.jsonl", "processes.jsonl"):
        lines = (made / name).read_text().splitlines()
        (made / name).write_text("".join(f"{json.dumps(spoiled(json.loads(line)))}\n" for line in lines))
    scenario = json.loads((made / "scenario.json").read_text())
    (made / "scenario.json").write_text(json.dumps(scenario | {"title": HOSTILE}))
    return made


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, lab: Lab) -> Lab:
    """The command line on a screen of some width."""
    monkeypatch.setenv("COLUMNS", request.param)
    return lab


@pytest.mark.parametrize(
    "words",
    [
        ("check",), ("check", "--json"), ("logs",), ("logs", "--json"), ("flow",), ("flow", "--all"),
        ("flow", "--format", "mermaid"), ("wireshark",), ("wireshark", "--json"),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.usefixtures("no_engine")
def test_records(width: Lab, record: Path, words: tuple[str, ...]) -> None:
    said = width(words[0], record, *words[1:])
    assert said.code in {ExitCode.PASSED, ExitCode.FAILED}, said.err
    assert not obeyed(said.out)
    assert not obeyed(said.err)
    if "--json" not in words and words[0] != "wireshark":
        assert {"one", "two"} <= {*re.findall("one|two", said.out)}, "the text is shown"


@pytest.mark.usefixtures("no_engine")
def test_a_program_that_reads_json_reads_what_was_printed(lab: Lab, record: Path) -> None:
    said = lab("logs", record, "--json")
    events = [json.loads(line) for line in said.out.splitlines()]
    assert any(event["event"] == "output" and event["text"].startswith(HOSTILE) for event in events)


SCENARIO = """
version: 1
title: {title}
networks: {{lan: 10.0.0.0/24}}
hosts: {{a: 10.0.0.1}}
programs: {{p: {{command: "true", args: [{title}]}}}}
steps: [{{a: {{start: p}}}}, {{a: {{expect: {title}}}}}]
checks: [{{output: {{host: a, contains: {title}}}}}]
"""


def test_the_normal_form_is_no_command_and_still_the_same_scenario(width: Lab, tmp_path: Path) -> None:
    file = tmp_path / "::error::##[x].yaml"
    file.write_text(SCENARIO.format(title=json.dumps(HOSTILE.replace("\x1b", ""))), encoding="utf-8")
    said = width("validate", "--print", file)
    assert (said.code, obeyed(said.out)) == (ExitCode.PASSED, [])
    again = tmp_path / "again.yaml"
    again.write_text(said.out, encoding="utf-8")
    as_data = [width("validate", "--print", one, "--json") for one in (file, again)]
    first, second = (one.data["files"][0]["scenario"] for one in as_data)
    assert first == second
    assert not obeyed(as_data[0].out)


def test_what_is_wrong(width: Lab, tmp_path: Path) -> None:
    file = tmp_path / "::error::##[x].yaml"
    file.write_text(SCENARIO.format(title="x").replace("start: p", "start: '##[error]\\n::error::'"))
    for words in (("validate", file), ("validate", file, "--json"), ("analyze", file), ("check", file)):
        said = width(*words)
        assert said.err
        assert not obeyed(said.out + said.err), words
    assert not obeyed(width("::error::##[x]").err)
    assert not obeyed(width("ps", "::error::##[x]").err)


def test_labs_that_are_up(width: Lab, engine: FakeEngine) -> None:
    for words in (("ps",), ("ps", "--json"), ("wipe",)):
        engine.containers = [container("::error::##[x]", host) for host in ("", "::a", "##vso[b")]
        said = width(*words)
        assert "error" in said.out
        assert not obeyed(said.out + said.err), words


@pytest.mark.usefixtures("width")
def test_a_build(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise SubmissionError("build-failed", f"p does not build\n{HOSTILE}", where="::f", fix=HOSTILE)

    monkeypatch.setattr("lab.cli.scenarios.validate", fails)
    for words in (["validate", "x"], ["validate", "x", "--json"]):
        assert run(words) == ExitCode.FAILED
        out, err = capsys.readouterr()
        assert "one" in err
        assert not obeyed(out + err)
