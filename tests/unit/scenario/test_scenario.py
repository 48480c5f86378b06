from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lab.checks.check import Check
from lab.checks.subjects.output import OutputCheck, OutputRef
from lab.core.durations import format_duration, parse_duration
from lab.scenario.base import (
    Bytes,
    Count,
    Duration,
    Endpoint,
    HostPort,
    Size,
    format_size,
    parse_bytes,
    parse_count,
    parse_endpoint,
    parse_size,
)
from lab.scenario.checks import CheckBase
from lab.scenario.steps import Action, Line, Pattern
from lab.steps.actions.expect import Expect
from lab.steps.actions.run import Run
from lab.steps.actions.send import Send
from lab.steps.executable import Executable


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2), ("1.5s", 1.5), ("2m", 120), ("1h", 3600), ("0ms", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["5", "s", "1 s", "-1s", "1d", "1e3s", "٣s", "1s ", "9999999s", "", 5, None])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("64k", 65536), ("256m", 256 * 1024**2), ("1g", 1024**3)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize("text", ["64", "64kb", "1.5m", "64K", "-1k", "", 64, None])
def test_no_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="a size is"):
        parse_size(text)


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        (2, [2], [1, 3]),
        (">=1", [1, 99], [0]),
        ("<=3", [0, 3], [4]),
        ("1..3", [1, 2, 3], [0, 4]),
        (">= 1", [1], [0]),
    ],
)
def test_counts(value: object, inside: list[int], outside: list[int]) -> None:
    count = parse_count(value)
    assert all(number in count for number in inside)
    assert not any(number in count for number in outside)
    assert parse_count(str(count) if count.minimum != count.maximum else count.minimum) == count


@pytest.mark.parametrize("value", ["2", "> 1", "3..1", "1...3", "", -1, True, 1.5, None, [1]])
def test_no_counts(value: object) -> None:
    with pytest.raises(ValueError, match=r"a count is|range"):
        parse_count(value)


def test_endpoints() -> None:
    assert parse_endpoint("client_a:19999") == Endpoint("client_a", 19999)
    assert str(Endpoint("client_a", 19999)) == "client_a:19999"


@pytest.mark.parametrize(
    "value", ["server", ":80", "server:", "server:0", "server:65536", "Server:80", "a:b:80", 80]
)
def test_no_endpoints(value: object) -> None:
    with pytest.raises(ValueError, match=r"an endpoint is|a port is"):
        parse_endpoint(value)


@pytest.mark.parametrize(
    ("text", "data"), [("hex:00 ff", b"\0\xff"), ("base64:AP8=", b"\0\xff"), ("hex:", b"")]
)
def test_bytes(text: str, data: bytes) -> None:
    assert parse_bytes(text) == data


@pytest.mark.parametrize("value", ["00ff", "hex:0", "hex:zz", "base64:AP8", "base64:A P8=", "utf8:a", 5])
def test_no_bytes(value: object) -> None:
    with pytest.raises(ValueError, match="bytes are written"):
        parse_bytes(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Duration, "1.5s"), (Size, "3k"), (HostPort, "server:80"), (Bytes, "hex:00ff")],
)
def test_what_is_read_is_written_back(kind: Any, value: str) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(kind)
    assert adapter.dump_python(adapter.validate_python(value), mode="json") == value


def test_every_action_is_found_by_its_verb_and_every_check_by_its_subject() -> None:
    adapter: TypeAdapter[object] = TypeAdapter(Action)
    assert {"start", "expect", "send", "type", "bytes", "hold", "release"} <= set(Action.family)
    assert {"connection", "listener", "exit"} <= set(CheckBase.family)
    for subject, check in CheckBase.family.items():
        assert subject in check.model_fields
        assert issubclass(check, Check)
    for verb, action in Action.family.items():
        assert verb in action.model_fields
        assert issubclass(action, Executable)
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python({verb: None})
        assert caught.value.errors()[0]["loc"][0] == f"<{verb}>"


def test_a_run_may_expect() -> None:
    assert Action.family.name_of({"expect": {}, "run": "ls"}) == "run"
    assert Action.family.name_of(Run(run="ls", expect=Pattern(text="a"))) == "run"
    assert Action.family.name_of({"within": "1s"}) is None
    assert Action.family.name_of("run") is None


def test_subjects() -> None:
    check = OutputCheck(output=OutputRef(host="server", contains=("a",)), name="All")
    assert (
        CheckBase.family.name_of(check) == CheckBase.family.name_of({"name": "All", "output": {}}) == "output"
    )
    assert CheckBase.family.name_of({"name": "All"}) is None
    assert check.given() == ["contains"]


def test_an_actor_is_a_host_or_a_program_on_it() -> None:
    assert (
        Line(actor="client", action=Send(send="a")).host,
        Line(actor="client", action=Send(send="a")).program,
    ) == (
        "client",
        None,
    )
    second = Line(actor="client.second", action=Expect(expect=Pattern(text="a")))
    assert (second.host, second.program) == ("client", "second")


def test_models_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Pattern(text="a").text = "b"


def test_a_single_number_is_a_count() -> None:
    assert str(Count(2, 2)) == "2"
    assert str(Count(0, 3)) == "<=3"
    assert str(Count(1, None)) == ">=1"
