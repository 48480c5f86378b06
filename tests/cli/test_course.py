"""The commands for a class, as far as they need no engine."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from lab.core.assets import ASSIGNMENT_STARTER
from tests.cli.fakes import Lab

STARTER = ASSIGNMENT_STARTER / "assignment.yaml"


def test_publish(lab: Lab, tmp_path: Path) -> None:
    said = lab("publish", STARTER, "handout", "--json")
    assert said.code == 0
    assert json.loads(said.out) == {
        "format": 1,
        "exit": 0,
        "folder": "handout",
        "files": ["assignment.yaml", "scenarios/echo.yaml"],
        "scenarios": ["echo"],
        "hidden": {"scenarios": ["pieces"], "checks": 0},
        "left_out": [],
    }
    assert lab("validate", "handout/assignment.yaml").out == "handout/assignment.yaml: 1 scenario, 8 points\n"
    again = lab("publish", STARTER, "handout")
    assert (again.code, again.out) == (2, "")
    assert "the folder is not empty: it holds assignment.yaml" in again.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["handout"]


@pytest.mark.usefixtures("no_engine")
def test_selfcheck_needs_no_engine_for_what_is_refused(lab: Lab, tmp_path: Path) -> None:
    lab("publish", STARTER, "handout")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "server.go").touch()
    said = lab("selfcheck", "work", "--assignment", "handout/assignment.yaml")
    assert said.code == 1
    assert "It was not graded: server.go is written in go; languages that are allowed: c, cpp" in said.out
    (tmp_path / "work" / "server.go").rename(tmp_path / "work" / "server.py")
    assert lab("selfcheck", "work", "--assignment", "handout/assignment.yaml").code == 3  # no engine
    assert lab("selfcheck", "work").code == 2
    assert "say where it is: --assignment FILE" in lab("selfcheck", "work").err


@pytest.mark.usefixtures("no_engine")
def test_grade_fills_in_the_sheets_that_it_is_given(lab: Lab, tmp_path: Path) -> None:
    handed = tmp_path / "class" / "Ada Byron_11_assignsubmission_file"
    handed.mkdir(parents=True)
    (handed / "server.go").touch()
    sheet = tmp_path / "moodle.csv"
    sheet.write_text("Identifier,Full name,Grade\nParticipant 11,Ada Byron,\nParticipant 12,=Bob,-\n")
    said = lab("grade", STARTER, "class", "--moodle-sheet", "moodle.csv", "--json")
    assert said.code == 0
    assert json.loads(said.out)["sheets"] == [
        {
            "file": "moodle-grades.csv",
            "filled": 1,
            "no_points": [],
            "no_submission": ["=Bob (12)"],
            "no_line": [],
            "warning": "",
        }
    ]
    filled = (tmp_path / "grades" / "moodle-grades.csv").read_text()
    assert filled == "Identifier,Full name,Grade\nParticipant 11,Ada Byron,0\nParticipant 12,=Bob,-\n"
    told = lab("grade", STARTER, "class", "--moodle-sheet", "moodle.csv").out
    assert "moodle-grades.csv: points of 1 filled in\n" in told
    assert "  without a submission, left as they are: =Bob (12)\n" in told

    for wrong in (("--canvas-sheet", "moodle.csv"), ("--moodle-sheet", "none"), ("--canvas-column", "x")):
        assert lab("grade", STARTER, "class", *wrong).code == 2


def test_bundle(lab: Lab, tmp_path: Path) -> None:
    words = ("bundle", STARTER, "autograder.zip", "--runner")
    assert lab(*words, "-oProxyCommand=x@y").code == 2
    assert lab(*words, "x@y z").code == 2
    said = lab(*words, "grader@lab.example.org", "--json")
    names = ["setup.sh", "run_autograder", "grade-one"]
    names += [f"assignment/{name}.yaml" for name in ("assignment", "echo", "pieces")]
    assert said.code == 0
    assert json.loads(said.out) == {"format": 1, "exit": 0, "file": "autograder.zip", "files": names}
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        assert archive.namelist() == names
        assert {info.external_attr >> 16 for info in archive.infolist()[:3]} == {0o755}
        assert b'known_hosts" grader@lab.example.org >' in archive.read("run_autograder")
    assert lab(*words, "grader@lab.example.org").code == 2  # the file is there


def test_a_bundle_has_what_the_programs_of_the_teacher_are_made_of(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "course"
    shutil.copytree(ASSIGNMENT_STARTER, folder, ignore=shutil.ignore_patterns("submissions", "reference"))
    echo = folder / "echo.yaml"
    own = "  other: {source: own, run: python3 main.py}\n"
    echo.write_text(
        echo.read_text()
        .replace("programs:\n", f"programs:\n{own}")
        .replace("steps:\n", "steps:\n- client: {start: other, as: o}\n")
    )
    (folder / "own").mkdir()
    (folder / "own" / "main.py").write_text("print(1)\n")
    said = lab("bundle", "course/assignment.yaml", "one.zip", "--runner", "a@b")
    assert said.code == 0, said.err
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.read("assignment/own/main.py") == b"print(1)\n"
    (folder / "own" / "more.py").symlink_to("main.py")
    said = lab("bundle", "course/assignment.yaml", "two.zip", "--runner", "a@b")
    assert (said.code, (tmp_path / "two.zip").exists()) == (2, False), said.err
