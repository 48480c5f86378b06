"""Connections of the script itself: what it says and hears on them, and wrong programs that this shows."""

from __future__ import annotations

import pytest

from lab.core.words import Outcome
from lab.evidence.transcript import InputEnded, Output
from lab.run.pipeline import Finished
from tests.docker.stage import CHECKOUT, Stage
from tests.docker.stage import told as told_step
from tests.judged import JudgedRun

LAN = """
version: 1
title: A test
networks: {lan: 192.168.153.0/24}
hosts: {server: 192.168.153.128, tester: 192.168.153.129}
"""

NO_CHECK = '\nchecks: [{connections: {to: "server:9", count: 0}}]\n'
"""A scenario has at least one check: this one holds."""

CONNECT = '- tester: {connect: "server:7000", as: c}\n'

ECHO = """
import socket, sys
listener = socket.create_server(("", 7000))
while True:
    connection, _ = listener.accept()
    while data := connection.recv(4096):
        connection.sendall(data)
    connection.close()
"""

ECHO_UDP = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 7000))
print("ready", flush=True)
while True:
    data, asker = server.recvfrom(4096)
    server.sendto(data[::-1], asker)
"""

START = """
programs: {echo: {source: echo.py, listens: 7000}}
steps:
- server: {start: echo}
"""


def play(stage: Stage, text: str, source: str = "") -> Finished:
    """Play steps; without checks only the script is judged."""
    whole = text if "\nchecks:" in text else text + NO_CHECK
    return stage.play(whole, {"echo.py": source})


def told(finished: Finished) -> str:
    """Why the script broke off."""
    failed = finished.evidence.transcript.failed
    step = told_step(failed) if failed else None
    return f"{step.expected}; {step.observed}" if step else ""


def heard(finished: Finished, name: str) -> str:
    events = finished.evidence.transcript.events
    return "".join(one.text for one in events if isinstance(one, Output) and one.program == name)


@pytest.mark.parametrize(
    ("program", "step", "why"),
    [
        ("takes_recv_for_a_request", "quiet for 50ms", "received 'HTTP/1.1"),
        ("serves_one_at_a_time", "expect the line 'HTTP/1.1 200 OK'", "it received nothing more"),
        ("throws_the_rest_away", "expect the line 'HTTP/1.1 404 Not Found'", "it received nothing more"),
    ],
)
def test_a_wrong_web_server_fails_where_it_is_wrong(stage: Stage, program: str, step: str, why: str) -> None:
    text = (CHECKOUT / "scenarios" / "web.yaml").read_text()
    source = CHECKOUT / "scenarios" / "programs" / "wrong" / f"web_server_{program}.py"
    finished = stage.play(
        text.replace("programs/web/server.py", "server.py"), {"server.py": source.read_text()}
    )
    failed = finished.evidence.transcript.failed
    assert failed is not None
    assert failed.what == step
    assert why in told_step(failed).observed
    assert finished.verdict.outcome is Outcome.FAIL


def test_exact_bytes_in_both_directions(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: "server:7000", as: c}
- tester.c: {bytes: "hex:00 ff c3 28 0a"}
- tester.c: {expect: {bytes: "hex:00 ff c3"}}
- tester.c: {expect: {bytes: "hex:28 0a"}}
- tester.c: {type: "é"}
- tester.c: {expect: {bytes: "hex:c3"}}
- tester.c: {expect: {bytes: "hex:a9"}}
- tester.c: {send: "a line"}
- tester.c: {expect: {line: "a line"}}
- tester.c: {close: write}
- tester.c: {expect: {end: true}}
checks:
- connection: {from: tester, to: "server:7000"}
  close: {kind: orderly, active: tester}
  bytes: {from: 14, to: 14}
- output: {host: tester, program: c, lines: {"éa line": 1}}
""",
        ECHO,
    )
    assert finished.verdict.outcome is Outcome.PASS, finished.verdict


