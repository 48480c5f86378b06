"""From a scenario to what is to be made: names, addresses, cables, routes and labels. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from msgspec import Struct

from lab.core.assets import HOST_IMAGE
from lab.scenario import Scenario
from lab.scenario.addresses import host_addresses, subnets
from lab.scenario.cast import Host, Limits, Network
from lab.scenario.script import numbered_lines

Interface = IPv4Interface | IPv6Interface


HEADERS = 256
"""Bytes of a frame that hold all headers, and the beginning of the payload."""

_LINK_HEADER = 20
"""Of a frame in a capture of all interfaces (LINKTYPE_LINUX_SLL2)."""


class Bridge(Struct, frozen=True):
    """A switch in the sidecar."""

    name: str
    network: str
    mtu: int


class Leg(Struct, frozen=True):
    """A cable from a host to a bridge: ``port`` is its end in the sidecar, ``interface`` that in the host."""

    network: str
    bridge: str
    port: str
    interface: str
    mac: str
    mtu: int
    addresses: tuple[Interface, ...]


class Route(Struct, frozen=True):
    """A subnet and the neighbour that forwards to it."""

    to: str
    via: str


class PlannedHost(Struct, frozen=True):
    """A host container to be. ``programs`` are those the script starts on it."""

    name: str
    image: str
    limits: Limits
    legs: tuple[Leg, ...]
    routes: tuple[Route, ...]
    sysctls: Mapping[str, str]
    programs: tuple[str, ...]
    loopback: bool
    proxied: bool = False
    """Whether its cables run through the agent, because the script holds segments of it."""
    raw: bool = False
    """Whether its programs may open raw sockets."""

    @property
    def addresses(self) -> dict[str, tuple[str, ...]]:
        """Network to addresses, as text."""
        return {leg.network: tuple(str(address.ip) for address in leg.addresses) for leg in self.legs}

    @property
    def folder(self) -> str:
        """Where its programs lie; ``/work/PROGRAM`` for each."""
        return "/work"


class Plan(Struct, frozen=True):
    """Everything that is made for one run."""

    bridges: tuple[Bridge, ...]
    hosts: tuple[PlannedHost, ...]
    names: tuple[tuple[str, str], ...]
    """Every address of every host with the host's name, a host's main address first."""
    snaplen: int
    """Bytes of each frame that are captured."""


def plan(scenario: Scenario, needed: Mapping[str, str] | None = None) -> Plan:
    """What a valid scenario needs; ``needed`` are images that programs need unless one is chosen."""
    bridges = {
        name: Bridge(f"br{number}", name, network.mtu)
        for number, (name, network) in enumerate(scenario.networks.items())
    }
    attached = {
        name: _attachments(given, scenario.networks) for name, given in host_addresses(scenario).items()
    }
    names = tuple(
        (address, name)
        for name, given in host_addresses(scenario).items()
        for addresses in given.values()
        for address in addresses
    )
    started = programs_by_host(scenario)
    held = {line.host for _, line in numbered_lines(scenario) if line.action.acts_on == "cable"}
    ports = (f"p{number}" for number in range(1_000_000))
    hosts = []
    for number, (name, host) in enumerate(scenario.hosts.items()):
        legs = tuple(
            Leg(
                network, bridges[network].name, next(ports), f"eth{position}", _mac(number, position),
                bridges[network].mtu, addresses,
            )
            for position, (network, addresses) in enumerate(attached[name].items())
        )  # fmt: skip
        programs = started.get(name, ())
        hosts.append(
            PlannedHost(
                name, _image(scenario, host, programs, needed or {}), host.limits, legs,
                tuple(_routes(name, scenario, attached)), _sysctls(host, legs), programs,
                "lo" in host.capture, name in held, host.raw,
            )
        )  # fmt: skip
    return Plan(tuple(bridges.values()), tuple(hosts), names, _snaplen(scenario))


def _snaplen(scenario: Scenario) -> int:
    """All headers and the first bytes of the payload; whole frames where a check looks at payloads."""
    if any(check.needs_payloads() for check in scenario.checks):
        return max(network.mtu for network in scenario.networks.values()) + _LINK_HEADER
    return HEADERS


def _attachments(
    given: Mapping[str, tuple[str, ...]], networks: Mapping[str, Network]
) -> dict[str, tuple[Interface, ...]]:
    """A host's addresses with their prefix lengths, by network, in the order of the scenario's networks."""
    return {
        name: tuple(_with_prefix(address, network) for address in given[name])
        for name, network in networks.items()
        if name in given
    }


def programs_by_host(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """The programs that the script starts on each host, in the order of their first start."""
    found: dict[str, dict[str, None]] = {}
    for _, line in numbered_lines(scenario):
        started = line.action.enters()
        if started is not None and started.program is not None:
            found.setdefault(line.host, {})[started.program] = None
    return {host: tuple(programs) for host, programs in found.items()}


def _with_prefix(address: str, network: Network) -> Interface:
    subnet = next(subnet for subnet in subnets(network) if ip_address(address) in subnet)
    return ip_interface(f"{address}/{subnet.prefixlen}")


def _mac(host: int, leg: int) -> str:
    """A locally administered address (IEEE 802), the same at every run."""
    return f"02:00:{leg:02x}:{host >> 16 & 255:02x}:{host >> 8 & 255:02x}:{host & 255:02x}"


def _image(scenario: Scenario, host: Host, programs: tuple[str, ...], needed: Mapping[str, str]) -> str:
    chosen = [image for name in programs if (image := scenario.programs[name].image)]
    own = [needed[name] for name in programs if name in needed]
    return host.image or next(iter([*chosen, *own]), HOST_IMAGE)


def _sysctls(host: Host, legs: tuple[Leg, ...]) -> dict[str, str]:
    """IPv6 is off where no address asks for it: its multicast chatter would be in the capture."""
    ipv6 = any(address.version == 6 for leg in legs for address in leg.addresses)
    disabled = "0" if ipv6 else "1"
    settings = {f"net.ipv6.conf.{scope}.disable_ipv6": disabled for scope in ("all", "default")}
    if ipv6:
        settings |= {"net.ipv6.conf.all.accept_ra": "0", "net.ipv6.conf.default.router_solicitations": "0"}
    if host.forward:
        settings["net.ipv4.ip_forward"] = "1"
        if ipv6:
            settings["net.ipv6.conf.all.forwarding"] = "1"
    return settings


def _routes(
    start: str, scenario: Scenario, attached: Mapping[str, Mapping[str, tuple[Interface, ...]]]
) -> Iterator[Route]:
    """A route to each subnet the host is not on, through the first router of the shortest way there."""
    routers = [name for name, host in scenario.hosts.items() if host.forward and name != start]
    first_hops: dict[str, str] = {}
    queue = deque(attached[start])
    while queue:
        network = queue.popleft()
        for router in (name for name in routers if network in attached[name]):
            for beyond in attached[router]:
                if beyond not in attached[start] and beyond not in first_hops:
                    first_hops[beyond] = first_hops.get(network, router)
                    queue.append(beyond)
    for network, router in first_hops.items():
        yield from _routes_through(attached[start], attached[router], scenario.networks[network])


def _routes_through(
    here: Mapping[str, tuple[Interface, ...]], router: Mapping[str, tuple[Interface, ...]], network: Network
) -> Iterator[Route]:
    """One route for each family that the host speaks, by the router's address on a wire that both are on."""
    spoken = {address.version for addresses in here.values() for address in addresses}
    shared = [address for wire in here if wire in router for address in router[wire]]
    for subnet in subnets(network):
        via = next((address for address in shared if address.version == subnet.version), None)
        if via is not None and subnet.version in spoken:
            yield Route(str(subnet), str(via.ip))
