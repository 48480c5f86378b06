r"""Frozen structs to what JSON can hold, and back: strict, and for untrusted data.

JSON holds no lone surrogates, which stand for bytes that are no UTF-8 (PEP 383): a text with some of them
becomes ``{"escaped": "caf\\xe9"}``, in which a backslash is ``\\\\``.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

FORMAT = 1
"""The version of records. A reader takes no other, and passes over keys that it does not know."""

_LONE = re.compile("[\udc80-\udcff]")
_BYTES = re.compile(r"\\|[\udc80-\udcff]")
_SHOWN_BYTES = re.compile(r"\\(\\|x[89a-f][0-9a-f]|)")
_ESCAPED = "escaped"

_TOLD = 200
"""Characters of an error that are told: a value of the record may be in it."""


class Unfit(ValueError):  # noqa: N818 - a fact about data; lab.evidence.record makes an EvidenceError of it
    """Data that is not what it should be, and where: ``rows[0].state: Invalid enum value 'OPEN'``."""


def encode(value: Any) -> Any:
    """The value as JSON holds it, fields in the order of their class."""
    return msgspec.to_builtins(value)


def decode(kind: type[T], data: Any) -> T:
    """The value of that kind that ``data`` was made of, escaped or not. Unfit if there is none."""
    try:
        return msgspec.convert(_unescaped(data), kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error)[:_TOLD].partition(" - at `$")
        place = place.strip("`").removeprefix(".")
        raise Unfit(f"{place}: {what}" if place else what) from error


def escaped(data: Any) -> Any:
    """What :func:`encode` gave, without lone surrogates."""
    if isinstance(data, str):
        return {_ESCAPED: _BYTES.sub(_shown, data)} if _LONE.search(data) else data
    if isinstance(data, list | tuple):
        return [escaped(item) for item in data]
    return {key: escaped(item) for key, item in data.items()} if isinstance(data, dict) else data


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    return "\\\\" if character == "\\" else f"\\x{ord(character) - 0xDC00:02x}"


def _unescaped(data: Any) -> Any:
    if isinstance(data, list):
        return [_unescaped(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == {_ESCAPED} and isinstance(data[_ESCAPED], str):
        return _SHOWN_BYTES.sub(_meant, data[_ESCAPED])
    return {key: _unescaped(item) for key, item in data.items()}


def _meant(found: re.Match[str]) -> str:
    if not found[1]:
        raise Unfit("a backslash is followed by another one, or by x80 to xff")
    return "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16))
