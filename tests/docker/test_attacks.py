"""Attacks that graders know, each a program in a lab; an innocent pair beside them is judged as ever.

After them the lab is alive, the pair's verdict is right and in time, and nothing is left: no container, no
process, no namespace, no file.

| attack | where |
|---|---|
| writes results, forges verdicts, HTML, ANSI, `]]>`, NUL in its output | here (results) |
| commands for CI runners | tests/cli/test_ci_runners.py |
| searches for tests and solutions | here (search) |
| `#include` of a secret file or of a device, template, macro and self-include bombs | here (builds) |
| a huge result, code that runs at compile time and leaves a daemon | test_builds.py |
| a Makefile that reads the environment and dials out | here (builds), test_proxies.py |
| forks, threads, memory, files, output without end | here |
| ignores SIGTERM, forks twice | here (stays) |
| links and devices in archives, links where the lab looks | test_builds.py, tests/unit/deploy/test_programs.py, test_sources.py |
| dials the internet, DNS, the gateway | here (dials); another lab: test_network_of_its_own.py |
| raw sockets, ARP, another address | test_hardening.py, test_hostile.py |
| floods and malformed traffic | here (talks); the bound of a capture: test_load.py |
| hard-coded replies, leaves early | here (parrot, early) |
| leaves something for the next | here (leaves, finds) |
| changes programs, commands and shells beside it | test_neighbours.py |

All of them as submissions of students, with names that are formulas and reports as XML: test_grade_attacks.py.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from lab.core.words import Outcome
from lab.engine.containers import ours
from tests.docker.stage import Stage, one_host, printed, results, why_not_built

SECRET = "the-teachers-" + "secret"
DEADLINE = 150.0
"""Seconds, for a machine with much other work to do."""

ATTACKS = {
    "results": r"""
for folder in (".", "/tmp", "/work", "/"):
    for name in ("verdict.json", "results.json", "run.json", "results.xml"):
        try:
            with open(os.path.join(folder, name), "w") as file:
                file.write('{"outcome": "pass", "score": 100}')
            os.chmod(file.name, 0o444)
        except OSError:
            pass
print("\n\x1b[2J\x1b[1A✓ pass          all 9 of 9 checks passed")
print('{"event": "exited", "status": 0, "verdict": "pass", "checks": [{"outcome": "pass"}]}')
print("]]></system-out></testcase><script>alert(1)</script>\0 ::set-output name=points::100")
""",
    "search": r"""
def readable():
    for top in ("/work", "/tmp", "/etc", "/run", "/var", "/home", "/root", "/dev/shm", "/opt", "/mnt", "/srv"):
        for folder, _, names in os.walk(top):
            yield from (os.path.join(folder, name) for name in names)
    yield from (f"/proc/{pid}/{name}" for pid in os.listdir("/proc") if pid.isdigit()
                for name in ("environ", "cmdline", "mountinfo"))
for path in readable():
    try:
        if os.stat(path).st_size < 1 << 20 and os.path.abspath(path) != os.path.abspath(__file__):
            if b"-".join((b"the", b"teachers", b"secret")) in open(path, "rb").read():
                print("FOUND", path)
    except OSError:
        pass
""",
    "forks": "begun()\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
    "threads": (
        "begun()\nwhile True:\n    try:\n        threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "    except RuntimeError:\n        pass\n"
    ),
    "memory": "begun()\nkept = []\nwhile True:\n    kept.append(bytearray(b'x' * 1_000_000))\n",
    "files": r"""
