"""The checks that rest on the capture: each with a passing, a failing and an incomplete one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.core.words import Outcome, TcpState
from lab.evidence.capture import Drop, HeldSegment
from lab.evidence.sockets import SocketSample
from tests.judged import Judged
from tests.unit import sketch
from tests.unit.staged import ENDED, FAIL, INCONCLUSIVE, PASS, Stage, at, row

OPEN = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
"""
CLOSED = """
    2    client_a > server  F.
    2.1  server > client_a  .
    152  server > client_a  F.
    153  client_a > server  .
"""
ORDERLY = OPEN + "1 client_a > server P. 5\n 1.1 server > client_a P. 7\n 1.2 client_a > server ." + CLOSED
REFUSED = "0 client_a > server S\n 0.1 server > client_a R."
NO_REPLY = "0 client_a > server S\n 1000 client_a > server S again"
RESET = OPEN + "1 client_a > server P. 5\n 1.1 server > client_a R."
HALF_CLOSE = (
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
SIMULTANEOUS = (
    OPEN
    + """
    1     client_a > server  F.
    1.001 server > client_a  F. crossing
    1.1   client_a > server  .
    1.2   server > client_a  .
"""
)
LEAKING = OPEN + "2 client_a > server F.\n 2.1 server > client_a ."


def connection(**words: Any) -> dict[str, Any]:
    return {"connection": {"from": "client_a", "to": "server:19999"}, **words}


def close(*kind: str, active: str | None = None) -> dict[str, Any]:
    return connection(close={key: value for key, value in (("kind", kind), ("active", active)) if value})


def connections(count: int | str, from_: str | None = None) -> dict[str, Any]:
    return {"connections": {"to": "server:19999", "count": count, **({"from": from_} if from_ else {})}}


def close_wait(**words: Any) -> dict[str, Any]:
    return {"close_wait": {"host": "server", **words}}


CROSSING_SYNS = """
    0     client_a > server  S
    0.001 server > client_a  S
    0.1   client_a > server  S. again
    0.2   server > client_a  S. again
    0.3   client_a > server  .
"""
RESENT = OPEN + "1 client_a > server P. 5\n 200 client_a > server P. again\n 201 server > client_a ." + CLOSED
PASSIVE = ["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]
ACTIVE = ["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"]
SHORT = {"max": "200ms"}
TABLE = [
    # what is asserted, the capture where it holds, one where it does not, what is then told
    (connection(handshake="complete"), ORDERLY, REFUSED, "server refused"),
    (connection(handshake="complete"), ORDERLY, NO_REPLY, "nothing answered the SYN, which was sent 2 times"),
    (connection(handshake="refused"), REFUSED, ORDERLY, "was completed"),
    (connection(handshake="no_reply"), NO_REPLY, ORDERLY, "was completed"),
    (connection(handshake="simultaneous"), CROSSING_SYNS, ORDERLY, "was completed"),
    (close("orderly", "simultaneous"), SIMULTANEOUS, RESET, "RST from server"),
    (connection(rst={"by": "server", "cause": "no_listener"}), REFUSED, ORDERLY, "no RST"),
    (connection(retransmissions={"syn": 1}), NO_REPLY, ORDERLY, "0 segments with SYN sent again"),
    (connection(retransmissions={"data": 0}), ORDERLY, RESENT, "1 segment with data sent again: 1 by client_a"),
    (connection(retransmissions={"by": "server", "data": 0, "fin": 0}), RESENT,
     RESENT + "300 server > client_a F. again", "1 segment with FIN sent again: 1 by server"),
    (connection(states={"server": PASSIVE, "client_a": ACTIVE}), ORDERLY, LEAKING,
     "server went through SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT: it never left CLOSE_WAIT"),
    (connection(states={"from": ACTIVE}), ORDERLY, SIMULTANEOUS, "after FIN_WAIT_1 came CLOSING, not FIN_WAIT_2"),
    (close("orderly"), ORDERLY, RESET, "RST from server: its program closed with data unread"),
    (close("orderly"), ORDERLY, LEAKING, "server never sent FIN"),
    (close("orderly"), ORDERLY, HALF_CLOSE, "server sent new data after the FIN of client_a"),
    (close("half_close"), HALF_CLOSE, ORDERLY, "FIN from client_a, then from server"),
    (close("simultaneous"), SIMULTANEOUS, ORDERLY, "FIN from client_a, then from server"),
    (close("reset"), RESET, ORDERLY, "FIN from client_a"),
    (close("still_open"), LEAKING, ORDERLY, "FIN from client_a, then"),
    (close(active="client_a"), ORDERLY, SIMULTANEOUS, "both closed at once"),
    (close(active="client_a"), ORDERLY, RESET, "nobody sent FIN; RST from server"),
    (close(active="server"), OPEN + "1 server > client_a F.", ORDERLY, "client_a closed first"),
    (connection(fin=["client_a", "server"]), ORDERLY, LEAKING, "FIN from client_a"),
    (connection(fin=["client_a"]), LEAKING, ORDERLY, "FIN from client_a and server"),
    (connection(fin=[]), OPEN, ORDERLY, "FIN from client_a and server"),
    (connection(rst="none"), ORDERLY, RESET, "RST from server"),
    (connection(rst={"by": "server"}), RESET, ORDERLY, "no RST"),
    (connection(rst={"by": "client_a"}), OPEN + "1 client_a > server R.", RESET, "RST from server"),
    (connection(bytes={"client_a": 5, "server": 7}), ORDERLY, RESET, "0 bytes from server"),
    (connection(bytes={"server": ">=50"}), HALF_CLOSE, ORDERLY, "7 bytes from server"),
    (connections(1), ORDERLY, REFUSED, "0 connections, and 1 more without"),
    (connections(0, "client_b"), ORDERLY, ORDERLY.replace("client_a", "client_b"), "1 connection"),
    (close_wait(observed=True), ORDERLY, RESET, "never was in CLOSE_WAIT"),
    (close_wait(observed=True), ORDERLY, OPEN + "1 server > client_a F.", "server closed first; client_a never sent"),
    (close_wait(observed=False), RESET, ORDERLY, "in CLOSE_WAIT for 149.990 ms, until its own FIN"),
    (close_wait(peer="client_a", port=19999, dwell=SHORT), ORDERLY, LEAKING, "9.998 s when the run ended"),
    (close_wait(dwell={"min": "100ms"}), ORDERLY, HALF_CLOSE, "for 1.990 ms"),
    (close_wait(left=True), ORDERLY, LEAKING, "never left CLOSE_WAIT"),
    (close_wait(left=False), LEAKING, ORDERLY, "until its own FIN"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "good", "bad", "told"), TABLE)
def test_passes_and_fails(tmp_path: Path, spec: dict[str, Any], good: str, bad: str, told: str) -> None:
    assert Stage(tmp_path, good).judge(spec).outcome is PASS
    result = Stage(tmp_path, bad).judge({**spec, "hint": "Think."})
    assert (result.outcome, result.hint) == (FAIL, "Think.")
    assert told in result.observed


@pytest.mark.parametrize("spec", [row[0] for row in TABLE])
def test_nothing_is_judged_on_an_empty_capture_that_lost_frames(tmp_path: Path, spec: dict[str, Any]) -> None:
    result = Stage(tmp_path, dropped=3).judge(spec)
    assert result.outcome is INCONCLUSIVE
    assert "the kernel dropped 3 frames" in result.observed


STANDS = [
    # what frames prove though others are missing
    (connection(handshake="complete"), ORDERLY, PASS),
    (connection(handshake="complete"), REFUSED, FAIL),
    (connection(handshake="no_reply"), REFUSED, FAIL),
    (connection(rst="none"), RESET, FAIL),
    (connection(rst={"by": "server"}), RESET, PASS),
    (close("still_open"), ORDERLY, FAIL),
    (close("reset"), ORDERLY, FAIL),
    (connection(fin=["server"]), ORDERLY, FAIL),
    (connection(bytes={"client_a": 5}), ORDERLY, PASS),
    (connection(bytes={"client_a": 6}), ORDERLY, FAIL),
    (connection(bytes={"client_a": 3}), RESET, FAIL),
    (connection(retransmissions={"data": 0}), RESENT, FAIL),
    (connection(retransmissions={"data": ">=1"}), RESENT, PASS),
    (connections(">=1"), ORDERLY, PASS),
    (connections(0), ORDERLY, FAIL),
    (close_wait(observed=True), ORDERLY, PASS),
    (close_wait(observed=False), ORDERLY, FAIL),
    (close_wait(left=False), ORDERLY, FAIL),
]
FALLS = [
    # what more frames could overturn
    (connection(handshake="complete"), NO_REPLY),
    (connection(handshake="no_reply"), NO_REPLY),
    (connection(rst="none"), ORDERLY),
    (connection(rst={"by": "client_a"}), RESET),
    (close("orderly"), ORDERLY),
    (close("still_open"), LEAKING),
    (close(active="client_a"), ORDERLY),
    (connection(fin=["client_a", "server"]), ORDERLY),
    (connection(bytes={"client_a": 5}), RESET),
    (connection(retransmissions={"data": 0}), ORDERLY),
    (connection(states={"server": PASSIVE}), ORDERLY),
    (connection(time_wait="server"), ORDERLY),
    (connections(1), ORDERLY),
    (close_wait(observed=False), RESET),
    (close_wait(dwell=SHORT), ORDERLY),
    (close_wait(left=True), LEAKING),
]


@pytest.mark.parametrize(("spec", "talk", "outcome"), STANDS)
def test_a_frame_that_is_there_stands(tmp_path: Path, spec: dict[str, Any], talk: str, outcome: str) -> None:
    assert Stage(tmp_path, talk, dropped=1).judge(spec).outcome == outcome


@pytest.mark.parametrize(("spec", "talk"), FALLS)
def test_what_rests_on_missing_frames_is_not_judged(tmp_path: Path, spec: dict[str, Any], talk: str) -> None:
    assert Stage(tmp_path, talk, dropped=1).judge(spec).outcome is INCONCLUSIVE
    cut = sketch.switch(talk)[:-7]
    assert Stage(tmp_path, capture=cut).judge(spec).outcome is INCONCLUSIVE


def test_a_frame_seen_at_one_port_only_is_a_doubt(tmp_path: Path) -> None:
    result = Stage(tmp_path, ORDERLY.replace("P. 7", "P. 7 left")).judge(connection(rst="none"))
    assert result.outcome is INCONCLUSIVE
    assert "frame 9 was seen at one port of the switch only" in result.observed


LOST = ORDERLY.replace("P. 7", "P. 7 entered\n 1.15 server > client_a P. again", 1)


def test_a_frame_that_never_arrived_is_no_gap_in_a_complete_capture(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LOST)
    (found,) = stage.evidence().connections
    assert [one.at.frame for one in found.lost] == list(found.unpaired) != []
    assert stage.judge(connection(rst="none")).outcome is PASS
    told = stage.judge(connection(retransmissions={"data": 0})).evidence
    assert any("never arrived: lost on its way" in sentence for sentence in told)
    assert Stage(tmp_path, LOST, dropped=1).judge(connection(rst="none")).outcome is INCONCLUSIVE


def test_a_segment_that_a_step_kept_back_is_told_as_that(tmp_path: Path) -> None:
    server, client = sketch.HOSTS["server"], sketch.HOSTS["client_a"]
    held = HeldSegment(at(1.1) + 1000, 0, "server", "3", server, 19999, client, 40000, 1, 1, 24, 7)
    told = Stage(tmp_path, LOST, held=[held]).judge(connection(retransmissions={"data": 0})).evidence
    assert any("never arrived: step 3 kept it back" in sentence for sentence in told)


def test_what_a_router_says_of_a_segment_that_it_dropped_is_told(tmp_path: Path) -> None:
    talk = LOST.replace("entered", "entered icmp=client_b:3.4.1280")
    assert talk != LOST
    told = Stage(tmp_path, talk).judge(connection(retransmissions={"data": 0})).evidence
    said = "client_b did not pass it on: fragmentation needed: the next link takes 1280 bytes (ICMP, frame "
    assert any(said in sentence for sentence in told), told


def test_why_nothing_answered_is_told_by_icmp(tmp_path: Path) -> None:
    talk = "0 client_a > server S entered icmp=client_b:3.1\n1000 client_a > server S again"
    talk += " entered icmp=client_b:3.1"
    observed = Stage(tmp_path, talk).judge(connection(handshake="complete")).observed
    said = "client_b did not pass it on: destination unreachable: no answer from that host (ICMP, frame 2)"
    assert said in observed
    assert observed.count("ICMP") == 1


def test_a_frame_that_may_have_been_under_way_at_the_end_is_a_doubt(tmp_path: Path) -> None:
    late = ORDERLY + "9950 client_a > server:19999 S entered"
    result = Stage(tmp_path, late).judge({"connections": {"to": "server:19999", "count": 1}})
    assert result.outcome is INCONCLUSIVE


def test_frames_that_were_lost_put_what_was_open_meanwhile_in_doubt(tmp_path: Path) -> None:
    spec = connection(rst="none", close={"kind": ["orderly"]})

    def during(began: float, ended: float) -> Judged:
        return Stage(tmp_path, ORDERLY, dropped=9, drops=[Drop(at(began), at(ended), 9)]).judge(spec)

    assert during(8000, 8050).outcome is PASS
    doubtful = during(1, 50)
    assert doubtful.outcome is INCONCLUSIVE
    assert "dropped 9 frames" in doubtful.observed
    assert "while 1 of the 1 connection was open (number 1)" in doubtful.observed
    assert during(200, 220).outcome is INCONCLUSIVE  # something may have been sent again
    assert during(-50, -10).outcome is INCONCLUSIVE  # it may not be the first of its kind


def test_how_many_there_were_stays_in_doubt_whenever_frames_were_lost(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ORDERLY, dropped=9, drops=[Drop(at(8000), at(8050), 9)])
    result = stage.judge({"connections": {"to": "server:19999", "count": 1}})
    assert result.outcome is INCONCLUSIVE
    assert "while none of the connections was open" in result.observed


LATER_LEAKS = """
    3000   client_b > server  S
    3000.1 server > client_b  S.
    3000.2 client_b > server  .
    3001   client_b > server  F.
    3001.1 server > client_b  .
"""


def test_what_frames_that_were_lost_did_not_touch_is_judged(tmp_path: Path) -> None:
    """The first connection closes in order, the second leaves the server in CLOSE_WAIT."""
    first, never = [Drop(at(1), at(50), 9)], [Drop(at(2000), at(2050), 9)]

    def outcome(spec: dict[str, Any], drops: list[Drop], **counted: int) -> Outcome:
        counts = {"client_a": 1, "client_b": 1, "server": 0, **counted}
        samples = [SocketSample(at(-90), host, (), opens=number) for host, number in counts.items()]
        stage = Stage(tmp_path, ORDERLY + LATER_LEAKS, dropped=9, drops=drops, samples=samples)
        return stage.judge(spec).outcome

    for spec, expected in (
        (connections(2), PASS),
        (connections(1), FAIL),
        (connections(1, "client_b"), PASS),
        ({"state": {"host": "server", "state": "CLOSING", "observed": False}}, PASS),
        (close_wait(left=True), FAIL),
        (close_wait(peer="client_a", left=True), PASS),
        (close_wait(peer="client_b", dwell={"min": "1s"}), PASS),
        (close_wait(peer="client_b", left=True), FAIL),
    ):
        assert outcome(spec, never) is expected, spec
        own = spec.get("close_wait", {}).get("peer") == "client_b" or spec == connections(1, "client_b")
        proven = own or spec in (connections(1), close_wait(left=True))
        assert outcome(spec, first) is (expected if proven else INCONCLUSIVE), spec
        decided = spec == connections(1) or (expected is FAIL and "close_wait" in spec)
        for counted in ({"client_b": 2}, {"client_b": -1}):  # one is missing; nobody counted
            assert outcome(spec, never, **counted) is (expected if decided else INCONCLUSIVE), spec


@pytest.mark.parametrize(
    ("spec", "talk", "words"),
    [
        (close("orderly"), LEAKING, "no FIN from server was captured"),
        (close("orderly"), LEAKING + "\n3 server > client_a F.", "no ACK of the FIN of server was captured"),
        (connection(handshake="complete"), NO_REPLY, "no answer to the SYN was captured"),
        (connection(handshake="complete"), OPEN.rpartition("0.2")[0], "no ACK from client_a was captured"),
        (connection(handshake="complete"), "", "no SYN from client_a to server:19999 was captured"),
    ],
)
def test_nothing_is_said_to_have_never_happened_that_may_be_lost(
    tmp_path: Path, spec: dict[str, Any], talk: str, words: str
) -> None:
    result = Stage(tmp_path, talk, dropped=1).judge(spec)
    assert result.outcome is INCONCLUSIVE
    assert words in result.observed
    assert "never" not in result.observed
    assert words not in Stage(tmp_path, talk).judge(spec).observed


UNSEEN = OPEN + "1 client_a > server P. 5 entered left\n 1.1 server > client_a .\n"


@pytest.mark.parametrize(
    ("talk", "count", "outcome"),
    [
        (UNSEEN, ">=4", PASS),
        (UNSEEN, ">=5", INCONCLUSIVE),
        (UNSEEN, 5, INCONCLUSIVE),
        (UNSEEN, "<=3", FAIL),
        (UNSEEN + CLOSED, 5, PASS),
        (UNSEEN + CLOSED, 6, FAIL),
    ],
)
def test_bytes_are_proven_by_numbers_and_else_bounded(
    tmp_path: Path, talk: str, count: int | str, outcome: str
) -> None:
    """What was acknowledged last may be a FIN: without one it proves a byte less."""
    assert Stage(tmp_path, talk, dropped=1).judge(connection(bytes={"client_a": count})).outcome == outcome


def test_what_fills_a_gap_is_not_proven_to_be_sent_again(tmp_path: Path) -> None:
    spec = connection(retransmissions={"data": 0})
    first = OPEN + "1 client_a > server P. 5 entered left\n 2 client_a > server P. 5\n"
    seen = OPEN + "1 client_a > server P. 5\n 2 client_a > server P. 5\n"
    again = "300 client_a > server P. 5 seq-10\n"
    assert Stage(tmp_path, first + again, dropped=1).judge(spec).outcome is INCONCLUSIVE
    assert Stage(tmp_path, seen + again, dropped=1).judge(spec).outcome is FAIL


def test_evidence_names_frames_and_times_since_the_first_syn(tmp_path: Path) -> None:
    result = Stage(tmp_path, ORDERLY).judge(close("orderly"))
    assert result.evidence[:2] == (
        "frame 13, +2.000 ms: FIN from client_a",
        "frame 16, +2.110 ms: the FIN of client_a is acknowledged",
    )


def test_a_connection_that_never_was(tmp_path: Path) -> None:
    result = Stage(tmp_path, ORDERLY.replace("server ", "server:3001 ")).judge(
        connection(handshake="complete")
    )
    assert (result.outcome, result.absent) == (FAIL, False)
    assert result.observed == "client_a never sent a SYN to server:19999"
    assert result.evidence == ("frame 1, +0.000 ms: SYN from client_a to server:3001",)


def test_the_second_of_two(tmp_path: Path) -> None:
    spec = connection(rst="none")
    spec["connection"]["nth"] = 2
    talk = ORDERLY + RESET.replace("client_a", "client_a:40001")
    assert Stage(tmp_path, talk).judge(spec).outcome is FAIL
    assert Stage(tmp_path, talk, dropped=1).judge(spec).outcome is INCONCLUSIVE
    assert Stage(tmp_path, ORDERLY).judge(spec).observed == "there was only 1"


def test_a_capture_that_began_late(tmp_path: Path) -> None:
    talk = "1 client_a > server P. 5\n 1.1 server > client_a ."
    for words in ({"handshake": "complete"}, {"bytes": {"client_a": 5}}, {"rst": "none"}):
        for ports in (talk, talk.replace("client_a", "client_a:1024")):
            assert Stage(tmp_path, ports).judge(connection(**words)).outcome is INCONCLUSIVE
    assert Stage(tmp_path, talk).judge(connections(0)).outcome is INCONCLUSIVE


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        (
            [(-1, "127.0.0.1:19999")],
            "at that time it listened on 127.0.0.1:19999 only, where other hosts can",
        ),
        ([(-1, "0.0.0.0:80")], "at that time it listened on 0.0.0.0:80"),
        (
            [(-1, ""), (50, "0.0.0.0:19999")],
            "was seen to listen on 0.0.0.0:19999 only afterwards, at +50.000",
        ),
        (
            [(-9, "0.0.0.0:19999"), (-1, "")],
            "was last seen to listen on 0.0.0.0:19999 before that, at -9.000",
        ),
    ],
)
def test_a_refusal_says_what_the_host_listened_on_then(
    tmp_path: Path, looks: list[tuple[float, str]], told: str
) -> None:
    samples = [
        SocketSample(at(time), "server", (row(TcpState.LISTEN, where),) if where else ())
        for time, where in looks
    ]
    result = Stage(tmp_path, REFUSED, samples=samples).judge(connection(handshake="complete", rst="none"))
    assert told in result.observed
    assert result.observed.count("listen on ") + result.observed.count("listened on ") == 1


