"""The lab's switches and cables, in the sidecar's own network namespace and the hosts'."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence

from . import namespaces
from .names import name_hosts
from .protocol import Bridge, WiredHost

_QUIET_BRIDGE = "stp_state 0 forward_delay 0 mcast_snooping 0"
"""It forwards from the first frame on and says nothing of its own."""

_IPV6_MTU = 1280
"""Below this an interface has no IPv6 (RFC 8200, section 5), and Linux refuses settings for it."""


def wire(bridges: Iterable[Bridge], hosts: Sequence[WiredHost], names: str) -> dict[str, int]:
    """Make the bridges and a cable for each leg; the index of every interface here, by name.

    The cables of a host that is ``proxied`` end at the agent, and a trunk of each leads to the switch.
    ``names`` is every host's /etc/hosts.

    Raises RuntimeError with what ``ip`` or ``bridge`` refused, OSError for what the kernel did.
    """
    namespaces.require_own_networks(host.pid for host in hosts)
    _ip(_switches(bridges) + [line for host in hosts for line in _cables(host)])
    _finish(_popen(["bridge", "-batch", "-"]), [line for host in hosts for line in _places(host)])
    started = [(host, _start_ip(host.pid)) for host in hosts]
    name_hosts({host.pid: host.users for host in hosts}, names)
    for host, process in started:
        _finish(process, _inside_host(host))
    for host in hosts:
        _no_offload(host)
    return {name: index for index, name in socket.if_nameindex()}


def _switches(bridges: Iterable[Bridge]) -> list[str]:
    lines = []
    for bridge in bridges:
        lines += [
            f"link add {bridge.name} mtu {bridge.mtu} type bridge {_QUIET_BRIDGE}",
            *_silent([bridge.name], bridge.mtu),
            f"link set {bridge.name} up",
        ]
    return lines


def _cables(host: WiredHost) -> list[str]:
    lines = []
    for leg in host.legs:
        port, far_end = leg.port, f"name {leg.interface} address {leg.mac} mtu {leg.mtu}"
        lines.append(f"link add {port} mtu {leg.mtu} type veth peer {far_end} netns {host.pid}")
        switched = port
        if host.proxied:
            switched, end = trunk(port)
            lines += [
                f"link add {switched} mtu {leg.mtu} type veth peer name {end} mtu {leg.mtu}",
                *_silent([port, end], leg.mtu),
                *(f"link set {name} up" for name in (port, end)),
            ]
        lines += [
            *_silent([switched], leg.mtu),
            f"link set {switched} master {leg.bridge}",
            f"link set {switched} up",
        ]
    return lines


def _places(host: WiredHost) -> Iterator[str]:
    """Where the switch sends frames to a host: told once, and not learned from what anybody sends."""
    for leg in host.legs:
        switched = trunk(leg.port)[0] if host.proxied else leg.port
        yield f"link set dev {switched} learning off"
        yield f"fdb replace {leg.mac} dev {switched} master static"


def _silent(interfaces: Iterable[str], mtu: int) -> list[str]:
    """What keeps interfaces of the sidecar from having, and announcing, link-local addresses."""
    return [f"link set {name} addrgenmode none" for name in interfaces] if mtu >= _IPV6_MTU else []


def trunk(port: str) -> tuple[str, str]:
    """The cable that leads from the agent to the switch for a host's port: its names there and here."""
    return f"{port}s", f"{port}a"


def _inside_host(host: WiredHost) -> list[str]:
    lines = []
    for leg in host.legs:
        interface = leg.interface
        lines += [_address(address, interface) for address in leg.addresses]
        lines.append(f"link set {interface} up")
    lines += [f"route add {route.to} via {route.via}" for route in host.routes]
    return lines


def _address(address: str, interface: str) -> str:
    # Duplicate address detection would hold an IPv6 address back for a second.
    return f"address add {address} dev {interface} {'nodad' if ':' in address else 'broadcast +'}"


def _no_offload(host: WiredHost) -> None:
    for leg in host.legs:
        for interface in (leg.port, *(trunk(leg.port) if host.proxied else ())):
            namespaces.offload_off(interface)
    with namespaces.inside(host.pid):
        for leg in host.legs:
            namespaces.offload_off(leg.interface)


def _ip(lines: list[str]) -> None:
    _finish(_popen(["ip", "-batch", "-"]), lines)


def _start_ip(pid: int) -> subprocess.Popen[str]:
    return _popen(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-batch", "-"])


def _popen(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _finish(process: subprocess.Popen[str], lines: list[str]) -> None:
    _, trouble = process.communicate("".join(f"{line}\n" for line in lines))
    if process.returncode != 0:
        raise RuntimeError(f"iproute2 refused: {trouble.strip()}")
