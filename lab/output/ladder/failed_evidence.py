"""Checks that did not pass, and the frames they name as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.core.words import Outcome
from lab.evidence.evidence import Evidence
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult, Verdict
from lab.output.describe import Teller, Told, teller_of
from lab.output.ladder.rows import Broke

_WORST_FIRST = (Outcome.FAIL, Outcome.INCONCLUSIVE)

Frame = tuple[str, int]
"""A capture's path and the number of a frame in it."""


class FailedEvidence:
    """Which frames spoke against which checks, and which checks are still to be told."""

    def __init__(self, evidence: Evidence, verdict: Verdict | None) -> None:
        self._ended = evidence.info.ended
        self._teller = teller_of(verdict) if verdict else Teller()
        self._outcomes: dict[Frame, Outcome] = {}
        self._decided: dict[Frame, list[CheckResult]] = {}
        self._untold: list[CheckResult] = []
        steps = (event for event in evidence.transcript.events if isinstance(event, StepEnded))
        self._step_broke = any(step.outcome in _WORST_FIRST for step in steps)
        for result in verdict.results if verdict else ():
            if result.outcome in _WORST_FIRST and not self._shown_as_step(result):
                self._take(result)

    def of(self, frames: Iterable[Frame]) -> Outcome | None:
        """The worst that became of the checks whose evidence these frames are."""
        found = {self._outcomes.get(frame) for frame in frames}
        return next((outcome for outcome in _WORST_FIRST if outcome in found), None)

    def decided(self, frames: Iterable[Frame], time: int) -> Iterator[Broke]:
        """The checks whose last piece of evidence these frames are, each once."""
        for frame in frames:
            for result in self._decided.pop(frame, ()):
                self._untold.remove(result)
                yield self._broke(result, time)

    def rest(self) -> Iterator[Broke]:
        """The checks that no packet shown decided."""
        for result in self._untold:
            yield self._broke(result, self._ended)

    def _shown_as_step(self, result: CheckResult) -> bool:
        """Whether a row of the transcript tells it already."""
        return result.subject == "conversation" and self._step_broke

    def _take(self, result: CheckResult) -> None:
        self._untold.append(result)
        named = [(proof.capture, proof.frame) for proof in result.evidence if proof.frame]
        for frame in named:
            if self._outcomes.get(frame) is not Outcome.FAIL:
                self._outcomes[frame] = result.outcome
        if named:
            self._decided.setdefault(named[-1], []).append(result)

    def _broke(self, result: CheckResult, time: int) -> Broke:
        told = Told(result, self._teller)
        fields = {"expected": told.expected, "observed": told.observed}
        return Broke(time, result.outcome, result.name, fields)