def test_each_text_is_one_segment(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: "server:7000", as: c}
- tester.c: {type: "one"}
- tester.c: {type: "two"}
- tester.c: {type: "three"}
- tester.c: {expect: "onetwothree"}
""",
        ECHO,
    )
    assert finished.verdict.outcome is Outcome.PASS
    (connection,) = finished.evidence.connections
    assert connection.client.bytes == 11


def test_who_refuses_and_who_is_not_there(stage: Stage) -> None:
    finished = play(stage, LAN + "steps:\n" + CONNECT)
    assert "Connection refused" in told(finished)
    finished = play(
        stage,
        LAN
        + """
steps:
- tester: {listen: 80, as: first}
- tester: {listen: 80, as: second}
""",
    )
    assert "Address already in use" in told(finished)


def test_a_reset_is_seen_on_the_wire_and_by_the_other_end(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + """
steps:
- server: {listen: 7000, as: origin}
- tester: {connect: "server:7000", as: c}
- server.origin: {accept: {as: s}}
- server.s: {type: "half of"}
- tester.c: {expect: "half of"}
- tester.c: {reset: true}
- server.s: {expect: {end: true}}
checks:
- connection: {from: tester, to: "server:7000"}
  rst: {by: tester, cause: linger0}
  close: {kind: reset}
""",
    )
    assert finished.verdict.outcome is Outcome.PASS, finished.verdict
    ends = [one for one in finished.evidence.transcript.events if isinstance(one, InputEnded)]
    assert [(one.program, one.how) for one in ends] == [("s", "reset")]


def test_what_the_script_has_not_closed_is_no_programs_fault(stage: Stage) -> None:
    done = stage.lab(
        "run",
        stage.lay(
            LAN
            + START
            + CONNECT
            + 'checks: [{connection: {from: tester, to: "server:7000"}, fin: tester}]\n',
            {"echo.py": ECHO},
        ),
        COLUMNS="400",
    )
    assert done.returncode == 1
    assert "the script has not closed the connection of tester" in done.stdout


def test_whom_a_server_keeps_waiting_is_told(stage: Stage) -> None:
    text = (CHECKOUT / "scenarios" / "web.yaml").read_text()
    source = CHECKOUT / "scenarios" / "programs" / "wrong" / "web_server_serves_one_at_a_time.py"
    file = stage.lay(text.replace("programs/web/server.py", "server.py"), {"server.py": source.read_text()})
    done = stage.lab("run", file, COLUMNS="400")
    assert "was never accepted and waits in the accept queue" in done.stdout


def test_nothing_is_said_on_what_is_closed(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: "server:7000", as: c}
- tester.c: {close: write}
- tester.c: {type: "too late"}
""",
        ECHO,
    )
    assert told(finished) == "the connection takes input; the script has closed it (write)"


def test_a_hundred_connections_at_once_and_one_of_them(stage: Stage) -> None:
    server = """
import socket, threading
def serve(connection):
    while data := connection.recv(4096):
        connection.sendall(data)
    connection.close()
listener = socket.create_server(("", 7000), backlog=128)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
"""
    finished = play(
        stage,
        LAN.replace("server: 192.168.153.128", "server: {address: 192.168.153.128, limits: {processes: 256}}")
        + START
        + """
- tester: {connect: {to: "server:7000", count: 100}, as: crowd}
- tester.crowd: {type: "hello"}
- tester.crowd: {expect: "hello"}
- tester.crowd.7: {type: "alone"}
- tester.crowd.7: {expect: "alone"}
- tester.crowd: {quiet: 50ms}
- tester.crowd: {close: both}
checks:
- connections: {from: tester, to: "server:7000", count: 100}
- output: {host: tester, program: crowd, lacks: "mistake"}
""",
        server,
    )
    assert finished.verdict.outcome is Outcome.PASS, finished.verdict
    assert heard(finished, "crowd.7") == "helloalone"
    assert heard(finished, "crowd.8") == "hello"


