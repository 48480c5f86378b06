"""The first bytes of what packets bring, in each form of a ladder: shown, and obeyed by nobody."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.core.escape import inert
from lab.evidence.evidence import Evidence
from lab.output.ladder import as_json, as_mermaid, as_svg, as_text, segments_of, story
from lab.output.ladder.labels import first_bytes
from lab.output.ladder.rows import FIRST_BYTES, Packet, Row
from lab.output.style import Style, columns
from tests.unit import sketch
from tests.unit.staged import Stage

HANDSHAKE = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""
HOSTILE = [
    b"\x1b[2J\x1b]0;title\x07",
    b"::error::pwned",
    b"\n::error file=a::b",
    b"x ::set-output name=a::b",
    b"##[error]pwned",
    b"##vso[task.complete]",
    b"\xc2\x9b31m",
    "\u202eevil\u2066".encode(),
    b"</text><script>alert(1)</script>",
    b"x; end\nclient->>server: forged",
    "a\u0301".encode() * 6,
    "好".encode() * 10,
    b"\xff\xfe\x00\x80",
    b'"' * 32,
    b"\0" * 32,
    bytes(range(32)),
]


@pytest.mark.parametrize(
    ("payload", "size", "room", "shown"),
    [
        (b"who?", 4, 80, '"who?"'),
        (b"who?", 4, 6, '"who?"'),
        (b"who?", 4, 5, ""),
        (b"who goes there", 14, 10, '"who g"...'),
        (b"who goes there", 1448, 80, '"who goes there"...'),
        (b"Bye\r\n", 5, 80, '"Bye␍␊"'),
        (b"tab\there", 8, 80, '"tab␉here"'),
        (b"string\0", 7, 80, '"string␀"'),
        (b"\0\0\0\x05hello", 9, 80, "00 00 00 05 68 65 6c 6c 6f"),
        (b"\0\0\0Ahello", 9, 80, "00 00 00 41 68 65 6c 6c 6f"),
        (b"\x16\x03\x01", 517, 80, "16 03 01..."),
        (b"\x16\x03\x01", 517, 8, "16 03..."),
        (b"\x1b[31m", 5, 80, "1b 5b 33 31 6d"),
        ("Grüße".encode(), 7, 80, '"Grüße"'),
        ("你好".encode()[:5], 6, 80, '"你"...'),
        ("你好".encode()[:5], 5, 80, "e4 bd a0 e5 a5"),
        ("你好".encode(), 6, 6, '"你好"'),
        ("你好".encode(), 6, 5, ""),
        ("你好!!".encode(), 8, 7, '"你"...'),
        (b"caf\xe9", 4, 80, "63 61 66 e9"),
        (b"", 7, 80, ""),
        (b"", 0, 80, ""),
    ],
)
def test_how_bytes_are_shown(payload: bytes, size: int, room: int, shown: str) -> None:
    assert first_bytes(payload, size, room) == shown


@pytest.mark.parametrize("payload", HOSTILE)
def test_they_take_no_more_room_than_there_is(payload: bytes) -> None:
    for room in range(80):
        for size in (len(payload), 5000):
            shown = first_bytes(payload, size, room)
            assert columns(shown) <= room
            assert shown.isprintable()


def told(stage: Stage, width: int = 80) -> tuple[list[Packet], str]:
    evidence, rows = drawn(stage)
    packets = [row for row in rows if isinstance(row, Packet) and row.length]
    return packets, "\n".join(as_text(rows, evidence, Style(width=width)))


def drawn(stage: Stage) -> tuple[Evidence, list[Row]]:
    evidence = stage.evidence()
    return evidence, list(
        story(evidence, {one.path: segments_of(stage.folder, one) for one in evidence.info.captures})
    )


def test_what_is_sent_again_shows_it_again(tmp_path: Path) -> None:
    talk = HANDSHAKE + "1 client_a > server P. text=hello entered\n201 client_a > server P. text=hello again"
    packets, drawing = told(Stage(tmp_path, talk), width=120)
    assert [(one.mark, one.fate, one.payload) for one in packets] == [
        ("", "lost", b"hello"),
        ("again", "arrived", b"hello"),
    ]
    assert drawing.count('"hello"') == 2


def test_what_was_not_captured_is_not_shown(tmp_path: Path) -> None:
    capture = sketch.switch(HANDSHAKE + "1 client_a > server P. text=hello")
    whole, short = bytearray(capture), 24
    while short < len(whole):  # each frame is cut behind its headers
        kept = int.from_bytes(whole[short + 8 : short + 12], "little")
        least = min(kept, 20 + 20 + 20)
        whole[short + 8 : short + 12] = least.to_bytes(4, "little")
        del whole[short + 16 + least : short + 16 + kept]
        short += 16 + least
    packets, drawing = told(Stage(tmp_path, capture=bytes(whole)))
    assert [(one.length, one.payload) for one in packets] == [(5, b"")]
    assert "PSH 1+5 ACK 1" in drawing
    assert '"' not in drawing


def test_only_the_first_bytes_are_kept(tmp_path: Path) -> None:
    packets, _ = told(
        Stage(tmp_path, HANDSHAKE + "1 client_a > server P. 1000\n2 client_a > server:53 U 1000")
    )
    assert [one.payload for one in packets] == [b"x" * FIRST_BYTES] * 2


def test_a_loopback_shows_them_too(tmp_path: Path) -> None:
    talk = HANDSHAKE + "1 client_a > server P. text=hello"
    _, drawing = told(Stage(tmp_path, loopback={"server": talk}), width=140)
    assert 'PSH 1+5 ACK 1 "hello" ─▶ 19999' in drawing


@pytest.mark.parametrize("payload", HOSTILE)
def test_nothing_obeys_them(tmp_path: Path, payload: bytes) -> None:
    talk = (
        HANDSHAKE
        + f"1 client_a > server P. hex={payload.hex()}\n2 client_a > server:53 U hex={payload.hex()}\n"
        + f"3 server > client_a P. hex={payload.hex()}\n4 client_b > server:53 U hex={payload.hex()} entered"
    )
    stage = Stage(tmp_path, talk, loopback={"server": talk.replace("client_b", "client_a")})
    evidence, rows = drawn(stage)

    def forms() -> Iterator[list[str]]:
        for width in (20, 40, 60, 80, 100, 120, 200):
            yield list(as_text(rows, evidence, Style(width=width)))
        yield list(as_svg(rows, evidence))
        yield list(as_mermaid(rows, evidence))

    for form in forms():
        lines = inert("\n".join(form)).split("\n")
        assert len(lines) == len(form)
        for line in lines:
            assert line.isprintable()
            assert not line.lstrip().startswith("::")
            assert "##[" not in line
            assert "##vso[" not in line
    document = json.loads("".join(as_json(rows, evidence, "record")))
    sent = [b64decode(row["payload"]) for row in document["rows"] if row.get("payload")]
    assert set(sent) == {payload[:FIRST_BYTES]}
    text = "".join(as_json(rows, evidence, "record"))
    assert text.isascii()
    assert "##" not in text
