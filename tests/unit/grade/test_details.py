"""What a student may see of a failed check besides its sentences."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from lab.evidence.verdict import CheckResult
from lab.grade.details import details
from lab.output.describe import Told, teller_of
from tests.judged import judge
from tests.unit.staged import FAIL, PASS, Stage, printed, started, step


def test_what_came_in_the_place_of_what_was_expected(tmp_path: Path) -> None:
    rest = "".join(f"line {number}\r\n" for number in range(30)) + "x" * 1000
    events = (started(), printed("Hallo\n"), replace(step("1", FAIL), rest=rest))
    wrong_check = {"output": {"host": "server", "lines": {"Hello": 1}}}
    right_check = {"output": {"host": "server", "lacks": ["Hi"]}}
    evidence = Stage(tmp_path, events=events).evidence(wrong_check, right_check)
    verdict = judge(evidence).verdict

    def found(result: CheckResult) -> dict[str, str]:
        return {one.label: one.text for one in details(Told(result, teller_of(verdict)), evidence)}

    script, wrong, right = verdict.results
    came = found(script)["came and was not expected"].split("\n")
    assert (came[0], came[1], len(came)) == ("... 19 lines before", "line 19", 13)
    assert came[-1].endswith("x …")
    assert len(came[-1]) < 250
    assert found(wrong) == {
        "the nearest text that was there": "expected  'Hello'\n            ^\nobserved  'Hallo'\n            ^"
    }
    assert right.outcome is PASS
    assert found(right) == {}
