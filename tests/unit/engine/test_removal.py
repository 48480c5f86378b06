"""What is asked of the engine to remove containers."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.engine import Engine
from lab.engine import containers as box
from lab.engine.containers import Container
from lab.engine.labels import Labels


def test_what_is_paused_is_unpaused_before_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []
    client = SimpleNamespace(unpause=lambda one: asked.append(("unpause", one)))
    monkeypatch.setattr(box, "_remove", lambda _, one: asked.append(("remove", one)))
    labels, gone = cast("Labels", None), list[None]()
    listed = [Container(f"{state}-id", state, state, labels, 0) for state in ("running", "paused", "exited")]
    engine = cast("Engine", SimpleNamespace(client=client, doing=lambda _: nullcontext()))
    box.remove_listed(engine, listed, lambda: gone.append(None))
    assert [one for one in asked if one[1] == "paused-id"] == [
        ("unpause", "paused-id"),
        ("remove", "paused-id"),
    ]
    assert {one for one in asked if one[1] != "paused-id"} == {
        ("remove", "running-id"),
        ("remove", "exited-id"),
    }
    assert len(gone) == len(listed)
