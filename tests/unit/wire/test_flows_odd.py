"""Captures whose frames stand in an odd order, are missing, or are there twice: what follows from the numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import pytest

from lab.wire.tcp import CapturePoint, Connection
from tests.unit import sketch
from tests.unit.wire.test_captures_hostile import enhanced, interface, section
from tests.unit.wire.test_flows import OPEN, SWITCH, connections, states
from tests.unit.wire.test_flows import ORDERLY as WHOLE

BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
Frame = tuple[str, int, int, int, float]
"""Who sends (``c`` or ``s``) and the flags, seq, ack, the payload's length, and when (ms)."""

HANDSHAKE: list[Frame] = [("c S", 100, 0, 0, 0), ("s SA", 5000, 101, 0, 10), ("c A", 101, 5001, 0, 10.1)]
"""The client is close to the capture: its round trip takes 0.1 ms, the server's 10 ms."""


def closed(client: int, server: int, at: float) -> list[Frame]:
    """The client closes first; the numbers are the next ones of both."""
    return [
        ("c FA", client, server, 0, at),
        ("s FA", server, client + 1, 0, at + 10),
        ("c A", client + 1, server + 1, 0, at + 10.1),
    ]


def packet(frame: Frame, ident: int = 0) -> bytes:
    what, seq, ack, length, _ = frame
    who, flags = what.split()
    ends = (CLIENT, SERVER) if who == "c" else (SERVER, CLIENT)
    bits = sum(BITS[letter] for letter in flags)
    segment = sketch.tcp((ends[0][1], ends[1][1]), seq, ack, bits, b"x" * length)
    made = bytearray(sketch.ip(ends[0][0], ends[1][0], segment))
    made[4:6] = struct.pack("!H", ident)
    return bytes(made)


def told(frames: Iterable[Frame], idents: Sequence[int] = ()) -> Connection:
    """The one connection of a capture at one place."""
    made = []
    for number, frame in enumerate(frames):
        ident = idents[number] if number < len(idents) else 0
        made.append((time_of(frame), sketch.framed(packet(frame, ident), sketch.ETHERNET)))
    [connection] = connections(sketch.pcap(made, sketch.ETHERNET), CapturePoint())
    return connection


def time_of(frame: Frame) -> int:
    return sketch.EPOCH + round(frame[4] * 1_000_000)


def bytes_of(connection: Connection) -> tuple[int, int]:
    return connection.client.bytes, connection.server.bytes


def mishaps(connection: Connection) -> tuple[int, int, int]:
    """What was sent again, what was overtaken, and what is missing."""
    return (
        sum(sum(side.retransmissions) for side in connection.sides),
        sum(side.reordered for side in connection.sides),
        sum(side.gaps for side in connection.sides),
    )


def is_whole(connection: Connection) -> bool:
    return (connection.handshake, connection.close, connection.first_closer) == (
        "complete", "orderly", "client",
    )  # fmt: skip


# Acknowledgements before data, or without


@pytest.mark.parametrize("length", [1, 1000])
def test_an_ack_before_its_data(length: int) -> None:
    frames = [*HANDSHAKE, ("s A", 5001, 101 + length, 0, 30), ("c PA", 101, 5001, length, 30.05)]
    connection = told([*frames, *closed(101 + length, 5001, 50)])
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((length, 0), (0, 1, 0))


def test_an_ack_without_its_data_proves_the_bytes() -> None:
    connection = told([*HANDSHAKE, ("s A", 5001, 1101, 0, 30), *closed(1101, 5001, 50)])
    assert (bytes_of(connection), mishaps(connection)) == ((1000, 0), (0, 0, 1))
    assert connection.client.exact


def test_without_fin_the_bytes_are_a_bound() -> None:
    """The number that was acknowledged last may be that of a FIN that is not in the capture."""
    connection = told([*HANDSHAKE, ("s A", 5001, 1101, 0, 30)])
    assert (connection.client.exact, connection.client.bytes, connection.client.at_least) == (
        False,
        1000,
        999,
    )
    alone = told([*HANDSHAKE, ("c PA", 101, 5001, 9, 20), ("s A", 5001, 111, 0, 30)])
    assert (alone.client.bytes, alone.client.at_least) == (9, 9)


