"""Any hosts on any screen: no text stands on a host's column, nothing is wider than the screen, nothing lost."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

import pytest

from lab.core.words import Outcome, TcpState
from lab.output.ladder.rows import (
    OUTSIDE,
    Accepted,
    Entered,
    Folded,
    Opened,
    Packet,
    Queued,
    Row,
    Said,
)
from lab.output.ladder.scroll import Scroll
from lab.output.ladder.text import Ladder
from lab.output.style import Style, columns

WIDTHS = range(40, 201)
NAMES = {
    "short": [f"h{number}" for number in range(40)],
    "usual": ["server", *(f"client_{number}" for number in range(40))],
    "long": [f"a_host_with_a_name_of_forty_characters_{number:02}"[-40:].lstrip("_") for number in range(40)],
    "strangers": ["server", OUTSIDE, *(f"client_{number}" for number in range(40))],
}
ADDRESSES = ["", "192.168.153.{}", "fd00:1234:5678:9abc:def0:1234:5678:{}"]
HOSTS = [1, 2, 3, 5, 8, 16, 40]
SIGNS = frozenset("│┊┼├┤◀▶✗●─ ")
"""What may stand in a host's column."""

PLAIN = frozenset("|:+<>x*- ")
LONG = (
    "a line of words, 你好 and_one_word_that_is_longer_than_any_column_between_two_hosts_could_ever_be " * 3
)
STATES = (TcpState.SYN_RECEIVED,), (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT)


def rows_of(hosts: Sequence[str], chance: random.Random) -> Iterator[Row]:
    """Rows of each kind, with the longest that each may be."""
    ends = [(one, other) for one in hosts for other in hosts]
    for number, (source, target) in enumerate(chance.sample(ends, min(len(ends), 24))):
        big = chance.choice([0, 4_294_967_295])
        size = chance.choice([0, 5, 1448])
        yield Packet(
            chance.randrange(10**10),
            number + 80,
            source,
            target,
            chance.choice([(1, 80), (65535, 65535)]),
            chance.choice([2, 18, 24, 17, 4, 63]),
            big,
            big,
            size,
            fate=chance.choice(["arrived", "lost", "unseen"]),
            mark=chance.choice(["", "again", "window probe"]),
            delay=chance.choice([0, 1_234_567_890_123]),
            states=chance.choice([((), ()), STATES, STATES[::-1]]),
            blamed=chance.choice([None, Outcome.FAIL]),
            held=chance.choice(["", "held by step 12.3 until +1234567.890 ms"]),
            datagram=chance.choice(["", "UDP :65535 len=65507", "ICMP destination-unreachable about :65535"]),
            payload=chance.choice([b"hello", b"\x00\xff" * 16, "你好".encode() * 5])[:size],
        )
    for host in hosts:
        yield Said(1, host, chance.choice(["", "program"]), "printed", chance.choice(["Hi", LONG, ""]))
        yield Entered(2, chance.choice([0, 99]), host, 65535, TcpState.SYN_RECEIVED)
        yield Queued(3, 99, host, 65535)
        yield Accepted(4, 99, host, 65535, 3)
    yield Opened(5, 99, f"{hosts[0]}:65535", "[fd00:1234:5678:9abc:def0:1234:5678:9abc]:65535")
    yield Folded(6, "1234567 more ICMP messages, 123456789 bytes")


def cells(line: str) -> str:
    """One character for each column of the screen: a wide one takes two."""
    return "".join(one + "\0" * (columns(one) - 1) for one in line)


@pytest.mark.parametrize("count", HOSTS)
@pytest.mark.parametrize("names", NAMES)
def test_no_column_is_overwritten(count: int, names: str) -> None:
    chance = random.Random(f"{count} {names}")
    for width in [*chance.sample(WIDTHS, 10), 40, 80]:
        address = chance.choice(ADDRESSES)
        hosts = [(name, address.format(number + 100)) for number, name in enumerate(NAMES[names][:count])]
        rows = list(rows_of([name for name, _ in hosts[:6]], chance))
        style = Style(width=width, unicode=chance.random() < 0.8)
        ladder = Ladder(hosts, 0, (0, 10**10), 99, style)
        (empty,) = ladder.row(Folded(0, "1 more"))
        places = [place for place, sign in enumerate(empty) if sign in "┊:"]
        for row in rows:
            for line in ladder.row(row):
                assert columns(line) <= width, (width, line)
                if not isinstance(row, Opened):
                    signs = SIGNS if style.unicode else PLAIN
                    over = [place for place in places if cells(line).ljust(width)[place] not in signs]
                    assert not over, (width, line)
        for line in ladder.head():
            assert columns(line) <= width, (width, line)


