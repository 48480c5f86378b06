"""Labs put together from labels, and which one is meant."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lab.core.errors import UsageError
from lab.deploy.labs import Lab, LabStatus, choose, group
from lab.engine.containers import Container
from lab.engine.labels import Labels, Owner

LIVING = Owner.this_process()
GONE = replace(LIVING, started=LIVING.started + 1)
ELSEWHERE = Owner(1, 1, "another machine")
LABELS = Labels("cafe", "chat", "chat.yaml", "a", "10.0.0.1", "host", GONE, expires=100, keep=True)
SIDECAR = replace(LABELS, host="", role="sidecar")


def _container(labels: Labels, created: int = 1, state: str = "running") -> Container:
    return Container(f"{labels.run_id}-{labels.host}", "name", state, labels, created)


def _lab(
    run_id: str = "cafe", scenario: str = "chat", owner: Owner = GONE, *, keep: bool = True, now: float = 0,
    sidecar: str = "running", folder: str = "/chats",
) -> Lab:  # fmt: skip
    """A lab of one host, and of a sidecar in that state if it has one."""
    labels = replace(LABELS, run_id=run_id, scenario=scenario, owner=owner, keep=keep, folder=folder)
    members = [_container(labels)]
    if sidecar:
        members.append(_container(replace(labels, host="", role="sidecar"), state=sidecar))
    (lab,) = group(members, now)
    return lab


@pytest.mark.parametrize(
    ("owner", "now", "expected"),
    [
        (GONE, 99, LabStatus.UP),
        (GONE, 100, LabStatus.EXPIRED),
        (LIVING, 99, LabStatus.BUSY),
        (LIVING, 101, LabStatus.BUSY),
        (ELSEWHERE, 99, LabStatus.ELSEWHERE),
        (ELSEWHERE, 100, LabStatus.EXPIRED),
    ],
)
def test_whose_a_lab_is(owner: Owner, now: float, expected: LabStatus) -> None:
    assert _lab(owner=owner, now=now).standing is expected


@pytest.mark.parametrize("sidecar", ["", "created", "exited", "dead", "removing"])
def test_a_kept_lab_whose_sidecar_does_not_run_is_of_no_use(sidecar: str) -> None:
    lab = _lab(sidecar=sidecar)
    assert lab.standing is LabStatus.LEFT
    assert lab.useless
    assert lab.abandoned


def test_what_was_not_to_be_kept_is_left_where_its_owner_is_gone() -> None:
    assert _lab(keep=False).standing is LabStatus.LEFT
    assert _lab(keep=False, owner=LIVING).standing is LabStatus.BUSY
    assert not _lab(keep=False, owner=LIVING, sidecar="created").abandoned
    assert _lab(keep=False, owner=ELSEWHERE).standing is LabStatus.ELSEWHERE


def test_labels_are_read_as_they_were_written_and_older_ones_are_kept() -> None:
    for keep in (True, False):
        labels = replace(LABELS, keep=keep)
        assert Labels.read(labels.as_dict()) == labels
    assert Labels.read({"tcp-lab": "true"}).keep


def test_a_lab_that_was_left_is_not_meant_unless_it_is_named() -> None:
    left = _lab("left", keep=False)
    with pytest.raises(UsageError, match="no lab is up"):
        choose([left], "")
    assert choose([left, _lab("up")], "").run_id == "up"
    assert choose([left], "left") is left


def test_damaged_labels_are_expired() -> None:
    labels = Labels.read({"tcp-lab": "true", "tcp-lab.expires": "soon"})
    (lab,) = group([_container(labels)], now=1)
    assert lab.standing is LabStatus.EXPIRED


def test_a_lab_stays_as_long_as_any_of_its_containers_may() -> None:
    """The sidecar is made first, when nobody knows yet how long the scenario may take."""
    labels = [replace(LABELS, owner=GONE, expires=expires) for expires in (50, 200)]
    [lab] = group([_container(SIDECAR), *map(_container, labels)], now=100)
    assert (lab.expires, lab.standing) == (200, LabStatus.UP)


def test_containers_are_grouped_by_run_oldest_first() -> None:
    late = replace(LABELS, run_id="late")
    labs = group([_container(late, 9), _container(LABELS), _container(SIDECAR)], now=0)
    assert [lab.run_id for lab in labs] == ["cafe", "late"]
    assert [host.labels.host for host in labs[0].hosts] == ["a"]
    assert [one.labels.role for one in labs[0].others] == ["sidecar"]
    assert len(labs[0].containers) == 2


@pytest.mark.parametrize("word", ["", "cafe", "ca", "chat"])
def test_the_one_lab_there_is(word: str) -> None:
    lab = _lab("cafe")
    assert choose([lab], word) is lab


def test_a_lab_of_this_folder_comes_first_and_one_that_was_left_up_before_a_busy_one() -> None:
    up, busy = _lab("up"), _lab("busy", owner=LIVING)
    assert choose([up, busy], "", up.folder) is up
    assert choose([busy], "", busy.folder) is busy
    assert choose([up, busy], "", "/elsewhere") is up
    here = _lab("here", owner=LIVING, folder="/here")
    assert choose([up, here], "", "/here") is here
    with pytest.raises(UsageError, match="no lab is up"):
        choose([busy, here], "", "/elsewhere")


@pytest.mark.parametrize(
    ("labs", "word", "code", "fix"),
    [
        ([], "", "no-lab", "lab up FILE"),
        ([], "x", "no-lab", "lab up FILE"),
        ([_lab("aa")], "x", "no-lab", "aa (chat)"),
        ([_lab("aa"), _lab("ab", "echo"), _lab("b")], "a", "which-lab", "aa (chat), ab (echo)"),
        ([_lab("aa"), _lab("ab")], "chat", "which-lab", "aa (chat), ab (chat)"),
    ],
)
def test_no_lab_or_several(labs: list[Lab], word: str, code: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(labs, word)
    assert caught.value.code == code
    assert fix in caught.value.fix


def test_a_host_by_name() -> None:
    lab = _lab("cafe")
    assert lab.host("a").labels.host == "a"
    with pytest.raises(UsageError, match="no host 'b'"):
        lab.host("b")