def test_a_connection_that_was_refused_is_told_once(tmp_path: Path) -> None:
    words = {"close": {"kind": ["orderly"], "active": "client_a"}, "bytes": {"client_a": 5}, "rst": "none"}
    result = Stage(tmp_path, REFUSED).judge(connection(handshake="complete", fin=["client_a"], **words))
    assert (result.outcome, result.missing) == (FAIL, True)
    assert result.observed == "server refused: RST answers the SYN to port 19999"
    cause = Stage(tmp_path, REFUSED).judge(connection(rst={"by": "server", "cause": "late_data"}))
    assert cause.observed == "RST from server: nothing listened on that port then"


def test_loopback_is_judged_where_it_was_captured(tmp_path: Path) -> None:
    spec = {"connection": {"from": "server", "to": "server:3000"}, "handshake": "complete"}
    talk = OPEN.replace("client_a", "server:40000").replace("server ", "server:3000 ")
    assert Stage(tmp_path, loopback={"server": talk}).judge(spec).outcome is PASS
    result = Stage(tmp_path).judge(spec)
    assert result.outcome is INCONCLUSIVE
    assert "the loopback of server was not captured" in result.observed


def test_what_the_kernel_shows_of_close_wait_lies_within_what_the_frames_show(tmp_path: Path) -> None:
    """The look that shows it gone comes 3 ms after the FIN that ends it."""
    held = row(TcpState.CLOSE_WAIT, "192.168.153.128:19999", "192.168.153.129:40000")
    samples = [SocketSample(at(6), "server", (held,), until=at(900)), SocketSample(at(1003), "server", ())]
    talk = LEAKING + "\n1000 server > client_a F.\n 1000.1 client_a > server .\n"
    result = Stage(tmp_path, talk, samples=samples).judge(close_wait(dwell={"max": "500ms"}))
    assert "was in CLOSE_WAIT for 997.990 ms" in result.observed
    assert "the kernel of server shows CLOSE_WAIT at looks from +6.000 ms to +900.000 ms" in result.evidence