@pytest.mark.parametrize("count", HOSTS)
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("width", [40, 60, 80, 100, 132, 200])
def test_nothing_is_lost(count: int, names: str, width: int) -> None:
    """Who, where to, what: whatever breaks a line, each word is still there, and in one piece."""
    hosts = [(name, f"10.0.0.{number}") for number, name in enumerate(NAMES[names][:count])]
    ladder = Ladder(hosts, 0, (0, 10**10), 99, Style(width=width))
    head = whole(ladder.head())
    named = all(name in head for name, _ in hosts)
    source, target = hosts[0][0], hosts[-1][0]
    sent = Packet(
        0, 12, source, target, (4000, 80), 24, 4_294_967_295, 4_294_967_295, 5, fate="unseen", mark="again",
        states=STATES, payload=b"hi you",
    )  # fmt: skip
    told = whole(ladder.row(sent))
    for word in ("again:", "4294967295", "seen", "arrive", "SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT"):
        assert word in told, told
    assert '"hi' in told
    assert named or (shortened(source) in shortened(told) and shortened(target) in shortened(told))
    waits = whole(ladder.row(Queued(0, 12, target, 80)))
    assert "queued, not accepted" in waits
    assert named or shortened(target) in shortened(waits)


def whole(lines: Iterator[str]) -> str:
    """Lines put together, without what is drawn and the times."""
    return " ".join(re.sub(r"[│┊┼├┤◀▶●─✗]|\d+\.\d{3}", " ", "\n".join(lines)).split())


def shortened(text: str) -> str:
    """Without blanks: a name that is longer than a line is broken."""
    return text.replace(" ", "")


def test_long_names_and_addresses_are_told_above() -> None:
    hosts = [("a_rather_long_name_of_a_host", "fd00:1234:5678:9abc:def0:1234:5678:9abc"), ("b", "fd00::2")]
    head = list(Ladder(hosts, 0, (0, 10**9), 1, Style()).head())
    assert head == [
        "         1=a_rather_long_name_of_a_host fd00:1234:5678:9abc:def0:1234:5678:9abc",
        "         2=b fd00::2",
        "      ms              1                                           2",
    ]
    head = list(Ladder([("server", hosts[0][1]), ("b", "fd00::2")], 0, (0, 10**9), 1, Style()).head())
    assert head == [
        "         server fd00:1234:5678:9abc:def0:1234:5678:9abc  b fd00::2",
        "      ms           server                                         b",
    ]


def test_many_hosts_on_a_narrow_screen_are_a_list() -> None:
    hosts = [(f"client_{number}", "") for number in range(40)]
    ladder = Ladder(hosts, 0, (0, 10**9), 99, Style(width=80))
    sent = Packet(
        1_000_000, 2, "client_3", "client_4", (4000, 80), 24, 1, 1, 5, payload=b"hello",
        states=((), (TcpState.CLOSE_WAIT,)),
    )  # fmt: skip
    rows: list[Row] = [
        sent,
        Said(2_000_000, "client_3", "", "printed", "Hi"),
        Queued(3_000_000, 2, "client_4", 80),
    ]
    assert [*ladder.head(), *(line for row in rows for line in ladder.row(row))] == [
        "      ms",
        '   1.000 2  client_3 → client_4: PSH 1+5 ACK 1 "hello"  client_4 CLOSE_WAIT',
        '   2.000    client_3 "Hi"',
        "   3.000 2  client_4 queued, not accepted",
    ]


def test_numbers_get_a_column_for_their_next_digit() -> None:
    scroll = Scroll([("server", "10.0.0.1"), ("client", "10.0.0.2")], 0, Style(width=100))
    for number, heads in ((1, 2), (99, 0), (100, 2), (5, 0), (12_345, 2)):
        drawn = list(scroll.lines([Entered(10**9, number, "server", 80, TcpState.SYN_RECEIVED)]))
        assert len(drawn) == heads + 1
        assert f" {number} " in drawn[-1]
        assert "│ SYN_RECEIVED" in drawn[-1]
