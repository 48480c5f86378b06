"""What is counted of each direction against tshark's ``tcp.analysis``: real captures and random ones.

``captures/slow.pcap`` has a reader that rests, ``keepalive.pcap`` SO_KEEPALIVE, ``loss.pcap`` and ``reorder.pcap``
a wire that loses or delays some packets. All were made by Linux in network namespaces.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.output.analyze import Told, analyze
from tests.unit.wire import windows
from tests.unit.wire.test_packets_tshark import REAL, needs_tshark, tshark
from tests.unit.wire.test_tshark import Frame, overtaken, resent, unharmed, without_the_end

__all__ = ["needs_tshark"]

COUNTED = ("zero_window", "zero_window_probe", "window_full", "keep_alive", "duplicate_ack")
OPTIONS = (
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "tcp.options.sack_perm",
    "tcp.options.timestamp.tsval",
)
SYN = 2

Direction = tuple[int, int]
"""The number of the connection, and the port that sends."""


class Theirs:
    """What tshark says of each direction."""

    def __init__(self, path: Path) -> None:
        self.counts: dict[Direction, Counter[str]] = defaultdict(Counter)
        self.options: dict[Direction, tuple[object, ...]] = {}
        self.trips: dict[Direction, set[int]] = defaultdict(set)
        self.handshakes: dict[int, int] = {}
        self.lacking: set[int] = set()
        """Connections of which tshark misses segments: it counts from those it has seen."""
        times = "ack_rtt", "initial_rtt", "ack_lost_segment"
        analysis = [f"tcp.analysis.{one}" for one in (*times, *COUNTED)]
        rows = tshark(path, "tcp.stream", "tcp.srcport", "tcp.flags", *OPTIONS, *analysis)
        for stream, port, flags, mss, scale, sack, stamp, trip, handshake, lost, *counts in rows:
            direction, number = (int(stream) + 1, int(port)), int(stream) + 1
            self.counts[direction].update(name for name, flag in zip(COUNTED, counts, strict=True) if flag)
            self.counts[direction]["segments"] += 1
            if int(flags, 16) & SYN:
                self.options[direction] = (_number(mss), _number(scale), bool(sack), bool(stamp))
            if trip:
                self.trips[direction].add(_ns(trip))
            if handshake:
                self.handshakes[number] = _ns(handshake)
            if lost:
                self.lacking.add(number)


def _number(text: str) -> int | None:
    return int(text) if text else None


def _ns(seconds: str) -> int:
    whole, _, rest = seconds.partition(".")
    return int(whole) * 10**9 + int(rest.ljust(9, "0"))


def told(path: Path) -> Iterator[Told]:
    with path.open("rb") as stream:
        yield from analyze(stream).connections()


def compare(path: Path) -> Counter[str]:
    """Every direction of every connection; the sums of what was counted."""
    theirs, sums = Theirs(path), Counter[str]()
    for one in told(path):
        connection, measures = one.connection, one.connection.measures
        assert measures
        if one.number in theirs.lacking:
            continue
        assert measures.handshake == theirs.handshakes.get(one.number), one
        for side, measured in ((connection.client, measures.client), (connection.server, measures.server)):
            direction, back = (one.number, side.port), (one.number, connection.peer_of(side).port)
            ours = Counter(
                segments=measured.segments,
                zero_window=measured.zero_windows,
                zero_window_probe=measured.zero_window_probes,
                window_full=measured.full_windows,
                keep_alive=measured.keep_alives,
                duplicate_ack=measured.duplicate_acks,
            )
            sums.update(ours)
            assert +ours == +theirs.counts[direction], (one.number, side.port)
            assert measured.options == theirs.options.get(direction)
            if trips := measured.round_trips:
                assert {trips.shortest, trips.longest} <= theirs.trips[back]
                assert trips.shortest <= trips.mean <= trips.longest
                sums["trips"] += trips.count
    return sums


LAST = [path for path in REAL if path.stem in {"slow", "keepalive", "loss", "reorder", "loopback"}]


@pytest.mark.parametrize("path", LAST, ids=lambda path: path.stem)
def test_real_captures(path: Path) -> None:
    sums = compare(path)
    assert sums["trips"]
    seen = {
        "slow": "window_full",
        "keepalive": "keep_alive",
        "loss": "duplicate_ack",
        "reorder": "duplicate_ack",
    }
    assert path.stem not in seen or sums[seen[path.stem]]
    assert path.stem != "slow" or sums["zero_window"]


@pytest.mark.parametrize("harm", [unharmed, resent, overtaken, without_the_end])
def test_random_captures(tmp_path: Path, harm: Callable[[list[Frame], random.Random], list[Frame]]) -> None:
    sums = compare(windows.capture(tmp_path / "random.pcap", harm))
    assert all(sums[name] for name in COUNTED), sums
