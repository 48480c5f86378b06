"""Verdicts as JUnit XML, which CI servers show: a suite for a scenario, a case for a check.

The elements and attributes are those of the schema that Jenkins' xUnit plugin publishes (junit-10.xsd).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from msgspec import Struct

from lab.core.escape import escape
from lab.core.words import Outcome
from lab.evidence.verdict import CheckResult, Verdict

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold (section 2.2)."""

_ELEMENTS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.SKIPPED: "skipped"}
"""What tells of a case that did not pass."""


class Suite(Struct, frozen=True):
    """What became of one scenario file or record: a verdict, or the ``trouble`` for which there is none."""

    name: str
    verdict: Verdict | None = None
    trouble: str = ""


def document(suites: Iterable[Suite]) -> str:
    """The suites as one XML document."""
    root = Element("testsuites")
    for suite in suites:
        root.append(_suite(suite))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(suite: Suite) -> Element:
    cases = [_case(result, suite) for result in suite.verdict.results] if suite.verdict else [_none(suite)]
    counts = Counter(child.tag for case in cases for child in case)
    totals = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    numbers = {name: str(counts[tag]) for name, tag in totals.items()}
    element = Element("testsuite", {"name": _clean(suite.name), "tests": str(len(cases)), **numbers})
    element.extend(cases)
    return element


def _case(result: CheckResult, suite: Suite) -> Element:
    case = Element("testcase", {"classname": _clean(suite.name), "name": _clean(result.name)})
    if tag := _ELEMENTS.get(result.outcome):
        SubElement(case, tag, _told(result.observed)).text = _clean("\n".join(_lines(result)))
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


def _none(suite: Suite) -> Element:
    """The one case of a suite without a verdict."""
    case = Element("testcase", {"classname": _clean(suite.name), "name": "verdict"})
    SubElement(case, "error", _told(suite.trouble))
    return case


def _told(text: str) -> dict[str, str]:
    return {"message": _clean(text)}


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", escape(text))
