"""Verdicts as JUnit XML, which CI servers show: a suite for a scenario, a case for a check.

The elements and attributes are those of the schema that Jenkins' xUnit plugin publishes (junit-10.xsd).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lab.core.escape import escape
from lab.core.words import Outcome
from lab.evidence.verdict import CheckResult
from lab.output.reports import Result

HELP = "Also write the results as JUnit XML."

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
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
    checks = judged.verdict.results if judged.verdict else ()
    cases = [_case(check, judged) for check in checks] or [_none(judged)]
    counts = Counter(child.tag for case in cases for child in case)
    totals = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    numbers = {name: str(counts[tag]) for name, tag in totals.items()}
    element = Element("testsuite", {"name": _clean(judged.name), "tests": str(len(cases)), **numbers})
    element.extend(cases)
    return element


def _case(check: CheckResult, judged: Result) -> Element:
    case = Element("testcase", {"classname": _clean(judged.name), "name": _clean(check.name)})
    if tag := _ELEMENTS.get(check.outcome):
        SubElement(case, tag, _told(check.observed)).text = _clean("\n".join(_lines(check)))
    return case


def _lines(result: CheckResult) -> Iterable[str]:
    """What the result table shows of a check that did not pass."""
    yield f"expected: {result.expected}"
    yield f"observed: {result.observed}"
    for label, texts in (
        ("follows from", [result.follows]), ("why", result.causes), ("programs", result.programs),
        ("evidence", result.evidence), ("hint", [result.hint]),
    ):  # fmt: skip
        yield from (f"{label}: {text}" for text in texts if text)


def _none(judged: Result) -> Element:
    """The one case of a suite without a verdict."""
    case = Element("testcase", {"classname": _clean(judged.name), "name": "verdict"})
    SubElement(case, "error", _told(judged.trouble))
    return case


def _told(text: str) -> dict[str, str]:
    return {"message": _clean(text)}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", escape(text))
