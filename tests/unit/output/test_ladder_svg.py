"""The ladder as SVG: lost packets, blamed ones, and texts that would break out of it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from lab.core.words import Outcome
from lab.output.ladder.rows import Broke, Folded, Packet, Row, Said
from lab.output.ladder.svg import Drawing

SVG = "{http://www.w3.org/2000/svg}"
HOSTS = [("client", "10.0.0.2"), ("server", "10.0.0.1")]


def drawn(*rows: Row) -> ET.Element:
    text = "\n".join(Drawing(HOSTS, 0, "A <title>").lines(rows))
    return ET.fromstring(text)  # noqa: S314 - the lab wrote it


def packet(**more: object) -> Packet:
    told = {"time": 0, "number": 1, "source": "client", "target": "server", "ports": (4000, 80)}
    return Packet(**{**told, "flags": 2, "seq": 0, "ack": 0, "length": 0, **more})  # type: ignore[arg-type]


def test_a_lost_packet_has_no_head_and_stops_short() -> None:
    (arrived,) = (one for one in drawn(packet()).iter(f"{SVG}line") if one.get("class") != "lane")
    (lost,) = (one for one in drawn(packet(fate="lost")).iter(f"{SVG}line") if one.get("class") == "lost")
    assert arrived.get("marker-end")
    assert lost.get("marker-end") is None
    assert int(lost.get("x2") or 0) < int(arrived.get("x2") or 0)


def test_a_packet_that_a_check_blames_is_marked() -> None:
    kinds = [one.get("class") for one in drawn(packet(blamed=Outcome.FAIL)).iter(f"{SVG}line")]
    assert "fail" in kinds


def test_texts_stay_texts() -> None:
    hostile = "</text><script>alert(1)</script>\x1b[31m\x00 & \udcff"
    rows = (
        Said(0, "client", "", "printed", hostile), Folded(1, hostile),
        Broke(2, Outcome.FAIL, hostile, {"expected": hostile, "observed": ""}),
    )  # fmt: skip
    root = drawn(*rows)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {
        "svg", "title", "style", "defs", "marker", "path", "rect", "text", "line",
    }  # fmt: skip
    told = [text for one in root.iter(f"{SVG}text") if "alert" in (text := one.text or "")]
    assert len(told) == 4
    assert all(text.isprintable() for text in told)


def test_the_drawing_is_as_high_as_its_rows() -> None:
    heights = [int(drawn(*[packet()] * count).get("height") or 0) for count in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 0
