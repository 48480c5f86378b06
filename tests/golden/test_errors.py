"""Broken scenario files, and all that a person is told about each.

Every ``errors/NAME.yaml`` has one fault, save those whose name begins with ``several``;
``errors/NAME.txt`` is the whole message. ``pytest tests/golden --regenerate`` writes the messages anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.core.errors import ExitCode, Problem, ScenarioError
from lab.scenario.loader import load

FOLDER = Path(__file__).parent / "errors"
FILES = sorted(FOLDER.glob("*.yaml"))
PYTHON = re.compile(
    r"pydantic|Traceback|validation|\bdict\b|\btuple\b|(?<!!!)\bstr\b|Input should|type=|None"
)
"""Words of the implementation."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_message(file: Path, regenerate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as saved, has a place and a fix for each problem in order of place, and speaks of no Python."""
    monkeypatch.chdir(FOLDER)
    with pytest.raises(ScenarioError) as caught:
        load(Path(file.name))
    error = caught.value
    expected = file.with_suffix(".txt")
    if regenerate:
        expected.write_text(f"{error}\n", encoding="utf-8")
    assert f"{error}\n" == expected.read_text(encoding="utf-8")
    assert error.exit_code is ExitCode.USAGE
    assert not PYTHON.search(str(error))
    assert len(error.problems) == 1 or file.stem.startswith("several")
    assert_placed(error.problems, file)


def assert_placed(problems: Sequence[Problem], file: Path) -> None:
    lines = file.read_bytes().decode("utf-8", "replace").split("\n")
    for problem in problems:
        assert problem.what
        assert problem.fix
        assert problem.where.file == file.name
        assert 1 <= problem.where.line <= len(lines)
        assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1
    assert [problem.where for problem in problems] == sorted(problem.where for problem in problems)


def test_every_message_has_its_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {file.stem for file in FILES}
