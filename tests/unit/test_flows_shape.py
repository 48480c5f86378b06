"""The short ways to what is told of a connection give what the long one gives, whatever the capture holds."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.analyze import analyze, as_data
from lab.flows import Connection, Flows, Shapes, Side, Vantage
from lab.packets import Bare, Reader
from tests.unit import wire
from tests.unit.test_tshark import HARMS, Frame, talks

SEEDS = range(6)
FIN, SYN, RST, ACK = 1, 2, 4, 16


def nonsense(seed: int, connections: int = 30) -> list[Frame]:
    """Segments of which most are in line and the others anything: lost, early, again, with any flags."""
    chance, frames, time = random.Random(seed), [], 0
    for number in range(connections):
        ports = chance.choice([(40000 + number, 80), (80, 40000 + number)])
        begin = [chance.choice([chance.randrange(2**32), 2**32 - chance.randrange(1, 20)]) for _ in range(2)]
        next_ = list(begin)
        for _ in range(chance.randrange(1, 40)):
            me, flags = (
                chance.randrange(2),
                chance.choices([16, 24, 17, 2, 18, 4, 20], [8, 8, 3, 3, 3, 1, 1])[0],
            )
            length = 0 if flags & (SYN | RST) else chance.choice([0, 0, 1, 5, 100])
            own, peer = (begin[me], next_[me]), (begin[1 - me], next_[1 - me])
            seq = own[1] if chance.random() < 0.8 else chance.choice([own[0], own[1] - 1, own[1] + 5])
            ack = peer[1] if chance.random() < 0.8 else chance.choice([peer[0] + 1, peer[1] - 1, peer[1] + 3])
            time += chance.choice([1000, 1_000_000, 5_000_000])
            ends = ("10.0.0.1", "10.0.0.2") if me == 0 else ("10.0.0.2", "10.0.0.1")
            segment = wire.tcp((ports[me], ports[1 - me]), seq, ack * bool(flags & ACK), flags, b"x" * length)
            frames.append((time, wire.framed(wire.ip(*ends, segment), wire.ETHERNET)))
            if seq == next_[me] and not flags & RST:
                next_[me] = seq + length + bool(flags & SYN) + (flags & FIN)
    return frames


def in_line(seed: int, connections: int = 200) -> list[Frame]:
    """Connections of few shapes, each with numbers, lengths and times of its own."""
    chance, frames = random.Random(seed), []
    for number in range(connections):
        port, time = 40000 + number, number * 10_000_000
        numbers = {"client_a": chance.randrange(2**32), "server": 2**32 - chance.randrange(1, 2000)}
        text = chance.choice(SCRIPTS).format(*(chance.randrange(1, 1400) for _ in range(4)))
        script = wire.Script(isn=numbers).frames(text.replace("client_a", f"client_a:{port}"))
        frames += [(time + at, wire.framed(packet, wire.ETHERNET)) for at, _, _, packet, _ in script]
    return frames


def smooth(seed: int, connections: int = 12) -> list[Frame]:
    """Long connections side by side that run smoothly, but for some that do not; after most a word comes late."""
    chance, time = random.Random(seed), 0
    talking = [whole(number, random.Random(seed * 1000 + number)) for number in range(connections)]
    frames: list[Frame] = []
    while talking:
        one = chance.choice(talking)
        packet = next(one, None)
        if packet is None:
            talking.remove(one)
        else:
            time += chance.choice([1000, 1_000_000, 5_000_000])
            frames.append((time, wire.framed(packet, wire.ETHERNET)))
    return frames


def whole(number: int, chance: random.Random) -> Iterator[bytes]:
    """The packets of one of them, from both ends."""
    ports, addresses = (40000 + number, 80), ("10.0.0.1", "10.0.0.2")
    next_ = [chance.choice([chance.randrange(2**32), 2**32 - chance.randrange(1, 3000)]) for _ in range(2)]
    acked = list(next_)
    mishap = chance.choice([0, 0, 0.02])

    def packet(me: int, flags: int, size: int = 0, *, back: int = 0) -> bytes:
        seq, ack = (next_[me] - back) % 2**32, next_[1 - me] % 2**32
        if flags == ACK and chance.random() < 0.2:
            ack = acked[me]  # it has not heard of the last yet
        acked[me] = ack
        next_[me] += (size + bool(flags & (SYN | FIN))) * (not back)
        segment = wire.tcp((ports[me], ports[1 - me]), seq, ack * bool(flags & ACK), flags, b"x" * size)
        return wire.ip(addresses[me], addresses[1 - me], segment)

    if chance.random() < 0.8:
        yield packet(0, SYN)
        yield packet(1, SYN | ACK)
        yield packet(0, ACK)
    for _ in range(chance.randrange(80)):
        me, size = chance.randrange(2), chance.choice([0, 1, 100, 1400])
        yield packet(me, ACK, size)
        if chance.random() < mishap:
            yield packet(me, ACK, max(size, 1), back=max(size, 1))
            next_[me] += chance.choice([0, 0, 7])
    for flags in chance.choice([(FIN | ACK, FIN | ACK, ACK), (RST | ACK,), (RST,), (FIN | ACK,), ()]):
        acked = list(next_)[::-1]
        yield packet(0 if flags == ACK else chance.randrange(2), flags)
    for _ in range(chance.randrange(3)):
        yield packet(chance.randrange(2), chance.choice([ACK, FIN | ACK, RST]), back=chance.randrange(2))


OPENED = "0 client_a > server S\n.1 server > client_a S.\n.2 client_a > server .\n"
SCRIPTS = [
    "0 client_a > server S\n",
    "0 client_a > server S\n1000 client_a > server S again\n3000 client_a > server S again\n",
    "0 client_a > server S\n.1 server > client_a R.\n",
    "0 client_a > server S\n.1 server > client_a S.\n9 server > client_a S. again\n",
    OPENED + "1 client_a > server P. {}\n2 server > client_a .\n3 server > client_a R.\n",
    OPENED + "1 client_a > server P. {}\n2 server > client_a P. {}\n3 client_a > server F.\n4 server > client_a F.\n"
    "5 client_a > server .\n",
    OPENED + "1 server > client_a F.\n2 client_a > server P. {}\n3 server > client_a .\n4 client_a > server F.\n"
    "5 server > client_a .\n6 client_a > server R\n",
    OPENED + "1 client_a > server FP. {}\n2 server > client_a F. {}\n3 client_a > server .\n",
    OPENED + "1 client_a > server F.\n1 server > client_a F. crossing\n2 client_a > server .\n3 server > client_a .\n",
    "1 server > client_a P. {}\n2 client_a > server .\n3 client_a > server P. {}\n4 server > client_a R.\n",
    "0 server > client_a S.\n1 client_a > server .\n2 client_a > server F. {}\n3 server > client_a F.\n",
]  # fmt: skip
MADE: dict[str, Callable[[int], list[Frame]]] = {
    "nonsense": nonsense,
    "in line": in_line,
    "smooth": smooth,
    **{
        harm.__name__: lambda seed, harm=harm: sorted(  # type: ignore[misc]
            (frame for talk in talks(seed) for frame in harm(talk, random.Random(seed))),
            key=lambda frame: frame[0],
        )
        for harm in HARMS
    },
}


@pytest.fixture(params=MADE)
def make(request: pytest.FixtureRequest) -> Callable[[int], bytes]:
    made = MADE[request.param]
    return lambda seed: wire.pcap(made(seed), wire.ETHERNET)


@pytest.fixture(params=[24, 5, 2])
def short(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many segments a connection may have and be short; if few, it is tidied all the time."""
    few: int = request.param
    monkeypatch.setattr("lab.flows.MOST_SHORT", few)
    monkeypatch.setattr("lab.flows.talk.MOST_SHORT", few)
    monkeypatch.setattr("lab.flows._MOST_HELD", 1024 if few == 24 else few)
    monkeypatch.setattr("lab.packets._BATCH", 1)
    monkeypatch.setattr("lab.packets.pcap.CHUNK", 1 << 16 if few == 24 else 100)
    return few


