"""``assignment.yaml``: what is wrong with it is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.errors import ScenarioError
from lab.grade.reading import is_assignment, read

STARTER = Path(__file__).parents[3] / "scenarios" / "starter_assignment"
HEAD = "version: 1\ntitle: x\nsubmit: {programs: server}\n"


def test_the_starter() -> None:
    assigned = read(STARTER / "assignment.yaml")
    assert [(one.name, one.brought, one.is_hidden) for one in assigned.played] == [
        ("echo", ("server",), False),
        ("pieces", ("server",), True),
    ]
    assert assigned.maximum == 10
    assert is_assignment(STARTER / "assignment.yaml")
    assert not is_assignment(STARTER / "echo.yaml")


def test_points_and_hints_are_no_part_of_what_is_played(tmp_path: Path) -> None:
    for file in STARTER.rglob("*.*"):
        if file.is_file() and "submissions" not in file.parts:
            (tmp_path / file.relative_to(STARTER)).parent.mkdir(exist_ok=True)
            (tmp_path / file.relative_to(STARTER)).write_bytes(file.read_bytes())
    place = tmp_path / "assignment.yaml"
    text, before = place.read_text(), read(place).digest
    place.write_text(text.replace("points: 8", "points: 9").replace("hidden", "visible"))
    assert read(place).digest == before
    place.write_text(text.replace("runs: 2", "runs: 3"))
    assert read(place).digest != before
    place.write_text(text)
    (tmp_path / "echo.yaml").write_text((tmp_path / "echo.yaml").read_text().replace("hello", "good-bye"))
    assert read(place).digest != before


@pytest.mark.parametrize(
    ("text", "code", "place", "words"),
    [
        (HEAD + "scenarios:\n- {file: echo.yaml, point: 3}", "unknown-key", "5:21", 'did you mean "points"?'),
        (HEAD + "scenarios: []", "empty", "4:12", '"scenarios" is empty'),
        (HEAD + "scenarios:\n- echo.yaml", "no-points", "5:3", "add `points:`"),
        (HEAD + "scenarios:\n- {file: ech.yaml, points: 1}", "no-file", "5:10", "there is no file"),
        (HEAD + "scenarios:\n- {file: echo.yaml, points: 1, needs: pices}", "unknown-scenario", "5:39", "scenarios: echo"),
        (HEAD + "scenarios:\n- {file: echo.yaml, points: 1}\n- {file: echo.yaml, points: 1}", "duplicate-name", "6:3", "give it a name"),
        (HEAD + "scenarios:\n- {file: echo.yaml, points: 1, hints: {The same byte: x}}", "unknown-check", "5:40", 'did you mean "The same bytes come back"?'),
        (HEAD + "scenarios:\n- {file: echo.yaml, points: 1, rule: worst}", "bad-value", "5:38", "a rule is all, best or"),
        (HEAD + "scenarios:\n- {file: echo.yaml, points: 3, runs: 2, rule: {all: 10, some: 7}}", "contradiction", "5:29", "leave `points:` out"),
        (HEAD + "scenarios:\n- {file: echo.yaml, rule: {all: 10, some: 7}}", "one-run", "5:27", "add `runs: 3`"),
        (HEAD.replace("server", "serber") + "scenarios:\n- {file: echo.yaml, points: 1}", "unknown-program", "3:20", 'did you mean "server"?'),
        (HEAD + "late: 2026-12-01 23:59\nscenarios:\n- {file: echo.yaml, points: 1}", "bad-value", "4:7", "it has no time zone"),
        ("- x", "wrong-type", "1:1", "an assignment is a mapping"),
    ],
)  # fmt: skip
def test_mistakes(text: str, code: str, place: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    for file in ("echo.yaml", "reference/server.py"):
        (tmp_path / file).write_bytes((STARTER / file).read_bytes())
    path = tmp_path / "assignment.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read(path)
    told = {(one.code, str(one.where)) for one in caught.value.problems}
    assert (code, f"{path}:{place}") in told, told
    assert words in str(caught.value)


def test_a_circle_and_a_broken_scenario(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    (tmp_path / "one.yaml").write_text("version: 1\ntitle: [x]\n")
    path.write_text(
        HEAD
        + "scenarios:\n- {file: one.yaml, points: 1, needs: two}\n- {name: two, file: one.yaml, points: 1, needs: one}"
    )
    with pytest.raises(ScenarioError) as caught:
        read(path)
    assert {"needs-circle", "yaml-type", "missing-key"} >= {one.code for one in caught.value.problems} - {
        "wrong-type"
    }
    assert {str(tmp_path / "one.yaml"), str(path)} == {one.where.file for one in caught.value.problems}


def test_a_scenario_without_a_script_cannot_be_graded(tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text(
        "version: 1\ntitle: t\nnetworks: {lan: 10.1.0.0/16}\nhosts: {server: 10.1.0.1}\nprograms: {server: server.py}\n"
    )
    (tmp_path / "server.py").write_text("")
    (tmp_path / "assignment.yaml").write_text(HEAD + "scenarios:\n- {file: bare.yaml, points: 1}")
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path / "assignment.yaml")
    assert "no-steps" in {one.code for one in caught.value.problems}
