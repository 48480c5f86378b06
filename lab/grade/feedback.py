"""What a student reads: points, what was expected, what happened, why, a hint, the conversation that failed.

Nothing of what is hidden is in it. Text from programs and compilers stands in it as text: no reader of
Markdown or HTML acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from lab.checks.conversation import SUBJECT as CONVERSATION
from lab.core.escape import escape, one_line
from lab.grade.assignment import Texts
from lab.grade.batch import Row
from lab.grade.points import flaky, shown, worded
from lab.grade.reading import Assigned, Played
from lab.grade.result import CaseResult, CheckSeen, RunOutcome, RunResult
from lab.grade.showing import LADDER

_OF_LINES = ("block", "quote")
"""Kinds of a text in several lines; a quote belongs to the field above it."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>$:@])")


class Line(Struct, frozen=True):
    """A line of feedback: its kind, a label, and its text."""

    kind: str
    text: str
    label: str = ""


def lines(row: Row, assigned: Assigned, records: Path) -> Iterator[Line]:
    """The feedback of one student, without a format."""
    yield Line("title", assigned.assignment.title)
    yield from _total(row, assigned)
    for reason in row.submission.remarks:
        yield Line("text", reason)
    if row.status == "refused":
        yield Line("text", f"It was not graded: {row.reasons[0]}")
        yield from _texts(assigned.assignment.texts.refused)
    if row.graded is not None:
        yield from _cases(row, assigned, records)
    if any(one.is_hidden for one in assigned.played) or _hides_checks(row):
        yield Line("text", "Other tests count, too, that are not shown here.")


class _Page(Struct, frozen=True):
    """What the feedback of one student is made from; ``told`` are words of compilers that it has already."""

    row: Row
    texts: Texts
    hidden: frozenset[str]
    records: Path
    told: set[str] = msgspec.field(default_factory=set)


def _cases(row: Row, assigned: Assigned, records: Path) -> Iterator[Line]:
    results = {case.name: case for case in row.graded.cases} if row.graded else {}
    hidden = frozenset(one.name for one in assigned.played if one.is_hidden)
    page = _Page(row, assigned.assignment.texts, hidden, records)
    for one in assigned.played:
        if not one.is_hidden:
            yield from _case(one, results[one.name], page)
    for said in dict.fromkeys(_words_of_build(row)):
        if said not in page.told:  # only a hidden scenario was not built
            yield Line("heading", "It does not build")
            yield Line("block", said)


def _words_of_build(row: Row) -> Iterator[str]:
    for case in row.graded.cases if row.graded else ():
        yield from (run.said for run in case.runs if run.outcome == "not-built")


def _hides_checks(row: Row) -> bool:
    cases = row.graded.cases if row.graded else ()
    return any(not check.shown for case in cases for run in case.runs for check in run.checks)


def _total(row: Row, assigned: Assigned) -> Iterator[Line]:
    """All points where all is shown; else those of what is shown stand with each scenario."""
    hides = any(one.is_hidden for one in assigned.played) or _hides_checks(row)
    if row.status == "human":
        yield Line("text", "A person will look at this submission: not all of it could be graded.")
        yield from _texts(assigned.assignment.texts.human)
    elif row.points is not None and not hides:
        yield Line("text", f"{shown(row.points)} of {worded(assigned.maximum)}")
    if row.late:
        cost = f": {shown(row.penalty)} points are taken away" if row.penalty else ""
        yield Line("text", f"{row.late}{cost}")


def _case(one: Played, result: CaseResult, page: _Page) -> Iterator[Line]:
    yield Line("heading", f"{one.name}: {one.loaded.scenario.title}")
    hidden_checks = any(not check.shown for run in result.runs for check in run.checks)
    if not hidden_checks:
        yield Line("text", _points(page.row, one))
    if result.blocked:
        needs = "another scenario" if result.blocked in page.hidden else result.blocked
        yield Line("text", f"It was not played, because {needs} did not pass.")
    for check in flaky(result, shown_only=True):
        yield Line("text", f'"{check.name}" passed in {check.passed} of {check.runs} runs.')
    run = min(result.runs, key=lambda run: _ORDER.index(_seen_outcome(run)), default=None)
    outcome = _seen_outcome(run) if run else "not-played"
    key = outcome.replace("-", "_")
    yield from _texts(getattr(one.case.texts, key) or getattr(page.texts, key))
    if run is not None:
        yield from _run(run, page)
    if result.advice:
        yield Line("text", "Sanitizers found this in your program. It costs no points, and is worth mending:")
    for one_of in result.advice:
        yield Line("check", f"{one_of.what}, at {one_of.place}" if one_of.place else one_of.what)


