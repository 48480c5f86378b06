"""The segmentation adversary: the same bytes, in other pieces, at other moments, among others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.archive import Tree
from lab.core.errors import ScenarioError
from lab.grade.adversary import HOST, variants
from lab.grade.assignment import Word
from lab.grade.reading import read
from lab.scenario.base import plain
from lab.scenario.loader import Loaded, load, with_trees

HEAD = """\
version: 1
title: Lines
networks: {lan: 192.168.153.0/29}
programs: {server: {source: server.py, listens: 7000}}
hosts: {server: 192.168.153.1, client: 192.168.153.6}
steps:
- server: {start: server}
- client: {connect: "server:7000", as: c}
"""
TAIL = """\
checks:
- connections: {from: client, to: "server:7000", count: 1}
"""


def scenario(folder: Path, steps: str) -> Loaded:
    (folder / "server.py").touch()
    (folder / "play.yaml").write_text(f"{HEAD}{steps}\n{TAIL}", encoding="utf-8")
    return load(folder / "play.yaml")


def played(folder: Path, word: Word, steps: str) -> list[list[Any]]:
    """The steps of each variant behind the two first, which each must be one that can be played."""
    loaded = scenario(folder, steps)
    found = variants(loaded.scenario, [word])
    for one in found:
        other = type(loaded)(one.scenario, loaded.file, {}, loaded.sources, loaded.trees, loaded.laid)
        with_trees(other, {"server": Tree((("server.py", b""),), main="server.py")})  # by all rules
    return [plain(one.scenario)["steps"][2:] for one in found]


def test_split_at_every_place(tmp_path: Path) -> None:
    steps = '- client.c: [{send: "a${nonce}"}, {expect: b}, {type: c}, {bytes: "hex:00ff"}]'
    pause = {"client": {"sleep": "300ms"}}
    expect = {"client.c": {"expect": {"text": "b"}}}
    halves = [{"client.c": {"bytes": "hex:00"}}, pause, {"client.c": {"bytes": "hex:ff"}}]
    first, second = played(tmp_path, "split", steps)
    assert first == [
        {"client.c": {"type": "a"}}, pause, {"client.c": {"type": "${nonce}\n"}}, expect,
        {"client.c": {"type": "c"}}, *halves,
    ]  # fmt: skip
    assert second == [
        {"client.c": {"type": "a${nonce}"}}, pause, {"client.c": {"type": "\n"}}, expect,
        {"client.c": {"type": "c"}}, {"client.c": {"bytes": "hex:00ff"}},
    ]  # fmt: skip


def test_a_long_message_is_split_at_eight_places(tmp_path: Path) -> None:
    found = played(tmp_path, "split", f"- client.c: {{type: {'x' * 101}}}")
    assert [len(steps[0]["client.c"]["type"]) for steps in found] == [1, 15, 29, 43, 58, 72, 86, 100]


def test_half_a_letter_comes_as_bytes(tmp_path: Path) -> None:
    (steps,) = played(tmp_path, "dribble", '- client.c: {type: "é$${x"}')
    said = [step["client.c"] for step in steps if "client.c" in step]
    assert said == [{"bytes": "hex:c3"}, {"bytes": "hex:a9"}, {"type": "$"}, {"type": "{"}, {"type": "x"}]


def test_join_goes_on_until_something_else_is_said_or_a_value_is_needed(tmp_path: Path) -> None:
    steps = """\
- client.c: [{send: a}, {expect: A}, {send: "b${nonce}"}, {expect: {regex: "(?P<key>.)"}}, {send: "${key}"}]
- client.c: [{send: c}, {expect: {end: true}}]"""
    (joined,) = played(tmp_path, "join", steps)
    assert [step["client.c"] for step in joined] == [
        {"type": "a\nb${nonce}\n"},
        {"expect": {"text": "A"}},
        {"expect": {"regex": "(?P<key>.)"}},
        {"type": "${key}\nc\n"},
        {"expect": {"end": True}},
    ]


def test_blocks_are_looked_into(tmp_path: Path) -> None:
    steps = "- repeat: {times: 2, steps: [{client.c: {send: a}}, {client.c: {send: b}}]}"
    (joined,) = played(tmp_path, "join", steps)
    assert joined == [{"repeat": {"times": 2, "steps": [{"client.c": {"type": "a\nb\n"}}]}}]
    assert played(tmp_path, "half_close", steps) == []


def test_half_close_comes_right_behind_the_last_message(tmp_path: Path) -> None:
    steps = "- client.c: [{send: a}, {expect: A}, {close: write}, {expect: {end: true}}]"
    (closed,) = played(tmp_path, "half_close", steps)
    assert [next(iter(step["client.c"])) for step in closed] == ["send", "close", "expect", "expect"]
    assert played(tmp_path, "half_close", "- client.c: [{send: a}, {close: write}, {expect: A}]") == []


def test_others_come_from_a_host_of_their_own(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, "- client.c: [{send: abc}, {expect: abc}]")
    reset, crowd = variants(loaded.scenario, ["reset", "crowd"])
    assert plain(reset.scenario)["hosts"][HOST] == {"addresses": {"lan": ["192.168.153.5"]}}
    assert plain(reset.scenario)["steps"][1:6] == [
        {HOST: {"connect": {"to": "server:7000"}, "as": "broken"}},
        {f"{HOST}.broken": {"type": "ab"}},
        {HOST: {"sleep": "300ms"}},
        {f"{HOST}.broken": {"reset": True}},
        {HOST: {"sleep": "300ms"}},
    ]
    assert plain(reset.scenario)["steps"][6:] == plain(loaded.scenario)["steps"][1:]
    assert plain(crowd.scenario)["steps"][1]["adversary"]["connect"] == {"to": "server:7000", "count": 10}
    assert plain(crowd.scenario)["steps"][-1] == {f"{HOST}.crowd": {"close": "both"}}
    for word, count in (("reset", 1), ("crowd", 1)):
        assert len(played(tmp_path, word, "- client.c: [{send: abc}, {expect: abc}]")) == count  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["split", "join", "dribble", "half_close", "reset", "crowd"])
def test_nothing_to_say_is_a_mistake_of_the_assignment(word: str, tmp_path: Path) -> None:
    scenario(tmp_path, "- client.c: {expect: hello}")
    file = tmp_path / "assignment.yaml"
    case = f"- {{file: play.yaml, points: 1, adversary: {word}}}"
    file.write_text(f"version: 1\ntitle: x\nsubmit: server\nscenarios:\n{case}\n")
    with pytest.raises(ScenarioError, match=rf'scenario 1: "{word}" changes nothing'):
        read(file)
