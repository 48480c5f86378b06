"""From the tree to plain data, with nothing guessed: text, whole numbers, decimals, true and false.

YAML 1.1 also reads ``no`` as false, ``0777`` as 511, ``12:30`` as 750 and ``1e3`` as text; YAML 1.2
reads them otherwise. A file must mean the same to every reader, so such words are refused unless quoted.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from lab.core.errors import Problem
from lab.scenario.loader.tree import Mapping, Node, Scalar, Sequence, is_nothing

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{1,9}")
_ELSEWHERE = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+|0o[0-7]+")
"""Numbers to YAML 1.2 but not to 1.1."""

_RESOLVER = yaml.resolver.Resolver()
_KINDS = {
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "null": "nothing at all",
    "timestamp": "a date",
    "merge": "a merge key",
    "value": "a default key",
}


def kind_of(scalar: Scalar) -> str:
    """What YAML reads an unquoted word as: str, int, float, bool, null or another of its kinds."""
    if not scalar.plain:
        return "str"
    if _ELSEWHERE.fullmatch(scalar.text):
        return "float"
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, scalar.text, (True, False))  # type: ignore[no-untyped-call]
    return tag.rpartition(":")[2]


def in_words(kind: str) -> str:
    """A kind of :func:`kind_of` as a person says it."""
    return _KINDS.get(kind, "text")


def quoted(text: str) -> str:
    """The text between double quotes, as YAML and JSON write it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def plain_data(node: Node, problems: list[Problem]) -> Any:
    """What the node holds, for a JSON reader; what it may not hold is added to the problems."""
    if isinstance(node, Scalar):
        return _scalar(node, problems)
    if isinstance(node, Sequence):
        return [plain_data(item, problems) for item in node.items]
    return _mapping(node, problems)


def _mapping(node: Mapping, problems: list[Problem]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    first: dict[str, Scalar] = {}
    for key, value in node.pairs:
        kind = kind_of(key)
        if kind != "str":
            problems.append(_key_problem(key, kind))
        if kind == "merge":
            continue
        if is_nothing(value):
            problems.append(_nothing(f"after {quoted(key.text)}", value))
        held = plain_data(value, problems)
        if key.text in first:
            problems.append(_duplicate(key, first[key.text]))
            continue
        first[key.text], data[key.text] = key, held
    return data


def _duplicate(key: Scalar, first: Scalar) -> Problem:
    what = f"the key {quoted(key.text)} is given twice; the first stands in line {first.at.line}"
    return Problem("duplicate-key", what, key.at, "take one away, or give it another name")


def _key_problem(key: Scalar, kind: str) -> Problem:
    if kind == "merge":
        return Problem("merge-key", "`<<` is a YAML merge key", key.at, "write out what it stands for")
    what = f"YAML reads the key `{key.text}` as {in_words(kind)}"
    return Problem("yaml-type", what, key.at, f"write {quoted(key.text)}")


def _scalar(node: Scalar, problems: list[Problem]) -> Any:
    kind = kind_of(node)
    if kind == "int" and _INTEGER.fullmatch(node.text):
        return int(node.text)
    if kind == "float" and _DECIMAL.fullmatch(node.text):
        return float(node.text)
    if kind == "bool" and node.text in ("true", "false"):
        return node.text == "true"
    if kind != "str":
        problems.append(_scalar_problem(node, kind))
    return node.text


def _nothing(where: str, node: Node) -> Problem:
    return Problem("no-value", f"nothing is written {where}", node.at, 'write a value; empty text is ""')


def _scalar_problem(node: Scalar, kind: str) -> Problem:
    if is_nothing(node):
        return _nothing("here", node)
    fix = f"write {quoted(node.text)} if text is meant"
    if kind == "bool":
        fix += f", {'true' if node.text.lower() in ('yes', 'on', 'true') else 'false'} if not"
    elif kind in ("int", "float"):
        fix += ", or the number in plain digits"
    return Problem("yaml-type", f"YAML reads `{node.text}` as {in_words(kind)}", node.at, fix)
