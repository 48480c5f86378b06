"""What the payload of a datagram is to be: a text, bytes, or what a regular expression matches."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import Annotated, ClassVar

from msgspec import Struct
from pydantic import Field

from lab.core.bytes_regex import BytesRegexError, searcher
from lab.core.errors import UsageError
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message, message
from lab.scenario.base import Bytes, Model, Text
from lab.scenario.mistake import Mistake, Path
from lab.scenario.variables import substitute
from lab.wire.udp import Datagram

_SHOWN, _SHOWN_BYTES = 200, 32
"""Bytes of a payload that are shown, and of one that is no text."""

_decoder = codecs.getincrementaldecoder("utf-8")
"""A character of which the beginning is cut off with the payload is left out."""

_KINDS = ("text", "bytes", "contains", "regex")


class PayloadSpec(Model):
    """What the payload of datagrams is."""

    heading: ClassVar[str] = "A payload"
    short: ClassVar[str] = "text"

    text: Annotated[str | None, Field(description="Exactly this text")] = None
    bytes: Annotated[Bytes | None, Field(description="Exactly these bytes")] = None
    contains: Annotated[Text | None, Field(description="This text, anywhere in it")] = None
    regex: Annotated[
        Text | None, Field(description="What this regular expression of RE2's matches, anywhere in it")
    ] = None
    nth: Annotated[int | None, Field(ge=1, description="Of this datagram only; of each unless given")] = None

    def mistakes(self, path: Path) -> Iterator[Mistake]:
        """More or less than one kind of payload, and an expression that cannot be used."""
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            what = f': "payload" says {" and ".join(kinds) if kinds else "nothing"}'
            yield Mistake("bad-pattern", path, what, f"write one of: {', '.join(_KINDS)}")
        elif self.regex is not None:
            try:
                searcher(self.regex)
            except BytesRegexError as error:
                what = f": it has a regular expression that cannot be read: {error}"
                fix = "write it in RE2's syntax, which has no lookahead and no back references"
                yield Mistake("bad-pattern", (*path, "regex"), what, fix)
            except UsageError as error:
                yield Mistake(error.code, (*path, "regex"), f": {error.what}", error.fix)


class Wanted(Struct, frozen=True):
    """How a payload is told, and whether a datagram has it; None if too little was captured to know."""

    told: Message
    has: Callable[[Datagram], bool | None]


def wanted_of(spec: PayloadSpec, evidence: Evidence) -> Wanted:
    """What the payload is to be, with the values that variables had."""
    if spec.regex is not None:
        search = searcher(spec.regex)
        told = message("datagram-matches", regex=spec.regex, nth=spec.nth)
        return Wanted(told, lambda one: search(one.payload) if one.whole else None)
    if spec.contains is not None:
        part = substitute(spec.contains, evidence.info.variables).encode()
        told = message("datagram-contains", payload=shown(part), nth=spec.nth)
        return Wanted(told, lambda one: part in one.payload or (False if one.whole else None))
    exact = spec.bytes
    if exact is None:
        exact = substitute(spec.text or "", evidence.info.variables).encode()
    told = message("datagram-payload", payload=shown(exact), nth=spec.nth)
    return Wanted(told, lambda one: _is(one, exact))


def _is(one: Datagram, wanted: bytes) -> bool | None:
    if one.size != len(wanted) or not wanted.startswith(one.payload):
        return False
    return True if one.whole else None


def shown(payload: bytes) -> str:
    """The beginning of a payload: as text, or if it is none in hexadecimal digits."""
    start = payload[:_SHOWN]
    try:
        return _decoder().decode(start, final=len(payload) <= _SHOWN)
    except UnicodeDecodeError:
        pass
    more = " ..." if len(payload) > _SHOWN_BYTES else ""
    return f"hex:{start[:_SHOWN_BYTES].hex(' ')}{more}"
