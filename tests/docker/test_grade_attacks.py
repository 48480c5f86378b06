"""``lab grade``: a class in which attackers sit among honest students, whose grades stay what they are without them."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.core.errors import ExitCode
from lab.engine.containers import ours
from lab.evidence.record import read
from lab.evidence.transcript import Output
from lab.grade.results import GRADE_BOOK, JSON, JUNIT, SUMMARY
from tests.cli.test_ci_runners import obeyed
from tests.docker.attackers import ATTACKS, CONFIDENTIAL, MARK, NEIGHBOURS, SERVE, Attack, lay
from tests.docker.stage import Stage, command, environment

ASSIGNMENT = """
version: 1
title: A server that repeats lines
submit:
  programs: server
  optional: ["*.py", "*.c", "*.cpp", Makefile, server.txt]
scenarios:
- {file: lines.yaml, points: 3, hints: {Gazelles are logged: antelope}}
- {file: hidden.yaml, points: 1, needs: lines, visibility: hidden, hints: {Zebras are answered: quagga}}
"""
CAST = """
version: 1
title: TITLE
networks: {lan: 192.168.153.0/24}
timeouts: {step: 20s, build: 20s}
programs:
  server: {source: reference/server.py, listens: 7000}
hosts:
  server: {address: 192.168.153.128, limits: {memory: 64m, processes: 32, work: 4m, file_size: 2m}}
  client: 192.168.153.129
steps:
- server: {start: server}
"""
LINES = (
    CAST.replace("TITLE", "Two lines")
    + """
- client: {connect: "server:7000", as: lines}
- client.lines:
  - {type: "one ${nonce}\\n"}
  - {expect: "you said one ${nonce}\\n"}
  - {type: "two ${nonce}\\n"}
  - {expect: "you said two ${nonce}\\n"}
  - {close: both}
checks:
- {name: The first line is answered, output: {host: client, program: lines, contains: "you said one ${nonce}"}, points: 1}
- {name: Each line is answered, output: {host: client, program: lines, contains: "you said two ${nonce}"}, points: 1}
- name: Gazelles are logged
  file: {host: server, program: server, path: log, contains: "one ${nonce}"}
  visibility: hidden
  points: 1
"""
)
HIDDEN = (
    CAST.replace("TITLE", "Zebras")
    + """
- client: {connect: "server:7000", as: zebra}
- client.zebra: [{type: "okapi ${nonce}\\n"}, {expect: "you said okapi ${nonce}\\n"}, {close: both}]
checks:
- {name: Zebras are answered, output: {host: client, program: zebra, contains: "okapi ${nonce}"}}
"""
)
SECRETS = {b"zebra", b"Zebra", b"okapi", b"quagga", b"antelope", b"azelle", CONFIDENTIAL.encode()}
"""What only hidden parts say, and what nobody may find."""

PATIENCE = 300.0
"""Seconds for a batch, on a machine with much other work to do."""

SUCCEEDED = re.compile("FOUND|REACHED|FORGED|LEFT")
"""What an attack prints if it comes to anything."""

TRIED = {
    "06 searches": "searched up to /tmp/own",
    "19 dials": "dialled 192.168.153.128",
    "20 forges": "refused sender",
    "21 floods": "flooded",
    "24 leaves": f"left /dev/shm/{MARK} /tmp/{MARK} /dev/mqueue/{MARK} shmget semget msgget socket",
    "24 leaves, too": f"left /dev/shm/{MARK} /tmp/{MARK} /dev/mqueue/{MARK} shmget semget msgget socket",
}
"""What it prints once it has tried, and found what it laid down itself."""

TEXTS = {"feedback.txt", "feedback.md", "ladder.txt", GRADE_BOOK, JUNIT, SUMMARY, "nbgrader.csv"}


class Batch:
    """A class that was graded: its results and its folder."""

    def __init__(self, stage: Stage, students: Mapping[str, Attack], name: str) -> None:
        lay(stage.folder / name, students)
        self.out = stage.folder / f"of-{name}"
        words = command("grade", "assignment.yaml", name, "--out", self.out)
        env = environment(GITHUB_ACTIONS="true", GRADERS_TOKEN=CONFIDENTIAL)
        self.done = subprocess.run(
            words, cwd=stage.folder, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert self.done.returncode == ExitCode.PASSED, self.done.stdout + self.done.stderr
        rows = json.loads((self.out / JSON).read_text())["students"]
        self.rows: dict[str, dict[str, Any]] = {row["submission"]: row for row in rows}
        with (self.out / GRADE_BOOK).open(newline="") as book:
            self.book = {row["submission"]: row for row in csv.DictReader(book)}

    def feedback(self, name: str) -> str:
        """What a student reads."""
        return (self.folder(name) / "feedback.txt").read_text()

    def folder(self, name: str) -> Path:
        """A student's folder."""
        return self.out / "students" / str(self.rows[name]["folder"])

    def records(self, name: str) -> list[Path]:
        """The whole records of a student's labs."""
        runs = [run for case in self.rows[name]["scenarios"] for run in case["runs"]]
        return [self.out / str(run["record"]) for run in runs if run["record"]]

    def printed(self, name: str) -> list[str]:
        """What programs printed, a text for each lab."""
        labs = [read(record).transcript.events for record in self.records(name)]
        return ["".join(one.text for one in events if isinstance(one, Output)) for events in labs]

    def grade(self, name: str) -> dict[str, Any]:
        """All that is said of a student, but for what is new in each run and how busy the machine was."""
        told = [
            line for line in self.feedback(name).splitlines() if line.startswith("- ") or "points" in line
        ]
        text = json.dumps({"row": self.rows[name], "book": self.book[name], "feedback": told})
        for record in self.records(name):
            text = text.replace(record.name, "RECORD").replace(_nonce(record), "NONCE")
        found: dict[str, Any] = json.loads(text)
        for check in (
            one for case in found["row"]["scenarios"] for run in case["runs"] for one in run["checks"]
        ):
            del check["causes"]
        return found


