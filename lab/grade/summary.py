"""What a teacher wants to know of a whole class, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from lab.core.escape import one_line
from lab.grade.batch import Row, Status
from lab.grade.points import flaky, shown
from lab.grade.reading import Assigned
from lab.grade.result import CaseResult

_BARS = 40
_LONGEST = 200
_ERRORS = ("undefined reference", "error")
"""Words from which on a line says what does not build."""

_VARIES = re.compile(r"'(?:hex:|[^']*\\x)[^']*(?:'|$)|[\w.]*\d[\w.]*")
"""What differs though the cause is the same: times, ports, processes, bytes, texts made anew in each run."""


def summary(rows: Sequence[Row], assigned: Assigned) -> Iterator[str]:
    """What a teacher wants to know of the whole class."""
    counts = Counter(row.status for row in rows)
    words: dict[Status, str] = {
        "graded": "graded",
        "refused": "refused",
        "human": "for a human",
        "waiting": "not graded yet",
    }
    told = ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
    yield one_line(assigned.assignment.title)
    yield f"{len(rows)} {'submission' if len(rows) == 1 else 'submissions'}: {told or 'none'}"
    yield from _distribution(rows, assigned.maximum)
    yield from _failures(rows)
    yield from _flaky(rows)
    for status, heading in (("human", "For a human"), ("refused", "Refused, with 0 points")):
        concerned = [row for row in rows if row.status == status]
        if concerned:
            yield from ("", f"{heading}:")
        for row in concerned:
            yield f"  {one_line(row.submission.student.name)}: {one_line('; '.join(row.reasons))}"
    same = equal(rows)
    if same:
        yield from ("", "Equal but for comments, white space and names of files:")
    for group in same:
        yield f"  {', '.join(one_line(row.submission.student.name) for row in group)}"


def _distribution(rows: Iterable[Row], maximum: Fraction) -> Iterator[str]:
    points = [row.points for row in rows if row.points is not None]
    if not points or not maximum:
        return
    ordered = sorted(points)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    mean = sum(points, Fraction(0)) / len(points)
    yield from ("", f"Points of {shown(maximum)}: mean {shown(mean)}, median {shown(middle)}")
    tenths = Counter(min(9, int(one * 10 / maximum)) for one in points)
    scale = max(1, -(-max(tenths.values()) // _BARS))
    for tenth in range(10):
        low, high = (shown(maximum * edge / 10) for edge in (tenth, tenth + 1))
        bar = "#" * -(-tenths[tenth] // scale)
        yield f"  {low + ' to ' + high:>16}  {tenths[tenth]:>4}  {bar}".rstrip()


def _failures(rows: Iterable[Row]) -> Iterator[str]:
    """Which check failed how often, with the cause that was told most often."""
    causes: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for case in row.graded.cases if row.graded else ():
            for name, cause in _failed_in(case).items():
                causes.setdefault((case.name, name), []).append(cause)
    if causes:
        yield from ("", "Failed, by how many:")
    for (case_name, name), told in sorted(causes.items(), key=lambda one: -len(one[1])):
        yield f"  {len(told):>4}  {case_name}: {one_line(name)}"
        kinds = [_VARIES.sub("#", cause) for cause in told]
        kind, often = Counter(kinds).most_common(1)[0]
        alike = [one_line(cause) for cause, own in zip(told, kinds, strict=True) if own == kind]
        if alike[0]:
            cut = " …" if len(alike[0]) > _LONGEST else ""
            like = ", like this" if len(set(alike)) > 1 else ""
            yield f"        {often} of them{like}: {alike[0][:_LONGEST]}{cut}"


def _failed_in(case: CaseResult) -> dict[str, str]:
    """What failed in any run, each with its first cause, or what happened."""
    found: dict[str, str] = {}
    for run in case.runs:
        if run.outcome == "not-built":
            found.setdefault("does not build", _first_error(run.said))
        for one in run.checks:
            if one.outcome == "fail":
                found.setdefault(one.name, one.causes[0] if one.causes else one.observed)
    return found


def _first_error(said: str) -> str:
    """The first of a compiler's or linker's lines that tells of an error, without the name of the file."""
    lines = said.strip().splitlines()
    found = (line[line.find(word) :] for line in lines for word in _ERRORS if word in line)
    return next(found, lines[0] if lines else "")


def _flaky(rows: Iterable[Row]) -> Iterator[str]:
    told = [
        f"  {one_line(row.submission.student.name)}: {case.name}: {one_line(one.name)} "
        f"passed in {one.passed} of {one.runs} runs"
        for row in rows
        for case in (row.graded.cases if row.graded else ())
        for one in flaky(case)
    ]
    if told:
        yield from ("", "Not the same in each run:")
    yield from told


def equal(rows: Iterable[Row]) -> list[list[Row]]:
    """Submissions that are the same but for comments, white space and names."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.submission.sameness:
            groups.setdefault(row.submission.sameness, []).append(row)
    return [group for group in groups.values() if len(group) > 1]
