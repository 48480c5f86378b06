"""Evidence of a run whose programs mean harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.words import Outcome
from lab.evidence import evidence
from lab.evidence.message import message
from tests.unit.staged import Stage

TWO = "0 client_a > server S\n 0.1 server > client_a R.\n 1 client_b > server S\n 1.1 server > client_b R."
RST_NONE = {"connection": {"from": "client_b", "to": "server:19999"}, "handshake": "refused", "rst": "none"}


def test_a_flood_of_connections_is_bounded_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_CONNECTIONS", 1)
    found = Stage(tmp_path, TWO).evidence(RST_NONE)
    assert [connection.client.host for connection in found.connections] == ["client_b"]
    assert found.unsound == (
        evidence.Unsound("capture.pcap", message("not-kept", number=1, what="connections", most=1)),
    )


def test_what_is_not_kept_is_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MOST_CONNECTIONS", 1)
    count = {"connections": {"to": "server:19999", "count": 0}}
    assert Stage(tmp_path, TWO).judge(count).outcome is Outcome.INCONCLUSIVE
