"""``datagrams``: passing, failing and inconclusive, word by word."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.checks.payloads import PayloadSpec
from lab.core.bytes_regex import searcher
from lab.core.errors import UsageError
from lab.core.words import Outcome
from lab.evidence.sockets import DatagramSample, DatagramSocket, SocketSample
from tests.unit import sketch
from tests.unit.staged import FAIL, INCONCLUSIVE, MS, PASS, Stage

PINGS = """
    0     client_a:4000 > server:12000  U  text=ping1
    5     server:12000  > client_a:4000 U  text=PING1
    1000  client_a:4000 > server:12000  U  text=ping2
    2000  client_a:4000 > server:12000  U  text=ping3  entered
    3000  client_a:4000 > server:12000  U  text=ping4
    3500  server:12000  > client_a:4000 U  text=PING4
"""


def check(**words: Any) -> dict[str, object]:
    return {"datagrams": {"from": "client_a", "to": "server:12000", **words}}


@pytest.mark.parametrize(
    ("words", "outcome", "observed"),
    [
        ({"count": 4}, PASS, "4 datagrams sent"),
        ({"count": 5}, FAIL, "4 datagrams sent"),
        ({"arrived": 3}, PASS, "3 datagrams arrived"),
        ({"arrived": 4}, FAIL, "3 datagrams arrived"),
        ({"size": 5}, PASS, "payloads of 5 bytes"),
        ({"size": {"max": 4}}, FAIL, "payloads of 5 bytes; 4 of 4 are not"),
        ({"interval": {"min": "1s", "max": "1s"}}, PASS, "1.000 s to 1.000 s between two datagrams"),
        ({"interval": {"min": "1001ms"}}, FAIL, "1.000 s to 1.000 s between two datagrams; 3 of 3 are not"),
        ({"payload": {"contains": "ping"}}, PASS, "payload 'ping1'"),
        ({"payload": {"contains": "pong"}}, FAIL, "payload 'ping1'; 4 of 4 are not"),
        ({"payload": {"text": "ping2", "nth": 2}}, PASS, "payload 'ping2'"),
        ({"payload": {"text": "ping2"}}, FAIL, "payload 'ping1'; 3 of 4 are not"),
        ({"payload": {"bytes": "hex:70696e6731", "nth": 1}}, PASS, "payload 'ping1'"),
        ({"payload": {"text": "ping9", "nth": 9}}, FAIL, "no datagram was sent"),
        ({"answered": {"count": 2}}, PASS, "2 of 4 datagrams answered"),
        ({"answered": {"count": 2, "within": "100ms"}}, FAIL, "1 of 4 datagrams answered, 1 more too late"),
        ({"repeated": 0}, PASS, "0 of 4 had the payload of an earlier one"),
        ({"repeated": ">=1"}, FAIL, "0 of 4 had the payload of an earlier one"),
        ({"order": "kept"}, PASS, "0 of 3 overtook the one before"),
        ({"unreachable": "none"}, PASS, "0 ICMP errors"),
        ({"by": "to", "count": 2}, PASS, "2 datagrams sent"),
        ({"by": "to", "count": 4}, FAIL, "2 datagrams sent"),
        ({"by": "to", "payload": {"contains": "PING"}}, PASS, "payload 'PING1'"),
        ({"by": "to", "payload": {"contains": "ping"}}, FAIL, "payload 'PING1'; 2 of 2 are not"),
        ({"unreachable": "server"}, FAIL, "0 ICMP errors"),
    ],
)
def test_each_word(tmp_path: Path, words: dict[str, Any], outcome: Outcome, observed: str) -> None:
    result = Stage(tmp_path, PINGS).judge(check(**words))
    assert (result.outcome, result.observed) == (outcome, observed)


@pytest.mark.parametrize(
    ("payload", "outcome", "observed"),
    [
        ({"regex": r"^ping[1-4]$"}, PASS, "payload 'ping1'"),
        ({"regex": "(?i)PING"}, PASS, "payload 'ping1'"),
        ({"regex": r"^ping[13]$"}, FAIL, "payload 'ping2'; 2 of 4 are not"),
        ({"regex": r"^\x70ing2\z", "nth": 2}, PASS, "payload 'ping2'"),
        ({"regex": "2", "nth": 1}, FAIL, "payload 'ping1'; 1 of 1 is not"),
    ],
)
def test_payloads_that_an_expression_matches(
    tmp_path: Path, payload: dict[str, Any], outcome: Outcome, observed: str
) -> None:
    pytest.importorskip("re2")
    result = Stage(tmp_path, PINGS).judge(check(payload=payload))
    assert (result.outcome, result.observed) == (outcome, observed)


def test_an_expression_takes_time_that_grows_with_the_payload_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that an engine that goes back would take 2^1000 steps for."""
    pytest.importorskip("re2")
    talk = f"0 client_a:4000 > server:12000 U text={'a' * 1000}b"
    assert Stage(tmp_path, talk).judge(check(payload={"regex": "^(a+)+$"})).outcome is FAIL
    many = "\n".join(f"{number} client_a:4000 > server:12000 U text=aab" for number in range(3))
    monkeypatch.setattr("lab.wire.udp.MOST_BYTES", 4)
    cut = Stage(tmp_path, many).judge(check(payload={"regex": "a"}))
    assert cut.outcome is INCONCLUSIVE, "the payload of the second is not kept"


