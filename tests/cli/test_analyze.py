"""``lab analyze``: a table for people, a document for programs, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.core.errors import ExitCode
from tests.cli.fakes import Lab
from tests.unit import sketch

TALK = """
    0    client_a > server  S
    0.1  server > client_a  S.
    0.2  client_a > server  .
    1    client_a > server  P. 5
    300  client_a > server  P. again
    301  server > client_a  .
    302  server > client_a  R.
"""


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "talk.pcap"
    path.write_bytes(sketch.single(TALK, isn={"client_a": 2**32 - 3}))
    return path


@pytest.mark.usefixtures("no_engine")
def test_what_a_person_reads(lab: Lab, capture: Path) -> None:
    said = lab("analyze", str(capture))
    assert (said.code, said.err) == (ExitCode.PASSED, "")
    for text in (
        "192.168.153.129:40000  192.168.153.128:19999  complete   reset",
        "client  SYN_SENT +0.000 ms, ESTABLISHED +0.100 ms, CLOSED +302.000 ms",
        "resent  frame 5, +300.000 ms: data from 192.168.153.129:40000",
        "RST     frame 7, +302.000 ms: from 192.168.153.128:19999, cause: abort",
        "odd     the sequence numbers of 192.168.153.129:40000 wrap around",
        "7 frames, 7 TCP segments, 1 connection",
    ):
        assert text in said.out


@pytest.mark.usefixtures("no_engine")
def test_what_a_program_reads(lab: Lab, capture: Path) -> None:
    data = json.loads(lab("analyze", str(capture), "--json").out)
    [connection] = data["connections"]
    assert (connection["handshake"], connection["close"], connection["client"]["bytes"]) == (
        "complete",
        "reset",
        5,
    )
    assert connection["client"]["retransmissions"] == {"syn": 0, "data": 1, "fin": 0}
    assert connection["server"]["reset"]["cause"] == "abort"


@pytest.mark.usefixtures("no_engine")
def test_what_cannot_be_read_is_a_warning(lab: Lab, capture: Path) -> None:
    capture.write_bytes(capture.read_bytes()[:-7])
    said = lab("analyze", str(capture))
    assert said.code == ExitCode.PASSED
    assert "frame 7: the capture ends within this frame" in said.err
    assert "6 frames" in said.out


@pytest.mark.usefixtures("no_engine")
def test_a_file_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    said = lab("analyze", str(tmp_path / "none.pcap"))
    assert said.code == ExitCode.INCONCLUSIVE
    assert "the capture cannot be read" in said.err