@pytest.mark.parametrize(
    ("inode", "unread", "blame", "why"),
    [
        (0, 1, "not_accepted", "no program ever accepted the connection"),
        (1, 6, "unread_data", "5 bytes were never read"),
        (1, 1, "eof_not_read", "has not read the end"),
        (1, 0, "not_closed", "has read the whole input and not closed"),
    ],
)
def test_why_close_wait_lasts(tmp_path: Path, inode: int, unread: int, blame: str, why: str) -> None:
    held = row(
        TcpState.CLOSE_WAIT, "192.168.153.128:19999", "192.168.153.129:40000", inode=inode, unread=unread
    )
    stage = Stage(tmp_path, LEAKING, samples=[SocketSample(at(6), "server", (held,), until=at(9000))])
    result = stage.judge(close_wait(left=True))
    assert result.outcome is FAIL
    assert why in result.observed
    for word in ("not_accepted", "unread_data", "eof_not_read", "not_closed"):
        assert stage.judge(close_wait(blame=word)).outcome is (PASS if word == blame else FAIL)
    assert stage.judge(close_wait(eof_read=True)).outcome is (PASS if blame == "not_closed" else FAIL)
    assert "the kernel of server shows CLOSE_WAIT at looks from +6.000 ms to +9.000 s" in result.evidence


