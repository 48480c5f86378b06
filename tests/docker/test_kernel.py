"""What only the hosts' kernels tell: queues of a listener, who holds a socket, who sleeps where, states held."""

from __future__ import annotations

from tests.docker.stage import Stage, assert_passed, broken, results

CAST = """version: 1
title: A server and its clients
networks: {lan: 10.9.7.0/24}
hosts: {server: 10.9.7.1, a: 10.9.7.2, b: 10.9.7.3, c: 10.9.7.4}
programs:
  server: {source: server.py, listens: 7000}
  client: {source: client.py}
"""

CLIENT = """
import socket, sys
with socket.create_connection(('server', 7000)) as end:
    print('connected', flush=True)
    sys.stdin.readline()
    print('got', end.recv(100), flush=True)
"""

LISTENS_ONLY = """
import socket, sys
with socket.socket() as listener:
    listener.bind(('', 7000))
    listener.listen(int(sys.argv[1]))
    sys.stdin.readline()
"""

THREE_CLIENTS = """steps:
- server: {start: server, args: "%s"}
- a: {start: client}
- a: {expect: connected}
- b: {start: client}
- b: {expect: connected}
- server: {wait: {state: ESTABLISHED, peer: b}}
- c: {start: client}
- c: {wait: {state: SYN_SENT}}
- c: {quiet: 300ms}
checks:
- name: queues
  listener: {host: server, port: 7000, backlog: 1, queue_max: 2, overflows: ">=1", syn_queue_max: 0}
- {name: nobody's, state: {host: server, state: ESTABLISHED, peer: a, owner: none}}
- {name: never accepted, state: {host: server, state: ESTABLISHED, owner: process, observed: false}}
- {name: third, connection: {from: c, to: "server:7000"}, handshake: no_reply}
"""


def test_two_wait_finished_with_a_backlog_of_one_and_the_third_is_not_answered(stage: Stage) -> None:
    finished = stage.play(CAST + THREE_CLIENTS % "1", {"server.py": LISTENS_ONLY, "client.py": CLIENT})
    assert_passed(finished)
    told = results(finished)["queues"].evidence
    assert any("shows 2 finished connections waiting for accept" in sentence for sentence in told)
    assert any("ListenOverflows of server is" in sentence for sentence in told)


def test_a_larger_backlog_lets_the_third_in(stage: Stage) -> None:
    text = (CAST + THREE_CLIENTS % "5").replace("- c: {wait: {state: SYN_SENT}}", "- c: {expect: connected}")
    finished = stage.play(text, {"server.py": LISTENS_ONLY, "client.py": CLIENT})
    told = results(finished)
    assert told["queues"].outcome == "fail"
    assert "3 finished connections" in told["queues"].observed
    assert "its limit is 5" in told["queues"].observed
    assert told["nobody's"].outcome == "pass"


FORKS = """
import os, signal, socket, sys
parent_closes, reaps = 'closes' in sys.argv, 'reaps' in sys.argv
if reaps:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(('', 7000))
kept = []
while True:
    end, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        while end.recv(100):
            pass
        end.close()
        print('left', flush=True)
        os._exit(0)
    kept.append(end)
    if parent_closes:
        end.close()
"""

ONE_CLIENT = """steps:
- server: {start: server, args: [%s]}
- server: {wait: {asleep_in: accept}}
- a: {start: client}
- a: {expect: connected}
- server: {wait: {asleep_in: recv}}
- a: {key: ctrl-c}
- a: {wait: {exited: true}}
- server: {expect: left}
- server: {quiet: 1200ms}
- server: {key: ctrl-c}
checks:
- {name: waits, process: {host: server, asleep_in: accept, children: 0}}
- {name: no zombies, process: {host: server, zombies: 0, descriptors: 4}}
- {name: closed, close_wait: {host: server, dwell: {max: 1s}, left: true}}
- {name: leak, close_wait: {host: server, blame: not_closed, eof_read: true}}
- {name: orderly, connection: {from: a, to: "server:7000"}, close: {kind: orderly}}
"""


def test_a_server_that_forks_closes_and_reaps(stage: Stage) -> None:
    finished = stage.play(CAST + ONE_CLIENT % "closes, reaps", {"server.py": FORKS, "client.py": CLIENT})
    told = results(finished)
    assert [told[name].outcome for name in ("waits", "no zombies", "closed", "leak")] == [
        "pass", "pass", "pass", "fail",
    ]  # fmt: skip
    # A look may have come between the FIN and the recv that reads it.
    assert told["leak"].observed.endswith(
        ("nobody is to blame", "has not read the end of the input (recv giving 0)")
    )


