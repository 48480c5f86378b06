"""Programs that want to change a verdict: what they hide is found, or leaves a doubt; others do not suffer."""

from __future__ import annotations

import os

import pytest

from lab.core.words import Outcome
from tests.docker.stage import Stage, assert_passed, one_host, printed, results, steps_of
from tests.judged import JudgedRun

LAST = """
print("there", flush=True)
time.sleep(60)
"""

RENAMED = """
import ctypes, os, time
if not os.fork():
    ctypes.CDLL(None).prctl(15, b"runc:[2:INIT]", 0, 0, 0)
    os._exit(0)
time.sleep(0.2)
"""

GIVEN_AWAY = """
import os, time
BEFORE
if not os.fork():
    os.setsid()
    BETWEEN
    if not os.fork():
        time.sleep(60)
    os._exit(0)
os.wait()
"""

LOWERED = "import resource; resource.setrlimit(RLIMIT, (0, LIMIT)); time.sleep(0.1)"

LOWERED_WHEN_TOLD = """
import os, resource, time
told, tell = os.pipe()
if not os.fork():
    os.setsid()
    if not os.fork():
        os.read(told, 1)
        resource.setrlimit(resource.RLIMIT_RSS, (0, 1 << 40))
        print("there", flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
input()
os.write(tell, b"now")
time.sleep(60)
"""

LEADERLESS = """
import ctypes, os, threading, time
if not os.fork():
    threading.Thread(target=time.sleep, args=(60,)).start()
    ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit(2): this thread alone
time.sleep(0.2)
"""

DEEP = """
import os, shutil, time
for _ in range(20):
    os.mkdir("d" * 250)
    os.chdir("d" * 250)
held = open("file", "w")
shutil.copy("/usr/bin/python3", "python3")
if not os.fork():
    os.execv("python3", ["python3", "-c", "import time; time.sleep(60)"])
time.sleep(0.3)
"""


def given_away(before: str = "", between: str = "pass") -> str:
    return GIVEN_AWAY.replace("BEFORE", before).replace("BETWEEN", between)


def lowered(limit: int, value: str) -> str:
    return LOWERED.replace("RLIMIT", str(limit)).replace("LIMIT", value)


@pytest.mark.parametrize(
    ("program", "check", "outcome"),
    [
        pytest.param(RENAMED, "zombies: 0", Outcome.FAIL, id="zombie with the name of the engine's helper"),
        pytest.param(given_away(), "children: 0", Outcome.FAIL, id="adopted by init"),
        pytest.param(given_away(), "children: 1", Outcome.PASS, id="adopted by init and counted"),
        pytest.param(
            given_away(between=lowered(5, "1 << 40")),
            "children: 0",
            Outcome.INCONCLUSIVE,
            id="child that never had its mark",
        ),
        pytest.param(
            given_away(before=lowered(10, "7")),
            "children: 0",
            Outcome.INCONCLUSIVE,
            id="program without mark",
        ),
        pytest.param(LEADERLESS, "children: 1, zombies: 0", Outcome.PASS, id="first thread ended"),
        pytest.param(DEEP, "children: 1, zombies: 0", Outcome.PASS, id="paths of 5,000 bytes"),
    ],
)
def test_what_a_program_hides(stage: Stage, program: str, check: str, outcome: Outcome) -> None:
    text = one_host(
        "- a: {start: p}\n- a: {expect: there}\n- a: {quiet: 300ms}",
        checks=f"- process: {{host: a, program: p, {check}}}",
    )
    finished = stage.play(text, {"p.py": program + LAST})
    assert finished.verdict.results[-1].outcome is outcome, finished.verdict


def test_a_child_that_was_seen_stays_that_of_its_program_whatever_it_does_to_its_mark(stage: Stage) -> None:
    text = one_host(
        "- a: {start: p}\n- a: {wait: {asleep_in: read}}\n- a: {send: now}\n- a: {expect: there}",
        checks="- process: {host: a, program: p, children: 0}\n- process: {host: a, program: p, children: 1}",
    )
    finished = stage.play(text, {"p.py": LOWERED_WHEN_TOLD})
    outcomes = [result.outcome for result in finished.verdict.results]
    assert outcomes[-2:] == [Outcome.FAIL, Outcome.PASS], finished.verdict


FORGER = """
import socket, time
time.sleep(3)  # before that the host has no address to look for a neighbour with (duplicate address detection)
for port in (4001, 4002):
    forged = socket.socket(socket.AF_INET6)
    forged.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
    forged.bind(("fd00:9::2", port))
    forged.settimeout(0.2)
    try:
        forged.connect(("fd00:9::3", 5000))
    except OSError:
        pass
print("there", flush=True)
"""

SERVER = """
import socket
listener = socket.create_server(("::", 5000), family=socket.AF_INET6)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"hi")
    connection.close()
"""

CLIENT = """
import socket
connection = socket.create_connection(("fd00:9::3", 5000))
while data := connection.recv(100):
    print(data.decode(), flush=True)
"""