def replayed(data: bytes) -> tuple[Connection, ...]:
    """The connections, each taken in segment by segment."""
    flows = Flows(Vantage())
    for segment in Reader(io.BytesIO(data)):
        flows.add(segment)
        for talk in flows.talks():
            talk.digest()
    return flows.connections()


def expected(connection: Connection) -> dict[str, Any]:
    """What is to be told of a connection, but for what is odd."""
    return {
        "began": connection.began._asdict(),
        "handshake": connection.handshake,
        "close": connection.close,
        "closed_first": connection.first_closer,
        "client": side(connection.client),
        "server": side(connection.server),
    }


def side(one: Side) -> dict[str, Any]:
    first = one.reset.first if one.reset else None
    return {
        "address": one.address,
        "port": one.port,
        "bytes": one.bytes,
        "retransmissions": one.retransmissions._asdict(),
        "reordered": one.reordered,
        "gaps": one.gaps,
        "reset": {**first._asdict(), "cause": one.reset.cause} if one.reset and first else None,
        "states": [{"state": change.state, **change.at._asdict()} for change in one.history],
    }


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_told_is_what_was_replayed(make: Callable[[int], bytes], seed: int) -> None:
    data = make(seed)
    told = as_data(analyze(io.BytesIO(data)))["connections"]
    connections = replayed(data)
    assert len(told) == len(connections)
    for one, connection in zip(told, connections, strict=True):
        one.pop("anomalies")
        assert one == expected(connection)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_odd_does_not_depend_on_the_way(make: Callable[[int], bytes], seed: int) -> None:
    data = make(seed)
    shown, asked = analyze(io.BytesIO(data)), analyze(io.BytesIO(data))
    told = as_data(shown)["connections"]
    assert [one["anomalies"] for one in told] == [list(one.anomalies) for one in asked.connections]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", SEEDS)
