"""What is made for a scenario: names, cables, addresses, routes."""

from __future__ import annotations

from pathlib import Path

from lab.core.assets import HOST_IMAGE
from lab.deploy.plan import Plan, plan
from lab.scenario.loader import load

HEAD = "version: 1\ntitle: A plan\n"
TAIL = "steps: [{a: {run: 'true'}}]\nchecks: [{connections: {to: 'a:1', count: 0}}]\n"


def planned(folder: Path, text: str) -> Plan:
    file = folder / "plan.yaml"
    file.write_text(HEAD + text + TAIL)
    return plan(load(file).scenario)


def test_a_host_on_one_network(tmp_path: Path) -> None:
    found = planned(tmp_path, "networks: {lan: 10.0.0.0/8}\nhosts: {a: 10.0.0.1, b: 10.0.0.2}\n")
    assert [(bridge.name, bridge.network, bridge.mtu) for bridge in found.bridges] == [("br0", "lan", 1500)]
    a, _ = found.hosts
    (leg,) = a.legs
    assert (leg.bridge, leg.port, leg.interface, str(leg.addresses[0])) == ("br0", "p0", "eth0", "10.0.0.1/8")
    assert a.addresses == {"lan": ("10.0.0.1",)}
    assert found.names == (("10.0.0.1", "a"), ("10.0.0.2", "b"))
    assert a.image == HOST_IMAGE
    assert a.routes == ()
    assert a.sysctls["net.ipv6.conf.all.disable_ipv6"] == "1"
    assert "net.ipv4.ip_forward" not in a.sysctls


def test_names_and_hardware_addresses_are_unique_and_the_same_each_time(tmp_path: Path) -> None:
    text = "networks: {x: 10.1.0.0/16, y: 10.2.0.0/16}\nhosts:\n" + "".join(
        f"  {name}: {{addresses: {{x: 10.1.0.{number}, y: 10.2.0.{number}}}}}\n"
        for number, name in enumerate("abcd", 1)
    )
    first, second = planned(tmp_path, text), planned(tmp_path, text)
    assert first == second
    legs = [leg for host in first.hosts for leg in host.legs]
    assert len({leg.port for leg in legs}) == len({leg.mac for leg in legs}) == 8
    assert {leg.interface for leg in legs} == {"eth0", "eth1"}
    assert all(int(leg.mac[:2], 16) & 0b11 == 0b10 for leg in legs), "unicast, locally administered"


THREE_ISLANDS = """
networks:
  left: 10.1.0.0/24
  middle: {subnet: 10.2.0.0/24, ipv6: "fd00:2::/64"}
  right: {subnet: 10.3.0.0/24, ipv6: "fd00:3::/64"}
hosts:
  a: 10.1.0.5
  r1: {addresses: {left: 10.1.0.1, middle: [10.2.0.1, "fd00:2::1"]}, forward: true}
  r2: {addresses: {middle: [10.2.0.2, "fd00:2::2"], right: [10.3.0.1, "fd00:3::1"]}, forward: true}
  c: {addresses: {right: [10.3.0.5, "fd00:3::5"]}}
"""


def test_routes_lead_through_the_routers_in_each_family_a_host_speaks(tmp_path: Path) -> None:
    found = planned(tmp_path, THREE_ISLANDS)
    routes = {host.name: {(route.to, route.via) for route in host.routes} for host in found.hosts}
    assert routes["a"] == {("10.2.0.0/24", "10.1.0.1"), ("10.3.0.0/24", "10.1.0.1")}
    assert routes["r1"] == {("10.3.0.0/24", "10.2.0.2"), ("fd00:3::/64", "fd00:2::2")}
    assert routes["r2"] == {("10.1.0.0/24", "10.2.0.1")}
    assert routes["c"] == {
        ("10.1.0.0/24", "10.3.0.1"), ("10.2.0.0/24", "10.3.0.1"), ("fd00:2::/64", "fd00:3::1"),
    }  # fmt: skip


def test_every_address_of_a_host_has_its_name_the_main_one_first(tmp_path: Path) -> None:
    found = planned(tmp_path, THREE_ISLANDS)
    assert [address for address, name in found.names if name == "r2"] == [
        "10.2.0.2", "fd00:2::2", "10.3.0.1", "fd00:3::1",
    ]  # fmt: skip


def test_both_addresses_of_a_point_to_point_link_are_its_hosts(tmp_path: Path) -> None:
    found = planned(
        tmp_path,
        'networks: {x: {subnet: 10.1.0.0/31, ipv6: "fd00::/127"}}\n'
        'hosts: {a: {addresses: {x: [10.1.0.0, "fd00::"]}}, b: {addresses: {x: [10.1.0.1, "fd00::1"]}}}\n',
    )
    legs = [host.legs[0].addresses for host in found.hosts]
    assert [list(map(str, addresses)) for addresses in legs] == [
        ["10.1.0.0/31", "fd00::/127"], ["10.1.0.1/31", "fd00::1/127"],
    ]  # fmt: skip


def test_a_router_forwards_what_it_speaks(tmp_path: Path) -> None:
    _, r1, _, c = planned(tmp_path, THREE_ISLANDS).hosts
    assert r1.sysctls["net.ipv4.ip_forward"] == r1.sysctls["net.ipv6.conf.all.forwarding"] == "1"
    assert c.sysctls["net.ipv6.conf.all.disable_ipv6"] == "0"
    assert "net.ipv4.ip_forward" not in c.sysctls


def test_programs_decide_the_image(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        HEAD + "networks: {lan: 10.0.0.0/8}\n"
        "hosts: {a: 10.0.0.1, b: {address: 10.0.0.2, image: own}}\n"
        "programs: {p: {image: alpine, command: sh}, q: {command: true-ish}}\n"
        "steps:\n- a: {start: p}\n"
        "- together: [[b: {start: q}], [repeat: {times: 2, steps: [b: {run: 'true'}]}]]\n"
        "checks: [{connections: {to: 'a:1', count: 0}}]\n"
    )
    found = plan(load(file).scenario)
    assert [(host.image, host.programs) for host in found.hosts] == [("alpine", ("p",)), ("own", ("q",))]
