"""Makes the captures of this folder anew: real kernels, real tcpdump. Needs root, iproute2 and tcpdump.

Three hosts hang on a bridge that a fourth network namespace holds, as in the lab. One tcpdump there records
all their frames where they enter and leave (``switch.pcap``), another a host's loopback (``loopback.pcap``);
the interfaces' numbers are in ``ports.json``. Run it as ``python -m tests.unit.captures.make``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path

from lab.agent.namespaces import offload_off

HERE = Path(__file__).parent
HOSTS = {"server": 128, "client_a": 129, "client_b": 130}
SWITCH = "captures-switch"
PORT = 19999
TCPDUMP = (
    "tcpdump", "-n", "-p", "-U", "--immediate-mode", "-B", "16384", "-s", "128", "--nano", "-Z", "root",
)  # fmt: skip
_NEW_NETWORK = 0x40000000
_libc = CDLL(None, use_errno=True)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def _network() -> Iterator[None]:
    spaces = [SWITCH, *(f"captures-{host}" for host in HOSTS)]
    try:
        for space in spaces:
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
        _ip("-n", SWITCH, "link", "add", "br0", "type", "bridge")
        _ip("-n", SWITCH, "link", "set", "br0", "up")
        for host, number in HOSTS.items():
            _plug(host, number)
        yield
    finally:
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


def _plug(host: str, number: int) -> None:
    space = f"captures-{host}"
    _ip("-n", SWITCH, "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", space)
    _ip("-n", SWITCH, "link", "set", host, "master", "br0", "up")
    _ip("-n", space, "address", "add", f"192.168.153.{number}/24", "dev", "eth0")
    _ip("-n", space, "address", "add", f"fd00:153::{number}/64", "dev", "eth0", "nodad")
    _ip("-n", space, "link", "set", "eth0", "up")
    with _inside(host):
        offload_off("eth0")


@contextlib.contextmanager
def _captured(space: str, interface: str, path: Path) -> Iterator[None]:
    command = ["ip", "netns", "exec", space, *TCPDUMP, "-i", interface, "-w", str(path), "tcp"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recorder:
        assert recorder.stderr is not None
        while "listening on" not in recorder.stderr.readline():
            pass
        yield
        time.sleep(0.5)
        recorder.terminate()


@contextlib.contextmanager
def _inside(host: str) -> Iterator[None]:
    """Be in a host's network namespace: a socket belongs to the one in which it was made."""
    with Path("/run/netns", f"captures-{host}").open() as there, Path("/proc/self/ns/net").open() as here:
        _libc.setns(there.fileno(), _NEW_NETWORK)
        try:
            yield
        finally:
            _libc.setns(here.fileno(), _NEW_NETWORK)


def _socket(host: str, family: int = socket.AF_INET) -> socket.socket:
    with _inside(host):
        return socket.socket(family)


def _pair(client: str = "client_a", address: str = "192.168.153.128") -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with _socket("server", family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", PORT))
        listener.listen()
        connecting = _socket(client, family)
        connecting.connect((address, PORT))
        return connecting, listener.accept()[0]


def _talk() -> list[socket.socket]:
    """Each kind of connection once, the next begun when the one before is over; the sockets left open."""
    client, server = _pair()  # orderly, the client first
    client.sendall(b"hello")
    server.sendall(server.recv(100) * 600)
    client.recv(3000, socket.MSG_WAITALL)
    client.close()
    time.sleep(0.1)
    server.close()

    client, server = _pair("client_b", "fd00:153::128")  # half-close, over IPv6
    client.shutdown(socket.SHUT_WR)
    time.sleep(0.05)
    server.sendall(bytes(100))
    server.close()
    client.recv(200)
    client.close()

    client, server = _pair()  # the server closes with data unread
    client.sendall(b"unread")
    time.sleep(0.05)
    server.close()
    client.close()

    client, server = _pair("client_b")  # linger 0 at the client
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    server.close()

    with _socket("client_a") as refused, contextlib.suppress(ConnectionRefusedError):
        refused.connect(("192.168.153.128", 3001))

    client, server = _pair()  # the wire is cut while data is on its way
    _ip("-n", SWITCH, "link", "set", "server", "down")
    client.sendall(b"lost")
    time.sleep(0.3)
    _ip("-n", SWITCH, "link", "set", "server", "up")
    server.recv(100)
    server.close()
    client.close()

    client, server = _pair("client_b")  # never closed by the server
    client.close()
    time.sleep(0.1)
    return [server]


def _loopback() -> None:
    client, server = _pair("server", "127.0.0.1")
    client.sendall(b"within")
    server.recv(10)
    server.close()
    client.close()


def main() -> None:
    """Write the captures."""
    with _network():
        links = json.loads(_ip("-n", SWITCH, "-j", "link"))
        ports = {link["ifindex"]: link["ifname"] for link in links if link["ifname"] in HOSTS}
        (HERE / "ports.json").write_text(json.dumps(ports) + "\n")
        with _captured(SWITCH, "any", HERE / "switch.pcap"):
            left_open = _talk()
        for one in left_open:
            one.close()
        with _captured("captures-server", "lo", HERE / "loopback.pcap"):
            _loopback()


if __name__ == "__main__":
    assert os.geteuid() == 0, "network namespaces need root"
    main()