def _texts(text: str | None) -> Iterator[Line]:
    """What the teacher says, line by line."""
    for line in (text or "").strip().splitlines():
        yield Line("text", line)


def _points(row: Row, one: Played) -> str:
    score = row.scores[one.name]
    still = f", {shown(score.open)} still open" if score.open else ""
    return f"{shown(score.earned)} of {worded(one.case.worth)}{still}"


_ORDER = ("not-built", "failed", "trouble", "inconclusive", "passed")
"""Which of several runs is told of: the first that failed, else the first that came to nothing."""


def _seen_outcome(run: RunResult) -> RunOutcome:
    """What became of a run, by what its student may see."""
    outcomes = {check.outcome for check in run.checks if check.shown}
    return "passed" if outcomes == {"pass"} else run.outcome


def _run(run: RunResult, page: _Page) -> Iterator[Line]:
    if run.outcome == "not-built":
        yield from _not_built(run.said, page.told)
        return
    if run.outcome == "trouble":
        yield Line("text", "It could not be graded. That is no fault of yours.")
        return
    for check in run.checks:
        if check.shown:
            yield from check_lines(check)
    if run.shown and _seen_outcome(run) != "passed":
        yield from _ladder(page.records / run.shown / LADDER)


def _not_built(said: str, told: set[str]) -> Iterator[Line]:
    """The compiler's words, once."""
    if said in told:
        yield Line("text", "It does not build, as above.")
        return
    told.add(said)
    yield Line("text", "It does not build:")
    yield Line("block", said)


def check_lines(check: CheckSeen) -> Iterator[Line]:
    """A check, and what there is to tell of one that did not pass."""
    yield Line("check", f"{check.outcome}: {check.name}")
    if check.outcome in ("pass", "skipped"):
        return
    causes = "\n".join(check.causes)
    fields = {
        "follows from": check.follows,
        "expected": check.expected,
        "happened": check.observed,
        "cause": causes,
        "hint": check.hint if check.follows in ("", CONVERSATION) else "",  # what is to be mended is there
    }
    for label, text in fields.items():
        if text:
            yield Line("field", text, label)
        if label == "happened":
            for detail in check.details:
                yield Line("field", "", detail.label)
                yield Line("quote", detail.text)


def _ladder(file: Path) -> Iterator[Line]:
    try:
        drawn = file.read_text(encoding="utf-8")
    except OSError:
        return
    yield Line("text", "The conversation, in the order of time:")
    yield Line("block", drawn.rstrip("\n"))


def as_text(told: list[Line]) -> str:
    """Plain text."""
    return "\n".join(_plain(line) for line in told) + "\n"


def _plain(line: Line) -> str:
    text = escape(line.text) if line.kind in _OF_LINES else one_line(line.text)
    match line.kind:
        case "title":
            return f"{text}\n{'=' * len(text)}\n"
        case "heading":
            return f"\n{text}\n{'-' * len(text)}"
        case "check":
            return f"- {text}"
        case "field":
            return f"    {line.label}: {text}".rstrip()
        case "block" | "quote":
            indent = " " * (4 if line.kind == "block" else 8)
            return "\n".join(f"{indent}{part}" for part in text.split("\n"))
    return text


def as_markdown(told: list[Line]) -> str:
    """Markdown (CommonMark)."""
    return "\n".join(_marked(line) for line in told) + "\n"


def _marked(line: Line) -> str:
    if line.kind in _OF_LINES:
        text = escape(line.text)
        longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
        fence = "`" * max(3, longest + 1)
        fenced = f"\n{fence}text\n{text}\n{fence}\n"
        return fenced if line.kind == "block" else fenced.replace("\n", "\n      ").rstrip(" ")
    text = inert_markdown(line.text)
    match line.kind:
        case "title":
            return f"# {text}\n"
        case "heading":
            return f"\n## {text}\n"
        case "check":
            return f"- {text}"
        case "field":
            return f"    - {line.label}: {text}".rstrip()
    return f"{text}\n"


def inert_markdown(text: str) -> str:
    """Text in one line of which no reader of Markdown makes anything else."""
    plain = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\1", plain)