def test_a_stay_that_the_end_of_the_run_cut_short(tmp_path: Path) -> None:
    late = (ENDED - sketch.EPOCH) / 1_000_000 - 100
    talk = OPEN + f"{late} client_a > server F."
    result = Stage(tmp_path, talk).judge(close_wait(dwell=SHORT))
    assert result.outcome is INCONCLUSIVE
    assert "too soon to tell" in result.observed


def test_of_many_stays_the_first_are_told_and_all_are_evidence(tmp_path: Path) -> None:
    talk = "".join(LEAKING.replace("client_a", f"client_a:{port}") for port in range(40000, 40020))
    result = Stage(tmp_path, talk).judge(close_wait(left=True))
    assert result.outcome is FAIL
    assert result.observed.count("never left") == 1
    assert len(result.evidence) == 20


def test_the_loopback_counts_too_where_it_was_captured(tmp_path: Path) -> None:
    inside = OPEN.replace("client_a", "server:41000")
    stage = Stage(tmp_path, OPEN, loopback={"server": inside})
    assert stage.judge(connections(2)).outcome is PASS
    assert stage.judge(connections(1, "server")).outcome is PASS
    assert stage.judge(connections(1, "client_a")).outcome is PASS


# What the kernel adds to the wire

SERVER, CLIENT = "192.168.153.128:19999", "192.168.153.129:40000"


