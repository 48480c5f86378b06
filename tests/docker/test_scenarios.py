"""The scenarios of this project pass, and wrong programs in them fail for the right reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.errors import ExitCode
from lab.words import Outcome
from tests.docker.stage import CHECKOUT, Stage, failed, results, verdict_in

SCENARIOS = CHECKOUT / "scenarios"
FILES = [*sorted(SCENARIOS.glob("*.yaml")), SCENARIOS / "starter" / "first.yaml"]

FIRST, SECOND = "The first connection, from SYN to the last ACK", "The second connection, the same"
CLIENT_A, LISTENS = (
    "Client A's connection, from SYN to the last ACK",
    "The server listens on every address of its host",
)
UNCLOSED = "its program has read the end of the input (recv gave 0) and not closed"
WRONG: Mapping[tuple[str, str, str], Mapping[str, str]] = {
    ("basic", "server", "basic_server_never_closes"): {
        "conversation": "it is still running",
        "Both clients were served": "1 connection",
        FIRST: "client and server never sent FIN",
    },
    ("basic", "server", "basic_server_sends_rst"): {
        FIRST: "RST from server: its program closed with data unread, or with linger 0",
        SECOND: "RST from server: its program closed with data unread, or with linger 0",
    },
    ("basic", "server", "basic_server_wrong_text"): {
        "conversation": "the output ended, it had ended: exit status 0",
        "The client got its own words back": "0 lines 'recv data successfully, data: helloworld'",
    },
    ("basic", "server", "basic_server_wrong_port"): {
        "conversation": "it is still running",
        LISTENS: "server listens on 0.0.0.0:3001",
    },
    ("basic", "server", "basic_server_bound_to_loopback"): {
        LISTENS: "server listens on 127.0.0.1:3000 only: other hosts cannot reach it",
        FIRST: "server refused: RST answers the SYN to port 3000; it listens on 127.0.0.1:3000",
        "Both clients were served": "0 connections, and 1 more without a completed handshake",
        "The client ends without an error": "client: exit status 1",
    },
    ("multi_client", "server", "chat_server_parent_keeps_connection"): {
        CLIENT_A: "server never sent FIN",
        "The server closes soon after client A": UNCLOSED,
    },
    ("multi_client", "server", "chat_server_never_closes"): {
        CLIENT_A: "server never sent FIN",
        "The server closes soon after client A": UNCLOSED,
    },
    ("multi_client", "server", "chat_server_bound_to_loopback"): {
        LISTENS: "server listens on 127.0.0.1:19999 only: other hosts cannot reach it",
        "Two clients, two connections": "0 connections, and 2 more without a completed handshake",
        CLIENT_A: "server refused: RST answers the SYN to port 19999",
    },
    ("multi_client", "client", "chat_client_address_compiled_in"): {
        "conversation": "the output ended, it had ended: exit status 1",
        "^C ended client A": "client: exit status 1",
    },
    ("oneway_joined", "server", "oneway_server_misses_joined_exit"): {
        "conversation": "the output ended, it had ended: exit status 0",
        "The word exit is no message, and no part of one": "it is in the line",
    },
    ("oneway_joined", "client", "oneway_client_joins_words"): {
        "conversation": "the output ended, it had ended: exit status 0",
    },
}
"""Scenario, the program that is swapped, and who takes its place: the checks that fail, and their words."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_scenario_passes(stage: Stage, file: Path) -> None:
    done = stage.lab("run", file)
    assert done.returncode == ExitCode.PASSED, done.stdout + done.stderr


@pytest.mark.parametrize(("scenario", "program", "wrong"), WRONG, ids=str)
def test_a_wrong_program_fails(stage: Stage, scenario: str, program: str, wrong: str) -> None:
    file = swapped(stage, scenario, program, wrong)
    done = stage.lab("run", "--json", file)
    assert done.returncode == ExitCode.FAILED, done.stdout + done.stderr
    told = {result["name"]: result["observed"] for result in failed(verdict_in(done))}
    for name, words in WRONG[scenario, program, wrong].items():
        assert words in told.get(name, "it did not fail")


def test_every_subject_is_seen_to_fail(stage: Stage) -> None:
    """A server that says one byte too much and leaves the first close to its client."""
    server = (
        "import socket\ns = socket.create_server(('', 7000))\nc, _ = s.accept()\n"
        "c.sendall(c.recv(9) + b'!')\nc.recv(9)\nc.close()\n"
    )
    client = (
        "import socket\nc = socket.create_connection(('server', 7000))\n"
        "c.sendall(b'hello')\nprint(c.recv(9))\n"
    )
    finished = stage.play(TOO_MUCH, {"server.py": server, "client.py": client})
    told = {
        name: result.observed for name, result in results(finished).items() if result.outcome is Outcome.FAIL
    }
    assert told == {
        "bytes": "6 bytes from server",
        "close": "client closed first",
        "fin": "FIN from client and server",
        "state": told["state"],
        "never": told["never"],
        "no wait": told["no wait"],
    }
    assert told["state"].startswith(
        "a socket of server to client on port 7000 never was in TIME_WAIT; its sockets"
    )
    assert told["never"] == "a socket of client to server was in TIME_WAIT"
    assert "server (peer client) was in CLOSE_WAIT for " in told["no wait"]


TOO_MUCH = """
version: 1
title: Who closes first
networks: {lan: 10.9.8.0/24}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
programs: {server: {source: server.py, listens: 7000}, client: client.py}
steps:
- server: {start: server}
- client: {start: client}
- client: {wait: {exited: true}}
- client: {wait: {state: TIME_WAIT}}
- server: {wait: {exited: true}}
checks:
- {connection: {from: client, to: "server:7000"}, bytes: {server: 5}, name: bytes}
- {connection: {from: client, to: "server:7000"}, close: {kind: orderly, active: server}, name: close}
- {connection: {from: client, to: "server:7000"}, fin: [server, client], name: fin}
- {state: {host: server, state: TIME_WAIT, peer: client, port: 7000}, name: state}
- {state: {host: client, state: TIME_WAIT, peer: server, observed: false}, name: never}
- {close_wait: {host: server, observed: false}, name: no wait}
"""


def test_a_record_is_judged_again_byte_for_byte(stage: Stage) -> None:
    file = swapped(stage, "basic", "server", "basic_server_wrong_text")
    done = stage.lab("run", file)
    (record,) = (stage.folder / "runs").iterdir()
    before = (record / "verdict.json").read_bytes()
    again = stage.lab("check", record)
    assert again.returncode == done.returncode == ExitCode.FAILED
    assert done.stdout.startswith(again.stdout.rstrip("\n"))
    told: Any = json.loads(stage.lab("check", "--json", record).stdout)
    assert told["records"][0]["verdict"]["results"] == json.loads(before)["results"]
    assert (record / "verdict.json").read_bytes() == before


def swapped(stage: Stage, scenario: str, program: str, wrong: str) -> Path:
    """A copy of a scenario whose one program is another one."""
    shutil.copytree(SCENARIOS / "programs", stage.folder / "programs")
    text = (SCENARIOS / f"{scenario}.yaml").read_text()
    lines = text.splitlines(keepends=True)
    (place,) = (number for number, line in enumerate(lines) if line.startswith(f"  {program}: {{source: "))
    old = lines[place].split("source: ")[1].split(",")[0].split("}")[0]
    lines[place] = lines[place].replace(old, f"programs/wrong/{wrong}.cpp")
    return stage.lay("".join(lines) + "timeouts: {step: 2s}\n", name=f"{scenario}.yaml")
