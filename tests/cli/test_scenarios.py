"""validate and init."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def test_sources_from_elsewhere(lab: Lab, tmp_path: Path) -> None:
    """They take the place of a program's own, whatever that is, and wherever they lie."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here/good.yaml").write_text(SCENARIO)
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann/main.c").write_text("int main(void) { return 0; }\n")
    words = "validate", "here/good.yaml", "--program"
    said = lab(*words, f"cat={tmp_path / 'ann'}")
    assert (said.code, said.out.count("cat is built by `gcc "), said.err) == (0, 1, "")
    assert lab(*words, "cat=ann/main.c").code == 0
    (said_as_data,) = lab(*words, "cat=ann", "--json").data["files"]
    assert said_as_data["chosen"][0].startswith("cat is built by `gcc ")


@pytest.mark.parametrize(
    ("word", "code", "fix"),
    [
        ("cat", "program-option", "--program server=submissions/ann"),
        ("cat=", "program-option", "write the program's name"),
        ("=ann", "program-option", "write the program's name"),
        ("dog=ann", "unknown-program", "programs: cat"),
        ("cat=nowhere", "no-file", "ann"),
        ("cat=ann", "no-file", "name a folder or an archive with source files in it"),
        ("cat=ann/link", "no-file", "ann"),
        ("cat=good.yaml", "unknown-ending", "known endings"),
        ("cat=a.zip", "bad-archive", "pack it again"),
    ],
)
def test_sources_from_elsewhere_that_cannot_be_used(
    lab: Lab, tmp_path: Path, word: str, code: str, fix: str
) -> None:
    (tmp_path / "good.yaml").write_text(SCENARIO)
    (tmp_path / "ann").mkdir()
    (tmp_path / "a.zip").write_bytes(b"PK")
    said = lab("validate", "good.yaml", "--program", word)
    assert said.code == ExitCode.USAGE
    assert f"error[{code}]" in said.err
    assert f"--> --program{'' if code == 'program-option' else f' {word}'}\n" in said.err
    assert fix in said.err
    (tmp_path / "ann/main.c").symlink_to("/etc/passwd")
    assert "leads out of" in lab("validate", "good.yaml", "--program", "cat=ann").err
    assert "given twice" in lab("validate", "good.yaml", "--program", "cat=a", "--program", "cat=b").err


def test_init_lays_down_a_scenario_that_is_valid(lab: Lab) -> None:
    said = lab("init", "first", "--json")
    assert said.code == ExitCode.PASSED
    assert lab("validate", said.data["scenario"]).code == ExitCode.PASSED


def test_every_example_can_be_copied_and_is_valid(lab: Lab) -> None:
    examples = lab("examples", "--json").data["examples"]
    assert {"title": "A web server that the script itself speaks to"}.items() <= next(
        one for one in examples if one["name"] == "web"
    ).items()
    for one in examples:
        said = lab("init", "--from", one["name"], one["name"])
        assert (said.code, said.err) == (0, "")
        assert lab("validate", f"{one['name']}/{one['name']}.yaml").code == 0
        assert one["name"] in said.out
    said = lab("init", "--from", "webb")
    assert (said.code, said.err.split("\n")[0]) == (2, "error[no-example]: no example is called 'webb'")


def test_every_assignment_can_be_copied_and_is_valid(lab: Lab, tmp_path: Path) -> None:
    assignments = lab("examples", "--json").data["assignments"]
    assert {"chat-server": "A chat server for many clients"}.items() <= {
        one["name"]: one["title"] for one in assignments
    }.items()
    told = lab("examples").out
    for one in assignments:
        name = one["name"]
        assert re.search(rf"{name} +{one['title']}", told)
        said = lab("init", "--from", name, name, "--json")
        assert (said.code, said.data["assignment"]) == (0, f"{name}/assignment.yaml")
        assert lab("validate", f"{name}/assignment.yaml").code == 0
        assert (tmp_path / name / "handout.md").is_file()
        assert (tmp_path / name / "assignment.schema.json").is_file()
        assert lab("grade", f"{name}/assignment.yaml", f"{name}/submissions", "--dry-run").code == 0
        assert lab("publish", f"{name}/assignment.yaml", f"public/{name}").code == 0
        scenarios = len(list((tmp_path / name).glob("*.yaml"))) - 1
        assert len(list((tmp_path / "public" / name / "scenarios").glob("*.yaml"))) == scenarios
        assert not list((tmp_path / "public" / name).rglob("reference*"))
    again = lab("init", "--assignment", "--from", "chat-server", "again")
    assert "next  lab grade again/assignment.yaml again/submissions" in again.out
    said = lab("init", "--assignment", "--from", "web", "other")
    assert (said.code, said.err.split("\n")[0]) == (2, "error[no-example]: no assignment is called 'web'")
    assert 'did you mean "chat-server"' in lab("init", "--from", "chat-serve", "other").err


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
