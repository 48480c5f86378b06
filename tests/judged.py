"""Verdicts as tests read them: what is said as text, everything else as the data has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.checks import conversation, judging
from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.message import Message
from lab.evidence.verdict import CheckResult, Verdict
from lab.output.describe import Teller, Told, teller_of
from lab.output.sentences.captures import damage
from lab.wire.packets.problems import Unread


class Judged(Told):
    """A result whose texts are its sentences."""

    outcome: Outcome

    def __init__(self, result: CheckResult, teller: Teller) -> None:
        super().__init__(result, teller)
        self.outcome = result.outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.result, name)


class JudgedRun:
    """A verdict with such results."""

    def __init__(self, verdict: Verdict) -> None:
        teller = teller_of(verdict)
        self.verdict, self.outcome = verdict, verdict.outcome
        self.results = tuple(Judged(result, teller) for result in verdict.results)
        self.disagreements = tuple(map(teller.text, verdict.disagreements))


def judge(evidence: Evidence, only: Iterable[str] = ()) -> JudgedRun:
    """The verdict on a run."""
    return JudgedRun(judging.judge(evidence, tuple(only)))


def script(evidence: Evidence) -> Judged:
    """What became of the script."""
    return Judged(conversation.judge(evidence), Teller(evidence.origin))


def judged(result: CheckResult, evidence: Evidence) -> Judged:
    """A result of a run."""
    return Judged(result, Teller(evidence.origin, "capture.pcap"))


def text(said: Message | None) -> str:
    """A sentence without times; empty for none."""
    return Teller().text(said) if said else ""


def damages(unsound: Iterable[Unread]) -> tuple[str, ...]:
    """What of a capture could not be read, as text."""
    return tuple(map(damage, unsound))
