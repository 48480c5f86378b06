"""What commands print with ``--json``, held against the schemas that docs/json.md names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from lab.cli.schema import DOCUMENTS, EVENT
from lab.core.assets import EXAMPLES, address_of


@cache
def _registry() -> Registry[Any]:
    files = [json.loads(path.read_text(encoding="utf-8")) for path in EXAMPLES.glob("*.schema.json")]
    return Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in files])


@cache
def validator(name: str, schema: str = "output") -> Draft202012Validator:
    """What a part of a schema allows."""
    return Draft202012Validator(
        {"$ref": f"{address_of(schema)}#/$defs/{name}"}, registry=_registry(), format_checker=None
    )


def require(command: str, out: str) -> None:
    """Fail unless a command's output is what the schema of its documents allows."""
    if command == "logs" and '"event"' in out:
        for line in out.splitlines():
            validator(EVENT).validate(json.loads(line))
        return
    document = json.loads(out)
    kinds = ["Failure"] if "error" in document else [kind.__name__ for kind in DOCUMENTS[command]]
    if not any(validator(kind).is_valid(document) for kind in kinds):
        validator(kinds[0]).validate(document)


def require_of(words: Sequence[str], out: str) -> None:
    """Likewise of a command line, if it asks for JSON and anything was printed."""
    if "--json" in words and out.strip() and words[0] != "analyze":
        require(words[0], out)
