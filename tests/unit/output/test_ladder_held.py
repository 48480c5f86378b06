"""Segments that a step kept back: told in the ladder and while it goes on, and no doubt to anybody."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from lab.agent.protocol import SegmentHeld, SegmentReleased
from lab.evidence.capture import HeldSegment
from lab.output.ladder import as_mermaid, as_text, segments_of, story
from lab.output.ladder.live import Live, Wire
from lab.output.ladder.rows import Packet, Row
from lab.output.style import Style
from lab.run.observe import Observer
from lab.wire.packets import ACK, FIN, Reader
from lab.wire.tcp import CapturePoint
from tests.unit import sketch, staged
from tests.unit.staged import PASS, Stage, at

OPEN = """
0    client_a > server  S
0.1  server > client_a  S.
0.2  client_a > server  .
"""
HELD = (
    OPEN + "2 client_a > server F. entered\n300 client_a > server F. again left\n300.1 server > client_a F."
)
"""A FIN that reached the switch at 2 ms and the server at 300 ms."""


def fin(kept: float, until: float, step: str = "4") -> HeldSegment:
    return HeldSegment(
        at(kept), at(until) if until else 0, "client_a", step, sketch.HOSTS["client_a"], 40000,
        sketch.HOSTS["server"], 19999, 1001, 2001, FIN | ACK, 0,
    )  # fmt: skip


def rows(stage: Stage) -> list[Row]:
    evidence = stage.evidence()
    return list(story(evidence, {one.path: segments_of(stage.folder, one) for one in evidence.info.captures}))


def fins(found: list[Row]) -> list[Packet]:
    return [row for row in found if isinstance(row, Packet) and row.flags & FIN and row.source == "client_a"]


def test_it_is_told_who_held_it_and_until_when(tmp_path: Path) -> None:
    stage = Stage(tmp_path, HELD, held=[fin(2.1, 299.9)])
    (packet,) = fins(rows(stage))
    assert (packet.fate, packet.held) == ("arrived", "held by step 4 until +299.900 ms")
    evidence = stage.evidence()
    drawing = "\n".join(as_text(rows(stage), evidence, Style(width=120)))
    assert "FIN 1 ACK 1 held by step 4 until" in drawing
    assert "+299.900 ms" in drawing
    assert "+298ms" not in drawing, "not told twice"
    assert any("held by step 4 until" in line for line in as_mermaid(rows(stage), evidence))


@pytest.mark.parametrize("held", [fin(1.9, 299.9), replace(fin(2.1, 299.9), seq=7)])
def test_another_segment_is_not_meant(tmp_path: Path, held: HeldSegment) -> None:
    (packet,) = fins(rows(Stage(tmp_path, HELD, held=[held])))
    assert packet.held == ""


def test_copies_are_told_apart(tmp_path: Path) -> None:
    talk = OPEN + (
        "2 client_a > server F. entered\n202 client_a > server F. again entered\n"
        "300 client_a > server F. again left\n300.1 client_a > server F. again left\n301 server > client_a ."
    )
    first, second = fins(rows(Stage(tmp_path, talk, held=[fin(2.1, 299.9), fin(202.1, 300.0)])))
    assert first.held == "held by step 4 until +299.900 ms"
    assert second.held == "held by step 4 until +300.000 ms"


def test_one_that_never_went_on_is_not_lost(tmp_path: Path) -> None:
    talk = OPEN + "2 client_a > server F. entered"
    (packet,) = fins(rows(Stage(tmp_path, talk, held=[fin(2.1, 0)])))
    assert (packet.fate, packet.held) == ("unseen", "held by step 4")


def test_a_held_segment_raises_no_doubt(tmp_path: Path) -> None:
    talk = HELD + "\n300.2 client_a > server ."
    stage = Stage(tmp_path, talk, held=[fin(2.1, 299.9)])
    spec = {"connection": {"from": "client_a", "to": "server:19999"}, "close": {"kind": ["orderly"]}}
    assert stage.judge(spec).outcome is PASS


def test_while_it_goes_on_a_held_segment_is_not_called_lost() -> None:
    point = CapturePoint(
        {address: host for host, address in sketch.HOSTS.items()},
        {index: host for host, index in sketch.PORTS.items()},
    )
    live = Live([Wire(point)])
    live.keep(fin(2.1, 0))
    segments = list(Reader(BytesIO(sketch.switch(HELD))))
    live.see(0, [segment for segment in segments if segment.time < at(100)])
    (packet,) = fins(list(live.due(at(150))))
    assert packet.held == "held by step 4"
    live.see(0, [segment for segment in segments if segment.time > at(100)])
    arrived, *_ = fins(list(live.due(at(1000))))
    assert (arrived.fate, arrived.held) == ("arrived", "")


def held(number: int, milliseconds: float) -> SegmentHeld:
    fields = asdict(fin(milliseconds, 0))
    del fields["until"]
    return SegmentHeld(number=number, **fields)


def released(number: int, milliseconds: float) -> SegmentReleased:
    return SegmentReleased(at=staged.at(milliseconds), number=number)


def test_what_the_agent_tells_is_put_together() -> None:
    observer = Observer()
    for one in (held(1, 2), held(2, 3), released(1, 5), released(9, 6)):
        observer.hear(one)
    assert observer.held == (fin(2, 5), fin(3, 0))
    assert staged.at(2) == observer.held[0].at
