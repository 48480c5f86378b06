"""Which host has which addresses on which network."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from lab.scenario import Scenario
from lab.scenario.cast import Network

Subnet = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address, without zone or prefix length."""
    try:
        return ip_address(text) is not None and "%" not in text
    except ValueError:
        return False


def subnets(network: Network) -> tuple[Subnet, ...]:
    """The subnets of a network: its first and, if it has one, its IPv6 one; ValueError if one is none."""
    return tuple(ip_network(text) for text in (network.subnet, network.ipv6) if text is not None)


def holds(network: Network, address: Address) -> bool:
    """Whether an address lies in a subnet of the network."""
    return any(address in subnet for subnet in subnets(network))


def host_addresses(scenario: Scenario) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Host -> network -> addresses, in the order of the file, for a scenario that was loaded.

    A host's short ``address`` belongs to the one network that holds it.
    """
    return {name: _by_network(scenario, name) for name in scenario.hosts}


def _by_network(scenario: Scenario, name: str) -> Mapping[str, tuple[str, ...]]:
    host = scenario.hosts[name]
    if host.address is None:
        return host.addresses
    address = ip_address(host.address)
    network = next(name for name, network in scenario.networks.items() if holds(network, address))
    return {network: (host.address,)}
