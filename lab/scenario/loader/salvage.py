"""What is sound in a scenario with faults: more can be said of that, so that all problems come at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from lab.scenario import Scenario
from lab.scenario.loader.place import Path

_SCRIPT = ("steps", "finally")


def validated(data: Any) -> Scenario:
    """The scenario that the data of a file in normal form is; ValidationError if it is none."""
    return Scenario.model_validate_json(json.dumps(data))


def salvaged(data: Any, faulty: Iterable[Path]) -> Scenario | None:
    """The scenario with harmless steps and checks in place of faulty ones, or None if more is faulty.

    Everything stands where it stood: what is found in it has the same place in the file.
    """
    places = {path[:2] for path in faulty}
    if any(len(place) < 2 or place[0] not in (*_SCRIPT, "checks") for place in places):
        return None
    host = next(iter(data["hosts"]))
    for section, position in places:
        data[section][position] = _harmless_step(host) if section in _SCRIPT else _harmless_check(host)
    return validated(data)


def _harmless_step(host: str) -> dict[str, Any]:
    return {"actor": host, "action": {"run": "true"}}


def _harmless_check(host: str) -> dict[str, Any]:
    return {"connections": {"to": f"{host}:1", "count": 0}}
