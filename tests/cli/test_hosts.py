"""ps, down, wipe, and which lab is meant. Their engine is a list."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from lab.core.errors import ExitCode
from tests.cli.fakes import DEAD, ELSEWHERE, LIVING, FakeEngine, Lab, container, lab_of


@pytest.mark.usefixtures("engine")
def test_ps_without_labs(lab: Lab) -> None:
    assert lab("ps").out == "no lab is up\n"
    assert lab("ps", "--json").data == {"format": 1, "exit": 0, "labs": []}


def test_ps_shows_hosts_and_whose_they_are(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("bb", LIVING)]
    lines = lab("ps").out.splitlines()
    assert lines[0].split() == ["RUN", "SCENARIO", "HOST", "ADDRESS", "STATE", "AGE", "LEFT", "FOLDER"]
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


def test_down_without_a_word_takes_the_newest_of_this_folder_then_the_newest(
    lab: Lab, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = str(tmp_path)
    engine.containers = [*lab_of("a", folder=here), *lab_of("b", folder=here), *lab_of("c"), *lab_of("d")]
    monkeypatch.setenv("LAB_RUN", "c")
    assert lab("down").out.startswith("removed c ")
    monkeypatch.delenv("LAB_RUN")
    for run in ("b", "a", "d"):
        assert lab("down").out.startswith(f"removed {run} ")
    assert lab("down").code == ExitCode.USAGE


def test_a_word_that_fits_several_is_refused(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [*lab_of("aa"), *lab_of("ab")]
    said = lab("down", "--lab", "a")
    assert said.code == ExitCode.USAGE
    assert "aa (play_aa), ab (play_ab)" in said.err
    assert engine.runs == {"aa", "ab"}


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


def test_down_all_says_which_before_and_leaves_those_of_others(lab: Lab, engine: FakeEngine) -> None:
    engine.containers = [
        *lab_of("aa"),
        *lab_of("bb", replace(DEAD, user=4711)),
        *lab_of("cc", replace(DEAD, user=-1)),
    ]
    said = lab("down", "--all")
    assert said.err.splitlines() == [
        "removing aa (play_aa)", "not yours, or not known to be: bb (play_bb), cc (play_cc) (lab down --lab RUN)",
    ]  # fmt: skip
    assert engine.runs == {"bb", "cc"}


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