def test_syn_and_fin_count_whatever_is_lost_between() -> None:
    frames = [HANDSHAKE[0], HANDSHAKE[1], ("s A", 5001, 7_000_101, 0, 90), ("c PA", 9_000_101, 5001, 10, 95)]
    connection = told([*frames, *closed(24_000_101, 5001, 100)])
    assert (bytes_of(connection), connection.client.exact) == ((24_000_000, 0), True)
    assert mishaps(connection) == (0, 0, 3)


def test_an_ack_before_the_syn_ack() -> None:
    connection = told([HANDSHAKE[0], ("c A", 101, 5001, 0, 9.9), HANDSHAKE[1], *closed(101, 5001, 50)])
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((0, 0), (0, 0, 0))


def test_an_ack_that_overtakes_the_fin() -> None:
    frames = [("c PA", 101, 5001, 50, 20), ("s PA", 5001, 151, 70, 21), ("c FA", 151, 5071, 0, 40)]
    late = [("s A", 5072, 152, 0, 70), ("s FA", 5071, 151, 0, 70.3), ("c A", 152, 5072, 0, 70.4)]
    connection = told([*HANDSHAKE, *frames, *late])
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((50, 70), (0, 1, 0))


def test_an_ack_of_a_fin_stands_before_it() -> None:
    frames = [("s A", 5001, 102, 0, 49.9), ("c FA", 101, 5001, 0, 50), ("s FA", 5001, 102, 0, 60)]
    connection = told([*HANDSHAKE, *frames, ("c A", 102, 5002, 0, 60.1)])
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((0, 0), (0, 1, 0))


# Handshakes


def test_half_open_discovery() -> None:
    """RFC 9293, figure 9: the server acknowledges what an old connection had reached, and is reset."""
    old = [HANDSHAKE[0], ("s A", 900_000, 777_000, 0, 10), ("c R", 777_000, 0, 0, 10.1)]
    again = [("c S", 100, 0, 0, 1000), ("s SA", 5000, 101, 0, 1010), ("c A", 101, 5001, 0, 1010.1)]
    connection = told([*old, *again, ("c PA", 101, 5001, 50, 1020), *closed(151, 5001, 1050)])
    assert is_whole(connection)
    assert (bytes_of(connection), connection.client.reset) == ((50, 0), None)


def test_what_the_handshake_may_acknowledge_is_of_this_connection() -> None:
    """The SYN-ACK is not in the capture: the server's ACK of the SYN is no old connection's."""
    connection = told([HANDSHAKE[0], ("s A", 5001, 101, 0, 10), ("s PA", 5001, 101, 7, 20)])
    assert (connection.handshake, connection.server.bytes) == ("unknown", 7)


@pytest.mark.parametrize("taken", [50, 0])
def test_fast_open(taken: int) -> None:
    """Data on the SYN (RFC 7413); the server may take it or leave it."""
    frames: list[Frame] = [("c S", 100, 0, 50, 0), ("s SA", 5000, 101 + taken, 0, 10)]
    frames += [("c A", 151, 5001, 0, 10.1)] if taken else [("c PA", 101, 5001, 50, 10.1)]
    connection = told([*frames, ("s PA", 5001, 151, 20, 20), *closed(151, 5021, 30)])
    assert is_whole(connection)
    assert bytes_of(connection) == (50, 20)
    assert states(connection)[0] == ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"]
    assert connection.client.retransmissions.data == (not taken)


def test_a_fast_open_is_refused() -> None:
    connection = told([("c S", 100, 0, 50, 0), ("s RA", 0, 151, 0, 10)])
    assert (connection.handshake, connection.close) == ("refused", "reset")


def test_a_server_that_is_faster_than_the_ack() -> None:
    fast = [("s PA", 5001, 101, 85, 10.01), ("s FA", 5086, 101, 0, 10.02), ("c A", 101, 5087, 0, 10.1)]
    connection = told([*HANDSHAKE[:2], *fast, ("c FA", 101, 5087, 0, 30), ("s A", 5087, 102, 0, 40)])
    assert (connection.handshake, connection.close, connection.first_closer) == (
        "complete",
        "orderly",
        "server",
    )
    assert (bytes_of(connection), mishaps(connection)) == ((0, 85), (0, 0, 0))


