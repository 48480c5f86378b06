"""A capture that goes on, as pcapng: whatever the pieces in which it comes."""

from __future__ import annotations

import io

import pytest

from lab.core.errors import EvidenceError
from lab.output.live_pcapng import LOOPBACK, LiveCapture
from lab.wire.packets.files import records
from lab.wire.packets.problems import Problems
from tests.unit import sketch, staged
from tests.unit.output.test_pcapng import blocks

PORTS = {7: "client eth0", 8: "server eth0"}
NAMES = {"10.0.0.1": "server"}
FRAMES = [
    sketch.framed(b"\x45\1" + bytes(38), interface=7),
    sketch.framed(b"\x45\1" + bytes(38), interface=8, leaving=True),
    sketch.framed(b"\x45\2" + bytes(38), interface=8),
    sketch.framed(b"\x45\3" + bytes(38), interface=LOOPBACK),
]
CAPTURE = sketch.pcap([(staged.at(n), frame) for n, frame in enumerate(FRAMES)])


def written(live: LiveCapture, size: int) -> bytes:
    """The whole file, of pieces of that size."""
    pieces = [CAPTURE[at : at + size] for at in range(0, len(CAPTURE), size)]
    return live.head + b"".join(map(live.feed, pieces))


def seen(data: bytes) -> list[tuple[str, bytes]]:
    """The interface and the frame of each packet."""
    named = [name for one in blocks(data) if one.kind == 1 for name in one.texts(2)]
    problems = Problems()
    found = [(named[place], part[a:b]) for _, _, part, a, b, _, place in records(io.BytesIO(data), problems)]
    assert problems.found() == ()
    return found


@pytest.mark.parametrize("size", [1, 7, 41, 1 << 16])
def test_the_switch_shows_each_frame_where_it_was_sent(size: int) -> None:
    data = written(LiveCapture("play", PORTS, NAMES), size)
    assert seen(data) == [("client eth0 sent", FRAMES[0]), ("server eth0 sent", FRAMES[2])]
    assert [one.kind for one in blocks(data)][:2] == [0x0A0D0D0A, 4]


def test_a_host_shows_what_it_sent_and_received() -> None:
    places = {8: "server eth0", LOOPBACK: "server lo"}
    data = written(LiveCapture("play", places, NAMES, at_host=True), 50)
    assert [name for name, _ in seen(data)] == ["server eth0 sent", "server eth0 received", "server lo"]


def test_what_is_no_capture_is_refused() -> None:
    with pytest.raises(EvidenceError, match="no capture"):
        LiveCapture("play", PORTS, NAMES).feed(bytes(24))
