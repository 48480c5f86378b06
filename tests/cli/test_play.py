"""up and run: how wishes are handed on, what is said, and which code it ends with. Nothing is played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.checks.judging import judge
from lab.core.errors import EngineError, ExitCode
from lab.evidence.record import read
from lab.run.interruption import Interruption
from lab.run.options import Options
from lab.run.pipeline import Audience, Finished
from lab.scenario.loader import Loaded
from tests.cli.fakes import GOLDEN, FakeEngine, Lab

pytestmark = pytest.mark.usefixtures("engine")

SCENARIO = """\
version: 1
title: T
networks: {lan: 10.0.0.0/24}
programs: {cat: {command: cat}}
hosts: {server: {address: 10.0.0.1}}
steps:
- server: {start: cat}
checks:
- exit: {host: server, running: true}
"""


@dataclass
class Stage:
    """Gives a saved run for each file by its name: pass.yaml, fail.yaml, broken.yaml."""

    options: list[Options] = field(default_factory=list)
    played: list[str] = field(default_factory=list)
    up: list[str] = field(default_factory=list)

    @contextmanager
    def play(
        self, _: FakeEngine, loaded: Loaded, options: Options, audience: Audience, interruption: Interruption
    ) -> Iterator[Finished]:
        assert self.up == [], "each goes down before the next goes up"
        assert not interruption.came
        self.options.append(options)
        self.played.append(loaded.file.stem)
        audience.say("working")
        if loaded.file.stem == "broken":
            raise EngineError("engine-lost", "the engine went away", fix="look for it")
        record = GOLDEN / {"pass": "multi_client", "fail": "unfriendly"}[loaded.file.stem]
        if options.watch:
            audience.draw(["drawn"])
        evidence = read(record)
        for event in evidence.transcript.events:
            audience.event(event)
        self.up.append(loaded.file.stem)
        yield Finished("cafe", record, evidence, judge(evidence), options.keep)
        self.up.remove(loaded.file.stem)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    for name in ("pass", "fail", "broken"):
        (tmp_path / f"{name}.yaml").write_text(SCENARIO)
    (tmp_path / "wrong.yaml").write_text(SCENARIO.replace("start: cat", "start: dog"))
    fake = Stage()
    monkeypatch.setattr("lab.run.pipeline.played", fake.play)
    yield fake
    assert len(fake.options) == len(fake.played)


def test_up_keeps_the_hosts_and_says_what_next(lab: Lab, stage: Stage) -> None:
    said = lab("up", "pass.yaml", "--seed", "7", "--lease", "30m", "--records", "elsewhere")
    assert said.code == ExitCode.PASSED
    assert stage.options == [Options(Path("elsewhere"), keep=True, lease=1800, seed="7")]
    assert "✓ pass  14 of 14 checks passed" in said.out
    assert "lab down" in said.out
    assert said.err == "working\n", "without a terminal the conversation is not told"


@pytest.mark.parametrize("words", [(), ("--watch",)])
def test_a_lab_is_watched_where_it_is_wished(lab: Lab, stage: Stage, words: tuple[str, ...]) -> None:
    said = lab("up", "pass.yaml", *words)
    assert said.code == ExitCode.PASSED
    assert (stage.options[0].watch is not None) == bool(words)
    assert ("drawn" in said.out) == bool(words)


def test_run_does_not_keep(lab: Lab, stage: Stage) -> None:
    said = lab("run", "fail.yaml")
    assert said.code == ExitCode.FAILED
    assert not stage.options[0].keep
    assert "lab down" not in said.out


@pytest.mark.usefixtures("stage")
def test_verbose_tells_the_conversation(lab: Lab) -> None:
    said = lab("run", "pass.yaml", "-v")
    assert "client_a: send" in said.err


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["pass.yaml", "pass.yaml"], ExitCode.PASSED),
        (["fail.yaml", "pass.yaml"], ExitCode.FAILED),
        (["broken.yaml", "pass.yaml"], ExitCode.INCONCLUSIVE),
        (["broken.yaml", "fail.yaml"], ExitCode.FAILED),
    ],
)
def test_several_are_all_played_and_the_worst_counts(
    lab: Lab, stage: Stage, files: list[str], code: ExitCode
) -> None:
    said = lab("run", *files)
    assert said.code == code
    assert [f"{name}.yaml" for name in stage.played] == files
    assert "SCENARIO" in said.out


def test_nothing_is_played_if_one_file_is_wrong(lab: Lab, stage: Stage) -> None:
    said = lab("run", "pass.yaml", "wrong.yaml")
    assert said.code == ExitCode.USAGE
    assert "wrong.yaml:7:19" in said.err
    assert stage.played == []


@pytest.mark.usefixtures("stage")
def test_only_shows_and_counts_the_named_checks(lab: Lab) -> None:
    said = lab("run", "fail.yaml", "--only", "exit of server", "--only", "nothing")
    assert said.code == ExitCode.PASSED
    assert "1 of 1 checks passed" in said.out
    assert "no check is called 'nothing'" in said.err


@pytest.mark.usefixtures("stage")
def test_only_that_names_nothing(lab: Lab) -> None:
    assert lab("run", "pass.yaml", "--only", "nothing").code == ExitCode.NOTHING_SELECTED


@pytest.mark.parametrize("lease", ["8", "0s", "forever", "-1h"])
def test_a_lease_is_a_duration(lab: Lab, stage: Stage, lease: str) -> None:
    said = lab("up", "pass.yaml", f"--lease={lease}")
    assert said.code == ExitCode.USAGE
    assert "--lease" in said.err
    assert stage.played == []


@pytest.mark.usefixtures("stage")
def test_json_is_one_document(lab: Lab) -> None:
    said = lab("run", "pass.yaml", "broken.yaml", "--json")
    first, second = said.data["runs"]
    assert first["verdict"]["outcome"] == "pass"
    assert (first["run"], first["up"], first["exit"]) == ("cafe", False, 0)
    assert second == {
        "file": "broken.yaml",
        "error": {"code": "engine-lost", "what": "the engine went away", "where": "", "fix": "look for it"},
    }
    assert said.data["exit"] == said.code == ExitCode.INCONCLUSIVE
