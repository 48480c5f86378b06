"""The segmentation adversary in containers: each word fails on a wrong server and passes on a right one."""

from __future__ import annotations

import re

import pytest

from lab.core.archive import Tree
from lab.grade.points import scores
from lab.grade.reading import Assigned, read
from lab.grade.result import CaseResult, Graded
from lab.grade.unit import grade
from tests.docker.stage import Stage

SCENARIO = """\
version: 1
title: Lines come back
networks: {lan: 192.168.153.0/24}
programs: {server: {source: server.py, listens: 7000}}
hosts: {server: 192.168.153.128, client: 192.168.153.129}
timeouts: {step: 5s}
steps:
- server: {start: server}
- client: {connect: "server:7000", as: c}
- client.c: [{send: "abc"}, {expect: {line: "<abc>"}}, {send: "def"}, {expect: {line: "<def>"}}]
- client.c: [{close: write}, {expect: {end: true}}]
finally:
- server: {signal: SIGTERM}
checks:
- connections: {from: client, to: "server:7000", count: 1}
"""

ASSIGNMENT = """\
version: 1
title: Lines
submit: server
scenarios:
- {file: play.yaml, adversary: [WORDS], rule: {all: 10, some: 4}}
"""

SERVER = """\
import socket
import threading


def serve(connection):
    with connection:
        rest = b""
        try:
            while data := connection.recv(4096):
                rest += data
                while b"\\n" in rest:
                    line, _, rest = rest.partition(b"\\n")
                    connection.sendall(b"<" + line + b">\\n")
        except ConnectionError:
            pass


with socket.create_server(("", 7000)) as listener:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,)).start()
"""

PEEK = """\
                connection.settimeout(1.5)
                try:
                    if not connection.recv(1, socket.MSG_PEEK):
                        return
                except TimeoutError:
                    connection.settimeout(None)
"""
LOOP = SERVER[SERVER.index("                rest += data") : SERVER.index("        except")]
WRONG = {
    "split": (LOOP, '                connection.sendall(b"<" + data.strip() + b">\\n")\n'),
    "dribble": (LOOP, '                connection.sendall(b"<" + data.strip() + b">\\n")\n'),
    "join": ("while b", "if b"),
    "half_close": ("                rest += data\n", "                rest += data\n" + PEEK),
    "reset": ("            pass", "            import os, signal\n            os.kill(os.getpid(), signal.SIGKILL)"),
    "crowd": ("threading.Thread(target=serve, args=(connection,)).start()", "serve(connection)"),
}  # fmt: skip
WORDS = {
    "split": "takes one recv for one message: .* in two pieces",
    "dribble": "takes one recv for one message: .* one by one",
    "join": "takes one recv for one message: .* several messages come at once",
    "half_close": "does not answer a client that has sent everything",
    "reset": "after another one reset its connection",
    "crowd": "while 10 others are connected",
}


def _played(stage: Stage, server: str, *words: str) -> tuple[Assigned, CaseResult]:
    stage.lay(SCENARIO)
    stage.lay(ASSIGNMENT.replace("WORDS", ", ".join(words)), name="assignment.yaml")
    assigned = read(stage.folder / "assignment.yaml")
    tree = Tree((("server.py", server.encode()),), main="server.py")
    graded = grade({"server": tree}, assigned, stage.engine, stage.folder / "records", print)
    return assigned, graded.cases[0]


def test_a_right_server_passes_whatever_comes_how(stage: Stage) -> None:
    assigned, result = _played(stage, SERVER, *WORDS)
    assert [run.outcome for run in result.runs] == ["passed"] * len(result.runs), result
    assert [run.variant.partition(":")[0] for run in result.runs] == [
        "", "split", "split", "split", "dribble", "join", "half_close", "reset", "crowd",
    ]  # fmt: skip
    assert scores(assigned.played, Graded((result,)))["play"].earned == 10


@pytest.mark.parametrize("word", WORDS)
def test_a_wrong_server_is_told_what_is_wrong(stage: Stage, word: str) -> None:
    old, new = WRONG[word]
    assert old in SERVER
    _, result = _played(stage, SERVER.replace(old, new), word)
    *others, last = result.runs  # a busy machine may bring both pieces of a split at once: the next one tells
    assert ({run.outcome for run in others}, last.outcome) == ({"passed"}, "failed"), result
    first = next(check for check in last.checks if check.outcome == "fail")

    assert re.search(WORDS[word], first.causes[0]), first


def test_what_fails_as_it_stands_is_not_played_otherwise(stage: Stage) -> None:
    _, result = _played(stage, SERVER.replace('b"<"', 'b"("'), *WORDS)
    assert [run.outcome for run in result.runs] == ["failed"]
    assert not any("recv" in cause for check in result.runs[0].checks for cause in check.causes)
