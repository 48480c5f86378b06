"""Connections from segments: handshake, close, states, bytes, retransmissions, each at its own end."""

from __future__ import annotations

import io
import random
import tracemalloc

import pytest

from lab.core.words import TcpState
from lab.wire.packets import Reader, Segment
from lab.wire.tcp import CapturePoint, Connection, Flows
from lab.wire.tcp.serial import distance
from tests.unit import sketch

SWITCH = CapturePoint(
    {address: host for host, address in sketch.HOSTS.items()},
    {index: host for host, index in sketch.PORTS.items()},
)
ONE_PLACE = CapturePoint({address: host for host, address in sketch.HOSTS.items()})

OPEN = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
"""
ORDERLY = (
    OPEN
    + """
    1    client_a > server  P. 5
    1.1  server > client_a  .
    1.2  server > client_a  P. 7
    1.3  client_a > server  .
    2    client_a > server  F.
    2.1  server > client_a  .
    4    server > client_a  F.
    4.1  client_a > server  .
"""
)


SERVER_CLOSED = "1 server > client_a F.\n 1.1 client_a > server .\n"


def connections(data: bytes, point: CapturePoint = SWITCH) -> tuple[Connection, ...]:
    flows = Flows(point)
    for segment in Reader(io.BytesIO(data)):
        flows.add(segment)
    return flows.connections()


def one(text: str, **isn: int) -> Connection:
    """The one connection of a script, the same at the switch and at one place but for the times."""
    [connection] = connections(sketch.switch(text, isn=isn))
    [single] = connections(sketch.single(text, isn=isn), ONE_PLACE)
    assert (connection.handshake, connection.close) == (single.handshake, single.close)
    for side, other in zip(connection.sides, single.sides, strict=True):
        assert (side.bytes, side.retransmissions) == (other.bytes, other.retransmissions)
        assert [c.state for c in side.history] == [c.state for c in other.history]
    return connection


def states(connection: Connection) -> tuple[list[str], list[str]]:
    client, server = ([change.state.value for change in side.history] for side in connection.sides)
    return client, server


def test_an_orderly_close_and_the_states_of_both_ends() -> None:
    connection = one(ORDERLY)
    assert (connection.handshake, connection.close, connection.unpaired) == ("complete", "orderly", ())
    assert connection.active is connection.client
    assert (connection.client.host, connection.server.host) == ("client_a", "server")
    assert (connection.client.bytes, connection.server.bytes) == (5, 7)
    assert connection.client.exact
    assert states(connection) == (
        ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"],
        ["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"],
    )


def test_each_end_has_the_times_of_its_own_port() -> None:
    connection = one(ORDERLY)
    fin = connection.client.fin
    assert fin
    assert fin.sent
    assert fin.received
    assert fin.received.time - fin.sent.time == sketch.DELAY
    began, left = connection.server.entered(TcpState.CLOSE_WAIT), connection.server.left(TcpState.CLOSE_WAIT)
    assert began == fin.received
    assert left
    assert left.state == TcpState.LAST_ACK
    assert left.at.time - began.time == 2_000_000 - sketch.DELAY


def test_a_merged_close_of_three_segments_is_the_same_close() -> None:
    connection = one(
        OPEN
        + """
        1    server > client_a  F.
        1.1  client_a > server  F.
        1.2  server > client_a  .
    """
    )
    assert (connection.close, connection.active) == ("orderly", connection.server)
    assert states(connection)[1][-3:] == ["FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"]


def test_a_fin_that_rides_on_data() -> None:
    connection = one(
        OPEN
        + """
        1    client_a > server  FP. 5
        1.1  server > client_a  F.
        1.2  client_a > server  .
    """
    )
    assert (connection.close, connection.client.bytes) == ("orderly", 5)


def test_the_last_ack_of_the_handshake_may_carry_data_or_a_fin() -> None:
    connection = one("""
        0    client_a > server  S
        0.1  server > client_a  S.
        0.2  client_a > server  F. 3
        0.3  server > client_a  F.
        0.4  client_a > server  .
    """)
    assert (connection.handshake, connection.close, connection.client.bytes) == ("complete", "orderly", 3)


def test_simultaneous_close() -> None:
    connection = one(
        OPEN
        + """
        1     client_a > server  F.
        1.001 server > client_a  F. crossing
        1.1   client_a > server  .
        1.2   server > client_a  .
    """
    )
    assert (connection.close, connection.active) == ("simultaneous", None)
    assert states(connection)[0][-3:] == ["FIN_WAIT_1", "CLOSING", "TIME_WAIT"]


def test_half_close_is_new_data_after_the_fin() -> None:
    connection = one(
        OPEN
        + """
        1    client_a > server  F.
        1.1  server > client_a  .
        2    server > client_a  P. 100
        2.1  client_a > server  .
        3    server > client_a  F.
        3.1  client_a > server  .
    """
    )
    assert (connection.close, connection.server.late_acked) == ("half_close", True)
    assert connection.server.late
    assert connection.server.late.time == sketch.EPOCH + 2_000_000


def test_data_sent_again_after_the_fin_is_no_half_close() -> None:
    connection = one(
        OPEN
        + """
        1    server > client_a  P. 100
        1.1  client_a > server  F. crossing
        1.2  server > client_a  P. again
        1.3  client_a > server  .
        2    server > client_a  F.
        2.1  client_a > server  .
    """
    )
    assert connection.close == "orderly"


def test_still_open() -> None:
    assert one(OPEN).close == "still_open"
    assert one(OPEN + "1 client_a > server F.\n 1.1 server > client_a .").close == "still_open"


def test_a_fin_that_is_never_acknowledged_closes_nothing() -> None:
    connection = one(
        OPEN
        + """
        1    client_a > server  F.
        1.1  server > client_a  F.
    """
    )
    assert connection.close == "still_open"
    assert connection.server.state == TcpState.LAST_ACK


def test_refused() -> None:
    connection = one("""
        0    client_a > server  S
        0.1  server > client_a  R.
    """)
    assert (connection.handshake, connection.close) == ("refused", "reset")
    assert connection.server.reset
    assert connection.server.reset.cause == "no_listener"
    assert states(connection) == (["SYN_SENT", "CLOSED"], [])


def test_no_reply_and_its_repeated_syns() -> None:
    connection = one("""
        0     client_a > server  S
        1000  client_a > server  S again
        3000  client_a > server  S again
    """)
    assert (connection.handshake, connection.client.retransmissions.syn) == ("no_reply", 2)


def test_a_syn_ack_that_is_never_acknowledged() -> None:
    connection = one("""
        0     client_a > server  S
        0.1   server > client_a  S.
        1000  server > client_a  S. again
    """)
    assert (connection.handshake, connection.server.retransmissions.syn) == ("half_open", 1)


def test_simultaneous_open() -> None:
    connection = one("""
        0     client_a > server  S
        0.001 server > client_a  S
        0.1   client_a > server  S. again
        0.2   server > client_a  S. again
        0.3   client_a > server  .
    """)
    assert connection.handshake == "simultaneous"


@pytest.mark.parametrize(
    ("before", "cause", "after"),
    [
        ("1 client_a > server P. 5\n 1.1 server > client_a R.", "abort", (False, False)),
        ("1 client_a > server F.\n 1.1 server > client_a .\n 2 server > client_a R.", "abort", (False, True)),
        (SERVER_CLOSED + "2 client_a > server P. 5\n 2.1 server > client_a R", "late_data", (True, False)),
    ],
)  # fmt: skip
def test_the_cause_of_a_reset(before: str, cause: str, after: tuple[bool, bool]) -> None:
    connection = one(OPEN + before)
    reset = connection.server.reset
    assert reset
    assert connection.close == "reset"
    assert (reset.cause, (reset.after_own_fin, reset.after_peer_fin)) == (cause, after)


def test_a_reset_after_the_full_close_changes_nothing() -> None:
    connection = one(ORDERLY + "9 server > client_a R")
    assert connection.close == "orderly"
    assert connection.server.reset
    assert connection.server.reset.cause == "after_close"


def test_a_reset_outside_the_window_closes_nothing() -> None:
    connection = one(OPEN + "1 server > client_a R seq-5000")
    assert connection.client.state == TcpState.ESTABLISHED


def test_retransmissions_count_once_each_and_their_bytes_not_at_all() -> None:
    connection = one(
        OPEN
        + """
        1     client_a > server  P. 5
        200   client_a > server  P. again
        600   client_a > server  P. again
        601   server > client_a  .
        700   client_a > server  F.
        900   client_a > server  F. again
        901   server > client_a  F.
        902   client_a > server  .
    """
    )
    assert connection.client.retransmissions == (0, 2, 1)
    assert connection.client.bytes == 5


def test_what_the_wire_lost_is_sent_again_and_seen_at_the_senders_end_only() -> None:
    [connection] = connections(sketch.switch(OPEN + """
        1     client_a > server  P. 5 entered
        200   client_a > server  P. again
        201   server > client_a  .
    """))  # fmt: skip
    assert connection.client.retransmissions.data == 1
    assert connection.unpaired == (7,)
    assert connection.server.gaps == 0


def test_a_keep_alive_is_no_retransmission() -> None:
    connection = one(
        OPEN
        + """
        1      client_a > server  P. 5
        1.1    server > client_a  .
        10000  client_a > server  . 1 seq-1
        10001  server > client_a  .
    """
    )
    assert connection.client.retransmissions.data == 0
    assert connection.client.bytes == 5


def test_segments_that_arrive_out_of_order() -> None:
    [connection] = connections(sketch.switch(OPEN + """
        1     client_a > server  P. 5 entered
        1.1   client_a > server  F. entered
        1.2   client_a > server  F. again left
        2     client_a > server  P. 5 seq-6 left
        2.1   server > client_a  .
    """))  # fmt: skip
    began = connection.server.entered(TcpState.CLOSE_WAIT)
    assert began
    assert began.time == sketch.EPOCH + 2_000_000 + sketch.DELAY


@pytest.mark.parametrize("isn", [0, 2**31 - 3, 2**32 - 1, 2**32 - 2, 2**32 - 6])
def test_sequence_numbers_wrap(isn: int) -> None:
    connection = one(ORDERLY, client_a=isn, server=isn)
    assert (connection.close, connection.client.bytes, connection.server.bytes) == ("orderly", 5, 7)
    assert connection.client.retransmissions == (0, 0, 0)


def test_serial_arithmetic() -> None:
    chance = random.Random(9)
    for _ in range(1000):
        start, step = chance.randrange(2**32), chance.randrange(-(2**31), 2**31)
        assert distance(start, (start + step) % 2**32) == step


def test_a_reused_port_is_another_connection() -> None:
    first, second = connections(sketch.switch(ORDERLY + LATER))
    assert (first.close, second.close) == ("orderly", "still_open")
    assert (first.client.port, second.handshake) == (second.client.port, "complete")


LATER = """
    9000    client_a > server  S seq+70000
    9000.1  server > client_a  S. seq+70000
    9000.2  client_a > server  .
