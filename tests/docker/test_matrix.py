"""``lab matrix``: whose fault it is, in containers; killed midway it goes on, and no program is built twice."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path

import pytest

from lab.grade.journal import NAME
from lab.grade.matrix_results import CSV, JSON
from tests.docker.stage import Stage

WANTED = {
    ("reference", "reference"): ("passed", ""),
    ("reference", "cem"): ("failed", "client"),
    ("reference", "dan"): ("passed", ""),
    ("reference", "eve"): ("not-supported", ""),
    ("cem", "reference"): ("passed", ""),
    ("cem", "cem"): ("failed", "client"),
    ("cem", "dan"): ("passed", ""),
    ("cem", "eve"): ("not-supported", ""),
    ("dan", "reference"): ("failed", "server"),
    ("dan", "cem"): ("failed", "both"),
    ("dan", "dan"): ("failed", "server"),
    ("dan", "eve"): ("not-supported", ""),
    ("eve", "reference"): ("passed", ""),
    ("eve", "cem"): ("failed", "client"),
    ("eve", "dan"): ("passed", ""),
    ("eve", "eve"): ("not-supported", ""),
}
"""The client of cem, the server of dan and the client of eve are wrong, the last one by exit status 127."""


def test_every_client_with_every_server(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(Path(__file__).parent / "matrix", stage.folder, dirs_exist_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(stage.folder / "cache"))  # nothing is built yet
    words = ("matrix", "assignment.yaml", "submissions", "--jobs", "2")
    killed = stage.popen(*words, "-v")
    assert killed.stderr is not None
    said = ""
    for line in killed.stderr:
        said += line
        if line.startswith("[6/"):
            break
    killed.send_signal(signal.SIGKILL)
    said += killed.communicate()[1]
    done = (stage.folder / "matrix" / NAME).read_bytes()
    assert 6 <= done.count(b"\n") < len(WANTED)

    again = stage.popen(*words, "-v", "--json")
    answer, told = again.communicate()  # ten labs, however long they take where others work
    assert again.returncode == 0, told
    assert (stage.folder / "matrix" / NAME).read_bytes().startswith(done)
    played = set(re.findall(r"^\[\d+/\d+\] (\w+ with \w+)", told, re.MULTILINE))
    ends = (json.loads(line)["student"].replace("name:", "") for line in done.splitlines())
    before = {end.replace(":", "").replace("/", " with ") for end in ends}
    assert played == {" with ".join(pair) for pair in WANTED} - before
    builds = re.findall(r"^.* with .*: (building \w+)", said + told, re.MULTILINE)
    assert sorted(builds) == ["building client", "building server"]  # of dan; the others are scripts
    document = json.loads(answer)["matrix"]
    assert document == json.loads((stage.folder / "matrix" / JSON).read_text())
    names = {player["id"]: player["name"] for player in document["players"]}
    cells = {(names[one["server"]], names[one["client"]]): one for one in document["cells"]}
    assert {pair: (one["outcome"], one["fault"]) for pair, one in cells.items()} == WANTED
    assert {tuple(one["not_supported"]) for pair, one in cells.items() if pair[1] == "eve"} == {("client",)}
    table = (stage.folder / "matrix" / CSV).read_text()

    third = stage.lab(*words, "--csv")  # everything has a result: nothing is played
    assert (third.returncode, third.stderr.count("[")) == (0, 0)
    assert third.stdout.splitlines() == table.splitlines()
    records = {one["record"] for one in cells.values()}
    assert records == {f"records/{path.name}" for path in (stage.folder / "matrix" / "records").iterdir()}
