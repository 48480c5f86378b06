"""The JSON schema takes what the loader takes. The schema itself is compared in tests/golden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lab.grade.assignment import Assignment
from lab.scenario.checks import CheckBase
from lab.scenario.schema import DIALECT, schema
from lab.scenario.steps import Action

CHECKOUT = Path(__file__).parents[3]
SCENARIOS = sorted(CHECKOUT.glob("scenarios/**/*.yaml"))
SCHEMA = schema()

MINIMAL: dict[str, Any] = {
    "version": 1,
    "title": "Short",
    "networks": {"lan": "10.1.0.0/16"},
    "hosts": {"server": "10.1.0.1"},
    "steps": [{"server": {"run": "true"}}],
    "checks": [{"connections": {"to": "server:80", "count": 0}}],
}


def is_valid(value: Any, rule: dict[str, Any]) -> bool:
    """Whether a value is what the schema allows."""
    return Draft202012Validator(rule).is_valid(value)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_takes_every_scenario(file: Path) -> None:
    own = schema(Assignment) if file.name == "assignment.yaml" else SCHEMA
    assert is_valid(yaml.safe_load(file.read_text(encoding="utf-8")), own)


def test_takes_short_and_long_forms() -> None:
    assert is_valid(MINIMAL, SCHEMA)
    long = {"networks": {"lan": {"subnet": "10.1.0.0/16"}}, "hosts": {"server": {"address": "10.1.0.1"}}}
    assert is_valid(MINIMAL | long, SCHEMA)


@pytest.mark.parametrize(
    "step",
    [
        {"server": {"expect": "hello"}},
        {"server": {"expect": {"regex": "hello"}, "within": "500ms"}},
        {"server": [{"start": "server", "args": "one"}, {"start": "server", "args": ["one", "two"]}]},
        {"server.second": {"key": "ctrl-c"}},
        {"together": [[{"server": {"send": "a"}}], {"server": {"send": "b"}}]},
        {"repeat": {"times": 2, "steps": [{"server": {"quiet": "1s"}}]}},
    ],
)
def test_takes_steps(step: dict[str, Any]) -> None:
    assert is_valid(MINIMAL | {"steps": [step]}, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"titel": "Short"},
        {"version": 2},
        {"title": 5},
        {"networks": {}},
        {"networks": {"LAN": "10.1.0.0/16"}},
        {"hosts": {"server": {"adress": "10.1.0.1"}}},
        {"hosts": {"server": None}},
        {"steps": []},
        {"steps": [{"server": {"sent": "a"}}]},
        {"steps": [{"server": {"send": "a", "type": "b"}}]},
        {"steps": [{"server": {"send": "a"}, "client": {"send": "b"}}]},
        {"steps": [{"server": {"expect": "a", "within": 5}}]},
        {"steps": [{"repeat": {"times": 0, "steps": [{"server": {"send": "a"}}]}}]},
        {"checks": []},
        {"checks": [{"connection": {"from": "client", "to": "server"}}]},
        {"checks": [{"name": "no subject"}]},
        {"checks": [{"connections": {"to": "server:80", "count": "> 1"}}]},
    ],
)
def test_refuses(change: dict[str, Any]) -> None:
    assert not is_valid(MINIMAL | change, SCHEMA)


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"steps": [{"server": {"sent": "a"}}]}, "steps.0.server", "('sent' was unexpected)"),
        ({"steps": [{"server": {"send": "a", "type": "b"}}]}, "steps.0.server", "('type' was unexpected)"),
        ({"steps": [{"server": {"expect": "a", "within": 5}}]}, "steps.0.server.within", "5 is not of type 'string'"),
        ({"steps": [{"server": [{"run": "x"}, {"start": 7}]}]}, "steps.0.server.1.start", "7 is not of type 'string'"),
        ({"steps": [{"repeat": {"times": 0, "steps": [{"server": {"send": "a"}}]}}]}, "steps.0.repeat.times", "0 is less than"),
        ({"hosts": {"server": {"adress": "10.1.0.1"}}}, "hosts.server", "('adress' was unexpected)"),
        ({"checks": [{"listener": {"host": "server", "prt": 80}}]}, "checks.0.listener", "('prt' was unexpected)"),
        ({"checks": [{"connections": {"to": "server:80", "count": "> 1"}, "nme": "x"}]}, "checks.0", "('nme' was unexpected)"),
    ],
)  # fmt: skip
def test_an_error_speaks_of_the_form_that_is_meant(change: dict[str, Any], place: str, message: str) -> None:
    errors = list(Draft202012Validator(SCHEMA).iter_errors(MINIMAL | change))
    told = {(".".join(map(str, error.absolute_path)), message in error.message) for error in errors}
    assert (place, True) in told
    worst = best_match(errors)
    assert worst is not None
    assert "under any of the given schemas" not in worst.message


def test_a_key_may_stand_beside_another_that_names_the_form() -> None:
    assert is_valid(MINIMAL | {"steps": [{"server": {"run": "ls", "expect": "a"}}]}, SCHEMA)


def test_is_of_the_dialect_and_explains_every_key() -> None:
    assert (SCHEMA["$schema"], SCHEMA["$id"]) == (DIALECT, "urn:tcp-lab:schema:scenario:1")
    for name, rule in SCHEMA["$defs"].items():
        long = rule.get("then") or rule.get("anyOf", [rule])[-1]
        for key, part in long.get("properties", {}).items():
            assert "description" in part or "$ref" in part, f"{name}.{key}"


def test_knows_every_verb_and_every_subject() -> None:
    required = [part.get("required", []) for part in SCHEMA["$defs"].values()]
    words = {key for keys in required for key in keys}
    assert words >= Action.family.keys()
    assert words >= CheckBase.family.keys()