def test_payloads_that_are_no_text_are_shown_as_bytes_and_a_dot_is_any_of_them(tmp_path: Path) -> None:
    pytest.importorskip("re2")
    packet = datagram(A, SERVER, b"\x00\n\xff" + bytes(40))
    stage = Stage(tmp_path, capture=with_frames((9, "client_a", "server", packet)))
    right = stage.judge(check(payload={"regex": r"^\x00.\xff.{40}$", "nth": 4}))
    assert (right.outcome, right.observed) == (PASS, f"payload 'hex:00 0a ff{' 00' * 29} ...'")


def test_without_its_library_an_expression_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    searcher.cache_clear()
    with pytest.raises(UsageError, match="needs the library google-re2, which is not installed"):
        Stage(tmp_path, PINGS).judge(check(payload={"regex": "x"}))
    (mistake,) = PayloadSpec(regex="x").mistakes(("payload",))
    assert (mistake.code, "pip install google-re2" in mistake.fix) == ("missing-library", True)


@pytest.mark.parametrize(
    ("regex", "why"),
    [("(?=a)b", "(?="), (r"(a)\1", r"\1"), ("ü", r"\xNN"), ("(", "missing )"), ("a{2000}", "repetition")],
)
def test_expressions_that_are_none_of_re2(regex: str, why: str) -> None:
    pytest.importorskip("re2")
    (mistake,) = PayloadSpec(regex=regex).mistakes(("payload",))
    assert mistake.code == "bad-pattern"
    assert why in mistake.what


def socket_at(port: int, inode: int, drops: int) -> DatagramSocket:
    return DatagramSocket("0.0.0.0", port, "0.0.0.0", 0, 0, inode, drops)  # noqa: S104 - as a kernel says it


@pytest.mark.parametrize(
    ("losses", "drops", "said"),
    [
        (
            7,
            {12000: 7},
            "a receive buffer of server, that of UDP port 12000, was full: 7 datagrams were dropped",
        ),
        (9, {12000: 7, 53: 2}, "that of UDP port 12000, was full: 7 datagrams"),
        (7, {53: 7}, ""),  # those of another socket
        (0, {12000: 7}, ""),  # those with a wrong checksum
        (
            7,
            {},
            "a receive buffer of server was full: 7 datagrams",
        ),  # of a socket that was gone before a look
    ],
)
def test_what_the_receiver_had_no_room_for(
    tmp_path: Path, losses: int, drops: Mapping[int, int], said: str
) -> None:
    rows = tuple(socket_at(port, inode, number) for inode, (port, number) in enumerate(drops.items(), 1))
    stage = Stage(
        tmp_path, PINGS, samples=[SocketSample(1, "server", (), buffer_losses=losses)],
        datagram_samples=[DatagramSample(1, "server", rows), DatagramSample(2, "server", (), (1,))],
    )  # fmt: skip
    observed = stage.judge(check(answered={"count": 4})).observed
    assert said in observed
    assert ("dropped" in observed) is bool(said)


def test_the_same_payload_again_is_repeated(tmp_path: Path) -> None:
    again = PINGS + "    4000 client_a:4000 > server:12000 U text=ping4"
    assert Stage(tmp_path, again).judge(check(repeated=1)).outcome is PASS


