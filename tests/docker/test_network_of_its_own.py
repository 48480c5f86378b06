"""An engine that gives a container the machine's network, whatever it was asked for: nothing is wired."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from lab.core.errors import EngineError
from lab.engine.containers import ours
from tests.docker.stage import Stage, one_host


def disobey(stage: Stage, monkeypatch: pytest.MonkeyPatch, *, sidecar: bool) -> None:
    """The engine's library, but one kind of container gets the machine's network."""
    real: Callable[..., Any] = stage.engine.client.create_container_from_config

    def create(config: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if (config["HostConfig"].get("PidMode") == "host") is sidecar:
            config["NetworkDisabled"] = False
            config["HostConfig"] |= {"NetworkMode": "host", "Sysctls": {}}
        return real(config, *args, **kwargs)

    monkeypatch.setattr(stage.engine.client, "create_container_from_config", create)


@pytest.mark.alone  # builds of images make interfaces of the machine, too
@pytest.mark.parametrize("sidecar", [False, True], ids=["host", "sidecar"])
def test_nobody_is_wired_on_the_network_of_the_machine(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, sidecar: bool
) -> None:
    text, files = one_host("- a: {start: p}"), {"p.py": ""}
    disobey(stage, monkeypatch, sidecar=sidecar)
    before = socket.if_nameindex()
    with pytest.raises(EngineError, match="no network of its own"):
        stage.play(text, files)
    assert socket.if_nameindex() == before
    file = str(stage.folder / "play.yaml")
    assert [one for one in ours(stage.engine) if one.labels.file == file] == []
