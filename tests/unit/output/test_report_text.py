"""Text made harmless, and laid out on screens of any width."""

from __future__ import annotations

import json
import unicodedata

import pytest

from lab.core.escape import escape, inert, inert_json, one_line, unicode_json
from lab.core.quote import quoted
from lab.output.style import LONGEST, Ink, Style, columns, cut, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("客户端成功连接 é", "客户端成功连接 é"),
        ("a\n\tb", "a\n\tb"),
        ("\x1b[31mred\x1b]0;title\x07", "␛[31mred␛]0;title␇"),
        ("\r\x00\x7f", "␍␀␡"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", "\\ud800"),
        ("\U000e0041\U0010ffff", "\\U000e0041\\U0010ffff"),
        ("\u2028", "\\u2028"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_no_character_but_newline_and_tab_is_left_to_obey() -> None:
    for character in map(chr, range(0x110000)):
        shown = escape(character)
        assert shown.isprintable() or shown in "\n\t" or unicodedata.category(shown) == "Zs"


def test_one_line() -> None:
    assert one_line("a\n\tb\x1b") == "a␊␉b␛"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\\x3a:error::x"),
        ("a\n \t\u3000::stop-commands::x", "a\n \t\u3000\\x3a:stop-commands::x"),
        ("\x1b[2m::error::", "\x1b[2m\\x3a:error::"),
        ("std::vector<std::string> # ## [x] ##x", "std::vector<std::string> # ## [x] ##x"),
        ("a ##[error] ###[x] ##vso[y]", "a #\\x23[error] ##\\x23[x] #\\x23vso[y]"),
    ],
)
def test_what_a_ci_runner_would_obey_is_shown(text: str, shown: str) -> None:
    assert inert(text) == shown
    assert inert(shown) == shown


def test_in_json_what_a_ci_runner_would_obey_stays_the_same_text() -> None:
    data = {"##[a": ["\\##vso[b", "::c\n##d"]}
    document = inert_json(json.dumps(data))
    assert json.loads(document) == data
    assert "##[" not in document
    assert "##vso[" not in document


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("a b", 10, ["a b"]),
        ("aaa bbb ccc", 7, ["aaa bbb", "ccc"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("客户端成功连接", 5, ["客户", "端成", "功连", "接"]),
        ("  indented text", 10, ["  indented", "text"]),
        ("one\n\ntwo", 10, ["one", "", "two"]),
        ("宽", 1, ["宽"]),
    ],
)
def test_wrap(text: str, width: int, lines: list[str]) -> None:
    assert list(wrap(text, width)) == lines


def test_wrapped_lines_fit_and_nothing_is_lost() -> None:
    text = "客户端 says: hello, 世界! " * 20
    lines = list(wrap(text, 23))
    assert max(map(columns, lines)) <= 23
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_combining_marks_take_no_column() -> None:
    assert columns("e\u0301") == 1


def test_colours_only_where_there_are_any() -> None:
    assert Style(colour=False).paint("x", Ink.BAD) == "x"
    assert Style(colour=True).paint("x", Ink.BAD, Ink.STRONG) == "\x1b[31;1mx\x1b[0m"
    assert Style(colour=True).paint("", Ink.BAD) == ""


def test_a_paragraph_has_its_label_once() -> None:
    lines = list(Style(width=30).paragraph("one two three four five", indent=10, label="label"))
    assert lines == ["label     one two three four", "          five"]


def test_a_paragraph_is_bounded() -> None:
    told = "\n".join(Style().paragraph("x" * 1_000_000))
    assert len(told) < LONGEST + 500
    assert "996000 more characters" in told


def test_a_table_becomes_blocks_where_it_does_not_fit() -> None:
    rows, headings = [("server", "192.168.153.128"), ("b", "1.1.1.1")], ("HOST", "ADDRESS")
    assert list(Style(width=40).table(rows, headings)) == [
        "HOST    ADDRESS",
        "server  192.168.153.128",
        "b       1.1.1.1",
    ]
    assert list(Style(width=20).table(rows, headings))[:3] == [
        "HOST     server",
        "ADDRESS  192.168.153.128",
        "",
    ]


def test_a_line_is_cut_to_fit() -> None:
    assert cut("short", 5) == "short"
    assert cut("客户端成功连接", 10) == "客户端..."
    assert columns(cut("x客户端成功连接", 10)) <= 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\udce9 \udcff", "caf\\xe9 \\xff"),
        ("\ud800", "\\ud800"),
        ("\U0001f600 \\ud83d \\", "\U0001f600 \\ud83d \\"),
        ("\\\udc80", "\\\\x80"),
        ("\udc7f\udd00", "\\udc7f\\udd00"),
    ],
)
def test_json_holds_no_lone_surrogate(text: str, shown: str) -> None:
    document = json.dumps({"text": [text]})
    assert json.loads(unicode_json(document)) == {"text": [shown]}
    assert unicode_json(document).isascii()


def test_a_text_in_quotes() -> None:
    assert quoted("caf\udce9 \udcff\n'") == '"caf\\xe9 \\xff\\n\'"'
    assert quoted("\\udce9 \\\\") == repr("\\udce9 \\\\")