def test_one_of_several_that_gets_no_answer_is_named(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: {to: "server:7000", count: 3}, as: crowd}
- tester.crowd: {type: "hello"}
- tester.crowd: {expect: "hello", within: 1s}
""",
        ECHO,
    )
    assert "2 of 3 have not, crowd." in told(finished)
    assert finished.verdict.outcome is Outcome.FAIL


def test_datagrams_are_sent_one_by_one_and_answered(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + """
programs: {echo: {source: echo.py}}
steps:
- server: {start: echo}
- server: {expect: ready}
- tester: {connect: "udp:server:7000", as: u}
- tester.u: {type: "abc"}
- tester.u: {expect: "cba"}
- tester: {listen: "udp:53", as: dns}
- server: {connect: "udp:tester:53", as: resolver}
- server.resolver: {type: "who?"}
- tester.dns: {expect: "who?"}
- tester.dns: {type: "me"}
- server.resolver: {expect: "me"}
""",
        ECHO_UDP,
    )
    assert finished.verdict.outcome is Outcome.PASS, finished.verdict
    payloads = [one.payload for one in finished.evidence.datagrams]
    assert payloads == [b"abc", b"cba", b"who?", b"me"]
    assert [(one.source, one.target) for one in finished.evidence.datagrams][:2] == [
        ("tester", "server"),
        ("server", "tester"),
    ]


ONE_FAMILY = """
version: 1
title: A test
networks: {lan: "fd00:153::/64"}
hosts: {server: "fd00:153::128", tester: "fd00:153::129"}
"""
MIXED = """
version: 1
title: A test
networks: {lan: {subnet: 192.168.153.0/24, ipv6: "fd00:153::/64"}}
hosts:
  server: {addresses: {lan: [192.168.153.128, "fd00:153::128"]}}
  tester: {addresses: {lan: ["fd00:153::129"]}}
"""
BOTH_WAYS = """
programs: {echo: {source: echo.py, listens: [7000, "udp:7000"]}}
steps:
- server: {start: echo}
- tester: {connect: "udp:server:7000", as: u}
- tester.u: {type: "abc"}
- tester.u: {expect: "cba"}
- tester: {connect: "udp:[fd00:153::128]:7000", as: v}
- tester.v: {type: "def"}
- tester.v: {expect: "fed"}
- tester: {connect: "server:7000", as: t}
- tester.t: {type: "ghi"}
- tester.t: {expect: "ghi"}
- tester: {connect: {to: "[fd00:153::128]:7000", count: 3}, as: crowd}
- tester.crowd: {type: "jkl"}
- tester.crowd: {expect: "jkl"}
- tester.crowd: {close: both}
- tester: {listen: "udp:53", as: dns}
- server: {connect: "udp:tester:53", as: resolver}
- server.resolver: {type: "who?"}
- tester.dns: {expect: "who?"}
- tester.dns: {type: "me"}
- server.resolver: {expect: "me"}
- tester: {listen: 80, as: web}
- server: {connect: "tester:80", as: browser}
- tester.web: {accept: {as: first}}
- server.browser: {type: "GET"}
- tester.first: {expect: "GET"}
checks:
- datagrams: {from: tester, to: "server:7000", count: 2, payload: {regex: "abc|def"}, answered: 2}
- datagrams: {from: server, to: "tester:53", answered: 1}
- connections: {from: tester, to: "server:7000", count: 4}
- connection: {from: server, to: "tester:80"}
  handshake: complete
- protocols: {host: tester, only: [tcp, udp]}
"""
ECHO_OF_BOTH = """
import selectors, socket
datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.bind(("::", 7000))
listener = socket.create_server(("::", 7000), family=socket.AF_INET6)
ready = selectors.DefaultSelector()
for one in (datagrams, listener):
    ready.register(one, selectors.EVENT_READ)
while True:
    for key, _ in ready.select():
        if key.fileobj is datagrams:
            data, asker = datagrams.recvfrom(4096)
            datagrams.sendto(data[::-1], asker)
        elif key.fileobj is listener:
            ready.register(listener.accept()[0], selectors.EVENT_READ)
        else:
            data = key.fileobj.recv(4096)
            if data:
                key.fileobj.sendall(data)
            else:
                ready.unregister(key.fileobj)
                key.fileobj.close()
"""


@pytest.mark.parametrize("cast", [ONE_FAMILY, MIXED], ids=["IPv6 only", "a tester without IPv4"])
def test_both_transports_over_ipv6(stage: Stage, cast: str) -> None:
    finished = play(stage, cast + BOTH_WAYS, ECHO_OF_BOTH)
    assert finished.verdict.outcome is Outcome.PASS, (told(finished), finished.verdict)
    assert {one.flow.source for one in finished.evidence.datagrams} == {"fd00:153::128", "fd00:153::129"}


FAR = """
version: 1
title: A server that is asked at each of its addresses, a far one too
networks:
  near: {subnet: 10.1.0.0/24, ipv6: "fd00:1::/64"}
  far: {subnet: 10.2.0.0/24, ipv6: "fd00:2::/64"}
