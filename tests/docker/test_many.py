"""Many labs at once, with one and the same subnet, and many hosts in one lab."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from lab.core.errors import ExitCode
from tests.docker.stage import CHECKOUT, Stage, assert_passed
from tests.docker.test_networks import FILES, talk

LABS = int(os.environ.get("LAB_TEST_LABS", "6"))
"""Twenty are promised; they take a minute on two cores."""


def test_two_runs_of_one_file_at_once(stage: Stage) -> None:
    file = CHECKOUT / "scenarios" / "multi_client.yaml"
    with ThreadPoolExecutor(2) as pool:
        runs = [done.result() for done in [pool.submit(stage.lab, "run", file) for _ in range(2)]]
    assert [run.returncode for run in runs] == [ExitCode.PASSED] * 2, runs
    assert len(list((stage.folder / "runs").iterdir())) == 2


def test_many_labs_with_one_subnet_at_once(stage: Stage) -> None:
    text = talk("{lan: 192.168.153.0/24}", "192.168.153.128", "192.168.153.129", "192.168.153.128")
    file = stage.lay(text + "timeouts: {step: 30s}\n", FILES)
    with ThreadPoolExecutor(LABS) as pool:
        runs = [done.result() for done in [pool.submit(stage.lab, "run", file) for _ in range(LABS)]]
    assert [run.returncode for run in runs] == [ExitCode.PASSED] * LABS, [
        run.stdout + run.stderr for run in runs
    ]


def test_sixteen_hosts(stage: Stage) -> None:
    hosts = [f"client_{number}" for number in range(1, 16)]
    server = (
        "import socket\ns = socket.create_server(('', 7000), backlog=32)\nwhile True:\n"
        " c, _ = s.accept()\n c.sendall(c.recv(99))\n c.recv(9)\n c.close()\n"
    )
    client = (
        "import socket, sys\nc = socket.create_connection(('server', 7000))\n"
        "c.sendall(sys.argv[1].encode())\nprint('heard', c.recv(99).decode())\n"
    )
    branches = "".join(
        f"  - - {host}: {{start: client, args: [{host}]}}\n    - {host}: {{expect: {{line: heard {host}}}}}\n"
        f"    - {host}: {{wait: {{exited: true}}}}\n"
        for host in hosts
    )
    checks = "".join(
        f"- connection: {{from: {host}, to: 'server:7000'}}\n  handshake: complete\n"
        f"  close: {{kind: orderly, active: {host}}}\n  bytes: {{server: {len(host)}}}\n"
        for host in hosts
    )
    addresses = "".join(f"  {host}: 10.9.8.{number}\n" for number, host in enumerate(hosts, 2))
    text = (
        "version: 1\ntitle: Fifteen clients\nnetworks: {lan: 10.9.8.0/24}\ntimeouts: {step: 30s}\n"
        "programs: {server: {source: server.py, listens: 7000}, client: client.py}\n"
        f"hosts:\n  server: 10.9.8.1\n{addresses}steps:\n- server: {{start: server}}\n- together:\n{branches}"
        f"checks:\n- connections: {{to: 'server:7000', count: 15}}\n{checks}"
    )
    assert_passed(stage.play(text, {"server.py": server, "client.py": client}))
