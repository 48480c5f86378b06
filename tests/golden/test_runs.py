"""Saved runs, judged again: the verdict is the one that was written then, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.checks.judging import judge
from lab.evidence.message import Message, Proof
from lab.evidence.record import is_recorded, read, write_verdict
from lab.output.describe import Teller
from lab.output.document import verdict_as_data

RUNS = sorted(path for path in (Path(__file__).parent / "runs").iterdir() if path.is_dir())


@pytest.mark.parametrize("record", RUNS, ids=lambda path: path.name)
def test_a_saved_run_is_judged_as_it_was(record: Path, regenerate: bool) -> None:
    verdict = verdict_as_data(judge(read(record)))
    if regenerate:
        write_verdict(record, verdict)
    assert is_recorded(record, verdict)


@pytest.mark.parametrize("name", ["multi_client", "resets"])
def test_each_sentence_of_a_verdict_is_made_of_its_data(name: str) -> None:
    verdict = json.loads((RUNS[0].parent / name / "verdict.json").read_text())
    teller = Teller(verdict["data"]["origin"], verdict["data"]["capture"])
    for result in verdict["results"]:
        data = {key: _read(value) for key, value in result["data"].items()}
        assert teller.all(data["expected"]) == result["expected"]
        assert teller.all(data["observed"]) == result["observed"]
        assert list(map(teller.proof, data["evidence"])) == result["evidence"]
        assert list(map(teller.text, data["programs"])) == result["programs"]
        assert list(map(teller.text, data["causes"])) == result["causes"]


def _read(data: Any) -> Any:
    """Messages and evidence from what JSON has of them."""
    match data:
        case list():
            return tuple(map(_read, data))
        case {"key": key, "parameters": parameters}:
            return Message(key, {name: _read(value) for name, value in parameters.items()})
        case {"what": what}:
            return Proof(**{**data, "what": _read(what)})
        case _:
            return data
