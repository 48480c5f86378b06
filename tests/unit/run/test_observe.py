"""What the CLI makes of the agent's events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from lab.core import limits
from lab.core.errors import EngineError
from lab.deploy.deployment import Deployment
from lab.evidence.sockets import Instrument, Loss, Sampling
from lab.run import observe
from lab.run.observe import Observer

WHOLE = {"event": "sockets", "at": 5, "took": 1, "host": "a", "whole": True, "rows": [], "gone": []}
SOCKETS = {**WHOLE, "counts": {}, "before": {"until": 4, "took": 1}}


class Told:
    """A deployment whose agent tells this at the end of the sampling."""

    def __init__(self, **lost: Any) -> None:
        self.lost = [lost] if lost else []
        self.agent = self

    async def ask(self, op: str) -> dict[str, Any]:
        assert op == "end_sample"
        return {"began": 1, "ended": 9, "mean_gap": 2, "worst_gap": 3, "lost": self.lost}


def ended(observer: Observer, **lost: Any) -> Sampling:
    return asyncio.run(observer.end_sampling(cast("Deployment", Told(**lost))))


def test_an_event_that_is_not_known_is_told_and_ends_nothing() -> None:
    observer = Observer()
    for event in ({"event": "weather", "host": "a"}, SOCKETS, {"event": "weather"}):
        observer.hear(event)
    assert [sample.host for sample in observer.samples] == ["a"]
    assert ended(observer).lost == (Loss(Instrument.EVENTS, "", 2, "'weather'"),)


@pytest.mark.parametrize("spoilt", [{**SOCKETS, "rows": [[1, 2]]}, WHOLE, {**SOCKETS, "rows": 7}])
def test_an_event_that_is_not_as_it_should_be_is_lost_evidence(spoilt: dict[str, Any]) -> None:
    observer = Observer()
    observer.hear(spoilt)
    observer.hear(SOCKETS)
    assert len(observer.samples) == 1
    (loss,) = ended(observer).lost
    assert (loss.instrument, loss.host, loss.count) == (Instrument.SOCKETS, "", 1)


def test_what_the_agent_lost_is_recorded() -> None:
    loss = Loss(Instrument.COUNTERS, "a", 3, "OSError: gone")
    told = {"instrument": "counters", "host": "a", "count": 3, "why": "OSError: gone"}
    assert ended(Observer(), **told).lost == (loss,)


def test_what_finds_no_room_is_lost_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROWS", 8)
    observer = Observer(hosts=2)
    for host in "aaaaaaaabb":
        observer.hear({**SOCKETS, "host": host})
    assert [sample.host for sample in observer.samples] == [*"aaaaaabb"]
    assert ended(observer).lost == (Loss(Instrument.SOCKETS, "a", 2, "the samples held too many sockets"),)


class Slow:
    """A deployment whose agent answers everything in time, and never comes to an end."""

    def __init__(self) -> None:
        self.agent = self.engine = self
        self.address = "far away"
        self.hosts: dict[str, Any] = {}

    async def ask(self, op: str, **_: Any) -> Any:
        await asyncio.sleep(0.01)
        return {"size": 1 << 30, "drops": []} if op == "end_capture" else "AAAA"


def test_captures_that_never_end_are_brought_home_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_HOME_SECONDS", 0.1)
    with pytest.raises(EngineError, match=r"the captures were not here after 0\.1 s"):
        asyncio.run(Observer().end_captures(cast("Deployment", Slow()), tmp_path))
