"""Verdicts as JUnit XML, which CI servers show: a suite for a scenario, a case for a check.

The elements and attributes are those of the schema that Jenkins' xUnit plugin publishes (junit-10.xsd).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lab.core.escape import escape
from lab.core.words import Outcome
from lab.output.describe import Told, teller_of
from lab.output.reports import Result

HELP = "Also write the results as JUnit XML."

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML 1.0 document may hold (section 2.2)."""

_ELEMENTS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.SKIPPED: "skipped"}
"""What tells of a case that did not pass."""


def document(results: Iterable[Result]) -> str:
    """One XML document."""
    root = Element("testsuites")
    for result in results:
        root.append(_suite(result))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(judged: Result) -> Element:
    cases = [_case(told, judged) for told in _told(judged)] if judged.verdict else [_none(judged)]
    counts = Counter(child.tag for case in cases for child in case)
    totals = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    numbers = {name: str(counts[tag]) for name, tag in totals.items()}
    element = Element("testsuite", {"name": _clean(judged.name), "tests": str(len(cases)), **numbers})
    element.extend(cases)
    return element


def _told(judged: Result) -> Iterator[Told]:
    if judged.verdict:
        teller = teller_of(judged.verdict)
        yield from (Told(result, teller) for result in judged.verdict.results)


def _case(told: Told, judged: Result) -> Element:
    case = Element("testcase", {"classname": _clean(judged.name), "name": _clean(told.result.name)})
    if tag := _ELEMENTS.get(told.result.outcome):
        kind = next((said.key for said in told.result.observed), "")
        about = {"type": kind, **_message(told.observed)}
        SubElement(case, tag, about).text = _clean("\n".join(_lines(told)))
    return case


def _lines(told: Told) -> Iterable[str]:
    """What the result table shows of a check that did not pass."""
    result = told.result
    yield f"expected: {told.expected}"
    yield f"observed: {told.observed}"
    for label, texts in (
        ("follows from", [result.follows]), ("why", told.causes), ("programs", told.programs),
        ("evidence", told.evidence), ("hint", [result.hint]),
    ):  # fmt: skip
        yield from (f"{label}: {text}" for text in texts if text)


def _none(judged: Result) -> Element:
    """The one case of a suite without a verdict."""
    case = Element("testcase", {"classname": _clean(judged.name), "name": "verdict"})
    SubElement(case, "error", _message(judged.trouble))
    return case


def _message(text: str) -> dict[str, str]:
    return {"message": _clean(text)}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", escape(text))
