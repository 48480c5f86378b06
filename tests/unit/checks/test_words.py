"""No word of the checks is without a program that is seen to fail it: tests/docker/words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.scenario.checks import CheckBase
from lab.scenario.loader import load
from tests.docker.words import PLAYS, Play

SCHEMA = Path(__file__).parents[3] / "scenarios" / "scenario.schema.json"
UNFULFILLED = {"state.state=CLOSED"}
"""What nothing can fulfil, and is refused when a file is read: there is no socket in CLOSED."""

ELSEWHERE = {"datagrams.payload.regex"}
"""What needs a library that need not be there: tests/docker/test_datagrams.py shows it."""


def vocabulary() -> set[str]:
    """Every word of the checks as the schema has them: ``connection.bytes``, ``connection.handshake=refused``.

    A place where a word of a few is chosen is as many words; what every check has besides (its name) is none.
    """
    defs = json.loads(SCHEMA.read_text())["$defs"]
    return {
        word
        for check in CheckBase.family.values()
        for key, value in defs[check.__name__]["properties"].items()
        if key not in CheckBase.model_fields
        for word in _words(check.subject if key == check.subject else f"{check.subject}.{key}", value, defs)
    }


def _words(path: str, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield from _words(path, _long_form(defs[schema["$ref"].removeprefix("#/$defs/")]), defs)
    elif "properties" in schema:
        for key, value in schema["properties"].items():
            yield from _words(f"{path}.{key}", value, defs)
    elif choice := schema.get("enum", [schema["const"]] if "const" in schema else []):
        yield from (f"{path}={_text(value)}" for value in choice)
    elif schema.get("type") == "boolean":
        yield from (f"{path}=true", f"{path}=false")
    elif (forms := _forms(schema)) and not _is_count(schema):  # one, or a list of them: the same words
        for branch in forms:
            yield from _words(path, branch.get("items", branch), defs)
    else:
        yield path


def _forms(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a value may be: any of several, or one that a condition decides."""
    return [*schema.get("anyOf", ()), *(schema[key] for key in ("then", "else") if key in schema)]


def _is_count(schema: Mapping[str, Any]) -> bool:
    return any(branch.get("type") == "integer" for branch in _forms(schema))


def _long_form(schema: dict[str, Any]) -> dict[str, Any]:
    return next((form for form in _forms(schema) if "properties" in form), schema)


def used(check: CheckBase) -> set[str]:
    """The words that a check uses."""
    given = check.model_dump(mode="json", by_alias=True, exclude_unset=True)
    own = {key: value for key, value in given.items() if key not in CheckBase.model_fields}
    subject = own.pop(check.subject)
    known = vocabulary()
    return {*_used(check.subject, subject, known), *_used(check.subject, own, known)}


def _used(path: str, value: Any, known: set[str]) -> Iterator[str]:
    if path in known:
        yield path
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _used(f"{path}.{key}", below, known)
    else:
        yield from (f"{path}={_text(one)}" for one in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_every_word_is_seen_to_pass_and_to_fail() -> None:
    shown = {row.word for play in PLAYS for row in play.rows}
    assert shown == vocabulary() - UNFULFILLED - ELSEWHERE


@pytest.mark.parametrize("play", PLAYS, ids=str)
def test_a_row_has_the_word_that_it_shows(play: Play, tmp_path: Path) -> None:
    for name, text in {"play.yaml": play.scenario(), **play.files()}.items():
        (tmp_path / name).write_text(text)
    checks = {check.name: check for check in load(tmp_path / "play.yaml").scenario.checks}
    for number, row in enumerate(play.rows):
        assert row.word in used(checks[f"{number} right"])
        assert row.right != row.wrong
