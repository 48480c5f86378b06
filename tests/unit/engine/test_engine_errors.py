"""Whatever the engine or its library raises reaches a person as one EngineError with a cure."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.core.errors import EngineError, UsageError
from lab.engine import connect
from lab.engine.errors import explain, refused
from lab.engine.image import find


@pytest.fixture(autouse=True)
def _no_engine_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@contextmanager
def _engine_saying(path: Path, *answers: bytes) -> Iterator[str]:
    """A socket that gives one answer to each connection and hangs up; its address."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"unix://{path}"
        thread.join()


def _http(status: str, body: object) -> bytes:
    data = json.dumps(body).encode()
    head = ["Content-Type: application/json", f"Content-Length: {len(data)}", "Connection: close"]
    return "\r\n".join([f"HTTP/1.1 {status}", *head, "", ""]).encode() + data


_VERSION = _http("200 OK", {"ApiVersion": "1.45"})


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("unix:///nowhere/docker.sock", "engine-not-running"),
        ("tcp://127.0.0.1:1", "engine-not-running"),
        ("tcp://nobody.invalid:2375", "engine-not-running"),
    ],
)
def test_nobody_there(address: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError) as caught:
        connect()
    assert (caught.value.code, caught.value.where) == (code, address)
    assert caught.value.fix


def test_a_docker_context_is_honoured(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/away.sock"
    endpoints = {"docker": {"Host": address}}
    _make_context(tmp_path, json.dumps({"Name": "away", "Metadata": {}, "Endpoints": endpoints}))
    with pytest.raises(EngineError, match="no engine runs there") as caught:
        connect()
    assert caught.value.where == address


def test_a_damaged_context_is_one_clear_error(tmp_path: Path) -> None:
    _make_context(tmp_path, "{")
    with pytest.raises(EngineError, match="'away' cannot be used") as caught:
        connect()
    assert caught.value.code == "no-context"


def test_a_context_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(EngineError, match="does not exist") as caught:
        connect()
    assert (caught.value.code, caught.value.where) == ("no-context", "DOCKER_CONTEXT")


def _make_context(config: Path, meta: str) -> None:
    """A context "away", chosen in docker's configuration, where docker keeps it."""
    (config / "config.json").write_text('{"currentContext": "away"}')
    folder = config / "contexts" / "meta" / hashlib.sha256(b"away").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(meta)


def test_an_old_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _engine_saying(tmp_path / "s", _http("200 OK", {"ApiVersion": "1.40"})) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(EngineError, match=r"speaks API 1\.40") as caught:
            connect()
    assert caught.value.code == "engine-too-old"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_http("404 Not Found", {"message": "No such image: a:1"}), None),
        (_http("500 Server Error", {"message": "write /x: no space left on device"}), "disk-full"),
        (_http("418 Teapot", {"message": "no coffee"}), "engine-refused"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "engine-lost"),
        (b"", "engine-lost"),
        (b"SSH-2.0-OpenSSH\r\n", "engine-lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n}{", "engine-answer"),
        (_http("200 OK", ["another", "kind"]), "engine-answer"),
        (_http("200 OK", {"Id": "and nothing else"}), "engine-answer"),
    ],
)
def test_what_an_engine_may_answer(
    answer: bytes, code: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the first answer is none, or the engine is out of order, it is asked a second time.
    twice = code in ("engine-lost", "disk-full")
    with _engine_saying(tmp_path / "s", _VERSION, *[answer] * (1 + twice)) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with connect() as engine:
            if code is None:
                assert find(engine, "a:1") is None
                return
            with pytest.raises(EngineError) as caught:
                find(engine, "a:1")
    assert caught.value.code == code
    assert caught.value.what.startswith("cannot look at image a:1: ")


@pytest.mark.parametrize("first", [b"", _http("500 Server Error", {"message": "out of order"})])
def test_a_question_is_asked_again_once(
    first: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = _http("200 OK", {"Id": "1", "RepoTags": [], "Size": 2, "Created": "", "Config": {}})
    with _engine_saying(tmp_path / "s", _VERSION, first, image) as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with connect() as engine:
            found = find(engine, "a:1")
    assert found is not None
    assert found.id == "1"


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:99999", "tcp://127.0.0.1:first", "tcp://127.0.0.1:0", "tcp://", "docker", "gopher://a"],
)
def test_what_is_no_address_is_wrong_use(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(UsageError) as caught:
        connect()
    assert caught.value.code == "docker-host"


@pytest.mark.parametrize("address", ["ssh://somebody@far", "https://far:2376"])
def test_an_engine_without_a_plain_socket_is_refused_with_the_cure(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineError, match="over TLS or ssh") as caught:
        connect()
    assert caught.value.code == "engine-not-plain"
    assert "ssh -nNT -L" in caught.value.fix


def test_this_machine_is_reached_by_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: _answer_one(listener, _VERSION))
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        connect().close()
        thread.join()


def _answer_one(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1 << 16)
        connection.sendall(answer)


@pytest.mark.parametrize(
    ("message", "code", "cure"),
    [
        ("No such image: student/x:latest", "no-image", "docker pull student/x:latest"),
        ("pull access denied for x, repository does not exist", "no-image", "docker login"),
        ("No such container: 12ab", "no-container", "lab ps"),
        ('Conflict. The container name "/x" is already in use by container "1"', "name-taken", "lab wipe"),
        ("mkdir /var/lib/docker: no space left on device", "disk-full", "docker system df"),
        ('exec: "chatt": executable file not found in $PATH: unknown', "no-program", "program's name"),
        ("client version 1.22 is too old. Minimum supported API version is 1.44", "engine-too-old", "20.10"),
        ("something nobody has seen before", "engine-refused", ""),
    ],
)
def test_what_the_engine_refuses(message: str, code: str, cure: str) -> None:
    error = refused(message, "do it", "unix:///s")
    assert error.code == code
    assert error.what == f"cannot do it: {message}"
    assert cure in error.fix


@pytest.mark.parametrize(
    ("cause", "code", "cure"),
    [
        (PermissionError(13, "Permission denied"), "engine-permission", "group docker"),
        (TimeoutError("timed out"), "engine-slow", "docker info"),
        (ConnectionResetError(104, "reset"), "engine-lost", "docker info"),
        (BrokenPipeError(32, "broken"), "engine-lost", "docker info"),
    ],
)
def test_a_broken_connection_is_recognised_however_deep_it_lies(cause: OSError, code: str, cure: str) -> None:
    wrapped = RuntimeError("outer", ValueError("middle", cause))
    error = explain(wrapped, "do it", "unix:///s")
    assert error.code == code
    assert cure in error.fix


def test_causes_that_go_in_a_circle_come_to_an_end() -> None:
    first, second = RuntimeError("first"), RuntimeError("second")
    first.__context__, second.__context__ = second, first
    assert explain(first, "do it", "unix:///s").code == "engine"
