"""Frozen structs to what JSON can hold, and back: strict, and for untrusted data.

Knows what records are made of: ``int``, ``str``, ``bool``, words (StrEnum), ``tuple[X, ...]``,
``Mapping[str, X]`` and structs of these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

T = TypeVar("T")
Decoder = Callable[[Any], Any]

_LARGEST = 2**63
"""No time or count of a record reaches it; larger ones only make trouble for who prints them."""


class Unfit(ValueError):  # noqa: N818 - a fact about data; lab.evidence.record makes an EvidenceError of it
    """Data that is not what it should be; ``path`` leads to the place, ``[3].rows[0].state``."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(f"{path.removeprefix('.')}: {what}" if path else what)
        self.what = what
        self.path = path

    def under(self, step: str) -> Unfit:
        """The same, seen from one level above."""
        return Unfit(self.what, step + self.path)


def encode(value: Any) -> Any:
    """The value as JSON holds it, fields in the order of their class."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, Struct):
        return {name: encode(getattr(value, name)) for name in value.__struct_fields__}
    return value


_BYTES = re.compile(r"\\|[\udc80-\udcff]")
_SHOWN_BYTES = re.compile(r"\\(\\|x[89a-f][0-9a-f]|)")
_ESCAPED = "escaped"


def escaped(data: Any) -> Any:
    r"""What :func:`encode` gave, without lone surrogates, which JSON cannot hold.

    A text with bytes that are no UTF-8 becomes ``{"escaped": "caf\\xe9"}``, in which a backslash is ``\\\\``.
    """
    if isinstance(data, str):
        return {_ESCAPED: _BYTES.sub(_shown, data)} if _LONE.search(data) else data
    if isinstance(data, list):
        return [escaped(item) for item in data]
    return {key: escaped(item) for key, item in data.items()} if isinstance(data, dict) else data


_LONE = re.compile("[\udc80-\udcff]")


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    return "\\\\" if character == "\\" else f"\\x{ord(character) - 0xDC00:02x}"


def _text(data: Any) -> str:
    """A text, or one that is told with its bytes."""
    if type(data) is not dict:
        text: str = _exactly(str)(data)
        return text
    if data.keys() != {_ESCAPED} or type(data[_ESCAPED]) is not str:
        raise Unfit(f"text is needed, or an object with {_ESCAPED!r} alone")
    return _SHOWN_BYTES.sub(_meant, data[_ESCAPED])


def _meant(found: re.Match[str]) -> str:
    if not found[1]:
        raise Unfit("a backslash is followed by another one, or by x80 to xff")
    return "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16))


def decode(kind: type[T], data: Any) -> T:
    """The value of that kind that :func:`encode` made ``data`` of. Unfit if there is none."""
    of: Any = kind
    value: T = _decoder(of)(data)
    return value


@cache
def _decoder(kind: Any) -> Decoder:
    if get_origin(kind) is tuple:
        return _sequence(_decoder(get_args(kind)[0]))
    if get_origin(kind) is Mapping:
        return _mapping(_decoder(get_args(kind)[1]))
    if issubclass(kind, Struct):
        return _record(kind)
    if issubclass(kind, StrEnum):
        return _word(kind)
    return {int: _whole, str: _text}.get(kind) or _exactly(kind)


def _exactly(kind: type) -> Decoder:
    def decoded(data: Any) -> Any:
        if type(data) is not kind:
            raise Unfit(f"{_NAMES[kind]} is needed, not {_name(data)}")
        return data

    return decoded


def _whole(data: Any) -> int:
    if type(data) is not int or not -_LARGEST < data < _LARGEST:
        raise Unfit(f"a whole number of at most 63 bits is needed, not {_name(data)}")
    return data


def _word(kind: type[StrEnum]) -> Decoder:
    words = {word.value: word for word in kind}

    def decoded(data: Any) -> StrEnum:
        if not isinstance(data, str) or data not in words:
            raise Unfit(f"one of {', '.join(words)} is needed")
        return words[data]

    return decoded


def _sequence(item: Decoder) -> Decoder:
    def decoded(data: Any) -> tuple[Any, ...]:
        if type(data) is not list:
            raise Unfit(f"a list is needed, not {_name(data)}")
        return tuple(_at(item, one, f"[{position}]") for position, one in enumerate(data))

    return decoded


def _mapping(item: Decoder) -> Decoder:
    def decoded(data: Any) -> dict[str, Any]:
        if type(data) is not dict:
            raise Unfit(f"an object is needed, not {_name(data)}")
        return {key: _at(item, one, f".{key}") for key, one in data.items()}

    return decoded


def _record(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is NODEFAULT}

    def decoded(data: Any) -> Any:
        if type(data) is not dict:
            raise Unfit(f"an object is needed, not {_name(data)}")
        if unknown := data.keys() - decoders.keys():
            raise Unfit("there is no such key", f".{min(unknown)}")
        if missing := needed - data.keys():
            raise Unfit("it is missing", f".{min(missing)}")
        return kind(**{key: _at(decoders[key], one, f".{key}") for key, one in data.items()})

    return decoded


def _at(decoder: Decoder, data: Any, step: str) -> Any:
    try:
        return decoder(data)
    except Unfit as unfit:
        raise unfit.under(step) from None


_NAMES: Mapping[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a fraction",
    list: "a list",
    dict: "an object",
}


def _name(data: Any) -> str:
    return _NAMES.get(type(data), "null")
