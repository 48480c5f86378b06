"""The JSON schema of the scenario language as people write it, with short forms and lines of the script.

Read off the models, so that an editor knows what the loader knows. ``pytest tests/golden --regenerate``
writes it to ``scenarios/scenario.schema.json`` anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lab.core.assets import address_of
from lab.scenario import Scenario
from lab.scenario.base import Model
from lab.scenario.checks import CheckBase
from lab.scenario.steps import ACTOR, BLOCKS, Action, Line

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(root: type[Model] = Scenario) -> dict[str, Any]:
    """The schema (draft 2020-12) of a file that holds this model, as plain data."""
    whole = root.model_json_schema(schema_generator=_AsWritten)
    article = "An" if root.called[0] in "aeiou" else "A"
    named = {"$schema": DIALECT, "$id": address_of(root.called)}
    return {**named, **whole, "title": f"{article} {root.called} of the TCP lab"}


def schema_text(root: type[Model] = Scenario) -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(root), indent=1, ensure_ascii=False) + "\n"


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
        """The form whose key is there: an error then speaks of this form alone."""
        choices = {str(key).strip("<>"): self.generate_inner(one) for key, one in schema["choices"].items()}
        for family in (Action.family, CheckBase.family):
            if choices.keys() == family.keys():
                return _named(family, choices)
        line, *blocks = choices
        chosen = choices[line]
        for block in blocks:
            chosen = {"if": {"required": [block]}, "then": choices[block], "else": chosen}
        return chosen

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The mapping, or what may stand for it."""
        long = super().model_schema(schema)
        model = schema["cls"]
        if model is Line:
            return _line(long["properties"]["action"])
        if issubclass(model, Model) and model.short is not None:
            head = {"title": long.pop("title"), "description": long.pop("description")}
            return head | _either(long, long["properties"][model.short])
        return long


def _either(long: JsonSchemaValue, short: JsonSchemaValue) -> JsonSchemaValue:
    """A mapping, or what stands for it; where that is no mapping, it decides which is meant."""
    if "$ref" in json.dumps(short) or '"object"' in json.dumps(short):
        return {"anyOf": [short, long]}
    return {"if": {"type": "object"}, "then": long, "else": short}


def _named(family: Mapping[str, type[Model]], choices: Mapping[str, JsonSchemaValue]) -> JsonSchemaValue:
    """One of several forms, each with a key that names it.

    Such a key may stand beside another one that names the form, as ``expect`` beside ``run`` does.
    """
    keys = {name: _keys(model) for name, model in family.items()}
    forms = []
    for name, form in choices.items():
        wider = [{"required": [other]} for other in family if other != name and name in keys[other]]
        condition: JsonSchemaValue = {"required": [name]}
        forms.append({"if": condition | ({"not": {"anyOf": wider}} if wider else {}), "then": form})
    known = dict.fromkeys(sorted(set().union(*keys.values())), True)
    heads = {
        name: {"description": (model.__doc__ or "").partition("\n")[0]} for name, model in family.items()
    }
    needed = f"one of these is needed: {', '.join(family)}"
    return {
        "type": "object",
        "properties": known | heads,
        "additionalProperties": False,
        "allOf": forms,
        "anyOf": [{"required": [name]} for name in family],
        "errorMessage": {"anyOf": needed},
    }


def _keys(model: type[Model]) -> set[str]:
    """The keys of a form, as people write them."""
    return {field.alias or name for name, field in model.model_fields.items()}


def _line(action: JsonSchemaValue) -> JsonSchemaValue:
    several = {"type": "array", "items": action, "minItems": 1}
    actions = {"if": {"type": "array"}, "then": several, "else": action}
    return {
        "title": "Line",
        "description": "An actor and what it does",
        "type": "object",
        "patternProperties": {f"^(?!({'|'.join(BLOCKS)})$){ACTOR[1:]}": actions},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