hosts:
  server: {addresses: {near: [10.1.0.1, 10.1.0.2, "fd00:1::1"], far: [10.2.0.1, "fd00:2::1"]}, forward: true}
  tester: {addresses: {near: [10.1.0.9, "fd00:1::9"]}}
steps:
- server: {listen: "udp:53", as: dns}
"""


def test_a_datagram_is_answered_from_the_address_that_was_asked(stage: Stage) -> None:
    asked = ["10.1.0.1", "10.1.0.2", "10.2.0.1", "[fd00:1::1]", "[fd00:2::1]"]
    steps = "".join(
        f"""
- tester: {{connect: "udp:{address}:53", as: c{number}}}
- tester.c{number}: {{type: "where?"}}
- server.dns: {{expect: "where?"}}
- server.dns: {{type: "here"}}
- tester.c{number}: {{expect: "here"}}
"""
        for number, address in enumerate(asked)
    )
    finished = play(stage, FAR + steps)
    assert finished.verdict.outcome is Outcome.PASS, told(finished)
    answers = [one.flow.source for one in finished.evidence.datagrams if one.source == "server"]
    assert answers == [address.strip("[]") for address in asked]


TFTP = """
import socket
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.bind(("", 69))
print("ready", flush=True)
while True:
    name, asker = asked.recvfrom(600)
    transfer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    transfer.sendto(b"block 1", asker)
    print("acknowledged", transfer.recvfrom(600)[0].decode(), flush=True)
    transfer.sendto(b"block 2", asker)
"""


def test_a_udp_server_that_goes_on_from_a_port_of_its_own(stage: Stage) -> None:
    steps = """
programs: {tftp: {source: echo.py, listens: "udp:69"}}
steps:
- server: {start: tftp}
- tester: {connect: {to: "udp:server:69", follow: true, own_port: 5000}, as: transfer}
- tester.transfer: {type: "file"}
- tester.transfer: {expect: "block 1"}
- tester: {connect: "udp:tester:5000", as: stranger}
- tester.stranger: {type: "block 9"}
- tester.transfer: {type: "ack 1"}
- server: {expect: {line: "acknowledged ack 1"}}
- tester.transfer: {expect: "block 2"}
checks:
- datagrams: {from: server, to: "tester:5000", count: 2, payload: {contains: "block"}}
- output: {host: tester, program: transfer, lacks: "block 9"}
"""
    finished = play(stage, LAN + steps, TFTP)
    assert finished.verdict.outcome is Outcome.PASS, (told(finished), finished.verdict)
    followed = play(stage, LAN + steps.replace("follow: true, ", ""), TFTP)
    assert "block 1" in told(followed)
    (why,) = JudgedRun(followed.verdict).results[0].causes
    assert why.startswith("server answered tester.transfer from UDP port ")
    assert why.endswith(", not from port 69: with `follow: true` the script hears it")


HEARD = START.replace("echo.py", "echo.py, tty: false") + CONNECT + '- tester.c: {type: "hello\\n"}\n'


def test_a_line_that_comes_without_its_end_is_told_as_that(stage: Stage) -> None:
    source = ECHO.replace("sendall(data)", "sendall(data.strip())")
    finished = play(stage, LAN + HEARD + "- tester.c: {expect: {line: hello}, within: 1s}\n", source)
    (why,) = JudgedRun(finished.verdict).results[0].causes
    assert why == "server sent 'hello' without the newline (\\n) that ends a line"


@pytest.mark.alone  # it takes a processor; that others took it would be a doubt
def test_a_server_that_never_sees_the_end_of_a_connection_of_the_script_is_told_to_be_in_a_loop(
    stage: Stage,
) -> None:
    source = ECHO.replace("while data := connection.recv(4096):", "while True:").replace(
        "connection.sendall(data)", "connection.sendall(connection.recv(4096))"
    )
    steps = "- tester.c: {expect: hello}\n- tester.c: {close: write}\n- tester.c: {expect: {end: true}, within: 3s}\n"
    finished = play(stage, LAN + HEARD + steps, source)
    why, *_ = JudgedRun(finished.verdict).results[0].causes
    assert why.startswith("server is busy, maybe in a loop")
    assert "tester, who closed it (CLOSE_WAIT)" in why


@pytest.mark.parametrize(
    ("source", "outcome"),
    [(ECHO, Outcome.SKIPPED), (ECHO.replace("while data :=", "if data :="), Outcome.FAIL)],
    ids=["waits", "closes"],
)
def test_who_closes_first_is_open_where_the_script_broke_off_before_it_closed(
    stage: Stage, source: str, outcome: Outcome
) -> None:
    steps = '- tester.c: {expect: "another", within: 1s}\n- tester.c: {close: both}\nchecks:\n'
    check = '- connection: {from: tester, to: "server:7000"}\n  close: {kind: orderly, active: tester}\n'
    finished = play(stage, LAN + HEARD + steps + check, source)
    assert [result.outcome for result in finished.verdict.results] == [Outcome.FAIL, outcome]


def test_a_connection_comes_from_the_port_that_is_asked_for(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: {to: "server:7000", own_port: 5000}, as: c}
- tester.c: {send: "hello"}
- tester.c: {expect: "hello"}
- tester: {connect: {to: "server:7000", own_port: 5000}, as: d}
""",
        ECHO,
    )
    assert "Cannot assign requested address" in told(finished) or "Address already in use" in told(finished)
    assert {one.client.port for one in finished.evidence.connections} == {5000}


