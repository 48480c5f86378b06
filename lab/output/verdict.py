"""The result table: each check with what was expected, what was observed, and what proves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from lab.core.escape import escape
from lab.core.words import Outcome
from lab.evidence.transcript import StepEnded
from lab.evidence.verdict import CheckResult, Difference, Verdict
from lab.output.describe import Told, teller_of
from lab.output.difference import side_by_side
from lab.output.style import NARROWEST, Ink, Style, columns, cut

_FIELD = 10
"""Columns of the widest field name, ``expected``, and a gap."""

PROOFS = 4
"""Sentences of evidence shown for a check that did not pass; the verdict's file holds them all."""

PROOFS_OF_PASS = 2

DIFFERENCES = 3
"""Texts that a check did not find, shown with what was nearest to them."""

SCREEN_LINES = 12
"""Lines shown of what was on a screen and not consumed."""

_WORDS = {Outcome.FAIL: "failed"}


def table(verdict: Verdict, style: Style, broken: Iterable[StepEnded] = ()) -> Iterator[str]:
    """The lines of the result table; ``broken`` are the steps that failed, to show their screens."""
    failed = tuple(broken)
    # What `finally` found is told with the programs, if the script had failed before.
    screens = tuple(step for step in failed if not step.step.startswith("finally.")) or failed
    widest = max((len(result.outcome.value) for result in verdict.results), default=0)
    margin = widest + 4 if style.width >= 60 else 4
    teller = teller_of(verdict)
    for result in _causes_first(verdict.results):
        if result.subject != "conversation" or not screens:
            yield from _check(Told(result, teller), margin, style)
            continue
        # What was not consumed is among the evidence; on a screen of its own it can be read.
        yield from _check(Told(replace(result, evidence=result.evidence[:1]), teller), margin, style)
        for step in screens:
            yield from _screen(step, margin, style)
    for said in verdict.disagreements:
        label = style.sign(Outcome.INCONCLUSIVE)
        yield from style.paragraph(teller.text(said), indent=margin, label=label, label_ink=Ink.FAINT)
    yield ""
    yield from _summary(verdict, style)


def _causes_first(results: Sequence[CheckResult]) -> list[CheckResult]:
    """What others follow from and follows from none, then the others, each in their order."""
    named = {result.follows for result in results if result.follows}
    first = [result for result in results if result.name in named and not result.follows]
    return [*first, *(result for result in results if result not in first)]


def _summary(verdict: Verdict, style: Style) -> Iterator[str]:
    """``✗ fail  5 of 7 checks passed, 1 failed, 1 skipped``."""
    if not verdict.results:
        yield from style.paragraph("nothing is judged: the file has no steps", style.ink(verdict.outcome))
        return
    counts = Counter(result.outcome for result in verdict.results)
    following = sum(bool(result.follows) for result in verdict.results)
    passed = f"{counts.pop(Outcome.PASS, 0)} of {len(verdict.results)} checks passed"
    others = [f"{counts[kind]} {_WORDS.get(kind, kind.value)}" for kind in Outcome if counts[kind]]
    if following:
        failed = f"{counts[Outcome.FAIL]} failed"
        others[others.index(failed)] = f"{failed}, {following} of them because of another"
    label = f"{style.sign(verdict.outcome)} {verdict.outcome.value}  "
    ink = style.ink(verdict.outcome)
    yield from style.paragraph(
        ", ".join([passed, *others]), indent=columns(label), label=label, label_ink=ink
    )


def _check(told: Told, margin: int, style: Style) -> Iterator[str]:
    """A check: its outcome and name on one line where there is room, and what it rests on below."""
    result = told.result
    outcome = f"{style.sign(result.outcome)} {result.outcome.value}"
    if columns(outcome) + 2 > margin:
        yield style.paint(outcome, style.ink(result.outcome))
        outcome = ""
    ink = style.ink(result.outcome)
    yield from style.paragraph(result.name, Ink.STRONG, indent=margin, label=outcome, label_ink=ink)
    if result.outcome is Outcome.PASS:
        yield from _passed(told, margin, style)
    else:
        yield from _not_passed(told, margin, style)


def _passed(told: Told, margin: int, style: Style) -> Iterator[str]:
    """What was observed, and the first sentences of what proves it."""
    yield from style.paragraph(told.observed, Ink.FAINT, indent=margin)
    bullet = " " * margin + ("·" if style.unicode else "-")
    for sentence in _some(told.evidence, PROOFS_OF_PASS):
        yield from style.paragraph(sentence, Ink.FAINT, indent=margin + 2, label=bullet, label_ink=Ink.FAINT)


def _not_passed(told: Told, margin: int, style: Style) -> Iterator[str]:
    """What was expected and observed, what proves it, and what to think about."""
    # What follows from another failure is told in short: what is to be mended is there.
    result, own = told.result, not told.result.follows
    fields = {
        "follows": f"from: {result.follows}" if result.follows else "",
        "expected": told.expected,
        "observed": told.observed,
        "why": "\n".join(told.causes),
        "programs": "\n".join(told.programs),
        "evidence": "\n".join(_some(told.evidence, PROOFS)) if own else "",
        "hint": result.hint if own else "",
    }
    for name, text in fields.items():
        if text:
            label = " " * margin + name
            yield from style.paragraph(text, indent=margin + _FIELD, label=label, label_ink=Ink.FAINT)
        if name == "observed":
            for difference in result.differences[:DIFFERENCES]:
                yield from _nearest(difference, margin, style)


def _nearest(difference: Difference, margin: int, style: Style) -> Iterator[str]:
    """A text that was expected and the nearest that was there, the places marked where they differ."""
    yield " " * margin + style.paint("the nearest text that was there:", Ink.FAINT)
    before = margin + 2
    room = max(style.width - before - _FIELD, NARROWEST)
    for label, text in side_by_side(difference):
        margin_and_label = " " * before + style.paint(f"{label:<{_FIELD}}", Ink.FAINT)
        if label:
            yield margin_and_label + cut(escape(text), room)
        elif len(text) <= room:
            yield margin_and_label + style.paint(text, Ink.BAD)


def _some(evidence: Sequence[str], most: int) -> Iterator[str]:
    yield from evidence[:most]
    if len(evidence) > most:
        yield f"and {len(evidence) - most} more in verdict.json"


def _screen(step: StepEnded, margin: int, style: Style) -> Iterator[str]:
    """What a failed step still had on its screen; nothing if that was nothing."""
    lines = step.rest.replace("\r\n", "\n").strip("\n").split("\n") if step.rest.strip() else []
    if not lines:
        return
    bar = " " * margin + ("│ " if style.unicode else "| ")
    yield from style.paragraph(f"the rest of {step.host}'s screen", Ink.FAINT, indent=margin)
    if len(lines) > SCREEN_LINES:
        yield f"{bar}... {len(lines) - SCREEN_LINES} lines before"
    for line in lines[-SCREEN_LINES:]:
        for part in style.paragraph(line, indent=len(bar)):
            yield (bar + part[len(bar) :]).rstrip()
