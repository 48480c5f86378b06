"""lab up --watch, after the script: who listens, and what the script's programs print then, is drawn, too."""

from __future__ import annotations

import signal
import time

from lab.core.errors import ExitCode
from lab.deploy.labs import all_labs
from lab.engine.containers import ours, remove
from tests.docker.stage import PATIENCE, Stage, drawn

SCENARIO = """
version: 1
title: SocketMonitor
networks: {lan: 10.9.8.0/24}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
programs:
  serve: {command: /opt/tcp-lab/busybox nc -l -p 7000, listens: 7000}
steps:
- server: {start: serve}
checks:
- listener: {host: server, port: 7000}
"""
BUSYBOX = "/opt/tcp-lab/busybox"
SAY = ("client", "--", "sh", "-c", f"echo late words | {BUSYBOX} nc -w 1 10.9.8.1 7000")
LISTEN = ("client", "--", "sh", "-c", f"{BUSYBOX} nc -l -p 7001 >/dev/null 2>&1 & {BUSYBOX} sleep 0.5")


def test_listeners_and_late_words_are_drawn(stage: Stage) -> None:
    file = stage.lay(SCENARIO)
    with stage.popen("up", file, "--watch", COLUMNS="100") as lab:
        try:
            drawn(lab, "LISTEN :7000")
            assert lab.stderr is not None
            assert any("the script has ended: pass" in line for line in lab.stderr)
            (run,) = (one.run_id for one in all_labs(stage.engine, time.time()) if one.file == str(file))
            assert stage.lab("exec", "--lab", run, *LISTEN).returncode == 0
            drawn(lab, "LISTEN :7001")
            stage.lab("exec", "--lab", run, *SAY)
            drawn(lab, '"late words"', "= exit status 0")  # what was printed may be heard after the end
            lab.send_signal(signal.SIGINT)
            _, rest = lab.communicate(timeout=PATIENCE)
            assert lab.returncode == ExitCode.PASSED, rest
            assert "Traceback" not in rest
            assert stage.lab("exec", "--lab", run, "client", "--", "true").returncode == 0, "it stays up"
            assert stage.lab("down", "--lab", run).returncode == ExitCode.PASSED
        finally:
            lab.kill()
            remove(stage.engine, [one.id for one in ours(stage.engine) if one.labels.file == str(file)])
