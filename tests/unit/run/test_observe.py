"""What the CLI makes of the agent's events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from lab.agent.protocol import CaptureEnd, EndCapture, EndSampling, Request, answer_in, event_in
from lab.core import limits
from lab.core.errors import EngineError
from lab.deploy.deployment import Deployment
from lab.evidence.sockets import Instrument, Loss, Sampling
from lab.run import observe
from lab.run.observe import Observer

SOCKETS: dict[str, Any] = {
    "event": "sockets_changed", "at": 5, "took": 1, "host": "a", "whole": True, "rows": [], "gone": [],
    "counts": [0] * 9, "before_until": 4, "before_took": 1,
}  # fmt: skip


class Told:
    """A deployment whose agent tells this at the end of the sampling."""

    def __init__(self, **lost: Any) -> None:
        self.lost = [lost] if lost else []
        self.agent = self

    async def ask(self, request: Request[Any]) -> Any:
        assert isinstance(request, EndSampling)
        told = {"began": 1, "ended": 9, "mean_gap": 2, "worst_gap": 3, "lost": self.lost}
        return answer_in(EndSampling, told)


def hear(observer: Observer, line: dict[str, Any]) -> None:
    observer.hear(event_in({**line}))


def ended(observer: Observer, **lost: Any) -> Sampling:
    return asyncio.run(observer.end_sampling(cast("Deployment", Told(**lost))))


def test_an_event_that_is_not_known_is_told_and_ends_nothing() -> None:
    observer = Observer()
    for event in ({"event": "weather", "host": "a"}, SOCKETS, {"event": "weather"}):
        hear(observer, event)
    assert [sample.host for sample in observer.samples] == ["a"]
    assert ended(observer).lost == (Loss(Instrument.EVENTS, "", 2, "'weather'"),)


@pytest.mark.parametrize(
    "spoilt",
    [
        {**SOCKETS, "rows": [[1, 2]]},
        {**SOCKETS, "rows": [["OPEN", "10.0.0.1", 1, "10.0.0.2", 2, 0, 0, 0]]},
        {**SOCKETS, "rows": 7},
        {key: value for key, value in SOCKETS.items() if key != "counts"},
    ],
)
def test_an_event_that_is_not_as_it_should_be_is_lost_evidence(spoilt: dict[str, Any]) -> None:
    observer = Observer()
    hear(observer, spoilt)
    hear(observer, SOCKETS)
    assert len(observer.samples) == 1
    (loss,) = ended(observer).lost
    assert (loss.instrument, loss.host, loss.count) == (Instrument.SOCKETS, "", 1)


def test_what_the_agent_lost_is_recorded() -> None:
    loss = Loss(Instrument.COUNTERS, "a", 3, "OSError: gone")
    told = {"instrument": "counters", "host": "a", "count": 3, "why": "OSError: gone", "limit": 0}
    assert ended(Observer(), **told).lost == (loss,)


def test_what_finds_no_room_is_lost_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROWS", 8)
    observer = Observer(hosts=2)
    for host in "aaaaaaaabb":
        hear(observer, {**SOCKETS, "host": host})
    assert [sample.host for sample in observer.samples] == [*"aaaaaabb"]
    assert ended(observer).lost == (Loss(Instrument.SOCKETS, "a", 2, "too-many-samples"),)


class Slow:
    """A deployment whose agent answers everything in time, and never comes to an end."""

    def __init__(self) -> None:
        self.agent = self.engine = self
        self.address = "far away"
        self.hosts: dict[str, Any] = {}

    async def ask(self, request: Request[Any]) -> Any:
        await asyncio.sleep(0.01)
        if isinstance(request, EndCapture):
            counts = {"captured": 1, "received": 1, "dropped": 0}
            return CaptureEnd(**counts, sealed=True, full=False, drops=(), size=1 << 30)
        return "AAAA"


def test_captures_that_never_end_are_brought_home_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_HOME_SECONDS", 0.1)
    with pytest.raises(EngineError, match=r"the captures were not here after 0\.1 s"):
        asyncio.run(Observer().end_captures(cast("Deployment", Slow()), tmp_path))
