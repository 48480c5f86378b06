"""The reference of the scenario language in Markdown, read off the models: a section each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from lab.scenario import Scenario, cast, steps
from lab.scenario.base import Model
from lab.scenario.checks import CheckBase
from lab.scenario.loader.shape import family_of, models_below
from lab.scenario.schema import schema
from lab.scenario.steps import Action


@cache
def _sections() -> dict[type[Model], str]:
    """The models and their headings: of a file, of its actions and of its checks, with what is below them."""
    sections: dict[type[Model], str] = {
        Scenario: "The file",
        cast.Timeouts: "Timeouts",
        cast.Network: "A network",
        cast.Program: "A program",
        cast.LaidFile: cast.LaidFile.heading,
        cast.Host: "A host",
        cast.Limits: "Limits",
        steps.Together: "Step `together`",
        steps.Repeat: "Step `repeat`",
        steps.Repetition: "A repetition",
        Action: "Every action",
        **{action: f"Action `{verb}`" for verb, action in Action.family.items()},
    }
    sections |= _below(Action.family.values())
    sections[CheckBase] = "Every check"
    sections |= {check: f"Check `{subject}`" for subject, check in CheckBase.family.items()}
    return sections | _below(CheckBase.family.values())


def _below(models: Iterable[type[Model]]) -> dict[type[Model], str]:
    """The models below others that have a heading of their own."""
    return {below: below.heading for model in models for below in models_below(model) if below.heading}


def reference() -> str:
    """All sections, from the top of a file to its last words."""
    written = schema()
    known = {**written["$defs"], "Scenario": written}
    return "\n".join(
        line for model, heading in _sections().items() for line in _section(heading, model, known)
    )


def _section(heading: str, model: type[Model], known: dict[str, Any]) -> Iterator[str]:
    # The keys that all actions or all checks have are told once; they are in the schema of any of them.
    family = family_of(model)
    shown = next(iter(family.values())) if family else model
    written = known[shown.__name__]
    long = written.get("then") or written.get("anyOf", [written])[-1]
    inherited = {name for base in model.__mro__[1:] if issubclass(base, Model) for name in base.model_fields}
    defaults = shown.model_construct().model_dump(mode="json")
    yield from (f"### {heading}", "", " ".join((model.__doc__ or "").split()).replace("``", "`"), "")
    if model.short is not None:
        yield from (f"Short form: the value of `{model.short}` alone.", "")
    yield from ("| key | value | unless given | meaning |", "|---|---|---|---|")
    for name, info in model.model_fields.items():
        if name not in inherited:
            key = info.alias or name
            default = "**required**" if info.is_required() else _default(defaults.get(name))
            meaning = (info.description or "").replace("|", "\\|")
            yield f"| `{key}` | {_words(long['properties'][key])} | {default} | {meaning} |"
    yield ""


def _default(value: Any) -> str:
    return (
        ""
        if value in (None, [], {}) or isinstance(value, dict)
        else f"`{json.dumps(value)}`".replace('"', "")
    )


def _words(value: dict[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in value:
        return _link(value["$ref"].rpartition("/")[2])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`".replace('"', "")
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in value["enum"])
    if options := list(_options(value)):
        return _choice([_words(option) for option in options])
    return _simple(value)


def _options(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What there is to choose from; nothing where there is no choice."""
    if "if" in value:
        yield from list(_options(value["else"])) or [value["else"]]
        yield value["then"]
    elif "allOf" in value:
        yield from (form["then"] for form in value["allOf"])
    else:
        yield from value.get("anyOf", ())


def _simple(value: dict[str, Any]) -> str:
    match value["type"]:
        case "array":
            return f"list of {_words(value['items'])}"
        case "object" if "properties" in value:
            return f"mapping of `{'`, `'.join(value['properties'])}`"
        case "object":
            (held,) = value.get("patternProperties", {"": value.get("additionalProperties")}).values()
            return f"mapping to {_words(held)}"
        case "string":
            return f"text such as `{value['examples'][0]}`" if "examples" in value else "text"
        case "integer" | "number":
            least, most = value.get("minimum", "above 0"), value.get("maximum")
            return f"number, {least} to {most:g}" if most is not None else f"number from {least}"
    return "true or false"


def _choice(options: list[str]) -> str:
    """``a or b``; a list of what may also stand alone is told so."""
    one, *rest = dict.fromkeys(options)
    return f"{one}, or a list" if rest == [f"list of {one}"] else " or ".join((one, *rest))


def _link(name: str) -> str:
    """A link to the section of a model, or what stands for one that has none."""
    heading = next((heading for model, heading in _sections().items() if model.__name__ == name), None)
    if heading is None:
        return {"Line": "a line", "TcpState": "a state"}.get(name, name)
    anchor = re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
    return f"[{heading[0].lower()}{heading[1:]}](#{anchor})"
