"""Networks: that their subnets are subnets and can be used on a wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from lab.scenario import Scenario
from lab.scenario.addresses import Subnet, subnets
from lab.scenario.cast import Network
from lab.scenario.loader.rules.context import RuleContext
from lab.scenario.mistake import Mistake

_IPV6_LEAST_MTU = 1280  # RFC 8200, section 5
_UNUSABLE: tuple[tuple[Subnet, str], ...] = (
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv4Network("0.0.0.0/8"), "unusable"),
    (IPv6Network("::/127"), "loopback"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("ff00::/8"), "multicast"),
)


def proper_subnets(context: RuleContext) -> Iterator[Mistake]:
    """Every subnet is one, has room for two hosts, and can be used on a wire."""
    for name, network in context.scenario.networks.items():
        for key, text in (("subnet", network.subnet), ("ipv6", network.ipv6)):
            fault = _subnet_fault(text) if text is not None else None
            if fault:
                what, fix = fault
                yield Mistake(
                    "bad-subnet", ("networks", name, key), f'network "{name}": "{text}" {what}', fix
                )


def families(context: RuleContext) -> Iterator[Mistake]:
    """``ipv6`` is an IPv6 subnet beside an IPv4 one, and IPv6 has the MTU it needs."""
    for name, network in _sound(context.scenario):
        path, holder = ("networks", name), f'network "{name}"'
        first, *second = subnets(network)
        if second and second[0].version != 6:
            what, fix = f'"ipv6" is the IPv4 subnet {network.ipv6}', "an IPv4 subnet stands under `subnet:`"
            yield Mistake("wrong-family", (*path, "ipv6"), f"{holder}: {what}", fix)
        elif second and first.version == 6:
            fix = "keep one of them; `ipv6:` is for a second subnet beside an IPv4 one"
            yield Mistake("wrong-family", (*path, "ipv6"), f"{holder} has two IPv6 subnets", fix)
        if 6 in {subnet.version for subnet in (first, *second)} and network.mtu < _IPV6_LEAST_MTU:
            what = f"{holder}: IPv6 does not work with an MTU of {network.mtu}"
            fix = f"raise it to {_IPV6_LEAST_MTU} or more (RFC 8200), or have no IPv6 subnet"
            yield Mistake("bad-mtu", (*path, "mtu"), what, fix)


def sound_networks(scenario: Scenario) -> Mapping[str, Network]:
    """The networks, if all their subnets can be read; else none, for nothing can be said of addresses."""
    sound = dict(_sound(scenario))
    return sound if len(sound) == len(scenario.networks) else {}


def _sound(scenario: Scenario) -> Iterator[tuple[str, Network]]:
    for name, network in scenario.networks.items():
        if not any(_subnet_fault(text) for text in (network.subnet, network.ipv6) if text is not None):
            yield name, network


def _subnet_fault(text: str) -> tuple[str, str] | None:
    """What is wrong with a subnet, and how to mend it."""
    subnet = _parsed(text)
    if subnet is None:
        return "is no subnet", "write an address and a prefix length, as in 192.168.153.0/24 or fd00:153::/64"
    if _parsed(text, strict=True) is None:
        return "is an address within a subnet, not a subnet", f'did you mean "{subnet}"?'
    if subnet.max_prefixlen - subnet.prefixlen < 1:
        return "has no room for two hosts", f"the longest prefix is /{subnet.max_prefixlen - 1}"
    for other, kind in _UNUSABLE:
        if subnet.version == other.version and subnet.overlaps(other):
            return (
                f"holds {kind} addresses ({other})",
                "take a private one: 192.168.153.0/24 or fd00:153::/64",
            )
    return None


def _parsed(text: str, *, strict: bool = False) -> Subnet | None:
    """The subnet, or None if the text is none; netmasks are no prefix lengths."""
    _, slash, prefix = text.partition("/")
    if not (slash and prefix.isascii() and prefix.isdigit() and len(prefix) <= 3):
        return None
    try:
        return ip_network(text, strict=strict)
    except ValueError:
        return None
