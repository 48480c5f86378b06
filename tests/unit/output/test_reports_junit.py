"""Verdicts as JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from lab.core.words import Outcome
from lab.evidence.message import Proof, message
from lab.evidence.verdict import CheckResult, Verdict
from lab.output.reports import Result
from lab.output.reports.junit import document

HOSTILE = "a\x00b\x1b[31m ]]> & <c \ud800 \udcff \uffff"


def result(name: str, outcome: Outcome, observed: str = "seen") -> CheckResult:
    wanted, seen, proof = (message("text", text=text) for text in ("wanted", observed, f"frame 7 {HOSTILE}"))
    return CheckResult(
        name, "output", outcome, (wanted,), (seen,), (Proof("output", proof),), "Flush?", 2, "visible"
    )


def test_a_suite_for_a_file_and_a_case_for_a_check() -> None:
    results = tuple(result(outcome.value, outcome, f"saw {outcome.value}") for outcome in Outcome)
    told = document(
        [Result("chat.yaml", Verdict("Chat", Outcome.FAIL, results)), Result("b.yaml", trouble="gone")]
    )
    root = ET.fromstring(told)  # noqa: S314 - it is ours
    chat, other = root.findall("testsuite")
    assert chat.attrib == {"name": "chat.yaml", "tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    cases = {case.attrib["name"]: case for case in chat.findall("testcase")}
    assert {name: [child.tag for child in case] for name, case in cases.items()} == {
        "pass": [], "fail": ["failure"], "inconclusive": ["error"], "skipped": ["skipped"],
    }  # fmt: skip
    assert {case.attrib["classname"] for case in cases.values()} == {"chat.yaml"}
    failure = cases["fail"][0]
    assert failure.attrib == {"type": "text", "message": "saw fail"}
    assert failure.text is not None
    assert failure.text.startswith("expected: wanted\nobserved: saw fail\nevidence: frame 7 a")
    assert failure.text.endswith("\nhint: Flush?")
    assert other.attrib["errors"] == "1"
    assert other.findall("testcase/error")[0].attrib["message"] == "gone"


def test_text_that_xml_forbids_is_shown_or_left_out() -> None:
    verdict = Verdict("T", Outcome.FAIL, (result(HOSTILE, Outcome.FAIL, HOSTILE),))
    (case,) = ET.fromstring(document([Result(HOSTILE, verdict)])).findall("testsuite/testcase")  # noqa: S314
    for text in (
        case.attrib["name"],
        case.attrib["classname"],
        case[0].attrib["message"],
        case[0].text or "",
    ):
        assert "]]> & <c" in text
        assert "\\xff" in text
        assert not any(ord(one) < 32 and one not in "\t\n" for one in text)
