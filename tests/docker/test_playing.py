"""A lab to play with: no steps, no checks, tools in the hosts, files in and out."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lab.core.errors import ExitCode
from lab.engine.containers import ours, remove
from tests.docker.stage import Stage

BARE = "version: 1\ntitle: Bare\nnetworks: {lan: 10.9.8.0/24}\nhosts: {server: 10.9.8.1, client: 10.9.8.2}\n"
TOOLS = ("curl", "gdb", "gcc", "nano", "nc", "python3", "ss", "strace", "tcpdump", "telnet")
HOSTILE = """
mkdir -p out/deep && echo kept > out/deep/file && chmod +x out/deep/file
ln -s /etc/passwd out/link && ln -s /etc out/folder && mkfifo out/pipe
ln -s /etc/hostname alone && mkfifo pipe
"""


def test_a_lab_to_play_with(stage: Stage) -> None:
    file = stage.lay(BARE)
    try:
        up = stage.lab("up", file, "--json")
        assert up.returncode == ExitCode.PASSED, up.stderr
        (run,) = json.loads(up.stdout)["runs"]
        assert (run["verdict"]["outcome"], run["verdict"]["results"]) == ("skipped", [])
        where = ("--lab", run["run"])
        assert "nothing is judged" in stage.lab("check", run["record"]).stdout
        assert stage.lab("check", run["record"]).returncode == ExitCode.PASSED
        _assert_tools(stage, where)
        _assert_copies(stage, where)
    finally:
        remove(stage.engine, [one.id for one in ours(stage.engine) if one.labels.file == str(file)])


def _assert_tools(stage: Stage, where: tuple[str, ...]) -> None:
    found = stage.lab(
        "exec", *where, "client", "sh", "-c", f"for t in {' '.join(TOOLS)}; do command -v $t; done"
    )
    assert [Path(line).name for line in found.stdout.split()] == list(TOOLS)
    ping = stage.lab("exec", *where, "client", "ping", "-c", "1", "server")
    assert "1 received" in ping.stdout, ping.stderr


def _assert_copies(stage: Stage, where: tuple[str, ...]) -> None:
    def cp(source: str, target: str) -> int:
        return stage.lab("cp", *where, source, target).returncode

    here = stage.folder
    (here / "tree" / "deep").mkdir(parents=True)
    (here / "tree" / "deep" / "file").write_bytes(bytes(range(256)) * 1000)
    (here / "run.sh").write_text("echo ran\n")
    (here / "run.sh").chmod(0o755)
    assert cp("tree", "server:") == cp("run.sh", "server:bin.sh") == ExitCode.PASSED
    assert stage.lab("exec", *where, "server", "./bin.sh").stdout == "ran\n"
    assert cp("server:tree/deep/file", "back") == cp("server:tree", "again") == ExitCode.PASSED
    for copy in (here / "back", here / "again" / "deep" / "file"):
        assert copy.read_bytes() == (here / "tree" / "deep" / "file").read_bytes()

    assert stage.lab("exec", *where, "server", "sh", "-c", HOSTILE).returncode == 0
    said = stage.lab("cp", *where, "server:out", "taken")
    assert (said.returncode, "2 links are left out" in said.stderr) == (ExitCode.PASSED, True)
    assert sorted(str(path.relative_to(here / "taken")) for path in (here / "taken").rglob("*")) == [
        "deep", "deep/file",
    ]  # fmt: skip
    assert os.access(here / "taken" / "deep" / "file", os.X_OK)
    victim = here / "victim"
    victim.write_text("mine")
    (here / "lies").symlink_to(victim)
    assert cp("server:tree/deep/file", "lies") == ExitCode.PASSED
    assert victim.read_text() == "mine", "a link is replaced, not followed"
    for source, target in (
        ("server:out", "victim"), ("server:pipe", "x"), ("server:nowhere", "x"), ("nowhere", "server:"),
        ("tree", "server:/etc/"), ("back", "again"), ("server:a", "server:b"), ("back", "nobody:"),
    ):  # fmt: skip
        assert cp(source, target) == ExitCode.USAGE, (source, target)
    assert not (here / "x").exists()
