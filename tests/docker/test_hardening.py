"""The cages as the engine made them: asserted by looking at started containers, not at what was asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.build import LIMITS, PACKER
from lab.engine.containers import NOBODY, OWN_PROCESSES, TOOLS, ours
from lab.errors import ExitCode
from lab.scenario.cast import Limits
from lab.transcript import Output, Started
from tests.docker.stage import Stage, assert_passed, one_host

MIB = 1024**2

TWO_HOSTS = """
version: 1
title: Two hosts that are looked at
networks: {lan: 10.9.8.0/24}
hosts:
  a:
    address: 10.9.8.1
    limits: {memory: 128m, cpus: 0.5, processes: 32, open_files: 64, file_size: 1m, work: 8m}
  b_b: {address: 10.9.8.2, image: tcp-lab/host}
programs: {p: {source: p.py}}
steps:
- a: {start: p}
checks:
- exit: {host: a, program: p, running: true}
"""
GIVEN = Limits.model_validate(
    {"memory": "128m", "cpus": 0.5, "processes": 32, "open_files": 64, "file_size": "1m", "work": "8m"}
)


def _assert_caged(told: dict[str, Any], limits: Limits, user: str = NOBODY) -> None:
    cage, config = told["HostConfig"], told["Config"]
    assert config["User"] == user
    assert cage["CapDrop"] == ["ALL"]
    assert not cage["CapAdd"]
    assert not cage["Privileged"]
    assert cage["SecurityOpt"] == ["no-new-privileges:true"], "with the engine's own seccomp profile"
    assert cage["ReadonlyRootfs"]
    assert cage["Init"]
    assert cage["AutoRemove"]
    assert cage["IpcMode"] == "private"
    assert cage["PidMode"] == ""
    assert cage["UTSMode"] == ""
    assert cage["NetworkMode"] == "none"
    assert not cage["PortBindings"]
    assert not cage["Devices"]
    assert cage["Memory"] == cage["MemorySwap"] == limits.memory
    assert cage["NanoCpus"] == int(limits.cpus * 1e9)
    assert cage["PidsLimit"] == limits.processes + OWN_PROCESSES
    assert cage["ShmSize"] == 16 * MIB
    assert cage["LogConfig"]["Type"] == "none"
    assert {one["Name"]: (one["Soft"], one["Hard"]) for one in cage["Ulimits"]} == {
        "nofile": (limits.open_files, limits.open_files),
        "fsize": (limits.file_size, limits.file_size),
        "core": (0, 0),
    }
    assert cage["Tmpfs"] == {
        "/work": f"exec,nosuid,nodev,size={limits.work},nr_inodes=4096,mode=0755,uid=65534,gid=65534",
        "/tmp": f"noexec,nosuid,nodev,size={limits.work},nr_inodes=4096,mode=1777",  # noqa: S108
    }
    assert not cage["Binds"]
    assert config["Healthcheck"] == {"Test": ["NONE"]}


def _assert_served_by_the_sidecar(told: dict[str, Any]) -> None:
    assert told["Config"]["NetworkDisabled"]
    assert not told["NetworkSettings"]["Networks"]
    mounts = [(one["Destination"], one["RW"]) for one in told["Mounts"] if one["Type"] != "tmpfs"]
    assert mounts == [(TOOLS, False)]


def _inspected(stage: Stage, role: str) -> list[dict[str, Any]]:
    """The running containers of this stage's lab."""
    file = str(stage.folder / "play.yaml")
    found = [one for one in ours(stage.engine) if (one.labels.file, one.labels.role) == (file, role)]
    return [stage.engine.client.inspect_container(one.id) for one in found if one.state == "running"]


def test_hosts_are_caged_and_the_sidecar_holds_what_it_needs(stage: Stage) -> None:
    done = stage.lab("up", "--json", stage.lay(TWO_HOSTS, {"p.py": "input()\n"}))
    run_id = json.loads(done.stdout)["runs"][0]["run"]
    try:
        hosts = {told["Config"]["Labels"]["tcp-lab.host"]: told for told in _inspected(stage, "host")}
        _assert_caged(hosts["a"], GIVEN)
        _assert_caged(hosts["b_b"], Limits())
        for told in hosts.values():
            _assert_served_by_the_sidecar(told)
        (sidecar,) = _inspected(stage, "sidecar")
        _assert_sidecar(sidecar)
    finally:
        stage.lab("down", "--lab", run_id)


def _assert_sidecar(told: dict[str, Any]) -> None:
    cage = told["HostConfig"]
    assert not cage["Privileged"]
    assert cage["CapDrop"] == ["ALL"]
    network, hosts = (
        {"NET_ADMIN", "NET_RAW", "SETGID"},
        {"SYS_ADMIN", "SYS_PTRACE", "SYS_CHROOT", "DAC_READ_SEARCH"},
    )
    assert {capability.removeprefix("CAP_") for capability in cage["CapAdd"]} == network | hosts | {"KILL"}
    assert "no-new-privileges:true" in cage["SecurityOpt"]
    assert not any("seccomp" in option for option in cage["SecurityOpt"])
    assert cage["NetworkMode"] == "none"
    assert cage["PidMode"] == "host"
    assert cage["LogConfig"]["Type"] == "none"
    assert not cage["Binds"]
    assert [(one["Type"], one["Destination"]) for one in told["Mounts"]] == [("volume", TOOLS)]


