"""RSTs for want of an answer: a server's kernel that hears nothing more of the client."""

from __future__ import annotations

from tests.docker.words.play import Play, Row
from tests.docker.words.servers import CLIENT

_WAITS = """
import ctypes, socket, sys
listener = socket.create_server(('', 7000))
end, _ = listener.accept()
end.recv(5, socket.MSG_WAITALL)
print('accepted', flush=True)
sys.stdin.readline()
{}
try:
    end.recv(1)
except OSError as error:
    print(error.strerror, flush=True)
sys.stdin.readline()
"""

_SERVERS = {
    "probes": """
end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
""",
    "resends": """
end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 800)
end.sendall(b'is anybody there?')
""",
    "aborts": """
class Nowhere(ctypes.Structure):
    _fields_ = [('family', ctypes.c_ushort), ('rest', ctypes.c_char * 14)]
end.sendall(b'bye')
ctypes.CDLL(None).connect(end.fileno(), ctypes.byref(Nowhere()), 16)
""",
}
"""What each does once the ACKs of its client are kept back; the last dissolves its association (connect(2))."""


def silence() -> Play:
    def cause(word: str, right: str, wrong: str, told: str) -> Row:
        check = f"connection: {{from: a, to: \"@:7000\"}}, rst: {{by: '@', cause: {word}}}"
        return Row(f"connection.rst.cause={word}", check, right, wrong, told)

    steps = "".join(
        f"- {server}: {{start: {server}}}\n"
        f"- a: {{start: client, as: {server}, args: [{server}]}}\n"
        f"- {server}: {{expect: accepted}}\n"
        f"- a: {{hold: ack, to: {server}}}\n"
        f"- {server}: [{{send: go}}, {{expect: {answer}, within: 15s}}]\n"
        f"- a: {{release: ack}}\n"
        f"- a.{server}: {{send: say}}\n"
        f"- {server}: {{quiet: 100ms}}\n"
        for server, answer in zip(_SERVERS, ("timed out", "timed out", "reset by peer"), strict=True)
    )
    timed_out = "its data was not acknowledged within TCP_USER_TIMEOUT (ETIMEDOUT), says its kernel"
    return Play(
        "Nothing answers any more",
        ("a", *_SERVERS),
        {"client": CLIENT, **{server: _WAITS.format(what) for server, what in _SERVERS.items()}},
        steps,
        (
            cause("keepalive_timeout", "probes", "resends", timed_out),
            cause("keepalive_timeout", "probes", "aborts", "none of the causes that its kernel counts"),
            cause("user_timeout", "resends", "probes", "nothing answered its keep-alive probes (ETIMEDOUT)"),
            cause("user_timeout", "resends", "aborts", "none of the causes that its kernel counts"),
        ),
        dict.fromkeys(_SERVERS, 7000),
    )
