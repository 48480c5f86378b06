"""The JSON schema of the scenario language as people write it, with short forms and lines of the script.

Read off the models, so that an editor knows what the loader knows. ``pytest tests/golden --regenerate``
writes it to ``scenarios/scenario.schema.json`` anew.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lab.scenario import Scenario
from lab.scenario.base import Model
from lab.scenario.steps import ACTOR, BLOCKS, Line

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12) as plain data."""
    whole = Scenario.model_json_schema(schema_generator=_AsWritten)
    return {"$schema": DIALECT, **whole, "title": "A scenario of the TCP lab"}


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


class _AsWritten(GenerateJsonSchema):
    """The normal form, widened by the short forms, and without nulls: a key that has no value is left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """A field is called by its key alone."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """What may stand there if anything does."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The value without its default, which is explained in docs/scenario.md, in the form people write."""
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A mapping whose keys all fit the pattern, if there is one."""
        mapping = super().dict_schema(schema)
        return mapping | {"additionalProperties": False} if "patternProperties" in mapping else mapping

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Any of the forms."""
        union = super().tagged_union_schema(schema)
        return {"anyOf": union.pop("oneOf"), **union}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The mapping, or what may stand for it."""
        long = super().model_schema(schema)
        model = schema["cls"]
        if model is Line:
            return _line(long["properties"]["action"])
        if issubclass(model, Model) and model.short is not None:
            head = {"title": long.pop("title"), "description": long.pop("description")}
            return head | {"anyOf": [long["properties"][model.short], long]}
        return long


def _line(action: JsonSchemaValue) -> JsonSchemaValue:
    actions = {"anyOf": [action, {"type": "array", "items": action, "minItems": 1}]}
    return {
        "title": "Line",
        "description": "An actor and what it does",
        "type": "object",
        "patternProperties": {f"^(?!({'|'.join(BLOCKS)})$){ACTOR[1:]}": actions},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