def test_a_syn_ack_before_its_syn() -> None:
    connection = told(
        [("s SA", 5000, 101, 0, 0), ("c S", 100, 0, 0, 0.2), *HANDSHAKE[2:], *closed(101, 5001, 20)]
    )
    assert is_whole(connection)
    assert (bytes_of(connection), connection.client.exact) == ((0, 0), True)


@pytest.mark.parametrize("taken", [5000, 9_000_000])
def test_two_syn_acks(taken: int) -> None:
    """The client acknowledges one of them, whichever came first."""
    answers = [("s SA", 9_000_000, 101, 0, 10), ("s SA", 5000, 101, 0, 1010)]
    talk = [
        ("c A", 101, taken + 1, 0, 1010.1),
        ("s PA", taken + 1, 101, 700, 1020),
        ("c A", 101, taken + 701, 0, 1021),
    ]
    connection = told([HANDSHAKE[0], *answers, *talk])
    assert (connection.handshake, connection.close, bytes_of(connection)) == (
        "complete",
        "still_open",
        (0, 700),
    )
    assert (connection.server.isn, mishaps(connection)) == (taken, (0, 0, 0))


def test_a_syn_ack_that_nobody_acknowledges_completes_nothing() -> None:
    connection = told([*HANDSHAKE[:2], ("s SA", 9000, 101, 0, 1010), ("c R", 101, 0, 0, 1011)])
    assert connection.handshake == "half_open"


def test_an_own_reset_is_no_refusal() -> None:
    syns: list[Frame] = [("c S", 100, 0, 0, at) for at in (0, 1000, 3000)]
    connection = told([*syns, ("c RA", 101, 0, 0, 7000)])
    assert (connection.handshake, connection.close) == ("no_reply", "reset")
    assert connection.client.reset
    assert connection.client.reset.cause == "gave_up"


# RST


def test_a_reset_after_everything_was_sent_in_vain() -> None:
    again: list[Frame] = [("c PA", 101, 5001, 50, at) for at in (20, 220, 620, 1420)]
    [given_up, answered] = [
        told([*HANDSHAKE, *again, *heard, ("c RA", 151, 5001, 0, 3000)])
        for heard in ([], [("s A", 5001, 101, 0, 1500)])
    ]
    assert given_up.client.reset
    assert (given_up.client.reset.cause, given_up.client.retransmissions.data) == ("gave_up", 3)
    assert answered.client.reset
    assert answered.client.reset.cause == "abort"


def test_a_reset_after_a_fin_was_sent_in_vain() -> None:
    fins: list[Frame] = [("c FA", 101, 5001, 0, at) for at in (20, 220, 620, 1420)]
    connection = told([*HANDSHAKE, *fins, ("c RA", 102, 5001, 0, 3000)])
    assert connection.client.reset
    assert connection.client.reset.cause == "gave_up"


@pytest.mark.parametrize("length", [0, 1])
def test_a_reset_after_keep_alives_that_nobody_answered(length: int) -> None:
    probes: list[Frame] = [("c A", 100, 5001, length, at) for at in (10_000, 11_000)]
    connection = told([*HANDSHAKE, *probes, ("c RA", 101, 5001, 0, 12_000)])
    assert connection.client.reset
    assert (connection.client.reset.cause, mishaps(connection)) == ("keepalive_timeout", (0, 0, 0))


def test_a_window_probe_of_one_byte_is_data_once() -> None:
    """BSD and Windows probe with the next byte: it is taken when there is room."""
    text = (
        OPEN
        + """
    1     client_a > server  P. 5
    1.1   server > client_a  . full
    5000  client_a > server  . 1
    5001  server > client_a  . full seq+0
    9000  client_a > server  . 1 again
    9001  server > client_a  .
    """
    )
    [connection] = connections(sketch.single(text), CapturePoint())
    assert (connection.client.bytes, connection.client.retransmissions.data) == (6, 0)


