"""What became of one assertion, and how those of a check make its result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from lab.checks.check import Check
from lab.core.words import Outcome
from lab.evidence.message import Message, Proof, message
from lab.evidence.verdict import CheckResult, Difference
from lab.scenario.base import Count

_SEVERITY = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)


class Finding(Struct, frozen=True):
    """One assertion, judged: ``observed`` are facts, each told once however many assertions found it.

    ``absent`` says that there was nothing at all to judge.
    """

    outcome: Outcome
    expected: Message
    observed: tuple[Message, ...]
    evidence: tuple[Proof, ...] = ()
    absent: bool = False
    doubt: Message | None = None
    """What the evidence lacks, where that leaves the assertion undecided."""
    difference: Difference | None = None
    missing: bool = False
    """Whether it fails for what did not come, not for what did."""


def find(
    expected: Message,
    observed: Message | Sequence[Message],
    evidence: Iterable[Proof] = (),
    *,
    holds: bool,
    doubt: Message | None = None,
    proven: bool = False,
    absent: bool = False,
    difference: Difference | None = None,
    missing: bool = False,
) -> Finding:
    """Judge an assertion by what was seen.

    ``doubt`` says what the evidence may lack. It makes the finding inconclusive unless it is ``proven``:
    unless what *was* seen decides it, whatever else there may have been.
    """
    facts = (observed,) if isinstance(observed, Message) else tuple(observed)
    if doubt and not proven:
        return Finding(Outcome.INCONCLUSIVE, expected, facts, tuple(evidence), doubt=doubt)
    if holds:
        return Finding(Outcome.PASS, expected, facts, tuple(evidence))
    return Finding(
        Outcome.FAIL,
        expected,
        facts,
        tuple(evidence),
        absent,
        difference=difference,
        missing=missing or absent,
    )


def decided(number: int, bounds: Count) -> bool:
    """Whether a count that can only grow decides already: over its maximum, or without one and enough."""
    over = bounds.maximum is not None and number > bounds.maximum
    return over or (bounds.maximum is None and number in bounds)


def conclude(spec: Check, findings: Sequence[Finding]) -> CheckResult:
    """The result of a check: the worst of its findings, said by those that made it so."""
    outcome = worst([finding.outcome for finding in findings])
    told = [finding for finding in findings if finding.outcome is outcome]
    return CheckResult(
        name=spec.name or spec.title,
        subject=spec.subject,
        outcome=outcome,
        expected=tuple(dict.fromkeys(finding.expected for finding in told)),
        observed=tuple(dict.fromkeys(_observed(told))),
        evidence=tuple(dict.fromkeys(proof for finding in told for proof in finding.evidence)),
        hint=(spec.hint or "") if outcome is Outcome.FAIL else "",
        points=spec.points,
        visibility=spec.visibility,
        absent=all(finding.absent for finding in told),
        differences=tuple(finding.difference for finding in told if finding.difference),
        missing=all(finding.missing for finding in told),
    )


def _observed(findings: Sequence[Finding]) -> Iterator[Message]:
    """The facts of several findings, and after them what is in doubt."""
    for finding in findings:
        yield from finding.observed
    for finding in findings:
        if finding.doubt:
            yield message("but", doubt=finding.doubt)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Fail before inconclusive before pass. Nothing at all is inconclusive, and so is what was skipped."""
    found = next((outcome for outcome in _SEVERITY if outcome in outcomes), Outcome.INCONCLUSIVE)
    return Outcome.INCONCLUSIVE if found is Outcome.PASS and Outcome.SKIPPED in outcomes else found