"""


def test_a_connection_that_began_before_the_capture() -> None:
    connection = one("""
        1    server > client_a  P. 5
        1.1  client_a > server  .
        2    client_a > server  F.
        2.1  server > client_a  F.
        2.2  client_a > server  .
    """)
    assert (connection.handshake, connection.close) == ("unknown", "orderly")
    assert connection.server.host == "server"
    assert not connection.server.exact


def test_frames_seen_at_one_port_only() -> None:
    [connection] = connections(sketch.switch(ORDERLY.replace("P. 7", "P. 7 left")))
    assert connection.unpaired == (11,)
    assert connection.server.gaps == 1


def test_frames_on_their_way_through_a_router_tell_nothing_new() -> None:
    frames = []
    for time, source, target, packet, _ in sketch.Script().frames(ORDERLY):
        ports = (sketch.PORTS[source], False), (8, True), (9, False), (sketch.PORTS[target], True)
        frames += [
            (time + 1000 * n, sketch.framed(packet, interface=port, leaving=leaving))
            for n, (port, leaving) in enumerate(ports)
        ]
    [connection] = connections(sketch.pcap(frames))
    assert (connection.close, connection.unpaired) == ("orderly", ())
    assert connection.client.retransmissions == (0, 0, 0)


def test_one_place_that_shows_frames_twice() -> None:
    """``any`` on a host's own loopback gives each frame out and in."""
    frames = []
    for time, _, _, packet, _ in sketch.Script().frames(ORDERLY):
        frames += [
            (time, sketch.framed(packet, interface=1, leaving=True)),
            (time + 1, sketch.framed(packet, interface=1)),
        ]
    [connection] = connections(sketch.pcap(frames), CapturePoint(alone="server"))
    assert (connection.close, connection.client.host, connection.server.host) == (
        "orderly",
        "server",
        "server",
    )
    assert connection.client.retransmissions == (0, 0, 0)