# Overtaken, or sent again


def late(at: float, between: Iterable[Frame] = ()) -> list[Frame]:
    """The second of three segments comes last, so long after the first."""
    data = [("c PA", 101, 5001, 100, 20), ("c PA", 301, 5001, 100, 20.1)]
    return [*HANDSHAKE, *data, *between, ("c PA", 201, 5001, 100, at)]


def test_what_comes_sooner_than_a_round_trip_was_overtaken() -> None:
    assert mishaps(told(late(29))) == (0, 1, 0)
    assert mishaps(told(late(31))) == (1, 0, 0)


def test_without_a_handshake_a_round_trip_is_taken_for_three_milliseconds() -> None:
    assert mishaps(told(late(22)[3:])) == (0, 1, 0)
    assert mishaps(told(late(24)[3:])) == (1, 0, 0)


def test_what_three_duplicate_acks_asked_for_was_sent_again() -> None:
    """The first SYN took long, for nobody knew the server's address: the duplicates show the true time."""
    asking: list[Frame] = [("s A", 5001, 201, 0, 21 + n / 10) for n in range(4)]
    assert mishaps(told(late(22, asking))) == (1, 0, 0)


def test_no_sender_answers_duplicate_acks_before_they_reach_it() -> None:
    """The capture is close to the server: the client hears of the gap 5 ms later."""
    near = [("c S", 100, 0, 0, 0), ("s SA", 5000, 101, 0, 0.1), ("c A", 101, 5001, 0, 10.1)]
    asking: list[Frame] = [("s A", 5001, 201, 0, 20.2 + n / 10) for n in range(4)]
    assert mishaps(told([*near, *late(21, asking)[3:]])) == (0, 1, 0)


@pytest.mark.parametrize("at", [20.2, 35])
def test_the_identification_goes_before_time(at: float) -> None:
    assert mishaps(told(late(at), [0, 0, 0, 7, 9, 8])) == (0, 1, 0)
    assert mishaps(told(late(at), [0, 0, 0, 65535, 1, 2])) == (1, 0, 0)


@pytest.mark.parametrize("idents", [[0, 0, 0, 40_000, 17, 30_000], [0, 0, 0, 7, 7, 7]])
def test_an_identification_that_does_not_count_tells_nothing(idents: list[int]) -> None:
    assert mishaps(told(late(29), idents)) == (0, 1, 0)
    assert mishaps(told(late(31), idents)) == (1, 0, 0)


def test_each_hole_has_a_time_of_its_own() -> None:
    """The first is filled after a round trip, the second at once, though both are filled at one time."""
    data = [("c PA", 101, 5001, 100, 20), ("c PA", 301, 5001, 100, 21), ("c PA", 501, 5001, 100, 39)]
    fills = [("c PA", 201, 5001, 100, 40), ("c PA", 401, 5001, 100, 40.1)]
    connection = told([*HANDSHAKE, *data, *fills])
    assert mishaps(connection) == (1, 1, 0)
    assert connection.client.refilled == 1


def test_what_was_seen_is_sent_again_however_soon() -> None:
    connection = told([*HANDSHAKE, ("c PA", 101, 5001, 100, 20), ("c PA", 101, 5001, 100, 20.01)])
    assert mishaps(connection) == (1, 0, 0)
    assert connection.client.refilled == 0


# Copies


TALK = [*HANDSHAKE, ("c PA", 101, 5001, 50, 20), ("s PA", 5001, 151, 70, 30), *closed(151, 5071, 50)]


