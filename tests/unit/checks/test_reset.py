"""Why a side sent RST: what the wire tells, and what two samples of the kernel's counters around it tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lab.core.words import TcpState
from lab.evidence.sockets import SocketSample
from tests.unit.staged import FAIL, INCONCLUSIVE, MS, PASS, Stage, at, row

OPEN = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
"""
RESET = OPEN + "1 client_a > server P. 5\n 10 server > client_a R."
CLOSED = OPEN + "1 server > client_a F.\n 1.1 client_a > server .\n"
LATE = CLOSED + "2 client_a > server P. 5\n 10 server > client_a R"
SECOND = "\n" + RESET.replace("client_a", "client_b").replace("10 server", "10.1 server")
"""Another connection whose RST falls between the same two samples."""

LISTENER = row(TcpState.LISTEN, "0.0.0.0:19999")
OTHER = row(TcpState.LISTEN, "192.168.153.200:19999")
HELD = row(TcpState.ESTABLISHED, "192.168.153.128:19999", "192.168.153.129:40000")
WAITING = replace(HELD, inode=0, recv_queue=5)
CAUSES = (
    "unread_data", "linger0", "listener_closed", "no_listener", "late_data", "keepalive_timeout", "user_timeout",
)  # fmt: skip


def sample(milliseconds: float, *rows: Any, **counters: Any) -> SocketSample:
    return replace(SocketSample(at(milliseconds), "server", rows, took=MS // 4), **counters)


def around(*, before: tuple[Any, ...] = (LISTENER,), after: tuple[Any, ...] = (), **counters: Any) -> Any:
    """A look before the RST, and one after it that shows how far the counters went meanwhile."""
    return [sample(5, *before), sample(11, *after, **{"resets": 1, **counters})]


def judge(folder: Path, talk: str, samples: Any, cause: str) -> Any:
    spec = {"connection": {"from": "client_a", "to": "server:19999"}, "rst": {"by": "server", "cause": cause}}
    return Stage(folder, talk, samples=samples).judge(spec)


UNREAD: dict[str, Any] = {"unread_closes": 1}
LINGER: dict[str, Any] = {"data_aborts": 1}
TIMED_OUT: dict[str, Any] = {"timeouts": 1}


@pytest.mark.parametrize(
    ("cause", "talk", "samples"),
    [
        ("unread_data", RESET, around(**UNREAD)),
        ("unread_data", RESET, around(**UNREAD, **LINGER)),
        ("unread_data", RESET, around(before=(LISTENER, HELD), **UNREAD)),
        ("linger0", RESET, around(**LINGER)),
        ("linger0", RESET, around(after=(LISTENER,), **LINGER)),
        ("listener_closed", RESET, around()),
        ("listener_closed", RESET, around(before=(LISTENER, WAITING), after=(OTHER,))),
        ("unread_data", LATE, around(**UNREAD)),
        ("late_data", LATE, around(**LINGER)),
        ("late_data", LATE, around()),
        ("late_data", LATE, []),
        ("keepalive_timeout", RESET, around(**TIMED_OUT)),
        ("keepalive_timeout", RESET, around(before=(HELD,), **TIMED_OUT)),
        ("keepalive_timeout", LATE, around(**TIMED_OUT)),
        ("user_timeout", RESET, around(before=(replace(HELD, send_queue=5),), **TIMED_OUT)),
        ("unread_data", RESET + SECOND, around(resets=2, unread_closes=2)),
        ("linger0", RESET + SECOND, around(resets=2, data_aborts=2)),
        ("listener_closed", RESET + SECOND, around(resets=2)),
        ("unread_data", RESET + "\n10.2 server > client_a R", around(resets=2, **UNREAD)),
        ("linger0", RESET + "\n0 client_b > server:80 S\n 10.1 server:80 > client_b R.", around(resets=2, **LINGER)),
    ],
)  # fmt: skip
def test_the_counters_tell_the_cause(tmp_path: Path, cause: str, talk: str, samples: Any) -> None:
    for word in CAUSES:
        assert judge(tmp_path, talk, samples, word).outcome is (PASS if word == cause else FAIL)


@pytest.mark.parametrize(
    ("talk", "samples"),
    [
        (RESET, []),
        (RESET, around(**UNREAD)[:1]),
        (RESET, around(**UNREAD)[1:]),
        (RESET, [sample(9.9, LISTENER), sample(11, resets=1, unread_closes=1)]),
        (RESET, around(resets=0, **UNREAD)),
        (RESET, around(resets=2, **UNREAD)),
        (RESET + SECOND, around(resets=2, unread_closes=1, data_aborts=2)),
        (RESET, around(after=(LISTENER,))),
        (RESET, around(before=())),
        (RESET, around(before=(LISTENER, HELD))),
        (RESET, around(overflows=1)),
        (RESET + SECOND, around(resets=2, **UNREAD)),
        (RESET + SECOND, around(resets=2, **UNREAD, **LINGER)),
        (RESET.replace("10 server", "2 server > client_a P. 3\n10 server"), around()),
    ],
    ids=[
        "no look", "none after", "none before", "one meanwhile", "uncounted", "one more", "two causes",
        "it still listens", "it never listened", "accepted", "the queue was full", "one of two", "one of each",
        "it had sent",
    ],
)  # fmt: skip
def test_what_nobody_can_know_of_a_reset_is_not_judged(tmp_path: Path, talk: str, samples: Any) -> None:
    for cause in CAUSES:
        result = judge(tmp_path, talk, samples, cause)
        assert result.outcome is INCONCLUSIVE
        assert "neither wire nor kernel tells" in result.observed


def test_a_kernel_that_gave_up_resending_did_not_obey_a_user_timeout(tmp_path: Path) -> None:
    resent = "".join(f"{200 + 200 * number} server > client_a P. 5 again\n" for number in range(15))
    talk = OPEN + "1 server > client_a P. 5\n" + resent + "4000 server > client_a R."
    waits = replace(HELD, send_queue=5)
    samples = [sample(5, waits), sample(3900, waits), sample(4011, resets=1, **TIMED_OUT)]
    for cause in CAUSES:
        result = judge(tmp_path, talk, samples, cause)
        assert (result.outcome, "however often it was sent again" in result.observed) == (FAIL, True)


def test_a_second_reset_that_nothing_counted_leaves_no_doubt(tmp_path: Path) -> None:
    """It answers a segment that came late; the first was none of the causes all the same."""
    before, after = around(before=(HELD,))
    talk = RESET + "\n11.5 client_a > server .\n 11.6 server > client_a R"
    for counters, outcome in (({}, FAIL), (UNREAD, INCONCLUSIVE)):
        samples = [before, after, sample(40, resets=2, **counters)]
        assert judge(tmp_path, talk, samples, "linger0").outcome is outcome


def test_unanswered_probes_alone_are_no_cause(tmp_path: Path) -> None:
    """The program may have closed with data unread, whatever its kernel was waiting for."""
    probes = "".join(f"{1000 * number} server > client_a . seq-1\n" for number in (1, 2, 3))
    talk = OPEN + probes + "4000 server > client_a R."
    before, after = sample(5, HELD), sample(4011, resets=1, **UNREAD)
    assert judge(tmp_path, talk, [before, after], "unread_data").outcome is PASS
    assert judge(tmp_path, talk, [before, after], "keepalive_timeout").outcome is FAIL
    unknown = judge(tmp_path, talk, [], "keepalive_timeout")
    assert unknown.outcome is INCONCLUSIVE
    assert "RST from server: nothing had answered its keep-alive probes; but" in unknown.observed


@pytest.mark.parametrize(
    ("counters", "told"),
    [
        ({}, "none of the causes that its kernel counts"),
        ({"memory_aborts": 1}, "its kernel had no memory left for the connection"),
    ],
)
def test_a_cause_that_no_word_names_is_none_of_them(
    tmp_path: Path, counters: dict[str, Any], told: str
) -> None:
    before, after = around(before=(HELD,), **counters)
    samples = [before, replace(after, until=at(40))]
    for cause in CAUSES:
        result = judge(tmp_path, RESET, samples, cause)
        assert (result.outcome, told in result.observed) == (FAIL, True)


def test_a_counter_that_follows_its_reset_late_is_seen_by_the_next_look(tmp_path: Path) -> None:
    """TCPAbortOnData goes up behind the RST: a look may come between."""
    samples = [*around(resets=1), sample(16, resets=1, data_aborts=1)]
    assert judge(tmp_path, RESET, samples, "linger0").outcome is PASS


def test_the_counters_are_the_evidence(tmp_path: Path) -> None:
    told = judge(tmp_path, RESET, around(**UNREAD), "unread_data").evidence
    assert "TCPAbortOnClose of server went from 0 to 1 between +5.000 ms and +11.000 ms" in told
    told = judge(tmp_path, RESET, around(), "listener_closed").evidence
    assert "TCPAbortOnData of server stayed 0 between +5.000 ms and +11.000 ms" in told
    assert "the kernel of server shows LISTEN on port 19999 no more at +11.000 ms" in told


def test_a_refusal_is_told_by_the_wire(tmp_path: Path) -> None:
    refused = "0 client_a > server S\n 0.1 server > client_a R."
    assert judge(tmp_path, refused, [], "no_listener").outcome is PASS
    assert judge(tmp_path, refused, [], "unread_data").outcome is FAIL
