"""Hosts: that each has addresses, on networks that there are, which are its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from itertools import combinations

from lab.scenario import Scenario
from lab.scenario.addresses import Address, holds, is_address, subnets
from lab.scenario.cast import Network
from lab.scenario.loader.place import Path
from lab.scenario.loader.rules.context import RuleContext
from lab.scenario.loader.rules.networks import sound_networks
from lab.scenario.loader.wording import did_you_mean, listed
from lab.scenario.mistake import Mistake

_Fault = tuple[str, str, str]
"""A code, what is wrong with an address, and how to mend it."""


def given(context: RuleContext) -> Iterator[Mistake]:
    """A host has ``address`` or ``addresses``; a router has networks to forward between."""
    for name, host in context.scenario.hosts.items():
        path, holder = ("hosts", name), f'host "{name}"'
        if host.address is None and not host.addresses:
            fix = "add `address:`, or `addresses:` for several networks"
            yield Mistake("no-address", path, f"{holder} has no address", fix, on_key=True)
        elif host.address is not None and host.addresses:
            what, fix = f'{holder} has both "address" and "addresses"', "keep the one that is meant"
            yield Mistake("two-in-one", (*path, "addresses"), what, fix, on_key=True)
        if host.forward and len(host.addresses) < 2:
            fix = "give it `addresses:` on two networks, or take `forward:` away"
            what = f"{holder} forwards, but is on one network only"
            yield Mistake("bad-router", (*path, "forward"), what, fix)


def known_networks(context: RuleContext) -> Iterator[Mistake]:
    """The networks that a host is on exist."""
    networks = context.scenario.networks
    for name, host in context.scenario.hosts.items():
        for network in host.addresses:
            if network not in networks:
                what = f'host "{name}" is on network "{network}", which is not defined'
                fix = did_you_mean(network, networks, "networks")
                path = ("hosts", name, "addresses", network)
                yield Mistake("unknown-network", path, what, fix, on_key=True)


def separate(context: RuleContext) -> Iterator[Mistake]:
    """A host's networks do not overlap: it could not tell on which one a neighbour is."""
    networks = sound_networks(context.scenario)
    for name, host in context.scenario.hosts.items():
        for one, other in combinations([network for network in host.addresses if network in networks], 2):
            clash = _overlap(networks[one], networks[other])
            if clash:
                what = f'host "{name}" is on "{one}" and "{other}", whose subnets overlap: {clash}'
                path = ("hosts", name, "addresses", other)
                fix = "give one of the networks another subnet"
                yield Mistake("overlapping-subnets", path, what, fix, on_key=True)


def _overlap(first: Network, second: Network) -> str:
    pairs = ((one, other) for one in subnets(first) for other in subnets(second))
    same = ((one, other) for one, other in pairs if one.version == other.version and one.overlaps(other))
    return next((f"{one} and {other}" for one, other in same), "")


def fitting(context: RuleContext) -> Iterator[Mistake]:
    """Every address is one, belongs to its network, and belongs to one host only."""
    networks = sound_networks(context.scenario)
    taken: dict[tuple[str, Address], tuple[str, Path]] = {}
    for name, path, network, text in _written(context.scenario):
        fault, place = _fault(networks, network, text)
        if place is not None:
            owner, first = taken.setdefault((place, ip_address(text)), (name, path))
            if first != path:
                fix = f'give every host of network "{place}" an address of its own'
                fault = "duplicate-address", f'is an address of host "{owner}" already', fix
        if fault:
            yield Mistake(fault[0], path, f'host "{name}": "{text}" {fault[1]}', fault[2])


def _written(scenario: Scenario) -> Iterator[tuple[str, Path, str | None, str]]:
    """Every address with its host, its path and the network it is said to be on, if that is said."""
    for name, host in scenario.hosts.items():
        if host.address is not None:
            yield name, ("hosts", name, "address"), None, host.address
        for network, texts in host.addresses.items():
            for position, text in enumerate(texts):
                yield name, ("hosts", name, "addresses", network, position), network, text


def _fault(
    networks: Mapping[str, Network], network: str | None, text: str
) -> tuple[_Fault | None, str | None]:
    """What is wrong with an address, and the network it is on if that is known."""
    if not is_address(text):
        fix = "write it without a prefix length" if "/" in text else "write 192.168.153.128 or fd00:153::128"
        return ("bad-address", "is no address", fix), None
    address = ip_address(text)
    if not networks or (network is not None and network not in networks):
        return None, None
    holding = [name for name in networks if holds(networks[name], address)] if network is None else [network]
    if not holding:
        every = (f"{name} {subnet}" for name in networks for subnet in subnets(networks[name]))
        return ("outside-subnet", "lies in no network", f"networks: {listed(every)}"), None
    if len(holding) > 1:
        fix = f"say which one: `addresses: {{{holding[0]}: {text}}}`"
        return ("ambiguous-address", f"lies in several networks: {listed(holding)}", fix), None
    return _misfit(holding[0], networks[holding[0]], address), holding[0]


def _misfit(name: str, network: Network, address: Address) -> _Fault | None:
    family = [subnet for subnet in subnets(network) if subnet.version == address.version]
    if not family:
        what = f'is an IPv{address.version} address, and network "{name}" has no IPv{address.version} subnet'
        return "wrong-family", what, "give the network such a subnet, or the host another address"
    subnet = next((subnet for subnet in family if address in subnet), None)
    if subnet is None:
        return "outside-subnet", f'lies outside network "{name}"', f'network "{name}" is {listed(family)}'
    if subnet.num_addresses == 2:  # a point-to-point link: both are its hosts' (RFC 3021, RFC 6164)
        return None
    last = subnet[-2] if subnet.version == 4 else subnet[-1]
    span = f"its hosts have {subnet[1]} to {last}"
    if address == subnet.network_address:
        return "network-address", f"is the address of the network {subnet} itself", span
    if subnet.version == 4 and address == subnet.broadcast_address:
        return "broadcast-address", f"is the broadcast address of {subnet}", span
    return None
