"""Saved runs, judged again: the verdict is the one that was written then, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.checks.judging import judge
from lab.evidence.record import is_recorded, read, write_verdict
from lab.output.document import verdict_as_data

RUNS = sorted(path for path in (Path(__file__).parent / "runs").iterdir() if path.is_dir())


@pytest.mark.parametrize("record", RUNS, ids=lambda path: path.name)
def test_a_saved_run_is_judged_as_it_was(record: Path, regenerate: bool) -> None:
    verdict = verdict_as_data(judge(read(record)))
    if regenerate:
        write_verdict(record, verdict)
    assert is_recorded(record, verdict)
