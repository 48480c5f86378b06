"""Networks of every kind: IPv6, both families, a router between two, large packets, a host's own loopback."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from tests.docker.stage import Stage, assert_passed

SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.create_server((sys.argv[1], 7000), family=family)
c, peer = s.accept()
print("client", peer[0], flush=True)
c.sendall(c.recv(9).upper() + bytes(int(sys.argv[2])))
c.recv(9)
c.close()
"""
CLIENT = """
import socket, sys
c = socket.create_connection((sys.argv[1], 7000))
c.sendall(b"hello")
received = 0
while received < 5 + int(sys.argv[2]): received += len(c.recv(99999))
print("received", received)
"""


def talk(
    networks: str, server: str, client: str, at: str, *, more: str = "", size: int = 0, bind: str = ""
) -> str:
    """A scenario where a client speaks with a server at the address ``at``."""
    family = "::" if ip_address(at).version == 6 else "0.0.0.0"  # noqa: S104 - in a host of a lab
    return f"""
version: 1
title: A client and a server
networks: {networks}
hosts:
  server: {server}
  client: {client}
{more}
programs:
  server: {{source: server.py, listens: 7000, args: ["{bind or family}", "{size}"]}}
  client: {{source: client.py, args: ["{at}", "{size}"]}}
steps:
- server: {{start: server}}
- client: {{start: client}}
- server: {{expect: {{regex: "client (?P<peer>\\\\S+)\\\\n"}}}}
- client: {{expect: {{line: "received {size + 5}"}}}}
- client: {{wait: {{exited: true}}}}
- server: {{wait: {{exited: true}}}}
- client: {{wait: {{state: TIME_WAIT, peer: server}}}}
checks:
- connection: {{from: client, to: "server:7000"}}
  handshake: complete
  close: {{kind: orderly, active: client}}
  fin: [client, server]
  rst: none
  bytes: {{client: 5, server: {size + 5}}}
- connections: {{from: client, to: "server:7000", count: 1}}
- listener: {{host: server, port: 7000, address: any}}
- close_wait: {{host: server, peer: client, left: true}}
- state: {{host: client, state: TIME_WAIT, peer: server}}
"""


FILES = {"server.py": SERVER, "client.py": CLIENT}


def test_ipv6_only(stage: Stage) -> None:
    text = talk("{lan: 'fd00:153::/64'}", "'fd00:153::80'", "'fd00:153::5'", "fd00:153::80")
    finished = stage.play(text, FILES)
    assert_passed(finished)
    assert finished.evidence.info.variables["peer"] == "fd00:153::5"


@pytest.mark.parametrize("at", ["10.9.8.80", "fd00:153::80"])
def test_both_families_on_one_wire(stage: Stage, at: str) -> None:
    text = talk(
        "{lan: {subnet: 10.9.8.0/24, ipv6: 'fd00:153::/64'}}",
        "{addresses: {lan: [10.9.8.80, 'fd00:153::80']}}",
        "{addresses: {lan: [10.9.8.5, 'fd00:153::5']}}",
        at,
    )
    assert_passed(stage.play(text, FILES))


def test_a_link_local_address_is_its_hosts(stage: Stage) -> None:
    """In the capture, in the samples of the kernel, and where a step waits for a state."""
    hosts = (
        "{addresses: {lan: [10.9.8.80, 'fd00:153::80']}}",
        "{addresses: {lan: [10.9.8.5, 'fd00:153::5']}}",
    )
    text = talk("{lan: {subnet: 10.9.8.0/24, ipv6: 'fd00:153::/64'}}", *hosts, "fe80::ff:fe00:0%eth0")
    finished = stage.play(text, FILES)
    assert_passed(finished)
    [connection] = finished.evidence.connections
    assert (connection.server.host, connection.server.address) == ("server", "fe80::ff:fe00:0")


