"""A step as a record holds it: what it expected and observed as text and, if it failed, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from lab.core.words import Outcome
from lab.evidence.facts import StepFact, tagged
from lab.evidence.message import Message
from lab.evidence.transcript import StepEnded

Tell: TypeAlias = Callable[[StepFact], str]
"""Makes a sentence of a fact."""


class StepFacts(Struct, frozen=True):
    """Why a step failed, as messages."""

    expected: Message
    observed: Message


class StepLine(Struct, frozen=True):
    """A step of the script was played; ``began`` and ``at`` are its times.

    ``step`` is its number in the script ("4", "7.2.1" inside blocks, "finally.1"); ``where`` its place in the
    scenario file; ``host`` its actor (``host`` or ``host.program``); ``what`` the step in words. If it
    failed, ``expected`` and ``observed`` say why, ``data`` says the same as messages, and ``rest`` is the
    output that was there and not consumed.
    """

    at: int
    began: int
    step: str
    where: str
    host: str
    what: str
    outcome: Outcome
    expected: str = ""
    observed: str = ""
    rest: str = ""
    data: StepFacts | UnsetType = UNSET


def line_of(step: StepEnded, tell: Tell) -> StepLine:
    """What is written of a step."""
    expected, observed = step.expected, step.observed
    return StepLine(
        step.at, step.began, step.step, step.where, step.host, step.what, step.outcome,
        tell(expected) if expected else "",
        tell(observed) if observed else "",
        step.rest,
        StepFacts(expected.message, observed.message) if expected and observed else UNSET,
    )  # fmt: skip


def facts_of(line: dict[str, Any]) -> dict[str, Any]:
    """What a line says that a step expected and observed; one of before has only the texts."""
    data = line.get("data")
    if isinstance(data, dict):
        return {name: tagged(data.get(name)) for name in ("expected", "observed")}
    texts = {name: line.get(name) for name in ("expected", "observed")}
    return {name: {"key": "text", "text": text} if text else None for name, text in texts.items()}
