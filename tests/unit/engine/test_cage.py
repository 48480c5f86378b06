"""What a cage is made of where no engine is needed: users and system calls."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from msgspec.structs import replace

from lab.core.errors import UsageError
from lab.deploy.doctor import Health, _isolation, _socket_memory
from lab.engine import users
from lab.engine.containers import system_calls
from lab.engine.machine import Machine

REFUSED = {
    "add_key", "bpf", "fanotify_init", "io_uring_enter", "io_uring_register", "io_uring_setup", "kcmp", "keyctl",
    "memfd_secret", "modify_ldt", "mount", "open_by_handle_at", "perf_event_open", "request_key", "setns",
    "socketcall", "unshare", "userfaultfd",
}  # fmt: skip
MACHINE = Machine("28.0", "1.50", "6.1", "linux/amd64", 2, 1 << 34, ("name=seccomp,profile=default",), 2)
CONDITIONAL = {"socket", "personality", "clone"}


def test_system_calls_are_a_list_of_what_is_allowed() -> None:
    profile = json.loads(system_calls())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert profile["archMap"] == [
        {"architecture": f"SCMP_ARCH_{name}", "subArchitectures": []} for name in ("X86_64", "AARCH64")
    ]
    rules = profile["syscalls"]
    named = Counter(name for rule in rules if "args" not in rule for name in rule["names"])
    assert set(named.values()) == {1}
    allowed = {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert not allowed & REFUSED
    assert not CONDITIONAL & set(named), "these are allowed with some arguments only"
    assert allowed > CONDITIONAL
    (clone3,) = (rule for rule in rules if "clone3" in rule["names"])
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38), "or no thread could be made"
    families = {rule["args"][0]["value"] for rule in rules if rule["names"] == ["socket"]}
    assert families == {1, 2, 10, 16}


def test_raw_hosts_have_raw_sockets_besides_and_nothing_else() -> None:
    plain, raw = (json.loads(system_calls(raw=raw))["syscalls"] for raw in (False, True))
    more = [rule for rule in raw if rule not in plain]
    assert [rule for rule in raw if rule in plain] == plain
    assert [rule["names"] for rule in more] == [["socket"], ["socket"]]
    assert [[argument["value"] for argument in rule["args"]] for rule in more] == [[2, 15], [10, 15]]
    assert [rule["args"][1]["valueTwo"] for rule in more] == [3, 3]


def test_users_are_drawn_from_the_range_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_UID_BASE", raising=False)
    drawn = [users.draw(3) for _ in range(100)]
    assert all(0x7000_0000 <= one[0] < one[-1] <= 0x7FFF_FFFF for one in drawn), "the largest an engine takes"
    assert len({uid for one in drawn for uid in one}) > 250
    monkeypatch.setenv("LAB_UID_BASE", "100000")
    assert all(100000 <= uid < 100000 + users.COUNT for uid in users.draw(300))


@pytest.mark.parametrize("given", ["0", "999", "1879048193", "1e6", "-5", "²", "99999999999999999999"])
def test_a_range_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_UID_BASE", given)
    with pytest.raises(UsageError, match="LAB_UID_BASE"):
        users.draw(1)


def test_an_engine_that_cannot_limit_system_calls_is_told() -> None:
    machine = MACHINE
    assert _isolation(machine).health is Health.GOOD
    found = _isolation(replace(machine, security=("name=apparmor",)))
    assert found.health is Health.PROBLEM
    assert "seccomp" in found.seen


def test_an_engine_that_does_not_limit_what_sockets_hold_is_told() -> None:
    assert _socket_memory(MACHINE).health is Health.GOOD
    found = _socket_memory(replace(MACHINE, cgroups=1))
    assert found.health is Health.NOTICE
    assert "cgroup v1" in found.seen
    assert "cgroup v2" in found.fix
