"""What the models refuse, said to a person: each kind of fault in words of the scenario language."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, get_args, get_origin

from lab.core.errors import Problem
from lab.scenario.base import NAME
from lab.scenario.cast import ENV_NAME
from lab.scenario.checks import CheckBase
from lab.scenario.loader.fault import Fault, Message, actor_of
from lab.scenario.loader.plain import in_words, kind_of, quoted
from lab.scenario.loader.shape import field_shape, fields_of, is_model, shape_at
from lab.scenario.loader.tree import Mapping, Node, Scalar
from lab.scenario.loader.wording import CAST, did_you_mean, label, listed
from lab.scenario.steps import ACTOR, BLOCKS, Action, Line

_A_LINE = "write who acts and what it does: `server: {start: server}`"


def problem_of(fault: Fault) -> Problem:
    """The problem that a fault is to a person."""
    code, what, fix = _MESSAGES.get(fault.kind, _bad_value)(fault)
    return Problem(code, what, fault.at, fix)


def _unknown_key(fault: Fault) -> Message:
    key, model = fault.key, fault.shape
    if model is Line:
        return _two_actors(fault)
    if issubclass(model, Action) and key in Action.family:
        return _two_in_one(fault, "does one thing", model.verb, "a line of its own")
    if issubclass(model, CheckBase) and key in CheckBase.family:
        return _two_in_one(fault, "has one subject", model.subject, "a check of its own")
    inner = len(fault.path) > 3 and not issubclass(model, Action | CheckBase)
    holder = f"{fault.whose}: {label(fault.path[:-1])}" if inner else fault.whose
    fix = _moved(fault) or did_you_mean(key, fields_of(model), "keys")
    return "unknown-key", f"{holder} has no key {quoted(key)}", fix


def _moved(fault: Fault) -> str:
    """How to move a key to where it is known: into a mapping beside it, or out of the one it stands in."""
    for name, info in fields_of(fault.shape).items():
        shape, _ = field_shape(info)
        if is_model(shape) and fault.key in fields_of(shape):
            return f"{quoted(fault.key)} belongs inside {quoted(name)}: `{name}: {{{fault.key}: …}}`"
    above = shape_at(fault.loc[:-2], fault.root)
    if is_model(above) and fault.key in fields_of(above):
        return f"{quoted(fault.key)} belongs beside {label(fault.path[:-1])}, not inside it"
    return ""


def _two_in_one(fault: Fault, rule: str, first: str, place: str) -> Message:
    what = f'{fault.whose} {rule}, not both "{first}" and "{fault.key}"'
    return "two-in-one", what, f"give each {place}"


def _two_actors(fault: Fault) -> Message:
    name, key = quoted(actor_of(fault.beside)), quoted(fault.key)
    what = f"{fault.whose} begins with {name}, but {key} stands beside it"
    if fault.key in Action.family:
        return "two-in-one", what, f"indent {key} so that it belongs to {name}"
    return "two-in-one", what, "a line of the script has one actor: begin the other with a `- ` of its own"


def _missing(fault: Fault) -> Message:
    if fault.shape is Line:
        return "empty-step", f"{fault.whose} is empty", _A_LINE
    info = fields_of(fault.shape)[fault.key]
    explained = f" ({info.description})" if info.description else ""
    # The action of a step is no key that anybody writes.
    inner = len(fault.path) > 2 and isinstance(fault.path[-1], str) and fault.path[-1] != "action"
    holder = f"{fault.whose}: {label(fault.path)}" if inner else fault.whose
    return "missing-key", f'{holder} lacks "{fault.key}"', f"add `{fault.key}:`{explained}"


def _wrong_type(wanted: str, *kinds: str) -> Callable[[Fault], Message]:
    """The message for a value that is not what is wanted; ``kinds`` are what YAML calls that."""

    def message(fault: Fault) -> Message:
        node = fault.found.node
        only_quoted = isinstance(node, Scalar) and kind_of(Scalar(node.text, True, node.at)) in kinds
        fix = f"take the quotes away: {fault.text}" if only_quoted else f"write {wanted}"
        return "wrong-type", f"{fault.subject} must be {wanted}, not {fault.written}", fix

    return message


def _not_text(fault: Fault) -> Message:
    node = fault.found.node
    if not isinstance(node, Scalar):
        return _wrong_type("text")(fault)
    what = f"{fault.subject} must be text, and YAML reads `{node.text}` as {in_words(kind_of(node))}"
    return "yaml-type", what, f"write {quoted(node.text)}"


def _not_mapping(fault: Fault) -> Message:
    if fault.shape is Line:
        return "wrong-type", f"{fault.whose}: {fault.written} is no step", _A_LINE
    keys = f"its keys are: {listed(fields_of(fault.shape))}"
    if fault.path == ():
        return "wrong-type", f"the file holds {fault.written}; {_a(fault.root.called)} is a mapping", keys
    return "wrong-type", f"{fault.subject} must be a mapping, not {fault.written}", keys


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _not_allowed(fault: Fault) -> Message:
    options = _options(fault.shape)
    what = f"{fault.subject} cannot be {fault.written}"
    if len(options) == 1:
        return "bad-value", what, f"the one thing it can be is {options[0]}"
    return "bad-value", what, did_you_mean(fault.text, options, "one of")


def _options(shape: Any) -> list[str]:
    if isinstance(shape, type) and issubclass(shape, Enum):
        return [str(option) for option in shape]
    return ["true" if option is True else str(option) for option in get_args(shape)]


_NAME_RULE = 'lower case letters and digits, with single "-" or "_" between them, a letter first: client_a'
_PATTERNS = {
    NAME: ("name", f"a name has {_NAME_RULE}"),
    ACTOR: ("actor", f"an actor is a host, or HOST.PROGRAM; a name has {_NAME_RULE}"),
    ENV_NAME: ("name of an environment variable", 'letters, digits and "_", no digit first: LANG'),
}


def _bad_pattern(fault: Fault) -> Message:
    noun, rule = _PATTERNS[fault.context["pattern"]]
    if not fault.about_key:
        return "bad-name", f"{fault.subject} cannot be {fault.written}: that is no {noun}", rule
    if len(fault.path) == 2:
        return "bad-name", f"a {CAST[str(fault.path[0])]} cannot be named {quoted(fault.key)}", rule
    return "bad-name", f"{fault.whose}: {quoted(fault.key)} is no {noun}", rule


def _too_short(fault: Fault) -> Message:
    least = fault.context["min_length"]
    if get_origin(fault.shape) is tuple and least > 1:
        what = f"{fault.subject} has fewer than {least} branches"
        return "too-few", what, "add a branch, or write the steps without it"
    if isinstance(fault.found.node, Scalar):
        return "empty", f"{fault.subject} is empty text", "write a text, or leave the key out"
    return "empty", f"{fault.subject} is empty", "put at least one thing in it"


def _too_long(fault: Fault) -> Message:
    name = fault.key if fault.about_key else fault.text
    what = f"the name {quoted(name[:20] + '…')}"
    return "too-long", f"{what} is longer than {fault.context['max_length']} characters", "shorten it"


_BOUNDS = {"ge": "it must be at least", "gt": "it must be more than", "le": "it must be at most"}


def _out_of_range(fault: Fault) -> Message:
    bound, limit = next(item for item in fault.context.items() if item[0] in _BOUNDS)
    return "out-of-range", f"{fault.subject} is {fault.written}", f"{_BOUNDS[bound]} {limit:g}"


def _no_form(fault: Fault) -> Message:
    return _no_subject(fault) if fault.path[:1] == ("checks",) else _no_verb(fault)


def _no_subject(fault: Fault) -> Message:
    unknown = _keys_beside(fault.found.node, CheckBase.model_fields)
    fix = did_you_mean(unknown[0] if unknown else "", CheckBase.family, "subjects")
    return "no-subject", f"{fault.whose} names no subject", fix


def _no_verb(fault: Fault) -> Message:
    actor, node = actor_of(fault.beside), fault.found.node
    if actor in Action.family:
        what, fix = f'{fault.whose} says "{actor}", but not who does it', f"`server: {{{actor}: …}}`"
        return "no-actor", what, f"begin with the host: {fix}"
    if not isinstance(node, Mapping):
        verb = fault.text if fault.text in Action.family else "start"
        return "wrong-type", f"{fault.whose}: {fault.written} is no action", f"write `{actor}: {{{verb}: …}}`"
    unknown = _keys_beside(node, Action.model_fields)
    if not unknown:
        what = f"{fault.whose} does not say what {quoted(actor)} does"
        return "unknown-action", what, f"actions: {listed(Action.family)}"
    what = f"{fault.whose}: {quoted(unknown[0])} is no action"
    if unknown[0] in BLOCKS:
        return "unknown-action", what, f"`{unknown[0]}:` is a step of its own, without an actor before it"
    return "unknown-action", what, did_you_mean(unknown[0], Action.family, "actions")


def _keys_beside(node: Node, known: Any) -> list[str]:
    return [key for key in node.names if key not in known] if isinstance(node, Mapping) else []


def _bad_value(fault: Fault) -> Message:
    fix = str(fault.context.get("error", f"see {fault.root.page} for what may stand here"))
    if isinstance(fault.found.node, Mapping):
        return "bad-value", f"{fault.subject} is not as it must be", fix
    return "bad-value", f"{fault.subject} cannot be {fault.written}", fix


_MESSAGES: dict[str, Callable[[Fault], Message]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "string_type": _not_text,
    "int_type": _wrong_type("a whole number", "int"),
    "int_from_float": _wrong_type("a whole number"),
    "float_type": _wrong_type("a number", "int", "float"),
    "bool_type": _wrong_type("true or false", "bool"),
    "tuple_type": _wrong_type("a list"),
    "dict_type": _wrong_type("a mapping"),
    "model_type": _not_mapping,
    "literal_error": _not_allowed,
    "enum": _not_allowed,
    "string_pattern_mismatch": _bad_pattern,
    "string_too_short": _too_short,
    "too_short": _too_short,
    "string_too_long": _too_long,
    "greater_than_equal": _out_of_range,
    "greater_than": _out_of_range,
    "less_than_equal": _out_of_range,
    "union_tag_not_found": _no_form,
    "union_tag_invalid": _no_form,
    "value_error": _bad_value,
}
