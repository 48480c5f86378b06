"""The cages as the engine made them: asserted by looking at started containers, not at what was asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.core.errors import ExitCode
from lab.deploy.build import LIMITS
from lab.engine import users
from lab.engine.containers import OWN_PROCESSES, TOOLS, ours, system_calls
from lab.evidence.transcript import Output, Started
from lab.scenario.cast import Limits
from tests.docker.stage import Stage, assert_passed, one_host, printed

MIB = 1024**2

TWO_HOSTS = """
version: 1
title: Two hosts that are looked at
networks: {lan: 10.9.8.0/24}
hosts:
  a:
    address: 10.9.8.1
    limits: {memory: 128m, cpus: 0.5, processes: 32, open_files: 64, file_size: 1m, work: 8m}
  b_b: {address: 10.9.8.2, image: tcp-lab/host, raw: true}
programs: {p: {source: p.py}}
steps:
- a: {start: p}
checks:
- exit: {host: a, program: p, running: true}
"""
GIVEN = Limits.model_validate(
    {"memory": "128m", "cpus": 0.5, "processes": 32, "open_files": 64, "file_size": "1m", "work": "8m"}
)


def _uid(told: dict[str, Any]) -> int:
    """The user of a container's first process, from the lab's range."""
    uid, group = map(int, told["Config"]["User"].split(":"))
    assert 0x7000_0000 <= uid < 0x8000_0000
    assert group == users.GROUP
    return uid


def _assert_caged(
    told: dict[str, Any], limits: Limits, uid: int, *, raw: bool = False, **programs: int
) -> None:
    cage, config = told["HostConfig"], told["Config"]
    assert cage["CapDrop"] == ["ALL"]
    assert [one.removeprefix("CAP_") for one in cage["CapAdd"] or []] == (["NET_RAW"] if raw else [])
    assert not cage["Privileged"]
    plain = [] if raw else ["no-new-privileges:true"]
    assert cage["SecurityOpt"] == [*plain, f"seccomp={system_calls(raw=raw)}"]
    assert cage["ReadonlyRootfs"]
    assert cage["Init"]
    assert cage["AutoRemove"]
    assert cage["IpcMode"] == cage["CgroupnsMode"] == "private"
    assert cage["PidMode"] == ""
    assert cage["UTSMode"] == ""
    assert cage["NetworkMode"] == "none"
    assert not cage["PortBindings"]
    assert not cage["Devices"]
    assert cage["Memory"] == cage["MemorySwap"] == limits.memory
    assert cage["NanoCpus"] == int(limits.cpus * 1e9)
    assert cage["PidsLimit"] == limits.processes + OWN_PROCESSES
    assert cage["LogConfig"]["Type"] == "none"
    assert {one["Name"]: (one["Soft"], one["Hard"]) for one in cage["Ulimits"]} == {
        "nofile": (limits.open_files, limits.open_files),
        "fsize": (limits.file_size, limits.file_size),
        "core": (0, 0),
        "sigpending": (4096, 4096),
        "msgqueue": (819200, 819200),
        "memlock": (8 * MIB, 8 * MIB),
    }
    work = f"exec,nosuid,nodev,size={limits.work},nr_inodes=4096,uid={uid}"
    assert cage["Tmpfs"] == {
        "/work": f"{work},gid=65534,mode=0755",
        **{f"/work/{name}": f"{work},gid={user},mode=2775" for name, user in programs.items()},
        "/tmp": f"noexec,nosuid,nodev,size={limits.work},nr_inodes=4096,mode=1777",  # noqa: S108
        "/dev/shm": f"noexec,nosuid,nodev,size={16 * MIB},nr_inodes=1024,mode=1777",  # noqa: S108
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
        uids = {name: _uid(told) for name, told in hosts.items()}
        assert len({uids["a"], uids["a"] + 1, uids["b_b"]}) == 3
        _assert_caged(hosts["a"], GIVEN, uids["a"], p=uids["a"] + 1)
        _assert_caged(hosts["b_b"], Limits(), uids["b_b"], raw=True)
        for told in hosts.values():
            _assert_served_by_the_sidecar(told)
        (sidecar,) = _inspected(stage, "sidecar")
        _assert_sidecar(sidecar)
        _assert_switch_learns_nothing(stage, sidecar["Id"])
    finally:
        stage.lab("down", "--lab", run_id)


def _assert_sidecar(told: dict[str, Any]) -> None:
    cage = told["HostConfig"]
    assert not cage["Privileged"]
    assert cage["CapDrop"] == ["ALL"]
    network, hosts = (
        {"NET_ADMIN", "NET_RAW", "SETGID"},
        {"SYS_ADMIN", "SYS_PTRACE", "SYS_CHROOT", "DAC_OVERRIDE"},
    )
    assert {capability.removeprefix("CAP_") for capability in cage["CapAdd"]} == network | hosts | {"KILL"}
    assert "no-new-privileges:true" in cage["SecurityOpt"]
    assert not any("seccomp" in option for option in cage["SecurityOpt"])
    assert cage["NetworkMode"] == "none"
    assert cage["PidMode"] == "host"
    assert cage["LogConfig"]["Type"] == "none"
    assert not cage["Binds"]
    assert [(one["Type"], one["Destination"]) for one in told["Mounts"]] == [("volume", TOOLS)]
    assert cage["ReadonlyRootfs"]
    assert cage["Memory"] == cage["MemorySwap"] == 2048 * MIB
    assert cage["PidsLimit"] == 2048
    assert (cage["CpuPeriod"], cage["CpuQuota"], cage["NanoCpus"]) == (100_000, 400_000, 0)
    assert cage["Tmpfs"] == {
        "/var/lib/tcp-lab": f"noexec,nosuid,nodev,size={1024 * MIB},nr_inodes=4096,mode=0700"
    }


def _assert_switch_learns_nothing(stage: Stage, sidecar: str) -> None:
    """The switch knows where both hosts are, for ever, and learns no more from the frames they send."""

    def said(*words: str) -> list[str]:
        made = stage.engine.client.exec_create(sidecar, ["bridge", *words])
        return stage.engine.client.exec_start(made["Id"]).decode().splitlines()

    ports = "\n".join(said("-details", "link"))
    assert ports.count("learning off") == 2
    assert "learning on" not in ports
    switched = [
        line for line in said("fdb", "show", "br", "br0") if "permanent" not in line and "self" not in line
    ]
    assert len(switched) == 2
    assert all(line.endswith("static") for line in switched)


def test_builds_are_caged(stage: Stage) -> None:
    text = one_host("- a: {start: p}", "{source: p.sh, build: 'sleep 4; exit 1', run: sh p}")
    file = stage.lay(text, {"p.sh": f"# {time.time_ns()}\n"})
    with ThreadPoolExecutor(1) as pool:
        lab = pool.submit(stage.lab, "run", file)
        (told,) = _until(lambda: _inspected(stage, "build"))
        _assert_caged(told, LIMITS, _uid(told) - 1)  # the packer's is the next
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
    "id -gn; id -un; getent passwd root | cut -d: -f1,6": "nogroup\nnobody\nroot:/root",
    "touch /etc/passwd 2>&1 | grep -c denied": "1",
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
    "grep -E 'pending|locked|msgqueue' /proc/self/limits | awk '{print $(NF-1)}'": "8388608\n4096\n819200",
    "stat -f -c %c /dev/shm": "1024",
    "grep -cv ':/$' /proc/self/cgroup": "0",
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


CALLS = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
numbers = {"io_uring_setup": 425, "memfd_secret": 447, "clone3": 435}
numbers |= {
    "x86_64": {"userfaultfd": 323, "keyctl": 250, "unshare": 272},
    "aarch64": {"userfaultfd": 282, "keyctl": 219, "unshare": 97},
}[os.uname().machine]
for name, number in numbers.items():
    assert libc.syscall(number, 0, 0, 0) == -1
    print(name, errno.errorcode[ctypes.get_errno()])
def is_allowed(make, *kind):
    try:
        for one in (sockets if isinstance(sockets := make(*kind), tuple) else (sockets,)):
            one.close()
    except PermissionError:
        return False
    except OSError as error:  # it was asked of the kernel, which has no such thing
        return errno.errorcode[error.errno]
    return True
UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
STREAM, DGRAM, RAW, SEQPACKET, DCCP = 1, 2, 3, 5, 6
FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
MPTCP, SMC, SCTP = 262, 256, 132
def pair(*kind):
    return socket.socketpair(*kind)
refused = [(family, STREAM, 0) for family in range(50) if family not in (UNIX, INET, INET6, NETLINK)]
refused += [(family, kind, 0) for family in (17, 29, 30, 38, 40, 43, 44) for kind in (DGRAM, RAW, SEQPACKET)]
for family in (INET, INET6):
    refused += [(family, STREAM, number) for number in range(1, 300) if number != 6]
    refused += [(family, kind, number) for kind in (SEQPACKET, DCCP, RAW) for number in (0, 1, 33, 58, SCTP)]
    refused += [(family, DGRAM, number) for number in (6, 33, SCTP, 136)]
refused += [(NETLINK, kind, number) for kind in (DGRAM, RAW) for number in range(32) if number not in (0, 4)]
for kind in refused:
    if allowed := is_allowed(socket.socket, *kind):
        print("socket", *kind, allowed)
for family in range(UNIX + 1, 50):
    if allowed := is_allowed(pair, family, DGRAM, 0):
        print("pair", family, allowed)
taken = [(UNIX, kind | FLAGS, 0) for kind in (STREAM, DGRAM, SEQPACKET)]
for family in (INET, INET6):
    taken += [(family, STREAM | flags, number) for flags in (0, FLAGS) for number in (0, 6)]
    taken += [(family, DGRAM | flags, number) for flags in (0, FLAGS) for number in (0, 17)]
taken += [(NETLINK, kind | FLAGS, number) for kind in (DGRAM, RAW) for number in (0, 4)]
for kind in taken:
    if (allowed := is_allowed(socket.socket, *kind)) is not True:
        print("socket", *kind, allowed)
for kind in (STREAM, DGRAM, SEQPACKET):
    if (allowed := is_allowed(pair, UNIX, kind | FLAGS)) is not True:
        print("pair", kind, allowed)
print("end")
"""
SANITIZED = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void *work(void *given) { return given; }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, malloc(1));
    void *back;
    pthread_join(thread, &back);
    free(back);
    puts("end");
}
"""
RUN = f"""
echo '{SANITIZED}' > calls.c && gcc -fsanitize=address,undefined -o checked calls.c && ./checked &&
ASAN_OPTIONS=detect_leaks=0 strace -f -o trace ./checked && grep -Ec 'clone.*= [0-9]+$' trace
"""


def test_system_calls_of_programs(stage: Stage) -> None:
    """What is refused, and that sanitizers (one of them traces all threads) and strace work all the same."""
    steps = f"- a: {{start: p}}\n- a: {{expect: end}}\n- a: {{run: {json.dumps(RUN)}, within: 30s}}"
    text = one_host(steps, checks="- exit: {host: a, program: p, status: 0}")
    finished = stage.play(text, {"p.py": CALLS})
    assert_passed(finished)
    calls, ran = printed(finished).split("end\n", 1)
    assert calls.split("\n") == [
        "io_uring_setup EPERM", "memfd_secret EPERM", "clone3 ENOSYS", "userfaultfd EPERM", "keyctl EPERM",
        "unshare EPERM", "",
    ]  # fmt: skip
    assert ran.split() == ["end", "end", "1"]