def shown(milliseconds: float, state: TcpState, *, inode: int = 1, unread: int = 0) -> SocketSample:
    """The kernel of the server shows its end of the connection."""
    return SocketSample(at(milliseconds), "server", (row(state, SERVER, CLIENT, inode=inode, unread=unread),))


def test_time_wait_rests_on_the_kernel(tmp_path: Path) -> None:
    first = ORDERLY.replace(
        CLOSED, "\n2 server > client_a F.\n 3 client_a > server F.\n 4 server > client_a ."
    )
    spec = connection(time_wait="server")
    assert (
        Stage(tmp_path, first, samples=[shown(4.1, TcpState.TIME_WAIT, inode=0)]).judge(spec).outcome is PASS
    )
    unseen = Stage(tmp_path, first, samples=[shown(1.5, TcpState.ESTABLISHED)]).judge(spec)
    assert unseen.outcome is INCONCLUSIVE
    assert "the samples of its kernel do not show it" in unseen.observed
    other = Stage(tmp_path, ORDERLY, samples=[shown(1.5, TcpState.ESTABLISHED)]).judge(spec)
    assert other.outcome is FAIL
    assert "client_a closed first, so TIME_WAIT is there" in other.observed


def test_states_that_the_kernel_contradicts_are_not_judged(tmp_path: Path) -> None:
    spec = connection(states={"server": PASSIVE})
    agreeing = [shown(1, TcpState.ESTABLISHED), shown(3, TcpState.CLOSE_WAIT)]
    assert Stage(tmp_path, ORDERLY, samples=agreeing).judge(spec).outcome is PASS
    result = Stage(tmp_path, ORDERLY, samples=[shown(3, TcpState.FIN_WAIT_2)]).judge(spec)
    assert result.outcome is INCONCLUSIVE
    assert "wire and kernel disagree" in result.observed