IN_ANOTHERS_NAME = """
version: 1
title: In another's name
networks: {lan: {subnet: 10.9.8.0/24, ipv6: "fd00:9::/64"}}
hosts: {bad: {address: "fd00:9::1"}, good: {address: "fd00:9::2"}, server: {address: "fd00:9::3"}}
programs:
  forger: {source: forger.py}
  server: {source: server.py, listens: 5000}
  client: {source: client.py}
steps:
- server: {start: server}
- bad: {start: forger}
- bad: {expect: there}
- good: {start: client}
- good: [{expect: hi}, {wait: {exited: true}}]
checks:
- connections: {from: good, to: "server:5000", count: 1}
- connections: {to: "server:5000", count: 1}
- connection: {from: good, to: "server:5000"}
  handshake: complete
  rst: none
"""


def test_what_a_host_sends_in_the_name_of_another_counts_for_nobody_else(stage: Stage) -> None:
    finished = stage.play(IN_ANOTHERS_NAME, {"forger.py": FORGER, "server.py": SERVER, "client.py": CLIENT})
    assert_passed(finished)
    assert [(one.host, one.address) for one in finished.evidence.forged] == [("bad", "fd00:9::2")]


LISTENERS = """
import os, socket, time
for process in range(12):
    if not os.fork():
        kept = [socket.create_server(("", 10000 + process * 900 + number)) for number in range(900)]
        time.sleep(60)
time.sleep(2)
print("there", flush=True)
time.sleep(60)
"""

BESIDE = """
version: 1
title: Beside very many listeners
networks: {lan: 10.9.8.0/24}
hosts: {bad: 10.9.8.1, good: 10.9.8.2}
programs:
  listeners: {source: listeners.py, tty: false}
  server: {source: server.py, listens: 5000}
steps:
- bad: {start: listeners}
- bad: {expect: there, within: 20s}
- good: {start: server}
- good: {run: "true"}
- good: {signal: SIGKILL}
- good: {wait: {exited: true}}
checks:
- exit: {host: bad, running: true}
- exit: {host: good, program: server, signal: SIGKILL}
- state: {host: good, port: 5000, state: LISTEN, observed: true}
- state: {host: bad, port: 9, state: LISTEN, observed: false}
"""


def test_what_is_dear_to_look_at_costs_its_own_host(stage: Stage) -> None:
    finished = stage.play(BESIDE, {"listeners.py": LISTENERS, "server.py": SERVER})
    results = JudgedRun(finished.verdict).results
    assert [one.outcome for one in results] == [Outcome.PASS] * 4 + [Outcome.INCONCLUSIVE], results
    assert "there are more than 4096" in results[-1].observed
    quick = [event for event in steps_of(finished).values() if event.step in {"3", "4", "5", "6"}]
    assert max(event.at - event.began for event in quick) < 8_000_000_000  # 24 s once
    assert {loss.host for loss in finished.evidence.info.sampling.lost} == {"bad"}


STOPS_ITS_SHELL = """
import os, signal, socket, sys, time
listener = socket.create_server(("", 7000))
end, _ = listener.accept()
while end.recv(100): pass
print("read all", flush=True)
above = os.getppid()
shell = int(open(f"/proc/{above}/stat").read().rpartition(")")[2].split()[1])
for process in (shell, above):
    os.kill(process, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_program_cannot_hide_its_end_by_stopping_what_waits_for_it(stage: Stage) -> None:
    finished = stage.play(
        "version: 1\ntitle: Stops its shell\nnetworks: {lan: 10.9.7.0/24}\n"
        "hosts: {server: 10.9.7.1, client: 10.9.7.2}\n"
        "programs:\n  server: {source: s.py, listens: 7000}\n"
        "  client: {source: c.py}\n"
        "steps:\n- server: {start: server}\n- client: {start: client}\n"
        "- server: {expect: read all}\n- server: {wait: {exited: true}}\n"
        "checks:\n- exit: {host: server, status: 139}\n- close_wait: {host: server, left: true}\n",
        {
            "s.py": STOPS_ITS_SHELL,
            "c.py": "import socket\nsocket.create_connection(('server', 7000)).close()\n",
        },
    )
    told = {name: result.outcome for name, result in results(finished).items()}
    assert told["exit of server"] is Outcome.PASS, told
    assert told["CLOSE_WAIT on server"] is Outcome.FAIL, told


CALLS_ITSELF = r"""
import ctypes, os, signal
def call_itself(name):
    ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
def child(name, end):
    if (pid := os.fork()) == 0:
        call_itself(name)
        end()
    return pid