def test_builds_are_caged(stage: Stage) -> None:
    text = one_host("- a: {start: p}", "{source: p.sh, build: 'sleep 4; exit 1', run: sh p}")
    file = stage.lay(text, {"p.sh": f"# {time.time_ns()}\n"})
    with ThreadPoolExecutor(1) as pool:
        lab = pool.submit(stage.lab, "run", file)
        (told,) = _until(lambda: _inspected(stage, "build"))
        _assert_caged(told, LIMITS, PACKER)
        assert list(told["NetworkSettings"]["Networks"]) == ["none"]
        assert [one for one in told["Mounts"] if one["Type"] != "tmpfs"] == []
        assert lab.result().returncode == ExitCode.FAILED


def _until(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    pytest.fail("the build's container never ran")


HOSTS = """
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
10.9.8.1\ta
10.9.8.2\tb_b
""".strip()
ANOTHERS_IPV4 = (
    "import socket; s = socket.socket(); s.setsockopt(0, 15, 1); "
    's.bind(("10.9.8.7", 0)); s.connect(("10.9.8.2", 9))'
)
"""What IPV6_FREEBIND allows over IPv6: over IPv4 the kernel refuses to send in the name of another."""

INSIDE = {
    "id -u; id -g": "65534\n65534",
    "touch /here /etc/here /usr/here 2>&1 | grep -c Read-only": "3",
    "touch /opt/tcp-lab/here 2>&1 | grep -c Read-only": "1",
    "grep -E 'Cap(Prm|Eff|Bnd|Amb|Inh)' /proc/self/status | cut -f2 | sort -u": "0000000000000000",
    "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | cut -f2 | tr '\\n' ' '": "1 2",
    "grep -c . /proc/net/route; ip route | grep -c default": "2\n0",
    "cat /proc/1/comm": "docker-init",
    "cat /etc/hosts": HOSTS,
    "sh -c 'echo 10.9.8.9 b_b >> /etc/hosts' 2>&1 | grep -c denied; ls -A /dev/shm | wc -l": "1\n0",
    "getent hosts localhost b_b | cut -d' ' -f1": "::1\n10.9.8.2",
    "cp /bin/true /tmp/true && /tmp/true 2>&1 | grep -c denied": "1",
    "cp /bin/true /work/true && /work/true && echo ran": "ran",
    "head -c 2m /dev/zero 2>/dev/null > /work/large || echo too large": "too large",
    "df -m /work /tmp | awk 'NR > 1 {print $2}'": "8\n8",
    "ulimit -c; ulimit -n": "0\n64",
    "ip link set eth0 down 2>&1 | grep -c permitted": "1",
    "python3 -c 'import socket; socket.socket(2, socket.SOCK_RAW, 1)' 2>&1 | grep -c PermissionError": "1",
    "ip link set eth0 address 02:00:00:00:09:09 2>&1 | grep -c permitted": "1",
    "ip neigh replace 10.9.8.2 lladdr 02:00:00:00:09:09 dev eth0 2>&1 | grep -c permitted": "1",
    "python3 -c 'import socket; socket.socket(17, socket.SOCK_RAW)' 2>&1 | grep -c PermissionError": "1",
    "python3 -c 'import socket; socket.socket(10, socket.SOCK_RAW, 58)' 2>&1 | grep -c PermissionError": "1",
    "python3 -c 'import socket; socket.socket().setsockopt(0, 19, 1)' 2>&1 | grep -c PermissionError": "1",
    f"python3 -c '{ANOTHERS_IPV4}' 2>&1 | grep -cE 'Invalid argument|unreachable'": "1",
    "ls /var/run/docker.sock 2>&1 | grep -c 'No such'": "1",
    "unshare -Ur true 2>&1 | grep -c permitted": "1",
    'python3 -c \'import socket; s = socket.socket(); s.bind(("", 80)); print("bound")\'': "bound",
}


def test_what_a_program_can_do_inside(stage: Stage) -> None:
    runs = "".join(f"- a: {{run: {json.dumps(command + '; true')}}}\n" for command in INSIDE)
    finished = stage.play(
        TWO_HOSTS.replace("- a: {start: p}\n", f"- a: {{start: p}}\n{runs}"), {"p.py": "input()\n"}
    )
    assert_passed(finished)
    outputs: list[str] = []
    for event in finished.evidence.transcript.events:
        if isinstance(event, Started):
            outputs.append("")
        elif isinstance(event, Output):
            outputs[-1] += event.text
    assert dict(zip(INSIDE, (output.strip() for output in outputs[1:]), strict=True)) == INSIDE
