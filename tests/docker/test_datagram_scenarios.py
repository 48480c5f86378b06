"""Wrong pingers and resolvers fail the checks of their scenarios that docs/datagrams.md names."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.core.errors import ExitCode
from tests.docker.stage import CHECKOUT, Stage

_ROW = re.compile(r"\| \[\w+\.py\]\(\.\./(?P<wrong>[\w/.]+)\) \| (?P<check>.+) \| `(?P<said>.+)` \|")
_ROLES = {"ping": "ping", "dns": "resolve"}


def rows() -> Iterator[tuple[str, str, str]]:
    for row in _ROW.finditer((CHECKOUT / "docs" / "datagrams.md").read_text()):
        yield row["wrong"], row["check"], row["said"]


ROWS = list(rows())


def test_there_are_rows() -> None:
    assert len(ROWS) >= 8


@pytest.mark.parametrize(("wrong", "check", "said"), ROWS, ids=[row[0].rpartition("/")[2] for row in ROWS])
def test_a_wrong_program_fails_its_check(stage: Stage, wrong: str, check: str, said: str) -> None:
    scenario = wrong.rpartition("/")[2].partition("_")[0]
    file = CHECKOUT / "scenarios" / f"{scenario}.yaml"
    role = f"{_ROLES[scenario]}={CHECKOUT / wrong}"
    done = stage.lab("run", file, "--program", role, COLUMNS="300")
    assert done.returncode == ExitCode.FAILED, done.stdout + done.stderr
    told = done.stdout.partition(f"✗ fail  {check}")[2].partition("\n✓")[0]
    assert said in told, done.stdout
