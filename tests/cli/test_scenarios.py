"""validate and init."""

from __future__ import annotations

from pathlib import Path

from lab.core.errors import ExitCode
from tests.cli.fakes import Lab
from tests.cli.test_play import SCENARIO

WRONG = SCENARIO.replace("start: cat", "start: dog").replace("host: server, r", "host: sever, r")


def test_validate(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(SCENARIO)
    said = lab("validate", "good.yaml")
    assert (said.code, said.out, said.err) == (0, "good.yaml: 1 host, 1 step, 1 check\n", "")


def test_validate_reports_every_problem_of_every_file(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(SCENARIO)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    said = lab("validate", "wrong.yaml", "good.yaml", "nowhere.yaml")
    assert said.code == ExitCode.USAGE
    assert said.out.startswith("good.yaml: ")
    assert [word in said.err for word in ("wrong.yaml:7:", "wrong.yaml:9:", "nowhere.yaml")] == [True] * 3


def test_validate_as_json(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    said = lab("validate", "wrong.yaml", "--json")
    (report,) = said.data["files"]
    assert (report["file"], report["valid"]) == ("wrong.yaml", False)
    assert {problem["line"] for problem in report["error"]["problems"]} == {7, 9}


def test_the_normal_form_is_a_scenario(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(SCENARIO)
    printed = lab("validate", "--print", "good.yaml").out
    (tmp_path / "normal.yaml").write_text(printed)
    assert lab("validate", "--print", "normal.yaml").out == printed
    assert lab("validate", "--print", "--json", "normal.yaml").data["files"][0]["scenario"]["title"] == "T"


def test_init_lays_down_a_scenario_that_is_valid(lab: Lab) -> None:
    said = lab("init", "first", "--json")
    assert said.code == ExitCode.PASSED
    assert lab("validate", said.data["scenario"]).code == ExitCode.PASSED


def test_init_overwrites_nothing(lab: Lab, tmp_path: Path) -> None:
    lab("init")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    path = next(iter(before))
    path.write_text("mine")
    said = lab("init")
    assert said.code == ExitCode.USAGE
    assert path.name in said.err
    assert path.read_text() == "mine"


def test_init_where_one_may_not_write(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = lab("init", "file/below")
    assert said.code == ExitCode.USAGE
    assert said.err.startswith("error[init]: ")