def test_any_byte_may_be_any_other() -> None:
    chance = random.Random(3)
    data = sketch.switch(ORDERLY)
    for at in range(24, len(data)):
        damaged = bytearray(data)
        damaged[at] = chance.randrange(256)
        assert len(connections(bytes(damaged))) <= 4


def test_a_flood_of_nonsense_keeps_every_bound() -> None:
    chance = random.Random(4)
    frames = []
    for number in range(3000):
        numbers = chance.randrange(2**32), chance.randrange(2**32), chance.randrange(64)
        source, target = chance.sample(sorted(sketch.HOSTS.values()), 2)
        packet = sketch.ip(source, target, sketch.tcp((40000, 80), *numbers, bytes(chance.randrange(9))))
        frames.append(
            (number, sketch.framed(packet, interface=chance.randrange(5), leaving=chance.random() < 0.5))
        )
    for connection in connections(sketch.pcap(frames)):
        assert len(connection.unpaired) <= 256
        for side in connection.sides:
            assert len(side.history) <= 32
            assert side.bytes >= 0


def test_memory_does_not_grow_with_segments() -> None:
    def peak(segments: int) -> int:
        flows = Flows(SWITCH)
        [way] = {segment.way for segment in Reader(io.BytesIO(sketch.single("0 client_a > server S")))}
        tracemalloc.start()
        for number in range(segments):
            # Seen at the sender's port only, now and then out of line: the worst there is.
            seq = number * 10 - 30 * (number % 7 == 0)
            flows.add(Segment(number, number, (3, False, 0), way, seq, 1, 16, 10, 0, number % 3, 0))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(40_000) < 2 * peak(4_000)