def _nonce(record: Path) -> str:
    nonce: str = json.loads((record / "run.json").read_text())["variables"]["nonce"]
    return nonce


@pytest.mark.alone  # as many labs at once as the machine bears
def test_attackers_in_a_class(stage: Stage) -> None:
    reference = f"# {CONFIDENTIAL}\n{SERVE}"
    (stage.folder / "reference").mkdir()
    files = {"lines.yaml": LINES, "hidden.yaml": HIDDEN, "reference/server.py": reference}
    stage.lay(ASSIGNMENT, files, "assignment.yaml")
    alone, batch = Batch(stage, NEIGHBOURS, "honest"), Batch(stage, {**ATTACKS, **NEIGHBOURS}, "class")

    assert {name: alone.grade(name) for name in NEIGHBOURS} == {
        name: batch.grade(name) for name in NEIGHBOURS
    }
    students = {**ATTACKS, **NEIGHBOURS}
    wanted = {name: (one.status, one.points) for name, one in students.items()}
    assert {name: (row["status"], row["points"]) for name, row in batch.rows.items()} == wanted
    shown = {re.sub("^'", "", name): row for name, row in batch.book.items()}
    assert {name: (row["status"], int(row["points"])) for name, row in shown.items()} == {
        name.replace("\r\n", "␍␊"): row for name, row in wanted.items()
    }
    for name, one in students.items():
        assert one.words in batch.feedback(name), name
    _assert_nothing_found(batch)
    _assert_nothing_hidden_is_told(batch)
    _assert_texts_are_inert(batch)
    _assert_nothing_left(stage, batch)


def _assert_nothing_found(batch: Batch) -> None:
    for name in ATTACKS:
        printed = batch.printed(name)
        assert not SUCCEEDED.search("".join(printed)), (name, printed)
        assert all(TRIED.get(name, "") in of_a_lab for of_a_lab in printed), (name, printed)
    assert {len(batch.printed(name)) for name in TRIED if ATTACKS[name].points == 4} == {2}


def _assert_nothing_hidden_is_told(batch: Batch) -> None:
    """What hidden parts say, and the nonces of their labs, are in no student's folder."""
    hidden = {_nonce(one).encode() for one in (batch.out / "records").glob("*-hidden-*")}
    assert len(hidden) > len(NEIGHBOURS)
    for file in (batch.out / "students").rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert not [word for word in SECRETS | hidden if word in content], file


def _assert_texts_are_inert(batch: Batch) -> None:
    """No terminal, spreadsheet, reader of Markdown or XML, and no CI runner acts on anything."""
    assert not obeyed(batch.done.stdout + batch.done.stderr)
    for file in batch.out.rglob("*"):
        if file.name in TEXTS:
            text = file.read_bytes().decode()
            assert not re.search("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text), file
    suites = {one.get("name", "") for one in ET.parse(batch.out / JUNIT).getroot()}  # noqa: S314 - the lab wrote it
    assert {one.split("/")[0] for one in suites} == {row["folder"] for row in batch.rows.values()}
    markup = (batch.folder("04 prints markup") / "feedback.md").read_text()
    outside = re.sub(r"(?ms)^ *(`{3,})text$.*?^ *\1$", "", markup)
    assert "alert(1)" in markup
    assert "<" not in outside
    cells = [cell for row in batch.book.values() for cell in row.values()]
    assert '\'=HYPERLINK("x", "05")␍␊@x' in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def _assert_nothing_left(stage: Stage, batch: Batch) -> None:
    """Neither containers, nor processes, nor files."""
    assert [one for one in ours(stage.engine) if Path(one.labels.file).is_relative_to(stage.folder)] == []
    assert [one for one in _commands() if MARK in one] == []
    assert [*stage.folder.parent.rglob(f"*{MARK}*"), *Path("/dev/shm").glob(f"{MARK}*")] == []  # noqa: S108
    assert {one.name for one in stage.folder.iterdir()} == {
        "assignment.yaml", "lines.yaml", "hidden.yaml", "reference", "honest", "of-honest", "class", "of-class",
    }  # fmt: skip
    assert {one.name for one in batch.out.iterdir()} == {
        GRADE_BOOK, JSON, JUNIT, SUMMARY, "nbgrader.csv", "journal.jsonl", "records", "students",
    }  # fmt: skip


def _commands() -> Iterator[str]:
    """The command of each process of the machine, of those in containers, too."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (process / "cmdline").read_text(errors="replace")
