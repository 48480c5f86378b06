"""A FIN that only a program's end sent is not its close, unless the script ends it for that."""

from __future__ import annotations

from lab.core.words import Outcome
from lab.evidence.situation import Killed
from tests.docker.stage import Stage, one_host, results

_ACCEPTS = """
import os, signal, socket, sys, time
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
"""
_READS = "while end.recv(100): pass\nprint('read all', flush=True)\n"
_STAYS = "time.sleep(60)\n"

SERVERS = {
    "prompt": _ACCEPTS + _READS + "end.close()\n" + _STAYS,
    "ends": _ACCEPTS + _READS,
    "leaks": _ACCEPTS + _READS + _STAYS,
    "killed": _ACCEPTS + _READS + _STAYS,
    "bidden": _ACCEPTS + _READS + _STAYS,
    "crashes": _ACCEPTS + _READS + "os.kill(os.getpid(), signal.SIGSEGV)\n",
    "precedes": _ACCEPTS + _READS + "end.close()\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "handles": _ACCEPTS
    + "def close(*_): end.close(); sys.exit(0)\nsignal.signal(signal.SIGTERM, close)\n"
    + _READS
    + _STAYS,
    "breeds": _ACCEPTS
    + "if os.fork():\n    end.close()\n    time.sleep(60)\n"
    + _READS
    + "time.sleep(0.3)\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "forks": _ACCEPTS + "if os.fork():\n    end.close()\n    time.sleep(60)\n" + _READS + _STAYS,
}
"""Servers whose client has closed, as their host's name says what they do about it, or what is done to them."""

CLOSED = {"prompt", "ends", "bidden", "precedes"}
"""Those that count as having closed."""

CRASH = {"crashes", "precedes", "breeds"}
"""Those that crash: where the kernel does not say when, it is not known whether they closed."""

FIRST = {"leaves": True, "tidied": False}
"""Programs that the script ends while nobody has closed: in a step, and in the end."""

CLIENT = """
import socket, sys
end = socket.create_connection((sys.argv[1], 7000))
print('called', flush=True)
sys.stdin.readline()
"""

STEPS = """
- killed: {signal: SIGTERM}
- bidden: {signal: SIGTERM, closes: true}
- handles: {signal: SIGTERM}
- forks: {key: ctrl-c}
- leaves: {start: client, args: [keeps]}
- leaves: [{expect: called}, {key: ctrl-c}, {wait: {exited: true}}]
- tidied: {start: client, args: [keeps]}
- tidied: {expect: called}
"""

KEEPS = """
import socket
listener = socket.create_server(('', 7000))
while True:
    end, _ = listener.accept()
    while end.recv(100): pass
    end.close()
"""


def scenario() -> str:
    numbers = {host: number for number, host in enumerate(["a", "keeps", *SERVERS, *FIRST], 1)}
    hosts = ", ".join(f"{host}: 10.9.7.{number}" for host, number in numbers.items())
    programs = "".join(f"  {host}: {{source: {host}.py, listens: 7000}}\n" for host in ["keeps", *SERVERS])
    steps = "".join(
        f"- {host}: {{start: {host}}}\n"
        f"- a: [{{start: client, args: [{host}]}}, {{expect: called}}, {{send: x}}, {{wait: {{exited: true}}}}]\n"
        f"- {host}: {{expect: read all}}\n"
        for host in SERVERS
    )
    checks = "".join(
        f"- {{name: {host} {number}, {check.replace('@', host)}}}\n"
        for host in SERVERS
        for number, check in enumerate(
            (
                "close_wait: {host: '@', left: true}",
                "connection: {from: a, to: '@:7000'}, fin: [a, '@']",
                "connection: {from: a, to: '@:7000'}, close: {kind: orderly, active: a}",
            )
        )
    )
    checks += "".join(
        f"- {{name: {host} 0, connection: {{from: {host}, to: 'keeps:7000'}}, close: {{active: {host}}}}}\n"
        for host in FIRST
    )
    return (
        f"version: 1\ntitle: Deaths\nnetworks: {{lan: 10.9.7.0/24}}\nhosts: {{{hosts}}}\n"
        f"programs:\n  client: {{source: client.py}}\n{programs}"
        f"steps:\n- keeps: {{start: keeps}}\n{steps}{STEPS}"
        f"finally:\n- leaks: {{signal: SIGTERM}}\n- tidied: {{key: ctrl-c}}\nchecks:\n{checks}"
    )


def test_who_closed_and_who_was_closed(stage: Stage) -> None:
    files = {f"{host}.py": text for host, text in (SERVERS | {"keeps": KEEPS}).items()}
    finished = stage.play(scenario(), {**files, "client.py": CLIENT})
    told = results(finished)
    assert told["conversation"].outcome is Outcome.PASS, told["conversation"].observed
    says = any(isinstance(event, Killed) and event.dying for event in finished.evidence.situation)
    for name, result in told.items():
        host = name.split()[0]
        if host in SERVERS | FIRST:
            closed = host in CLOSED or FIRST.get(host, False)
            if says or host not in CRASH or "is not known: " not in result.observed:
                assert result.outcome is (Outcome.PASS if closed else Outcome.FAIL), (name, result.observed)
            assert result.outcome is not Outcome.PASS or closed, (name, result.observed)
            assert closed or "ended" in result.observed, (name, result.observed)
    assert "SIGTERM (step finally.1) ended leaks: killed by SIGTERM" in told["leaks 0"].observed
    assert "crashes ended: killed by SIGSEGV" in told["crashes 0"].observed


HELD = """
import os, time
if os.fork():
    print("ready", flush=True)
    os._exit(0)
time.sleep(60)
"""


def test_a_program_whose_output_a_child_still_holds_has_ended(stage: Stage) -> None:
    """The script is over while the last words of the program are still awaited."""
    steps = "- a: {start: p}\n- a: {expect: ready}\n- a: {quiet: 100ms}"
    checks = (
        "- {name: runs, exit: {host: a, program: p, running: true}}\n"
        "- {name: ended, exit: {host: a, program: p, status: 0}}"
    )
    told = results(stage.play(one_host(steps, "{source: p.py, tty: false}", checks=checks), {"p.py": HELD}))
    outcomes = {name: told[name].outcome for name in ("conversation", "runs", "ended")}
    assert outcomes == {"conversation": Outcome.PASS, "runs": Outcome.FAIL, "ended": Outcome.PASS}


def test_a_program_whose_end_no_check_awaits_has_ended_all_the_same(stage: Stage) -> None:
    steps = "- a: {start: p}\n- a: {expect: ready}\n- a: {quiet: 100ms}"
    told = results(stage.play(one_host(steps, "{source: p.py, tty: false}"), {"p.py": HELD}))
    assert {result.outcome for name, result in told.items() if name != "conversation"} == {Outcome.FAIL}
