"""The ladder as a Mermaid diagram: its grammar, and that no text breaks out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.checks.judging import judge
from lab.core.words import Outcome
from lab.evidence.record import read
from lab.output.ladder import as_mermaid, segments_of, story
from lab.output.ladder.mermaid import Diagram
from lab.output.ladder.rows import Broke, Folded, Opened, Row, Said

GOLDEN = Path(__file__).parents[2] / "golden" / "runs"

_TEXT = r"(?:[^#;:%<>{}()\[\]\"\\\n\r-]|#\d+;|<br/>)+"
_STATEMENTS = (
    rf"participant h\d+ as {_TEXT}",
    rf"h\d+(?:->>|-x)h\d+: {_TEXT}",
    rf"Note over h\d+(?:,h\d+)?: {_TEXT}",
    r"rect rgb\(\d+, \d+, \d+\)",
    r"end",
)
STATEMENT = re.compile("|".join(f"(?:{one})" for one in _STATEMENTS))


def diagram(rows: Sequence[Row], hosts: Sequence[str] = ("server", "client")) -> list[str]:
    """The lines of a diagram, each held against the grammar, blocks closed."""
    lines = list(Diagram(hosts).lines(rows))
    holds(lines)
    return [line.strip() for line in lines[1 + len(hosts) :]]


def holds(lines: Sequence[str]) -> None:
    assert lines[0] == "sequenceDiagram"
    depth = 0
    for line in lines[1:]:
        assert STATEMENT.fullmatch(line.strip()), line
        depth += line.strip().startswith("rect") - (line.strip() == "end")
        assert depth in {0, 1}
        assert not re.search(r": .*\bend\b", line, re.IGNORECASE), "a word that breaks diagrams"
    assert depth == 0


def printed(text: str) -> Said:
    return Said(1, "server", "", "printed", text)


@pytest.mark.parametrize("name", ["multi_client", "unfriendly"])
def test_a_record_becomes_a_diagram(name: str) -> None:
    evidence = read(GOLDEN / name)
    segments = {one.path: segments_of(GOLDEN / name, one) for one in evidence.info.captures}
    lines = list(as_mermaid(story(evidence, segments, judge(evidence)), evidence))
    holds(lines)
    assert len(lines) > len(evidence.transcript.events) / 2


def test_a_handshake() -> None:
    evidence = read(GOLDEN / "multi_client")
    segments = {one.path: segments_of(GOLDEN / "multi_client", one) for one in evidence.info.captures}
    lines = [line.strip() for line in as_mermaid(story(evidence, segments, only=1), evidence)]
    at = lines.index("h2->>h1: SYN seq#61;0")
    assert lines[at : at + 7] == [
        "h2->>h1: SYN seq#61;0",
        "Note over h2: SYN_SENT",
        "h1->>h2: SYN,ACK seq#61;0 ack#61;1",
        "Note over h1: SYN_RECEIVED",
        "Note over h2: ESTABLISHED",
        "h2->>h1: ACK seq#61;1 ack#61;1",
        "Note over h1: ESTABLISHED",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "x\nclient->>server: forged",
        "x; participant evil",
        "#59; #quot;",
        "end",
        "The END",
        "%%{init: {'securityLevel': 'loose'}}%%",
        "<script>alert(1)</script><br/>",
        "wrap: nowrap:",
        "]]) }} \\ \" ' `",
        "\x1b[2J\x00\x85\u2028\u202e\udcff",
        "-->> -x + -",
        " ",
        "",
        "好" * 500,
    ],
)
def test_no_text_breaks_out(text: str) -> None:
    rows: list[Row] = [
        printed(text),
        Said(1, "client", text, "typed", text),
        Broke(2, Outcome.FAIL, text, {"expected": text, "observed": text}),
        Broke(2, Outcome.INCONCLUSIVE, text, {}),
        Opened(3, 1, text, text),
        Folded(4, text),
    ]
    lines = diagram(rows)
    assert len(lines) == 4 + 2 * 3
    assert max(map(len, lines)) < 3000


def test_text_can_be_read_back() -> None:
    (line,) = diagram([printed("a; b # end 你好")])
    coded = line.partition(": ")[2]
    assert re.sub(r"#(\d+);", lambda code: chr(int(code[1])), coded) == '"a; b # end 你好"'


def test_a_diagram_of_one_host() -> None:
    assert diagram([Folded(1, "3 more segments")], ["server"]) == ["Note over h1: ... 3 more segments"]
