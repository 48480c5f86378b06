"""What is counted of a connection's segments, each by an example; tshark is not needed for it."""

from __future__ import annotations

import io

import pytest

from lab.output.analyze import Told, analyze
from lab.wire.packets.options import SynOptions, syn_options
from lab.wire.tcp.facts import Measures
from tests.unit import sketch

CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
SCALED = bytes.fromhex("020405b401030301")
"""MSS 1460, window scale 1."""

Line = tuple[str, str, int, int, int, int]
"""Who sends, flags, sequence number, acknowledgement, bytes, window; numbers count from each SYN."""

HANDSHAKE: list[Line] = [("c", "S", 0, 0, 0, 500), ("s", "S.", 0, 1, 0, 500), ("c", ".", 1, 1, 0, 500)]


def played(
    lines: list[Line], *, options: bytes = SCALED, twice: bool = False, gaps: tuple[int, ...] = ()
) -> Told:
    """A connection whose segments follow each other by a millisecond; those at ``gaps`` are not captured."""
    frames = []
    for number, (who, flags, seq, ack, length, window) in enumerate(lines):
        here, there = (CLIENT, SERVER) if who == "c" else (SERVER, CLIENT)
        bits = sum(sketch.BITS[letter] for letter in flags)
        segment = sketch.tcp(
            (here[1], there[1]),
            seq,
            ack,
            bits,
            b"x" * length,
            window=window,
            options=options if bits & 2 else b"",
        )
        packet = sketch.ip(here[0], there[0], segment)
        for at in range(1 + twice):
            frame = sketch.framed(packet, sketch.COOKED2, at + 1)
            frames.append((sketch.EPOCH + number * 1_000_000 + at * 1000, frame))
    kept = [frame for number, frame in enumerate(frames) if number // (1 + twice) not in gaps]
    [found] = analyze(io.BytesIO(sketch.pcap(kept))).connections()
    return found


def measured(lines: list[Line], **how: bytes) -> Measures:
    found = played(HANDSHAKE + lines, **how).connection.measures  # type: ignore[arg-type]
    assert found
    return found


def test_a_window_is_full_at_its_edge_as_it_is_scaled() -> None:
    """The window of a SYN is not scaled, all others are (RFC 7323, section 2.2)."""
    assert measured([("c", ".", 1, 1, 500, 500)]).client.full_windows == 1, "the SYN-ACK's window"
    after = [("s", ".", 1, 1, 0, 500)]
    assert measured([*after, ("c", ".", 1, 1, 500, 500)]).client.full_windows == 0
    assert measured([*after, ("c", ".", 1, 1, 1000, 500)]).client.full_windows == 1
    assert measured([*after, ("c", ".", 1, 1, 500, 500)], options=b"").client.full_windows == 1
    unknown = played([*HANDSHAKE, *after, ("c", ".", 1, 1, 500, 500)], gaps=(0, 1)).connection.measures
    assert unknown
    assert unknown.client.full_windows == 0, "nobody knows the scale"


def test_zero_windows_and_the_probes_of_them() -> None:
    lines: list[Line] = [
        ("c", ".", 1, 1, 100, 500),
        ("s", ".", 1, 101, 0, 0),
        ("c", ".", 101, 1, 1, 500),  # a probe: its byte is not taken
        ("s", ".", 1, 101, 0, 0),
        ("c", ".", 101, 1, 1, 500),  # the next one is
        ("s", ".", 1, 102, 0, 0),
        ("s", ".", 1, 102, 0, 400),
        ("c", ".", 102, 1, 100, 500),
    ]
    found = played(HANDSHAKE + lines)
    measures = found.connection.measures
    assert measures
    assert (measures.server.zero_windows, measures.client.zero_window_probes) == (3, 2)
    assert found.connection.client.bytes == 201
    assert found.connection.client.retransmissions.data == 0
    assert found.inferred(found.connection.client) == 0


def test_keep_alives_and_what_answers_them() -> None:
    lines: list[Line] = [
        ("c", ".", 1, 1, 5, 500),
        ("s", ".", 1, 6, 0, 500),
        ("c", ".", 5, 1, 0, 500),
        ("s", ".", 1, 6, 0, 500),
        ("c", ".", 5, 1, 1, 500),
        ("s", ".", 1, 6, 0, 500),
    ]
    found = measured(lines)
    assert (found.client.keep_alives, found.server.duplicate_acks) == (2, 0)
    after: list[Line] = [("c", ".", 6, 1, 1, 500), ("s", ".", 1, 7, 0, 500), ("s", ".", 1, 7, 0, 500)]
    assert measured(lines + after).server.duplicate_acks == 1


def test_duplicate_acks_repeat_everything() -> None:
    data: list[Line] = [("c", ".", 1, 1, 100, 500), ("s", ".", 1, 101, 0, 500)]
    for line, count in (
        (("s", ".", 1, 101, 0, 500), 1),
        (("s", ".", 1, 101, 0, 600), 0),  # it opens the window
        (("s", ".", 1, 101, 7, 500), 0),  # it brings data
        (("s", ".", 1, 101, 0, 0), 0),  # it closes the window
    ):
        assert measured([*data, line]).server.duplicate_acks == count, line


def test_a_copy_of_a_segment_counts_nothing() -> None:
    lines: list[Line] = [
        *HANDSHAKE,
        ("c", ".", 1, 1, 100, 500),
        ("s", ".", 1, 101, 0, 500),
        ("s", ".", 1, 101, 0, 500),
        ("s", ".", 1, 101, 0, 0),
    ]
    once, twice = (played(lines, twice=twice).connection.measures for twice in (False, True))
    assert once
    assert twice
    assert (twice.client, twice.server) == (once.client, once.server)
    assert (twice.server.duplicate_acks, twice.server.zero_windows) == (1, 1)


def test_round_trips_are_those_of_segments_that_were_sent_once() -> None:
    lines: list[Line] = [
        ("c", ".", 1, 1, 100, 500),
        ("c", ".", 101, 1, 100, 500),
        ("s", ".", 1, 101, 0, 500),  # 2 ms
        ("c", ".", 201, 1, 100, 500),
        ("c", ".", 201, 1, 100, 500),  # sent again: nobody knows which of them is acknowledged
        ("s", ".", 1, 301, 0, 500),
    ]
    trips = measured(lines).client.round_trips
    assert trips
    assert (trips.count, trips.shortest, trips.mean, trips.longest) == (1, 2_000_000, 2_000_000, 2_000_000)
    assert measured([]).handshake == 2_000_000
    refused = played([("c", "S", 0, 0, 0, 500), ("s", "R.", 0, 1, 0, 0)]).connection.measures
    assert refused
    assert refused.handshake == 1_000_000


def test_bytes_that_were_captured_and_bytes_that_are_only_inferred() -> None:
    lines: list[Line] = [
        *HANDSHAKE,
        ("c", ".", 1, 1, 100, 500),
        ("c", ".", 101, 1, 300, 500),  # not captured
        ("c", ".", 401, 1, 50, 500),
        ("s", ".", 1, 451, 0, 500),
        ("c", ".", 451, 1, 20, 500),  # not captured, and acknowledged
        ("s", ".", 1, 471, 0, 500),
    ]
    found = played(lines, gaps=(4, 7))
    client = found.connection.client
    assert (client.bytes, found.inferred(client)) == (470, 320)
    assert (found.duration, found.throughput(client)) == (8_000_000, 470 * 10**9 // 5_000_000)


def test_the_worst_has_most_trouble() -> None:
    quiet: list[Line] = [("c", ".", 1, 1, 100, 500), ("s", ".", 1, 101, 0, 500)]
    assert played(HANDSHAKE + quiet).trouble == 0
    assert played([*HANDSHAKE, *quiet, ("s", ".", 1, 101, 0, 500)]).trouble == 1, "a duplicate ACK"
    assert played([*HANDSHAKE, *quiet, ("c", ".", 1, 1, 100, 500)]).trouble == 1, "sent again"
    assert played([*HANDSHAKE, *quiet, ("s", ".", 1, 101, 0, 0)]).trouble == 1, "a zero window"
    assert played([*HANDSHAKE, *quiet, ("c", "R", 101, 0, 0, 0)]).trouble == 1, "a reset"
    assert played(HANDSHAKE[:1]).trouble == 1, "no reply"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("", SynOptions()),
        ("020405b4", SynOptions(mss=1460)),
        ("0101030e", SynOptions()),  # cut
        ("030e", SynOptions()),
        ("03030e00020405b4", SynOptions(window_scale=14)),  # behind the end
        ("0200020405b4", SynOptions()),  # a length that cannot be
        ("0204000a020405b4", SynOptions(mss=10)),
        ("fe04f98903030a0402", SynOptions(window_scale=10, sack_permitted=True)),
        ("0205000102020405b4", SynOptions(mss=1460)),
    ],
)
def test_options_of_any_shape(data: str, wanted: SynOptions) -> None:
    assert syn_options(bytes.fromhex(data)) == wanted