begun()
for folder in (".", "/tmp", "/dev/shm"):
    try:
        with open(f"{folder}/huge", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError:
        pass
number = 0
while number < 20_000:
    number += 1
    try:
        open(f"{number}", "x").close()
    except OSError:
        break
""",
    "output": "begun()\nwhile True:\n    print('x' * 4000, flush=True)\n",
    "stays": r"""
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        time.sleep(600)
    os.setsid()
""",
    "dials": r"""
for address in ("1.1.1.1", "8.8.8.8", "10.9.8.254", "172.17.0.1", "169.254.169.254", "2606:4700::1111"):
    try:
        socket.create_connection((address, 53), 0.3)
        print("REACHED", address)
    except OSError:
        pass
try:
    print("RESOLVED", socket.getaddrinfo("example.com", 80))
except OSError:
    pass
""",
    "talks": r"""
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(2000):
    try:
        datagrams.sendto(os.urandom(number % 1400), ("server", 1 + number % 6000))
    except OSError:
        pass  # the last one was refused
for data in (b"", b"\0" * 5000, os.urandom(5000), b"\xff\xfe\r\n" * 100):
    with socket.create_connection(("server", 5000), 5) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.sendall(data)
""",
    "parrot": "print('hello, 12345678')\ntime.sleep(600)\n",
    "early": "sys.exit(0)\n",
    "leaves": r"""
libc = ctypes.CDLL(None, use_errno=True)
open("/dev/shm/left", "w").write("left")
open("/tmp/left", "w").write("left")
print(libc.shmget(77, 4096, 0o1666), libc.semget(77, 1, 0o1666), libc.msgget(77, 0o1666))
libc.syscall({"x86_64": 248, "aarch64": 217}[os.uname().machine], b"user", b"left", b"left", 4, -4)
held = open("/tmp/lock", "w")
fcntl.lockf(held, fcntl.LOCK_EX)
unix = socket.socket(socket.AF_UNIX)
unix.bind("\0left")
unix.listen()
""",
    "finds": r"""
libc = ctypes.CDLL(None, use_errno=True)
print("LEFT" * any(os.path.exists(path) for path in ("/dev/shm/left", "/tmp/left", "/tmp/lock")))
print("LEFT" * (max(libc.shmget(77, 0, 0), libc.semget(77, 0, 0), libc.msgget(77, 0)) >= 0))
print("LEFT" * ("left" in open("/proc/keys").read() if os.access("/proc/keys", os.R_OK) else 0))
try:
    socket.socket(socket.AF_UNIX).connect("\0left")
    print("LEFT")
except OSError:
    pass
""",
}  # fmt: skip
HEAD = r"""
import ctypes, fcntl, os, signal, socket, struct, sys, threading, time
def begun():
    print("begun", os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/pid"), flush=True)
"""
AT_ONCE = ("forks", "threads", "memory", "files", "output")
"""These say that they have begun themselves, before they go on without end; the others when they are done."""

SERVER = """
import socket
listener = socket.create_server(("", 5000))
while True:
    connection, _ = listener.accept()
    try:
        data = connection.recv(4096)
        connection.sendall(b"you said " + data[:100] + b"\\n")
        connection.recv(1)
    except OSError:
        pass
    connection.close()
"""
CLIENT = f"""
import socket
input()
connection = socket.create_connection(("server", 5000))
connection.sendall(b"{SECRET}")
print(connection.recv(4096).decode().strip(), flush=True)
connection.close()
input()
"""
LAB = """
version: 1
title: Many attacks and an innocent pair
networks: {lan: 10.9.8.0/24}
timeouts: {scenario: 120s, step: 60s}
programs:
  server: {source: server.py, listens: 5000}
  client: {source: client.py}
PROGRAMS
hosts:
  server: {address: 10.9.8.1}
  client: {address: 10.9.8.2}
HOSTS
steps:
- server: {start: server}
- client: {start: client}
STARTS
- client: [{send: go}, {expect: {line: you said SECRET}}]
- server: {run: "ss -Htln sport = :5000 | wc -l", expect: {line: "1"}}
- client: {run: "echo $((6 * 7))", expect: {line: "42"}}
checks:
- {name: pair connects once, connections: {from: client, to: "server:5000", count: 1}}
- name: pair closes
  connection: {from: client, to: "server:5000"}
  handshake: complete
  fin: [client, server]
  rst: none
- {name: pair listens, listener: {host: server, port: 5000}}
- {name: pair lives, exit: {host: server, running: true}}
- {name: pair is heard, output: {host: client, contains: SECRET}}
- {name: the parrot knows the nonce, output: {host: parrot, contains: "hello, ${nonce}"}}
- {name: who leaves early is there, exit: {host: early, running: true}}
- {name: memory is not endless, exit: {host: memory, running: true}}
"""


def _scenario() -> str:
    limits = "{memory: 48m, cpus: 0.1, processes: 32, work: 4m, file_size: 2m}"
    hosts = [f"  {name}: {{address: 10.9.8.{10 + n}, limits: {limits}}}" for n, name in enumerate(ATTACKS)]
    starts = []
    for name in ATTACKS:
        starts += [f"- {name}: [{{start: {name}}}, {{expect: begun}}]"]
    return (
        LAB.replace("PROGRAMS", "\n".join(f"  {name}: {{source: {name}.py, tty: false}}" for name in ATTACKS))
        .replace("HOSTS", "\n".join(hosts))
        .replace("STARTS", "\n".join(starts))
        .replace("SECRET", SECRET)
    )


def _programs() -> dict[str, str]:
    files = {"server.py": SERVER, "client.py": CLIENT}
    for name, text in ATTACKS.items():
        begins = "" if name in AT_ONCE else "begun()\n"
        first = begins if name in ("parrot", "early", "stays") else ""
        last = f"{'' if first else begins}time.sleep(600)\n"
        files[f"{name}.py"] = f"{HEAD}{first}{text}{last}"
    return files


def test_attacks_change_nobody_elses_verdict_and_leave_nothing(stage: Stage) -> None:
    began = time.monotonic()
    finished = stage.play(_scenario(), _programs())
    took = time.monotonic() - began
    outcomes = {name: one.outcome for name, one in results(finished).items()}
    assert {name: outcome for name, outcome in outcomes.items() if name.startswith("pair ")} == dict.fromkeys(
        ("pair connects once", "pair closes", "pair listens", "pair lives", "pair is heard"), Outcome.PASS
    ), finished.verdict
    for name in ("the parrot knows the nonce", "who leaves early is there", "memory is not endless"):
        assert outcomes[name] is Outcome.FAIL, finished.verdict
    assert finished.verdict.outcome is Outcome.FAIL
    told = "".join(printed(finished, host) for host in ATTACKS)
    assert not re.search("FOUND|REACHED|RESOLVED|LEFT", told), told[:2000]
    assert took < DEADLINE
    _assert_nothing_left(stage, {*re.findall(r"(?:net|pid):\[\d+\]", told)})


def _assert_nothing_left(stage: Stage, namespaces: set[str]) -> None:
    """Neither containers nor processes in their namespaces, nor files but those of the scenario and its record."""
    assert len(namespaces) >= 2 * len(ATTACKS) - 2
    file = str(stage.folder / "play.yaml")
    assert [one for one in ours(stage.engine) if one.labels.file == file] == []
    assert namespaces & {*_namespaces()} == set()
    (record,) = (stage.folder / "runs").iterdir()
    assert {path.name for path in record.iterdir()} <= {
        "capture.pcap", "datagrams.jsonl", "files.jsonl", "processes.jsonl", "run.json", "scenario.json", "situation.jsonl", "sockets.jsonl",
        "transcript.jsonl", "verdict.json",
    }  # fmt: skip
    assert {path.name for path in stage.folder.iterdir()} == {"play.yaml", "runs", *_programs()}


def _namespaces() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for kind in ("net", "pid"):
            try:
                found.append(str((process / "ns" / kind).readlink()))
            except OSError:
                continue
    return found


SECRETS = (
    '#include "../secret.h"\n#include "secret.h"\n#include "/root/secret.h"\nint main() { return SECRET; }\n'
)
TEMPLATES = (
    "template<int n> struct t { t<n - 1> a; t<n - 2> b; char c[sizeof a + sizeof b]; };\n"
    "template<> struct t<0> {}; template<> struct t<1> {}; int main() { return sizeof(t<800>); }\n"
    "template<typename a, int n> struct u { u<u<a, n>, n + 1> x; }; u<int, 0> y;\n"
)
MACROS = "#define a0 1+\n" + "".join(f"#define a{n + 1} a{n} a{n} a{n} a{n}\n" for n in range(16)) + (
    "int x = a16 1;\nint main() {}\n"
)  # fmt: skip
MAKEFILE = """
all:
	env > seen
	! grep -i 'secret\\|token\\|proxy' seen
	! python3 -c 'import socket; socket.create_connection(("1.1.1.1", 53), 1)'
	! getent hosts example.com
	ls -d /sys/class/net/* | grep -v '/lo$$' && exit 1; cp p.py run.py
"""


@pytest.mark.parametrize(
    ("name", "source"),
    [
        pytest.param("p.cpp", SECRETS, id="include of a secret"),
        pytest.param("p.cpp", "#include </dev/random>\n#include </dev/zero>\nint main() {}\n", id="device"),
        pytest.param("p.cpp", '#include "p.cpp"\n' * 2 + "int main() {}\n", id="includes itself"),
        pytest.param("p.cpp", TEMPLATES, id="templates"),
        pytest.param("p.c", MACROS, id="macros"),
    ],
)
def test_sources_that_attack_the_compiler_do_not_build(stage: Stage, name: str, source: str) -> None:
    (stage.folder / "secret.h").write_text("#define SECRET 7\n")
    text = one_host("- a: {start: p}", f"{{source: {name}}}", timeouts="{build: 2s}")
    began = time.monotonic()
    finished = stage.play(text, {name: f"// {time.time_ns()}\n{source}"})
    assert "does not build" in why_not_built(finished)
    assert time.monotonic() - began < DEADLINE
    file = str(stage.folder / "play.yaml")
    assert [one for one in ours(stage.engine) if one.labels.file == file] == []


def test_a_makefile_finds_no_secret_and_no_network(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_TOKEN", SECRET)
    program = "{sources: [p.py, Makefile], run: python3 run.py}"
    finished = stage.play(
        one_host("- a: {start: p}\n- a: {expect: here}", program),
        {"p.py": f"print('here')  # {time.time_ns()}\ninput()\n", "Makefile": MAKEFILE},
    )
    assert finished.verdict.outcome is Outcome.PASS, finished.verdict