def test_connections_that_are_only_counted_are_counted_right(make: Callable[[int], bytes], seed: int) -> None:
    # None goes on after it was forgotten, or it would be two.
    frames = Reader(io.BytesIO(make(seed)))
    by_connection: dict[object, list[Bare]] = {}
    for segment in frames:
        by_connection.setdefault(frozenset((segment.flow, segment.flow.reverse)), []).append(segment)
    outcomes: list[tuple[str, str]] = []
    few = Flows(Vantage(), most=1, retire=outcomes.extend)
    alone: list[Connection] = []
    for segments in by_connection.values():
        few.take(segments)
        flows = Flows(Vantage())
        flows.take(segments)
        alone += flows.connections()
    outcomes += [(one.handshake, one.close) for one in few.connections()]
    assert Counter(outcomes) == Counter((one.handshake, one.close) for one in alone)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", SEEDS)
def test_facts_do_not_depend_on_how_segments_come(make: Callable[[int], bytes], seed: int) -> None:
    data, chance = make(seed), random.Random(seed)
    segments: list[Bare] = list(Reader(io.BytesIO(data)))
    at_once, in_pieces = Flows(Vantage()), Flows(Vantage())
    at_once.take(segments)
    for piece in cut(segments, chance):
        in_pieces.take(piece)
        if chance.random() < 0.3:
            in_pieces.connections()
    assert at_once.connections() == in_pieces.connections() == replayed(data)


def cut(segments: list[Bare], chance: random.Random) -> Iterator[list[Bare]]:
    while segments:
        size = chance.randrange(1, 60)
        yield segments[:size]
        segments = segments[size:]


@pytest.mark.parametrize("text", [text for text in SCRIPTS if "crossing" not in text])
def test_connections_of_one_shape_are_known_as_such(text: str) -> None:
    shapes = Shapes()
    found = []
    for seed in range(4):
        chance = random.Random(seed)
        script = text.format(*(chance.randrange(1, 1400) for _ in range(4)))
        isn = {"client_a": 2**32 - chance.randrange(1, 2000), "server": chance.randrange(2**32)}
        found.append(shapes.of(list(Reader(io.BytesIO(wire.single(script, isn=isn))))))
    assert None not in found
    assert len({one[0] for one in found if one}) == 1


@pytest.mark.parametrize(
    "text",
    [
        OPENED + "1 client_a > server P. 9\n2 client_a > server P. again\n",
        OPENED + "1 client_a > server P. 9 seq+5\n",
        OPENED + "1 client_a > server P. 9\n2 server > client_a R seq-3\n",
        OPENED + "1 client_a > server F.\n2 client_a > server F. again\n",
        OPENED + "1 client_a > server F.\n2 server > client_a F. crossing\n",
        "0 client_a > server R\n",
        "0 client_a > server S\n1 server > client_a P. 5\n",
        OPENED + "1 client_a > server S\n",
    ],
)
def test_what_is_out_of_the_ordinary_has_no_shape(text: str) -> None:
    assert Shapes().of(list(Reader(io.BytesIO(wire.single(text))))) is None


def test_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.flows.shape._MOST_SHAPES", 3)
    data = wire.pcap(in_line(1), wire.ETHERNET)
    told = as_data(analyze(io.BytesIO(data)))["connections"]
    assert [one["close"] for one in told] == [one.close for one in replayed(data)]


def test_a_long_connection_is_taken_in_as_it_goes() -> None:
    rounds = "".join(f"{n} client_a > server P. 9\n{n}.5 server > client_a P. 11\n" for n in range(1, 3000))
    data = wire.single(OPENED + rounds + "9000 client_a > server F.\n9001 server > client_a F.\n")
    flows = Flows(Vantage())
    for segment in Reader(io.BytesIO(data)):
        flows.add(segment)
        [talk] = flows.talks()
        assert len(talk.segments) <= 1100
    [connection] = flows.connections()
    assert (connection.client.bytes, connection.server.bytes) == (9 * 2999, 11 * 2999)
    assert connection.close == "still_open"


def test_copies_at_another_place_tell_nothing_new() -> None:
    frames = []
    for time, _, _, packet, _ in wire.Script().frames(SCRIPTS[5].format(1, 2, 3, 4)):
        frames += [(time, wire.framed(packet, interface=n, leaving=n == 2)) for n in (1, 2, 3)]
    [told] = as_data(analyze(io.BytesIO(wire.pcap(frames))))["connections"]
    assert (told["close"], told["client"]["retransmissions"]["data"]) == ("orderly", 0)
