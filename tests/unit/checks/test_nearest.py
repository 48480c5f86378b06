"""The nearest text to one that was expected and is not there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.checks.nearest import nearest
from lab.evidence.verdict import Difference
from lab.scenario import Scenario
from tests.judged import judge
from tests.unit.staged import FAIL, Stage, printed, started, step


@pytest.mark.parametrize(
    ("text", "lines", "whole", "found"),
    [
        ("Hello", ["bye", "Hallo"], True, "Hallo"),
        ("Hello", ["Hello", "Hello "], True, "Hello "),
        ("Hello", ["HELLO"], True, "HELLO"),
        ("Hello", ["> Hello, how are you?"], True, None),
        ("Hello", ["> Hallo, how are you?"], False, "Hallo"),
        ("server say:Bye", ["You want to say:", "Server says:Bye"], False, "Server says:By"),
        ("Hello", ["Hallo", "Hellos"], True, "Hellos"),
        ("Hello", ["good-bye", "", "x"], True, None),
        ("Hello", [], True, None),
        ("client left", ["client leaves"], True, "client leaves"),
        ("count: 3", ["count: 5", "sum: 3"], True, "count: 5"),
        ("PONG", ["PING"], True, "PING"),
        ("bye", ["Bye."], True, "Bye."),
        ("a, b", ["A B"], True, "A B"),
        ("sum=5", ["sum = 5"], True, "sum = 5"),
        ("end", ["send"], True, None),
        ("6", ["16"], True, None),
        (">", ["<"], True, None),
        ("got 5 bytes", ["sent 3 bytes"], True, None),
        ("client connected", ["server connected"], True, None),
        ("Message from server", ["Message to client"], False, None),
        ("hello", ["help"], True, None),
    ],
)
def test_the_nearest_is_alike_and_not_the_same(
    text: str, lines: list[str], whole: bool, found: str | None
) -> None:
    assert nearest(text, lines, whole=whole) == (Difference(text, found) if found else None)


def test_hostile_output_costs_little() -> None:
    began = time.thread_time()
    nearest("ab" * 5000, ["ba" * 5000 + str(number) for number in range(5000)], whole=False)
    assert time.thread_time() - began < 5


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        ({"lines": {"Hello": 1}}, [("Hello", "Hallo")]),
        ({"lines": {"Hallo": 0}}, []),
        ({"contains": ["Hi", "Good bye"]}, [("Good bye", "Good-bye")]),
        ({"lacks": ["Hallo"]}, []),
    ],
)
def test_a_text_that_was_not_printed(
    tmp_path: Path, words: dict[str, Any], differs: list[tuple[str, str]]
) -> None:
    events = (started(), printed("Hi\nHallo\nGood-bye\n"))
    result = Stage(tmp_path, events=events).judge({"output": {"host": "server", **words}})
    assert result.outcome is FAIL
    assert result.differences == tuple(Difference(*pair) for pair in differs)


@pytest.mark.parametrize(
    ("pattern", "differs"),
    [
        ({"text": "Hello, ${nonce}"}, [Difference("Hello, 7f", "Hallo, 7f")]),
        ({"line": "Hello, ${nonce}"}, [Difference("Hello, 7f", "Hallo, 7f")]),
        ({"text": "Hello ${never}"}, []),
        ({"regex": "Hello.*"}, []),
    ],
)
def test_a_step_that_did_not_find_its_text(
    tmp_path: Path, pattern: dict[str, str], differs: list[Difference]
) -> None:
    events = (started(), replace(step("1", FAIL), rest="Hi\r\nHallo, 7f\r\n"))
    evidence = Stage(tmp_path, events=events, variables={"nonce": "7f"}).evidence()
    data = json.loads(evidence.scenario.model_dump_json(by_alias=True, exclude_unset=True))
    data["steps"] = [{"actor": "server", "action": {"expect": pattern}}]
    scenario = Scenario.model_validate_json(json.dumps(data))
    assert judge(replace(evidence, scenario=scenario)).results[0].differences == tuple(differs)