ROUTER = {
    "10.2.0.80": (
        "{left: 10.1.0.0/24, right: 10.2.0.0/24}", "10.2.0.80", "10.1.0.5",
        "{addresses: {left: 10.1.0.1, right: 10.2.0.1}, forward: true}",
    ),
    "fd00:2::80": (
        "{left: 'fd00:1::/64', right: 'fd00:2::/64'}", "'fd00:2::80'", "'fd00:1::5'",
        "{addresses: {left: 'fd00:1::1', right: 'fd00:2::1'}, forward: true}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("at", ROUTER)
def test_a_router_between_two_networks(stage: Stage, at: str) -> None:
    networks, server, client, router = ROUTER[at]
    finished = stage.play(talk(networks, server, client, at, more=f"  router: {router}"), FILES)
    assert_passed(finished)
    assert finished.evidence.info.variables["peer"] == client.strip("'"), "no translation on the way"
    assert {segment.network for segment in finished.evidence.info.interfaces} >= {"left", "right"}


def test_two_networks_without_a_router_do_not_meet(stage: Stage) -> None:
    text = """
version: 1
title: Two islands
networks: {left: 10.1.0.0/24, right: 10.2.0.0/24}
hosts: {a: 10.1.0.5, b: 10.2.0.80}
steps:
- a: {run: "python3 -c 'import socket; socket.create_connection((\\"10.2.0.80\\", 80), 1)' 2>&1", status: 1,
      expect: "Network is unreachable"}
- b: {run: "ip -br address show eth0", expect: "10.2.0.80/24"}
checks:
- connections: {to: "b:80", count: 0}
"""
    assert_passed(stage.play(text))


NAMES = """
version: 1
title: Who is who
networks: {lan: {subnet: 10.9.8.0/24, ipv6: "fd00:9::/64"}, link: 10.9.7.0/31}
hosts:
  first_one: {addresses: {lan: [10.9.8.1, "fd00:9::1"], link: 10.9.7.0}}
  other: {addresses: {link: 10.9.7.1, lan: 10.9.8.2}}
programs: {names: {source: names.py, args: ["${other.address}", "${first_one.address6}"]}}
steps:
- first_one: {start: names}
- first_one: {wait: {exited: true}}
- other: {start: names}
- other: {wait: {exited: true}}
checks:
- output: {host: first_one, lines: {"first_one ['10.9.7.0', '10.9.8.1', 'fd00:9::1'] fd00:9::1": 1}}
- output: {host: other, lines: {"other ['10.9.7.1', '10.9.8.2'] fd00:9::1": 1}}
- output: {host: other, lines: {"first_one ['10.9.7.0', '10.9.8.1', 'fd00:9::1']": 1}}
- connections: {to: "other:5000", count: 0}
"""
NAMES_PROGRAM = """
import socket, sys
def addresses(name): return sorted({row[4][0] for row in socket.getaddrinfo(name, 1)})
print(socket.gethostname(), addresses(socket.gethostname()), sys.argv[2])
print("first_one", addresses("first_one"))
"""


def test_every_address_is_found_by_name_by_neighbours_and_by_its_own_host(stage: Stage) -> None:
    assert_passed(stage.play(NAMES, {"names.py": NAMES_PROGRAM}))


@pytest.mark.parametrize("held", ["", "- server: {hold: rst}\n"], ids=["switched", "through the agent"])
@pytest.mark.parametrize("mtu", [576, 1279])
def test_small_packets(stage: Stage, mtu: int, held: str) -> None:
    network = f"{{lan: {{subnet: 10.9.8.0/31, mtu: {mtu}}}}}"
    text = talk(network, "10.9.8.0", "10.9.8.1", "10.9.8.0", size=20_000)
    first = f'- server: {{run: "cat /sys/class/net/eth0/mtu", expect: "{mtu}"}}\n'
    assert_passed(stage.play(text.replace("steps:\n", f"steps:\n{first}{held}"), FILES))


def test_large_packets(stage: Stage) -> None:
    text = talk("{lan: {subnet: 10.9.8.0/24, mtu: 9000}}", "10.9.8.80", "10.9.8.5", "10.9.8.80", size=200_000)
    finished = stage.play(text, FILES)
    assert_passed(finished)
    (connection,) = finished.evidence.connections
    assert not connection.unpaired


def test_a_loopback_is_captured_where_it_is_asked_for(stage: Stage) -> None:
    text = """
version: 1
title: A client on its server's own machine
networks: {lan: 10.9.8.0/24}
hosts: {server: {address: 10.9.8.80, capture: lo}, other: 10.9.8.5}
programs:
  server: {source: server.py, listens: 7000, args: ["127.0.0.1", "0"]}
  client: {source: client.py, args: ["127.0.0.1", "0"]}
  stranger: {source: client.py, args: ["10.9.8.80", "0"]}
steps:
- server: {start: server}
- other: {start: stranger}
- other: {expect: "Connection refused"}
- server: {start: client, as: client}
- server.client: {expect: received 5}
- server.client: {wait: {exited: true}}
checks:
- listener: {host: server, port: 7000, address: loopback}
- connection: {from: server, to: "server:7000"}
  handshake: complete
  bytes: {from: 5}
- {connection: {from: other, to: "server:7000"}, handshake: refused, rst: {by: server}, name: refused}
"""
    finished = stage.play(text, FILES)
    assert [capture.path for capture in finished.evidence.info.captures] == [
        "capture.pcap",
        "loopback-server.pcap",
    ]
    assert_passed(finished)
