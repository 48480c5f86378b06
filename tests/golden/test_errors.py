"""Broken scenario files, and all that a person is told about each.

Every ``errors/NAME.yaml`` has one fault, save those whose name begins with ``several``;
``errors/NAME.txt`` is the whole message. ``pytest tests/golden --regenerate`` writes the messages anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.errors import ExitCode, ScenarioError
from lab.load import load

FOLDER = Path(__file__).parent / "errors"
FILES = sorted(FOLDER.glob("*.yaml"))


def complaint(file: Path) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load(Path(file.name))
    return caught.value


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_message(file: Path, regenerate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    error = complaint(file)
    expected = file.with_suffix(".txt")
    if regenerate:
        expected.write_text(f"{error}\n", encoding="utf-8")
    assert f"{error}\n" == expected.read_text(encoding="utf-8")
    assert error.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_says_where_and_how_to_mend_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    problems = complaint(file).problems
    lines = file.read_bytes().decode("utf-8", "replace").split("\n")
    for problem in problems:
        assert problem.what
        assert problem.fix
        assert problem.where.file == file.name
        assert 1 <= problem.where.line <= len(lines)
        assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1
    assert [problem.where for problem in problems] == sorted(problem.where for problem in problems)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_names_no_python(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    words = r"pydantic|Traceback|validation|\bdict\b|\btuple\b|(?<!!!)\bstr\b|Input should|type=|None"
    assert not re.search(words, str(complaint(file)))


def test_one_fault_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    crowded = {file.stem for file in FILES if len(complaint(file).problems) > 1}
    assert all(stem.startswith("several") for stem in crowded), crowded


def test_every_message_has_its_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {file.stem for file in FILES}
