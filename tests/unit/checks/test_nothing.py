"""A lab to play with: without a script nothing is judged, and nothing passes."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from lab.checks.judging import judge
from lab.core.words import Outcome
from lab.output.style import Style
from lab.output.verdict import table
from tests.unit.staged import Stage


def test_without_a_script_nothing_is_judged(tmp_path: Path) -> None:
    evidence = Stage(tmp_path, "0 client_a > server S").evidence()
    bare = evidence.scenario.model_copy(update={"steps": (), "checks": ()})
    verdict = judge(replace(evidence, scenario=bare))
    assert (verdict.outcome, verdict.results) == (Outcome.SKIPPED, ())
    assert list(table(verdict, Style())) == ["", "nothing is judged: the file has no steps"]