call_itself(b"p\nforged p\x9b")
child(b"c\nforged c\r", signal.pause)
ended = child(b"z\nforged \x1b[2J", lambda: os._exit(0))
killed = child(b"k\nforged k\x07", lambda: os.kill(os.getpid(), signal.SIGSEGV))
for pid in (ended, killed):  # they are left as zombies
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print("there", flush=True)
signal.pause()
"""


def test_no_process_has_a_name_that_breaks_a_line(stage: Stage) -> None:
    scenario = one_host(
        "- a: {start: p}\n- a: {expect: there}",
        checks="- process: {host: a, zombies: 0, children: 0}\n- exit: {host: a, status: 0}",
    )
    file = stage.lay(scenario, {"p.py": CALLS_ITSELF})
    run = stage.lab("run", file)
    (record,) = (stage.folder / "runs").iterdir()
    for told in (run, stage.lab("check", record), stage.lab("logs", record), stage.lab("flow", record)):
        said = told.stdout + told.stderr
        assert not [line for line in said.splitlines() if line.strip().startswith("forged")], said
        assert not {"\x9b", "\r", "\x1b", "\x07"} & {*said}
    assert {"p␊forged", "c␊forged", "z␊forged", "k␊forged"} <= {*run.stdout.replace("(", " ").split()}


ABOVE = """
import ctypes, os, resource, signal, sys, time
init = os.getppid()
shell = int(open(f"/proc/{init}/stat").read().rpartition(")")[2].split()[1])
"""
STOPS_AGAIN = f"""{ABOVE}
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    for number in range(3):
        os.close(number)
    while True:
        for process in (shell, init):
            os.kill(process, signal.SIGSTOP)
        os.write(told, b"!") if told else None
        told = 0
os.read(ready, 1)
print("there", flush=True)
"""


@pytest.mark.parametrize(("end", "status"), [("sys.exit(7)", 7), ("sys.exit(0)", 0), ("os.abort()", 134)])
def test_a_program_cannot_hide_how_it_ends_by_stopping_what_waits_for_it_again_and_again(
    stage: Stage, end: str, status: int
) -> None:
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {expect: there}\n- a: {wait: {exited: true}}",
            checks=f"- exit: {{host: a, status: {status}}}",
        ),
        {"p.py": STOPS_AGAIN + end},
    )
    assert_passed(finished)


def test_a_program_that_ends_the_shell_above_it_lives_on(stage: Stage) -> None:
    source = (
        f"{ABOVE}\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\nprint('there', flush=True)\n"
        "for process in (shell, init):\n    os.kill(process, signal.SIGKILL)\n"
        "while os.getppid() == init:\n    pass\nsignal.pause()\n"
    )
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {expect: there}\n- a: {wait: {exited: true}}", timeouts="{step: 3s}"),
        {"p.py": source},
    )
    told = {name: result.outcome for name, result in results(finished).items()}
    assert told == {"conversation": Outcome.FAIL, "exit of a": Outcome.PASS}, told


TOUCHES = f"""{ABOVE}
libc = ctypes.CDLL(None, use_errno=True)
def tried(*call):
    ctypes.set_errno(0)
    failed = libc.syscall(*call) == -1
    return "refused" if failed else "done"
attach, rss, room = 16, resource.RLIMIT_RSS, ctypes.create_string_buffer(16)
for process in (shell, init):
    print("traced", tried(TRACER, attach, process, 0, 0))
    print("limited", tried(SETTER, process, rss, room, None))
    print("read", "done" if os.access(f"/proc/{{process}}/mem", os.W_OK) else "refused")
print("own", tried(SETTER, 0, rss, None, room))
"""
NUMBERS = {"x86_64": (101, 302), "aarch64": (117, 261)}


def test_a_program_cannot_change_the_shell_above_it(stage: Stage) -> None:
    trace, limit = NUMBERS[os.uname().machine]
    source = TOUCHES.replace("TRACER", str(trace)).replace("SETTER", str(limit))
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {wait: {exited: true}}",
            checks="- exit: {host: a, status: 0}\n- process: {host: a, children: 0}",
        ),
        {"p.py": source},
    )
    assert [line for line in printed(finished).split("\n") if "done" in line] == ["own done"], printed(
        finished
    )
    assert_passed(finished)


USES_UP = """
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
static char piece[4096];
int main(void) {
    SIGNAL
    for (int i = 0; i < 3; i++) fork();
    int file = open("/tmp/x", O_CREAT | O_WRONLY | O_APPEND, 0666);
    for (;;) write(file, piece, sizeof piece);
}
"""


@pytest.mark.parametrize("first", ["", "setsid(); signal(SIGHUP, SIG_IGN);"], ids=["hung up", "stays"])
def test_a_host_whose_memory_is_used_up_is_told_as_that(stage: Stage, first: str) -> None:
    """Whichever process the kernel takes first: it takes the shell above the program, or the host's init, too."""
    finished = stage.play(
        one_host(
            "- a: {start: p}\n- a: {wait: {exited: true}}",
            "{source: p.c, build: gcc -static -O1 -w -o p p.c, run: ./p}",
            checks="- exit: {host: a, status: 0}",
        ).replace("a: 10.9.8.1", "a: {address: 10.9.8.1, limits: {memory: 32m, work: 64m}}"),
        {"p.c": USES_UP.replace("SIGNAL", first)},
    )
    told = results(finished)["exit of a"]
    assert told.outcome is Outcome.FAIL
    assert "was used up" in "\n".join((told.observed, *told.causes))