def test_one_that_overtakes(tmp_path: Path) -> None:
    talk = """
    0    client_a > server:12000  U  text=first   entered
    1    client_a > server:12000  U  text=second
    100  client_a > server:12000  U  text=first   left
    """
    result = Stage(tmp_path, talk).judge(check(order="kept"))
    assert (result.outcome, result.observed) == (FAIL, "1 of 2 overtook the one before")


def test_an_icmp_error_names_who_sent_it(tmp_path: Path) -> None:
    talk = "0  client_a > server:12000  U  text=who  icmp=server:3.3"
    result = Stage(tmp_path, talk).judge(check(unreachable="server"))
    assert result.outcome is PASS
    assert "nobody has that port" in result.evidence[0]
    assert Stage(tmp_path, talk).judge(check(unreachable="none")).outcome is FAIL
    assert Stage(tmp_path, talk).judge(check(unreachable="client_b")).outcome is FAIL


def test_an_answer_with_the_same_payload_belongs_to_its_question(tmp_path: Path) -> None:
    talk = """
    0    client_a:4000 > server:12000  U  text=one
    1    client_a:4000 > server:12000  U  text=two
    50   server:12000 > client_a:4000  U  text=one
    300  server:12000 > client_a:4000  U  text=two
    """
    result = Stage(tmp_path, talk).judge(check(answered={"count": 1, "within": "100ms"}))
    assert result.outcome is PASS, result.observed


def test_an_answer_in_the_name_of_another_is_none(tmp_path: Path) -> None:
    talk = """
    0   client_a:4000 > server:12000   U  text=who
    50  server:12000  > client_a:4000  U  text=me by=client_b
    """
    result = Stage(tmp_path, talk).judge(check(answered={"count": 1}))
    assert (result.outcome, result.observed) == (FAIL, "0 of 1 datagram answered")


def test_what_was_never_sent_fails_every_word_that_needs_it(tmp_path: Path) -> None:
    for words in ({"count": 1}, {"size": 5}, {"payload": {"text": "x"}}, {"order": "kept"}, {"repeated": 0}):
        assert Stage(tmp_path, "0 client_a > server S").judge(check(**words)).outcome is FAIL
    assert Stage(tmp_path, "0 client_a > server S").judge(check(count=0)).outcome is PASS


def test_frames_that_were_lost_leave_it_open(tmp_path: Path) -> None:
    lossy = Stage(tmp_path, PINGS, dropped=3)
    assert lossy.judge(check(count=5)).outcome is INCONCLUSIVE
    assert lossy.judge(check(count=3)).outcome is FAIL, "there were more than that"
    assert lossy.judge(check(size="<=4")).outcome is FAIL, "what was seen decides it"
    assert lossy.judge(check(size=5)).outcome is INCONCLUSIVE


def test_a_busy_machine_leaves_an_interval_open(tmp_path: Path) -> None:
    busy = Stage(tmp_path, PINGS, worst_gap=400 * MS)
    assert busy.judge(check(interval={"min": "900ms"})).outcome is INCONCLUSIVE
    assert busy.judge(check(interval={"min": "100ms"})).outcome is PASS


def test_what_arrived_and_was_not_seen_to_be_sent_leaves_it_open(tmp_path: Path) -> None:
    talk = "0 client_a > server:12000 U text=ghost left"
    assert Stage(tmp_path, talk).judge(check(count=1)).outcome is INCONCLUSIVE


# What one host damages says nothing of others


def with_frames(*more: tuple[float, str, str, bytes]) -> bytes:
    """The capture of PINGS with packets, each sent by one host and received by another, put into it."""
    a, server = sketch.HOSTS["client_a"], sketch.HOSTS["server"]
    usual = [(float(n), "client_a", "server", datagram(a, server, b"ping%d" % n)) for n in range(3)]
    frames = []
    for milliseconds, sender, receiver, packet in (*usual, *more):
        at = sketch.EPOCH + round(milliseconds * MS)
        frames.append((at, sketch.framed(packet, interface=sketch.PORTS[sender])))
        frames.append((at + 1000, sketch.framed(packet, interface=sketch.PORTS[receiver], leaving=True)))
    return sketch.pcap(sorted(frames, key=lambda frame: frame[0]))


