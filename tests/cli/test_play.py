"""up and run: how wishes are handed on, what is said, and which code it ends with. Nothing is played."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from lab.checks.judging import judge
from lab.cli.judgement import Judgement
from lab.cli.play import _next
from lab.core.errors import EngineError, ExitCode
from lab.core.words import Outcome
from lab.evidence.message import Message, Proof
from lab.evidence.record import read
from lab.evidence.verdict import CheckResult, Verdict
from lab.run.interruption import Interruption
from lab.run.options import Options
from lab.run.pipeline import Finished, ProgressListener
from lab.scenario.loader import Loaded
from tests.cli.fakes import GOLDEN, LIVING, FakeEngine, Lab, lab_of

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
    records: dict[str, str] = field(default_factory=lambda: {"pass": "multi_client", "fail": "unfriendly"})

    @contextmanager
    def play(
        self,
        _: FakeEngine,
        loaded: Loaded,
        options: Options,
        listener: ProgressListener,
        interruption: Interruption,
    ) -> Iterator[Finished]:
        assert self.up == [], "each goes down before the next goes up"
        assert not interruption.came
        self.options.append(options)
        self.played.append(loaded.file.stem)
        listener.say("working")
        if loaded.file.stem == "broken":
            raise EngineError("engine-lost", "the engine went away", fix="look for it")
        record = GOLDEN / self.records[loaded.file.stem]
        if options.watch:
            listener.draw(["drawn"])
        evidence = read(record)
        for event in evidence.transcript.events:
            listener.event(event)
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
    assert "lab watch" in said.out
    assert said.err == "working\n", "without a terminal the conversation is not told"


def test_up_replaces_the_lab_of_the_same_file_unless_it_is_to_stay(
    lab: Lab, stage: Stage, engine: FakeEngine, tmp_path: Path
) -> None:
    here = str(tmp_path)
    engine.containers = [
        *lab_of("aa", folder=here),
        *lab_of("bb", folder=here),
        *lab_of("aa2", LIVING, folder=here),
    ]
    (tmp_path / "play_aa.yaml").write_text(SCENARIO)
    stage.records["play_aa"] = "multi_client"
    assert lab("up", "play_aa.yaml", "--beside").code == ExitCode.PASSED
    assert "aa" in engine.runs
    assert lab("run", "./play_aa.yaml").code == ExitCode.PASSED
    assert "aa" in engine.runs
    said = lab("up", "./play_aa.yaml")
    assert (said.code, engine.runs) == (ExitCode.PASSED, {"bb", "aa2"})
    assert "removed lab aa: this one replaces it" in said.err


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
    said = lab("run", "fail.yaml", "--only", "exit of server")
    assert said.code == ExitCode.PASSED
    assert "1 of 1 checks passed" in said.out


def test_only_that_names_no_check_is_refused_before_anything_is_played(lab: Lab, stage: Stage) -> None:
    said = lab("run", "pass.yaml", "--only", "exit of server", "--only", "exit of severs")
    assert (said.code, stage.played) == (ExitCode.USAGE, [])
    assert said.err.startswith("error[no-check]: no check is called 'exit of severs'")
    assert 'did you mean "exit of server"?' in said.err


@pytest.mark.usefixtures("stage")
def test_what_to_look_at_next(lab: Lab) -> None:
    record = shlex.quote(str(GOLDEN / "multi_client"))
    assert f"next    lab flow {record}" in " ".join(lab("run", "pass.yaml").out.split(" "))


def test_of_a_lab_to_play_with_nothing_was_played(tmp_path: Path) -> None:
    evidence = read(GOLDEN / "multi_client")
    bare = replace(evidence, scenario=evidence.scenario.model_copy(update={"steps": (), "checks": ()}))
    finished = Finished("cafe", tmp_path, bare, judge(bare), kept=True)
    offered = [words for words, _ in _next(finished, Judgement(finished.verdict, ExitCode.PASSED))]
    assert offered == ["lab shell server", "lab exec server ss -tan", "lab watch", "lab down"]


def test_after_a_failure_the_connection_that_proves_it_comes_first() -> None:
    def result(outcome: Outcome, *connections: int, follows: str = "") -> CheckResult:
        proofs = tuple(Proof("frame", Message("syn", {}), connection=number) for number in connections)
        return CheckResult("c", "connection", outcome, (), (), proofs, follows=follows)

    def connection(*results: CheckResult) -> int:
        return Judgement(Verdict("s", Outcome.FAIL, results), ExitCode.FAILED).connection

    passed, failed = result(Outcome.PASS, 1), result(Outcome.FAIL, 0, 2, 3)
    assert connection(passed) == connection() == 0
    assert connection(passed, result(Outcome.FAIL, 4, follows="c"), failed) == 2
    assert connection(result(Outcome.FAIL), failed) == 0, "what failed first has none"


@pytest.mark.parametrize("lease", ["8", "0s", "forever", "-1h"])
def test_a_lease_is_a_duration(lab: Lab, stage: Stage, lease: str) -> None:
    said = lab("up", "pass.yaml", f"--lease={lease}")
    assert said.code == ExitCode.USAGE
    assert "--lease" in said.err
    assert stage.played == []


def test_a_lab_to_play_with_is_not_run(lab: Lab, stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text(SCENARIO.partition("steps:")[0])
    said = lab("run", "pass.yaml", "bare.yaml")
    assert (said.code, stage.played) == (ExitCode.USAGE, [])
    assert "lab up FILE" in said.err


@pytest.mark.usefixtures("stage")
def test_without_a_verdict_no_points_are_earned(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(SCENARIO.replace("exit: {", "points: 3\n  exit: {"))
    said = lab("run", "broken.yaml", "--json").data
    assert said["points"] == said["runs"][0]["points"] == {"total": 0, "maximum": 3}


@pytest.mark.usefixtures("stage")
def test_json_is_one_document(lab: Lab) -> None:
    said = lab("run", "pass.yaml", "broken.yaml", "--json")
    first, second = said.data["runs"]
    assert first["verdict"]["outcome"] == "pass"
    assert (first["run"], first["up"], first["exit"]) == ("cafe", False, 0)
    assert second == {
        "file": "broken.yaml",
        "error": {"code": "engine-lost", "what": "the engine went away", "where": "", "fix": "look for it"},
        "points": {"total": 0, "maximum": 0},
        "exit": 3,
    }
    assert said.data["exit"] == said.code == ExitCode.INCONCLUSIVE
