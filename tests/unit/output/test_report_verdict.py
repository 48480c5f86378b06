"""The result table and the conversation, as people read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from lab.core.words import Outcome
from lab.evidence.facts import Described
from lab.evidence.message import Message, Proof, message
from lab.evidence.transcript import Dropped, Exited, Input, Output, Started, StepEnded, Transcript
from lab.evidence.verdict import CheckResult, Difference, Verdict
from lab.output.document import verdict_as_data
from lab.output.style import Style
from lab.output.transcript import conversation, step
from lab.output.verdict import table


def _said(text: str) -> tuple[Message, ...]:
    return (message("text", text=text),)


def _shown(*texts: str) -> tuple[Proof, ...]:
    return tuple(Proof("output", message("text", text=text)) for text in texts)


LINES = _shown("line 1", "line 2", "line 3")
FRAME = Proof("frame", message("fin-acknowledged", host="a"), "lo.pcap", 7, 5_000_000)
PASSED = CheckResult("Greets", "output", Outcome.PASS, _said("it greets"), _said("it does"), LINES)
FAILED = CheckResult(
    "Leaves", "output", Outcome.FAIL, _said("it leaves"), _said("it stays"), (FRAME,), "Does it?", 2
)
DOUBTED = replace(PASSED, name="Who knows", outcome=Outcome.INCONCLUSIVE)
SKIPPED = replace(PASSED, name="Later", outcome=Outcome.SKIPPED, observed=_said("not judged"), evidence=())
SCRIPT = CheckResult(
    "conversation",
    "conversation",
    Outcome.FAIL,
    _said("hello"),
    _said("silence"),
    _shown("step 4", "rest"),
)
HELLO, SILENCE = Described("hello"), Described("silence")
BROKEN = StepEnded(2_000, 1_000, "4", "a.yaml:1:1", "server", "expect", Outcome.FAIL, HELLO, SILENCE, "")


def _verdict(*results: CheckResult) -> Verdict:
    return Verdict("T", Outcome.FAIL, results, origin=2_000_000, capture="capture.pcap")


def test_a_pass_is_short_and_a_failure_explains_itself() -> None:
    assert list(table(_verdict(PASSED, FAILED), Style())) == [
        "✓ pass  Greets",
        "        it does",
        "        · line 1",
        "        · line 2",
        "        · and 1 more in verdict.json",
        "✗ fail  Leaves",
        "        expected  it leaves",
        "        observed  it stays",
        "        evidence  lo.pcap frame 7, +3.000 ms: the FIN of a is acknowledged",
        "        hint      Does it?",
        "",
        "✗ fail  1 of 2 checks passed, 1 failed",
    ]


def test_what_differs_is_marked_below_both_texts() -> None:
    differs = (Difference("Hello", "Hallo"), Difference("再见了", "再会了"), Difference("done", "done \r"))
    lines = list(table(_verdict(replace(FAILED, differences=differs)), Style()))
    at = lines.index("        the nearest text that was there:")
    assert lines[at : at + 5] == [
        "        the nearest text that was there:",
        "          expected  'Hello'",
        "                      ^",
        "          observed  'Hallo'",
        "                      ^",
    ]
    assert lines[at + 7] == "                       ^^"
    assert lines[at + 11 : at + 14] == [
        "          expected  'done'",
        "          observed  'done \\r'",
        "                         ^^^",
    ]
    assert _as_data(replace(FAILED, differences=differs[:1])) == {
        **_as_data(FAILED),
        "differences": [{"expected": "Hello", "observed": "Hallo"}],
    }


def _as_data(result: CheckResult) -> dict[str, Any]:
    return dict(json.loads(json.dumps(verdict_as_data(_verdict(result))))["results"][0])


@pytest.mark.parametrize("width", [20, 40, 80])
def test_long_texts_are_shown_around_what_differs(width: int) -> None:
    one, other = (f"{'a' * 200}{middle}{'b' * 200}" for middle in "XY")
    lines = list(table(_verdict(replace(FAILED, differences=(Difference(one, other),))), Style(width=width)))
    at = next(at for at, line in enumerate(lines) if line.endswith("the nearest text that was there:"))
    assert all(len(line) <= max(width, 40) for line in lines[at:])
    if width == 80:
        assert lines[at + 1][20:54] == f"...{'a' * 30}X"
        assert lines[at + 2] == f"{'^':>54}"


def test_every_outcome_has_a_word_and_a_sign_without_colour_or_unicode() -> None:
    lines = list(table(_verdict(PASSED, FAILED, DOUBTED, SKIPPED), Style(unicode=False)))
    told = [line[:14] for line in lines if line and not line.startswith(" ")]
    assert told == ["+ pass        ", "x fail        ", "? inconclusive", "- skipped     ", "x fail  1 of 4"]
    assert lines[-1].endswith("1 of 4 checks passed, 1 failed, 1 inconclusive, 1 skipped")


def test_a_broken_step_shows_the_rest_of_its_screen() -> None:
    broken = replace(BROKEN, rest="  who?\r\n\x1b[2J\nlast\n")
    lines = list(table(_verdict(SCRIPT), Style(), [broken]))
    at = lines.index("        the rest of server's screen")
    assert lines[at + 1 : at + 4] == ["        │   who?", "        │ ␛[2J", "        │ last"]


def test_a_screen_is_shown_once_and_only_if_something_is_on_it() -> None:
    """A step of `finally` that fails, too, does not show again what is told with the programs."""
    last = replace(BROKEN, step="finally.1", rest="again\n")
    told = "\n".join(table(_verdict(SCRIPT), Style(), [replace(BROKEN, rest="first\n"), last]))
    assert "│ first" in told
    assert "again" not in told
    assert "│ again" in "\n".join(table(_verdict(SCRIPT), Style(), [last]))
    assert "screen" not in "\n".join(table(_verdict(SCRIPT), Style(), [replace(BROKEN, rest="\r\n")]))


def test_only_the_end_of_a_long_screen_is_shown() -> None:
    broken = replace(BROKEN, rest="".join(f"{number}\n" for number in range(100)))
    lines = list(table(_verdict(SCRIPT), Style(), [broken]))
    assert "        │ ... 88 lines before" in lines
    assert "        │ 99" in lines
    assert "        │ 87" not in lines


def test_what_wire_and_kernel_disagree_about_is_told() -> None:
    shown = list(table(replace(_verdict(PASSED), disagreements=_said("a and b")), Style()))
    assert shown[-3:] == ["?       a and b", "", "✗ fail  1 of 1 checks passed"]


def test_a_verdict_as_data_is_json_in_one_order() -> None:
    data = verdict_as_data(_verdict(FAILED))
    assert json.dumps(data) == (
        '{"format": 1, "scenario": "T", "outcome": "fail", "results": [{"name": "Leaves", "subject": "output", '
        '"outcome": "fail", "expected": "it leaves", "observed": "it stays", '
        '"evidence": ["lo.pcap frame 7, +3.000 ms: the FIN of a is acknowledged"], '
        '"causes": [], "programs": [], "hint": "Does it?", "points": 2, "visibility": "visible", '
        '"differences": [], "follows": "", "data": {'
        '"expected": [{"key": "text", "parameters": {"text": "it leaves"}}], '
        '"observed": [{"key": "text", "parameters": {"text": "it stays"}}], '
        '"evidence": [{"kind": "frame", "what": {"key": "fin-acknowledged", "parameters": {"host": "a"}}, '
        '"capture": "lo.pcap", "frame": 7, "time": 5000000}], "causes": [], "programs": []}}], '
        '"disagreements": [], '
        '"data": {"origin": 2000000, "capture": "capture.pcap", "disagreements": []}}'
    )


def test_a_conversation_tells_who_typed_and_printed_what() -> None:
    began = 5_000_000_000
    events = (
        Started(began, "a", "p", "1", "./p 1", 7),
        Output(began + 1_000_000, "a", "p", "one\r\n  two"),
        Input(began + 2_000_000, "a", "p", "2", "text", "hi\n"),
        Input(began + 3_000_000, "a", "p", "3", "text", "hi"),
        Input(began + 4_000_000, "a", "p", "4", "key", "ctrl-c"),
        Dropped(began + 5_000_000, "a", "p", 10),
        replace(BROKEN, at=began + 6_000_000, host="a"),
        Exited(began + 12_000_000_000, "a", "p", 139),
    )
    assert list(conversation(Transcript(events, "5"), Style())) == [
        " 0.000  a  $ ./p 1",
        " 0.001  a  │ one",
        "           │   two",
        " 0.002  a  > hi",
        " 0.003  a  > hi  (no newline)",
        " 0.004  a  > [key ctrl-c]",
        " 0.005  a  = output beyond 10 bytes is not kept",
        " 0.006  a  ✗ step 4, expect: hello; silence",
        "12.000  a  = killed by SIGSEGV (status 139)",
        "not played: step 5 and those after it",
    ]


def test_programs_are_named_where_a_host_runs_several() -> None:
    events = tuple(Output(1, "a", name, "x") for name in ("p", "q"))
    assert [line.split()[1] for line in conversation(Transcript(events), Style())] == ["a.p", "a.q"]


def test_nothing_was_played() -> None:
    assert list(conversation(Transcript(()), Style())) == ["nothing was played"]


def test_a_step_is_one_line_however_long_it_is() -> None:
    told = step(replace(BROKEN, what="send '客户端" + "x\n" * 100), 1_000, Style(width=40))
    assert told.startswith("✗   0.000  server: send '客户端x␊")
    assert told.endswith("...")
    assert "\n" not in told