def pcapng(parts: Iterable[Iterable[tuple[Frame, int]]]) -> bytes:
    """Sections, each with two interfaces and its frames, each with the number of an interface."""
    data = b""
    for frames in parts:
        data += section() + interface(sketch.RAW) + interface(sketch.RAW)
        for frame, number in frames:
            data += enhanced(packet(frame), time_of(frame) // 1000, number)
    return data


@pytest.mark.parametrize("cut", range(1, len(TALK)))
def test_two_sections_hold_one_connection(cut: int) -> None:
    parts = ([(frame, 0) for frame in frames] for frames in (TALK[:cut], TALK[cut:]))
    [connection] = connections(pcapng(parts), CapturePoint())
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((50, 70), (0, 0, 0))


def test_two_interfaces_hold_one_connection() -> None:
    [connection] = connections(pcapng([[(frame, n % 2) for n, frame in enumerate(TALK)]]), CapturePoint())
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((50, 70), (0, 0, 0))


def twice(frames: Sequence[Frame], after: float, mark: str, again: Frame | None = None) -> bytes:
    """Each frame at two places, the second time so many ms later; ``again`` is resent at both."""
    sightings = [
        (time_of(frame) + place * round(after * 1e6), frame, place) for frame in frames for place in (0, 1)
    ]
    if again:
        sightings += [(time_of(again) + place * 10_000, again, place) for place in (0, 1)]
    made, link = [], sketch.COOKED if mark == "cooked" else sketch.ETHERNET
    for time, frame, place in sorted(sightings, key=lambda sighting: sighting[0]):
        raw = packet(frame)
        if mark == "vlan" and place:
            made.append((time, bytes(12) + bytes.fromhex("8100 0007 0800") + raw))
        else:
            made.append((time, sketch.framed(raw, link, leaving=bool(place) and mark == "cooked")))
    return sketch.pcap(made, link)


@pytest.mark.parametrize("after", [0.001, 0.5, 25])
@pytest.mark.parametrize("mark", ["vlan", "cooked"])
def test_an_equal_segment_close_by_at_another_place_is_a_copy(mark: str, after: float) -> None:
    [connection] = connections(twice(TALK, after, mark), CapturePoint())
    assert is_whole(connection)
    assert (bytes_of(connection), mishaps(connection)) == ((50, 70), (0, 0, 0))


@pytest.mark.parametrize("mark", ["vlan", "cooked"])
def test_what_is_sent_again_is_seen_again_at_each_place(mark: str) -> None:
    again: Frame = ("c PA", 101, 5001, 50, 24)
    [connection] = connections(twice(TALK, 0.5, mark, again), CapturePoint())
    assert mishaps(connection) == (1, 0, 0)


def test_the_identification_tells_a_copy_from_a_resend_at_one_place() -> None:
    data: Frame = ("c PA", 101, 5001, 50, 20)
    frames = [*HANDSHAKE, data, (*data[:4], 20.4)]
    assert mishaps(told(frames, [1, 1, 2, 3, 3])) == (0, 0, 0)
    assert mishaps(told(frames, [1, 1, 2, 3, 4])) == (1, 0, 0)


def test_other_identifications_at_other_places_are_no_copies() -> None:
    data: Frame = ("c PA", 101, 5001, 50, 20)
    parts = [(frame, 0, n + 1) for n, frame in enumerate([*HANDSHAKE, data])] + [((*data[:4], 20.4), 1, 9)]
    raw = section() + interface(sketch.RAW) + interface(sketch.RAW)
    for frame, number, ident in parts:
        raw += enhanced(packet(frame, ident), time_of(frame) // 1000, number)
    [connection] = connections(raw, CapturePoint())
    assert mishaps(connection) == (1, 0, 0)


# At the switch


def test_what_the_capture_lost_at_one_port_is_counted_and_nothing_else() -> None:
    """Data that was seen at neither port, but acknowledged at both, is missing at both."""
    text = WHOLE.replace("1    client_a > server  P. 5", "1    client_a > server  P. 5 entered left")
    [connection] = connections(sketch.switch(text), SWITCH)
    assert (connection.close, connection.client.bytes, connection.client.exact) == ("orderly", 5, True)
    assert (connection.client.gaps, connection.server.gaps) == (1, 1)
    assert mishaps(connection)[:2] == (0, 0)


def test_a_syn_that_was_seen_at_the_other_port_counts_too() -> None:
    text = WHOLE.replace("0    client_a > server  S", "0    client_a > server  S left")
    [connection] = connections(sketch.switch(text), SWITCH)
    assert (connection.handshake, connection.client.bytes, connection.client.exact) == ("complete", 5, True)
