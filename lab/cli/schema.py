"""The JSON schema of what commands print: ``pytest tests/golden --regenerate`` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from lab.cli import documents
from lab.core.assets import address_of
from lab.evidence.record.layout import EVENTS
from lab.evidence.record.steps import StepLine
from lab.evidence.transcript import StepEnded
from lab.output.document import VerdictDocument
from lab.output.ladder.document import Flow
from lab.scenario.schema import DIALECT

DOCUMENTS: Mapping[str, Sequence[type[Struct]]] = {
    "run": (documents.Runs,),
    "up": (documents.Runs,),
    "check": (documents.Checked,),
    "ps": (documents.Labs,),
    "down": (documents.Removed,),
    "wipe": (documents.Removed,),
    "flow": (Flow,),
    "wireshark": (documents.Exported,),
    "validate": (documents.Validated,),
    "examples": (documents.Examples,),
    "init": (documents.Created,),
    "images": (documents.Images,),
    "doctor": (documents.Examined,),
    "selfcheck": (documents.SelfChecked,),
    "publish": (documents.Published,),
    "matrix": (documents.MatrixPlayed,),
    "bundle": (documents.Bundled,),
    "grade": (documents.Graded, documents.Plan),
}
"""What each command prints where nothing keeps it from that; otherwise it is a ``Failure``.

``lab logs`` prints an ``Event`` a line. ``lab analyze`` has a schema of its own.
"""

EVENT = "Event"
_SIMPLE = ("string", "number", "boolean", "null")


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12), as plain data."""
    kinds = list(dict.fromkeys(kind for several in DOCUMENTS.values() for kind in several))
    lines = [StepLine if kind is StepEnded else kind for kind in EVENTS.values()]
    named = [*kinds, documents.Failure, VerdictDocument, *lines]
    refs, parts = msgspec.json.schema_components(named, ref_template="#/$defs/{name}")
    events = refs[-len(EVENTS) :]
    for name, ref in zip(EVENTS, events, strict=True):
        _name(parts[ref["$ref"].rpartition("/")[2]], name)
    value = {"$ref": "#/$defs/Value"}
    parts["Message"]["properties"]["parameters"]["additionalProperties"] = value
    simple = [{"type": kind} for kind in _SIMPLE]
    parts["Value"] = {"anyOf": [*simple, {"type": "array", "items": value}, {"$ref": "#/$defs/Message"}]}
    parts[EVENT] = {"anyOf": events}
    return {
        "$schema": DIALECT,
        "$id": address_of("output"),
        "title": "What commands of the TCP lab print with --json",
        "anyOf": [*refs[: len(kinds) + 1], {"$ref": f"#/$defs/{EVENT}"}],
        "$defs": parts,
    }


def _name(event: dict[str, Any], name: str) -> None:
    """Say in the schema of an event what a line has besides."""
    own = {"format": {"enum": [documents.FORMAT]}, "event": {"enum": [name]}}
    event["properties"] = {**own, **event["properties"]}
    event["required"] = [*own, *event.get("required", ())]
    event["additionalProperties"] = False


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
