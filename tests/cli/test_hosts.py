"""ps, down, wipe, and which lab is meant. Their engine is a list."""

from __future__ import annotations

import pytest

from lab.core.errors import ExitCode
from tests.cli.fakes import ELSEWHERE, LIVING, FakeEngine, Lab, container, lab_of


@pytest.mark.usefixtures("engine")
def test_ps_without_labs(lab: Lab) -> None:
    assert lab("ps").out == "no lab is up\n"
    assert lab("ps", "--json").data == {"labs": []}


def test_ps_shows_hosts_and_whose_they_are(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("bb", LIVING)]
    lines = lab("ps").out.splitlines()
    assert lines[0].split() == ["RUN", "SCENARIO", "HOST", "ADDRESS", "STATE", "LEFT"]
    assert [line.split()[:5] for line in lines[1:]] == [
        ["aa", "play_aa", "client", "10.0.0.1", "up"],
        ["aa", "play_aa", "server", "10.0.0.1", "up"],
        ["bb", "play_bb", "client", "10.0.0.1", "busy"],
        ["bb", "play_bb", "server", "10.0.0.1", "busy"],
    ]


def test_ps_fits_a_narrow_screen(lab: Lab, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.containers = lab_of("aa")
    monkeypatch.setenv("COLUMNS", "40")
    out = lab("ps").out
    assert max(map(len, out.splitlines())) <= 40
    assert "10.0.0.1" in out


def test_ps_as_json(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = lab_of("aa")
    (found,) = lab("ps", "--json").data["labs"]
    assert (found["run"], found["scenario"], found["standing"]) == ("aa", "play_aa", "up")
    assert [host["host"] for host in found["hosts"]] == ["client", "server"]


def test_down_takes_the_one_lab_that_was_left_up(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("bb", LIVING)]
    said = lab("down")
    assert (said.code, said.out) == (ExitCode.PASSED, "removed aa (play_aa): 3 containers\n")
    assert engine.runs == {"bb"}


def test_down_wants_to_know_which(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("bb")]
    said = lab("down")
    assert said.code == ExitCode.USAGE
    assert "aa (play_aa), bb (play_bb)" in said.err
    assert engine.runs == {"aa", "bb"}


@pytest.mark.parametrize("word", ["bb", "b", "play_bb"])
def test_down_by_run_or_scenario(lab: Lab, engine: FakeEngine, word: str) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("bb")]
    assert lab("down", "--lab", word).code == ExitCode.PASSED
    assert engine.runs == {"aa"}


def test_down_leaves_a_living_run_alone(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = lab_of("aa", LIVING, stays=-10)
    said = lab("down", "--lab", "aa")
    assert said.code == ExitCode.USAGE
    assert said.err.startswith("error[lab-busy]")
    assert engine.runs == {"aa"}


def test_down_takes_another_machines_lab_only_by_name(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = lab_of("aa", ELSEWHERE)
    assert lab("down").code == ExitCode.USAGE
    assert engine.runs == {"aa"}
    assert lab("down", "--lab", "aa").code == ExitCode.PASSED
    assert engine.runs == set()


def test_down_all(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("bb"), *lab_of("cc", LIVING), *lab_of("dd", ELSEWHERE)]
    assert [one["run"] for one in lab("down", "--all", "--json").data["removed"]] == ["aa", "bb"]
    assert engine.runs == {"cc", "dd"}


@pytest.mark.usefixtures("engine")
def test_down_without_labs(lab: Lab) -> None:
    assert lab("down").code == ExitCode.USAGE
    assert lab("down", "--all").out == "no lab is up\n"


def test_wipe_removes_what_nobody_owns_or_is_over(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [
        *lab_of("gone"),
        *lab_of("over", ELSEWHERE, stays=-1),
        *lab_of("living", LIVING),
        *lab_of("living_over", LIVING, stays=-1),
        *lab_of("elsewhere", ELSEWHERE),
        container("building", "", role="build"),
    ]
    removed = lab("wipe", "--json").data["removed"]
    assert {one["run"] for one in removed} == {"gone", "over", "building"}
    assert engine.runs == {"living", "living_over", "elsewhere"}
    assert lab("wipe").out == "nothing to remove\n"


def test_a_host_that_is_not_there(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = lab_of("aa")
    said = lab("exec", "sever", "--", "true")
    assert said.code == ExitCode.USAGE
    assert "its hosts: client, server" in said.err