def test_why_no_fin_came(tmp_path: Path) -> None:
    held = Stage(tmp_path, LEAKING, samples=[shown(3, TcpState.CLOSE_WAIT)]).judge(close("orderly"))
    assert (
        "a process of server still holds the socket: FIN is sent when its last holder closes" in held.observed
    )
    lonely = Stage(tmp_path, LEAKING, samples=[shown(3, TcpState.CLOSE_WAIT, inode=0)]).judge(
        close("orderly")
    )
    assert "no program of server ever accepted" in lonely.observed


def test_why_a_syn_went_unanswered(tmp_path: Path) -> None:
    full = SocketSample(at(-1), "server", (row(TcpState.LISTEN, "0.0.0.0:19999", unread=2),))
    result = Stage(tmp_path, NO_REPLY, samples=[full]).judge(connection(handshake="complete"))
    assert "the queue of server was full, 2 connections waited to be accepted" in result.observed


def test_the_ends_of_a_connection_within_one_host_go_by_their_roles(tmp_path: Path) -> None:
    def judge(**words: Any) -> Any:
        spec = {"connection": {"from": "server", "to": "server:3000"}, **words}
        talk = ORDERLY.replace("client_a", "server:40000").replace("server ", "server:3000 ")
        return Stage(tmp_path, loopback={"server": talk}).judge(spec)

    assert judge(close={"kind": ["orderly"], "active": "from"}, fin=["from", "to"]).outcome is PASS
    assert judge(bytes={"from": 5, "to": 7}).outcome is PASS
    result = judge(close={"active": "to"})
    assert (result.outcome, result.observed) == (FAIL, "server (from) closed first")


