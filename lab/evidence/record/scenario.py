"""Reading the scenario of a record: the normal form as JSON, under the rules of a file that is played."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lab.evidence.record.files import damaged, document
from lab.scenario import Scenario
from lab.scenario.loader.rules import RULES
from lab.scenario.loader.rules.context import RuleContext
from lab.scenario.loader.rules.programs import files
from lab.scenario.mistake import Mistake
from lab.scenario.steps import BLOCKS


def scenario_from(path: Path) -> Scenario:
    """The scenario that :func:`lab.evidence.record.write` wrote. EvidenceError if it is none."""
    data = document(path)
    try:
        scenario = Scenario.model_validate_json(json.dumps(_with_lines(data)))
    except (ValidationError, RecursionError) as error:
        raise damaged(path, f"this is no scenario: {_first(error)}") from error
    if mistake := next(_mistakes(scenario), None):
        raise damaged(path, f"this scenario cannot be played: {mistake.what}")
    return scenario


def _mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """What is wrong with the whole; the programs' files are not in a record."""
    context = RuleContext(scenario)
    return (mistake for rule in RULES if rule is not files for mistake in rule(context))


def _with_lines(data: Any) -> Any:
    """The document with each ``ACTOR: ACTION`` of its scripts as the models name it."""
    if not isinstance(data, dict):
        return data
    return data | {key: _steps(data[key]) for key in ("steps", "finally") if key in data}


def _steps(data: Any) -> Any:
    return [_step(one) for one in data] if isinstance(data, list) else data


def _step(data: Any) -> Any:
    if not isinstance(data, dict) or len(data) != 1:
        return data
    key, value = next(iter(data.items()))
    if key not in BLOCKS:
        return {"actor": key, "action": value}
    if key == "together" and isinstance(value, list):
        return {key: [_steps(branch) for branch in value]}
    if key == "repeat" and isinstance(value, dict):
        return {key: value | {"steps": _steps(value.get("steps"))}}
    return data


def _first(error: Exception) -> str:
    """The first thing wrong, and where."""
    if not isinstance(error, ValidationError):
        return "it is nested too deep"
    told = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, told['loc']))}: {told['msg']}"
