"""Which host has which addresses on which network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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


def address_from(scenario: Scenario, host: str, to: str) -> str:
    """The address that a host reaches another by, in a family that both speak.

    It is one on a network that both are on, or else the first.
    """
    every = host_addresses(scenario)
    own, there = every[host], every[to]
    near = [
        one for name in scenario.networks if name in own for one in _spoken(there.get(name, ()), own[name])
    ]
    given = [address for several in own.values() for address in several]
    far = [one for several in there.values() for one in _spoken(several, given)]
    return [*near, *far][0]


def readable(scenario: Scenario, host: str) -> tuple[Address, ...]:
    """The addresses of a host that are addresses, of a scenario that may have mistakes; none of no host."""
    given = scenario.hosts.get(host)
    if given is None:
        return ()
    texts = [given.address or "", *(text for several in given.addresses.values() for text in several)]
    return tuple(ip_address(text) for text in texts if is_address(text))


def _spoken(addresses: Iterable[str], own: Iterable[str]) -> Iterator[str]:
    """Those that somebody with these own addresses can speak to."""
    known = {ip_address(one).version for one in own}
    return (one for one in addresses if ip_address(one).version in known)


def _by_network(scenario: Scenario, name: str) -> Mapping[str, tuple[str, ...]]:
    host = scenario.hosts[name]
    if host.address is None:
        return host.addresses
    address = ip_address(host.address)
    network = next(name for name, network in scenario.networks.items() if holds(network, address))
    return {network: (host.address,)}