@pytest.mark.parametrize(
    ("until", "took", "outcome"), [(9, 0, PASS), (0, 1_000_000, PASS), (0, 0, INCONCLUSIVE)]
)
def test_a_look_that_began_before_the_fin_came(tmp_path: Path, until: int, took: int, outcome: str) -> None:
    """It shows what the FIN led to, for a look takes its time; and if nothing changes, no other is kept."""
    held = row(TcpState.CLOSE_WAIT, "192.168.153.128:19999", "192.168.153.129:40000", unread=6)
    look = SocketSample(at(1.5), "server", (held,), took=took, until=at(until))
    stage = Stage(tmp_path, LEAKING, samples=[look])
    assert stage.judge(close_wait(blame="unread_data")).outcome is outcome


SAID_AND_LEAKING = OPEN + "50 client_a > server P. 5\n 50.1 server > client_a .\n"


@pytest.mark.parametrize(
    ("fin", "shown", "outcome"),
    [
        (50.2, [("CLOSE_WAIT", 51, 0)], INCONCLUSIVE),
        (50.2, [("CLOSE_WAIT", 51, 1), ("CLOSE_WAIT", 60, 0)], PASS),
        (50.2, [("CLOSE_WAIT", 51, 6), ("CLOSE_WAIT", 60, 0)], INCONCLUSIVE),
        (50.2, [("CLOSE_WAIT", 51, 6)], FAIL),
        (90, [("ESTABLISHED", 80, 0), ("CLOSE_WAIT", 91, 0)], PASS),
        (90, [("ESTABLISHED", 80, 5), ("CLOSE_WAIT", 91, 0)], INCONCLUSIVE),
        (90, [("ESTABLISHED", 49, 0), ("CLOSE_WAIT", 91, 0)], INCONCLUSIVE),
    ],
)
def test_an_end_that_is_taken_along_with_data_is_not_read(
    tmp_path: Path, fin: float, shown: list[tuple[str, float, int]], outcome: str
) -> None:
    """An empty queue does not prove that recv gave 0: who reads the last data takes a FIN behind them along."""
    talk = SAID_AND_LEAKING + f"{fin} client_a > server F.\n {fin + 0.1} server > client_a ."
    looks = [
        SocketSample(at(when), "server", (row(TcpState(state), SERVER, CLIENT, unread=unread),))
        for state, when, unread in shown
    ]
    result = Stage(tmp_path, talk, samples=looks).judge(close_wait(eof_read=True))
    assert result.outcome is outcome