def datagram(
    source: str, target: str, payload: bytes, *, lie: int = 0, fragment: int = 0, ident: int = 1
) -> bytes:
    whole = sketch.udp((4000, 12000), payload)
    whole = whole[:4] + (len(whole) + lie).to_bytes(2, "big") + whole[6:]
    return sketch.ip(source, target, whole, protocol=17, fragment=fragment, ident=ident)


B, A, SERVER = (sketch.HOSTS[host] for host in ("client_b", "client_a", "server"))


@pytest.mark.parametrize(
    ("packets", "of_a", "of_b", "anybody"),
    [
        ([datagram(B, SERVER, b"lie", lie=900)], PASS, INCONCLUSIVE, INCONCLUSIVE),
        ([datagram(A, SERVER, b"lie", lie=900)], PASS, INCONCLUSIVE, INCONCLUSIVE),  # in the name of A
        (
            [datagram(B, SERVER, bytes(24), fragment=0x2000), datagram(B, SERVER, bytes(24), fragment=0x2001)],
            PASS, INCONCLUSIVE, INCONCLUSIVE,
        ),
        (
            [datagram(B, SERVER, bytes(24), fragment=0x2000, ident=number) for number in range(300)],
            PASS, INCONCLUSIVE, INCONCLUSIVE,
        ),
        (  # in the name of A: nobody knows what they do to the datagrams of A there
            [datagram(A, SERVER, bytes(24), fragment=0x2000), datagram(A, SERVER, bytes(24), fragment=0x2001)],
            INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE,
        ),
    ],
    ids=["a length", "a length in another's name", "an overlap", "many fragments", "an overlap in another's name"],
)  # fmt: skip
def test_what_one_host_damages_leaves_open_what_it_may_be_about(
    tmp_path: Path, packets: list[bytes], of_a: Outcome, of_b: Outcome, anybody: Outcome
) -> None:
    stage = Stage(tmp_path, capture=with_frames(*((0.5, "client_b", "server", packet) for packet in packets)))
    outcomes = [
        stage.judge({"datagrams": {**sender, "to": "server:12000", "arrived": count}}).outcome
        for sender, count in (({"from": "client_a"}, 3), ({"from": "client_b"}, 0), ({}, 3))
    ]
    assert outcomes == [of_a, of_b, anybody]


def test_what_was_sent_damaged_to_another_host_cannot_have_been_asked_for(tmp_path: Path) -> None:
    """Neither can a damaged segment, nor the damaged answer of another host to that one."""
    segment = sketch.ip(B, SERVER, bytes(12) + b"\x10" + bytes(7), protocol=6)
    packets = [
        (0.5, "client_b", "client_a", datagram(B, A, b"lie", lie=900)),
        (0.6, "client_b", "client_a", datagram(B, A, bytes(24), fragment=0x2000)),
        (0.7, "client_b", "client_a", datagram(B, A, bytes(24), fragment=0x2001)),
        (0.8, "client_b", "server", segment),
    ]
    stage = Stage(tmp_path, capture=with_frames(*packets))
    assert len(stage.evidence(check(count=3)).unsound_datagrams) == 2
    assert stage.judge({"datagrams": {"to": "server:12000", "arrived": 3}}).outcome is PASS
    back = {"datagrams": {"to": "server:12000", "by": "to", "count": 0}}
    assert stage.judge(back).outcome is PASS
    assert stage.judge({"datagrams": {"to": "client_a:12000", "count": 0}}).outcome is INCONCLUSIVE
    stage = Stage(
        tmp_path, capture=with_frames((0.5, "server", "client_b", datagram(SERVER, B, b"lie", lie=9)))
    )
    assert stage.judge(back).outcome is INCONCLUSIVE


def test_who_sends_damaged_packets_to_a_thousand_addresses_is_known_all_the_same(tmp_path: Path) -> None:
    many = [datagram(B, f"10.{n >> 8}.{n & 255}.1", b"lie", lie=900) for n in range(1100)]
    frames = with_frames(*((0.5, "client_b", "client_a", packet) for packet in many))
    stage = Stage(tmp_path, capture=frames)
    assert stage.judge(check(arrived=3)).outcome is PASS
    assert stage.judge({"datagrams": {"to": "server:12000", "arrived": 3}}).outcome is INCONCLUSIVE
