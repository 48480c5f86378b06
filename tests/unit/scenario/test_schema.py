"""The JSON schema takes what the loader takes. The schema itself is compared in tests/golden."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    """Whether a value fits, by the keywords of draft 2020-12 that the schema uses; KeyError for any other."""
    if "$ref" in rule and not is_valid(value, SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]]):
        return False
    return all(KEYWORDS[keyword](value, rule) for keyword in rule)


KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "array": list,
    "object": dict,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def _is_type(value: Any, name: str) -> bool:
    return isinstance(value, KINDS[name]) and (name == "boolean" or not isinstance(value, bool))


def _members(value: Any, rule: dict[str, Any]) -> bool:
    """Every key of a mapping is known and its value fits."""
    if not isinstance(value, dict):
        return True
    for key, held in value.items():
        rules = [rule["properties"][key]] if key in rule.get("properties", {}) else []
        rules += [
            part for pattern, part in rule.get("patternProperties", {}).items() if re.search(pattern, key)
        ]
        rest = rule.get("additionalProperties", True)
        if not rules and (rest is False or (rest is not True and not is_valid(held, rest))):
            return False
        if not all(is_valid(held, part) for part in rules):
            return False
    return True


def _bound(kind: type | tuple[type, ...], holds: Callable[[Any, Any], bool], keyword: str) -> Any:
    return lambda value, rule: not isinstance(value, kind) or holds(value, rule[keyword])


def _always(_value: Any, _rule: dict[str, Any]) -> bool:
    return True


KEYWORDS: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    **dict.fromkeys(("$schema", "$ref", "$defs", "title", "description", "examples"), _always),
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties"), _members),
    "type": lambda value, rule: _is_type(value, rule["type"]),
    "const": lambda value, rule: value == rule["const"] and type(value) is type(rule["const"]),
    "enum": lambda value, rule: value in rule["enum"],
    "anyOf": lambda value, rule: any(is_valid(value, option) for option in rule["anyOf"]),
    "items": _bound(list, lambda value, rule: all(is_valid(item, rule) for item in value), "items"),
    "required": _bound(dict, lambda value, names: all(name in value for name in names), "required"),
    "propertyNames": _bound(
        dict, lambda value, rule: all(is_valid(key, rule) for key in value), "propertyNames"
    ),
    "pattern": _bound(str, lambda value, pattern: re.search(pattern, value) is not None, "pattern"),
    "minLength": _bound(str, lambda value, least: len(value) >= least, "minLength"),
    "maxLength": _bound(str, lambda value, most: len(value) <= most, "maxLength"),
    "minItems": _bound(list, lambda value, least: len(value) >= least, "minItems"),
    "minProperties": _bound(dict, lambda value, least: len(value) >= least, "minProperties"),
    "maxProperties": _bound(dict, lambda value, most: len(value) <= most, "maxProperties"),
    "minimum": _bound((int, float), lambda value, least: value >= least, "minimum"),
    "maximum": _bound((int, float), lambda value, most: value <= most, "maximum"),
    "exclusiveMinimum": _bound((int, float), lambda value, least: value > least, "exclusiveMinimum"),
}


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_takes_every_scenario(file: Path) -> None:
    assert is_valid(yaml.safe_load(file.read_text(encoding="utf-8")), SCHEMA)


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


def test_is_of_the_dialect_and_explains_every_key() -> None:
    assert SCHEMA["$schema"] == DIALECT
    for name, rule in SCHEMA["$defs"].items():
        long = rule.get("anyOf", [rule])[-1]
        for key, part in long.get("properties", {}).items():
            assert "description" in part or "$ref" in part, f"{name}.{key}"


def test_knows_every_verb_and_every_subject() -> None:
    required = [part.get("required", []) for part in SCHEMA["$defs"].values()]
    words = {key for keys in required for key in keys}
    assert words >= Action.family.keys()
    assert words >= CheckBase.family.keys()
