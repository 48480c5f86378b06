"""What is found in a program's output, and what is consumed."""

from __future__ import annotations

from typing import Any

import pytest

from lab.scenario.steps import Pattern
from lab.steps.screen import KEPT, Screen, describe


def screen(text: str, *, ended: bool = False) -> Screen:
    found = Screen()
    found.feed(text.encode("utf-8", "surrogateescape"))
    if ended:
        found.feed(b"", last=True)
    return found


@pytest.mark.parametrize(
    ("text", "pattern", "rest"),
    [
        ("say hello you", {"text": "hello"}, " you"),
        ("a.c abc", {"text": "a.c"}, " abc"),
        ("ab\nabc\nd", {"line": "abc"}, "d"),
        ("abc\r\nd", {"line": "abc"}, "d"),
        ("\n\nx", {"line": ""}, "\nx"),
        ("x\nport 99 open\ny", {"glob": "port * open"}, "y"),
        ("a[b]\n", {"glob": "a[[]b]"}, ""),
    ],
)
def test_what_is_found_is_consumed_to_its_end(text: str, pattern: dict[str, Any], rest: str) -> None:
    found = screen(text)
    match = found.find(Pattern(**pattern))
    assert match is not None
    found.consume(match)
    assert found.rest == rest


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("hell", {"text": "hello"}),
        ("abc", {"line": "abc"}),
        ("xabc\nabcx\n", {"line": "abc"}),
        ("port 99 open\n", {"glob": "port ? open"}),
        ("anything", {"end": True}),
    ],
)
def test_what_is_not_there_is_not_found(text: str, pattern: dict[str, Any]) -> None:
    assert screen(text).find(Pattern(**pattern)) is None


def test_the_last_line_needs_no_newline_where_the_output_has_ended() -> None:
    assert screen("abc", ended=True).find(Pattern(line="abc")) is not None
    assert screen("port 1", ended=True).find(Pattern(glob="port *")) is not None


def test_the_end_consumes_what_is_left() -> None:
    found = screen("left over", ended=True)
    match = found.find(Pattern(end=True))
    assert match is not None
    assert found.consume(match) == "left over"


@pytest.mark.parametrize(
    ("text", "expected", "unread"),
    [
        ("", None, ""),
        ("x\n", None, "x\n"),
        ("say hello\n", "hello", ""),
        ("say hello \t\r\n", "hello", ""),
        ("say hello", "hello", ""),
        ("say hello, you\n", "hello", ", you\n"),
        ("say hello\nand more\n", "hello", "and more\n"),
        ("say hello\n\n", "hello", "\n"),
        ("say hello\n> ", "say hello\n", "> "),
    ],
)
def test_what_nobody_has_asked_for(text: str, expected: str | None, unread: str) -> None:
    found = screen(text)
    if expected:
        match = found.find(Pattern(text=expected))
        assert match is not None
        found.consume(match)
    assert found.unread == unread


def test_a_match_stands_though_more_is_printed_and_what_is_old_is_pushed_out() -> None:
    found = screen("so and so, ")
    match = found.find(Pattern(text="and"))
    assert match is not None
    found.feed(b"x" * KEPT)
    assert found.consume(match) == ""
    assert (len(found.rest), found.lost, found.consumed, found.printed) == (KEPT, 11, 0, KEPT + 11)


def test_characters_are_whole_and_no_byte_is_lost() -> None:
    found = Screen()
    texts = [found.feed(bytes([byte])) for byte in "客😀é".encode()]
    assert [text for text in texts if text] == ["客", "😀", "é"]
    found.feed(b"\xe5\xae")
    found.feed(b"", last=True)
    assert found.rest.encode("utf-8", "surrogateescape") == "客😀é".encode() + b"\xe5\xae"


def test_what_is_kept_is_bounded_and_what_was_pushed_out_is_counted() -> None:
    found = Screen()
    for _ in range(10):
        found.feed(b"x" * KEPT)
    assert len(found.rest) == KEPT
    assert found.lost == 9 * KEPT


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ({"text": "a"}, "the text 'a'"),
        ({"line": "客"}, "the line '客'"),
        ({"regex": "a+"}, "a match of 'a+'"),
        ({"glob": "a*"}, "a line like 'a*'"),
        ({"end": True}, "the end of the output"),
    ],
)
def test_patterns_in_words(pattern: dict[str, Any], words: str) -> None:
    assert describe(Pattern(**pattern)) == words