def test_a_parent_that_keeps_its_copy_is_named(stage: Stage) -> None:
    told = results(stage.play(CAST + ONE_CLIENT % "keeps, reaps", {"server.py": FORKS, "client.py": CLIENT}))
    assert told["waits"].outcome == "pass"
    assert told["no zombies"].outcome == "fail", "it holds one descriptor too many"
    assert told["leak"].outcome == "pass"
    assert told["closed"].outcome == "fail"
    assert "the child of server (process " in told["closed"].observed
    for name in "closed", "orderly":
        assert "still holds one: FIN is sent when the last holder closes" in told[name].observed


def test_zombies_are_counted(stage: Stage) -> None:
    told = results(
        stage.play(CAST + ONE_CLIENT % "closes, leaves", {"server.py": FORKS, "client.py": CLIENT})
    )
    zombies = told["no zombies"]
    assert zombies.outcome == "fail"
    assert zombies.observed.startswith("server had 1 zombie when it was looked at last")


HELD = """steps:
- server: {start: server}
- a: {start: client}
- a: {expect: connected}
- a: {hold: last_ack, to: server}
- a: {send: bye}
- a: {wait: {exited: true}}
- server: {wait: {state: LAST_ACK, peer: a}}
- a: {wait: {state: TIME_WAIT}}
- a: {release: last_ack}
checks:
- {name: kernel, state: {host: server, state: LAST_ACK, peer: a}}
- {name: orderly, connection: {from: a, to: "server:7000"}, close: {kind: orderly, active: %s}}
"""

CLOSES_FIRST = """
import socket
with socket.create_server(('', 7000)) as listener:
    end, _ = listener.accept()
    end.sendall(b'hi')
    while end.recv(100):
        pass
    end.close()
    listener.accept()
"""


def test_the_last_ack_is_held_for_as_long_as_one_looks(stage: Stage) -> None:
    finished = stage.play(CAST + HELD % "a", {"server.py": CLOSES_FIRST, "client.py": CLIENT})
    assert_passed(finished)
    (shown, *_) = results(finished)["kernel"].evidence
    assert shown.startswith("the kernel of server shows LAST_ACK")


HALF_OPEN = """steps:
- server: {start: server}
- a: {hold: ack, to: server}
- a: {start: client}
- a: {expect: connected}
- server: {wait: {state: SYN_RECEIVED, peer: a}}
- a: {release: ack}
- server: {wait: {state: ESTABLISHED, peer: a}}
checks:
- {name: queue, listener: {host: server, port: 7000, syn_queue_max: 1}}
- {name: complete, connection: {from: a, to: "server:7000"}, handshake: complete}
"""


def test_a_handshake_without_its_last_ack_waits_in_the_syn_queue(stage: Stage) -> None:
    assert_passed(stage.play(CAST + HALF_OPEN, {"server.py": CLOSES_FIRST, "client.py": CLIENT}))


CLOSES_AT_WORD = """
import socket, sys
with socket.create_server(('', 7000)) as listener:
    end, _ = listener.accept()
    sys.stdin.readline()
    end.close()
    sys.stdin.readline()
"""

CROSSING = """steps:
- server: {start: server}
- a: {start: client}
- a: {expect: connected}
- a: {hold: fin}
- a: {key: ctrl-c}
- a: {wait: {state: FIN_WAIT_1}}
- server: {send: close}
- a: {wait: {state: CLOSING}}
- a: {release: fin}
- server: {wait: {state: TIME_WAIT}}
checks:
- {name: crossed, connection: {from: a, to: "server:7000"}, close: {kind: simultaneous}}
- {name: closing, state: {host: a, state: CLOSING, owner: none}}
"""


def test_two_fins_that_cross(stage: Stage) -> None:
    assert_passed(stage.play(CAST + CROSSING, {"server.py": CLOSES_AT_WORD, "client.py": CLIENT}))


def test_nothing_was_kept_back(stage: Stage) -> None:
    steps = "steps:\n- server: {start: server}\n- a: {hold: rst}\n- a: {release: rst, within: 300ms}\n"
    checks = "checks:\n- state: {host: server, state: LISTEN}\n"
    step = broken(stage.play(CAST + steps + checks, {"server.py": CLOSES_AT_WORD, "client.py": CLIENT}))
    assert (step.expected, step.observed) == ("release rst", "not within 0.3 s")


def test_a_datagram_to_a_closed_port_ends_no_lab(stage: Stage) -> None:
    """The first ICMP message that a kernel sends or receives adds lines to the file with the TCP counters."""
    finished = stage.play(
        """version: 1
title: A datagram to nobody, then a refused connection
networks: {lan: 10.9.7.0/24}
hosts: {a: 10.9.7.1, b: 10.9.7.2}
steps:
- a: {run: "echo x | nc -u -w1 10.9.7.2 7; nc -w1 10.9.7.2 8 || true"}
checks:
- connection: {from: a, to: "b:8"}
  handshake: refused
"""
    )
    assert_passed(finished)
