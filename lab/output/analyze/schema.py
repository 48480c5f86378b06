"""The JSON schema of what ``lab analyze --json`` prints: ``pytest tests/golden --regenerate`` writes it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lab.core.assets import address_of
from lab.output.analyze.document import Document
from lab.scenario.schema import DIALECT


def schema_text() -> str:
    """The schema (draft 2020-12) as the file holds it."""
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": address_of("analysis"),
        **msgspec.json.schema(Document),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
