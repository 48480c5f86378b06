"""What is said of a run, as data. ``lab.output.sentences`` makes the sentences, a template for each key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    Value: TypeAlias = str | int | float | "Message" | tuple["Value", ...] | None
else:
    Value = Any  # msgspec makes no schema of an alias that names itself
"""What a sentence is said of: names, numbers, times (ns), truth values, other messages, several of these."""


class Message(Struct, frozen=True):
    """Something that is said: the key of its sentence, and what it is said of."""

    key: str
    parameters: Mapping[str, Value]

    def __hash__(self) -> int:
        return hash((self.key, *self.parameters.items()))


def message(key: str, /, **parameters: Value) -> Message:
    """Something that is said; its sentence stands in ``lab.output.sentences``."""
    return Message(key, parameters)


def key_of(name: str) -> str:
    """The key of what has a class of its own: ``memory-used-up`` of ``MemoryUsedUp``."""
    return re.sub(r"\B([A-Z])", r"-\1", name).lower()


ProofKind = Literal["frame", "socket", "counter", "process", "program", "output", "file", "step"]


class Proof(Struct, frozen=True, omit_defaults=True):
    """A piece of evidence: what was seen, and where in the record it stands.

    ``capture`` and ``frame`` name a frame, ``connection`` is the number that ``lab flow`` gives the
    connection, ``time`` is that of the capture's clock (ns). What there is none of is left at its default.
    """

    kind: ProofKind
    what: Message
    capture: str = ""
    frame: int = 0
    time: int = 0
    host: str = ""
    connection: int = 0
    step: str = ""


def proof(
    kind: ProofKind, key: str, /, *, host: str = "", time: int = 0, step: str = "", **parameters: Value
) -> Proof:
    """A piece of evidence that is no frame; its sentence may also use ``host``, ``time`` and ``step``."""
    return Proof(kind, Message(key, parameters), host=host, time=time, step=step)