def test_a_server_on_the_loopback_address_is_reached_from_its_own_host(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- server: {connect: "127.0.0.1:7000", as: c}
- server.c: {send: "hello"}
- server.c: {expect: "hello"}
""",
        ECHO.replace('("", 7000)', '("127.0.0.1", 7000)'),
    )
    assert finished.verdict.outcome is Outcome.PASS, told(finished)


def test_a_small_receive_buffer_makes_a_program_send_in_parts(stage: Stage) -> None:
    server = """
import socket
listener = socket.create_server(("", 7000))
connection, _ = listener.accept()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
connection.setblocking(False)
sent = 0
for _ in range(3):
    try:
        sent += connection.send(b"x" * 1000000)
    except BlockingIOError:
        break
print("sent", "in part" if sent < 3000000 else "all", flush=True)
input()
"""
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: {to: "server:7000", receive_buffer: 1k}, as: c}
- server: {expect: {line: "sent in part"}}
""",
        server,
    )
    assert finished.verdict.outcome is Outcome.PASS, told(finished)


def test_a_name_is_used_again_once_it_is_closed(stage: Stage) -> None:
    finished = play(
        stage,
        LAN
        + START
        + """
- repeat:
    times: 3
    steps:
    - tester: {connect: "server:7000", as: c}
    - tester.c: {send: "round ${i}"}
    - tester.c: {expect: "round ${i}"}
    - tester.c: {close: both}
checks:
- connections: {from: tester, to: "server:7000", count: 3}
""",
        ECHO,
    )
    assert finished.verdict.outcome is Outcome.PASS, finished.verdict


def test_a_flood_does_not_end_the_lab(stage: Stage) -> None:
    server = """
import socket
connection, _ = socket.create_server(("", 7000)).accept()
try:
    while True:
        connection.sendall(b"x" * 65536)
except OSError as error:
    print(error, flush=True)
"""
    finished = play(
        stage,
        LAN
        + START
        + """
- tester: {connect: "server:7000", as: c}
- tester.c: {expect: {end: true}, within: 30s}
- tester.c: {expect: "never", within: 1s}
""",
        server,
    )
    assert "more than 8388608 bytes came" in told(finished)


def test_the_transcript_tells_what_was_opened(stage: Stage) -> None:
    done = stage.lab(
        "run",
        stage.lay(LAN + START + CONNECT + NO_CHECK, {"echo.py": ECHO}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (stage.folder / "runs").iterdir()
    assert "$ connect server:7000 (port " in stage.lab("logs", record).stdout
