"""What the agent is told to wire: bridges, the cables of each host, and the names that every host knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.agent import protocol
from lab.core.archive import FOLDER
from lab.core.words import LOOPBACK
from lab.deploy.host import RunningHost
from lab.deploy.plan import Plan
from lab.engine import users
from lab.evidence.capture import Interface


def wiring(plan: Plan, hosts: Mapping[str, RunningHost]) -> protocol.Wire:
    """The request that wires a plan, once its hosts are up."""
    return protocol.Wire(
        bridges=[protocol.Bridge(name=bridge.name, mtu=bridge.mtu) for bridge in plan.bridges],
        hosts=[_wired(hosts[host.name]) for host in plan.hosts],
        names=_names(plan.names),
    )


def interfaces(plan: Plan, indices: Mapping[str, int]) -> tuple[Interface, ...]:
    """Every interface in the sidecar, with the host and network it belongs to."""
    known = {bridge.name: ("", bridge.network, "") for bridge in plan.bridges}
    known |= {leg.port: (host.name, leg.network, leg.mac) for host in plan.hosts for leg in host.legs}
    return tuple(Interface(index, name, *known.get(name, ("", "", ""))) for name, index in indices.items())


def _names(known: Iterable[tuple[str, str]]) -> str:
    """Every host's /etc/hosts (hosts(5))."""
    own = [(address, " ".join(names)) for address, names in LOOPBACK.items()]
    return "".join(f"{address}\t{names}\n" for address, names in (*own, *known))


def _users(host: RunningHost) -> str:
    """What a host's /etc/passwd (passwd(5)) says of the lab's users: each is called nobody."""
    homes = [(users.with_group(host.uid), FOLDER)]
    homes += [(users.of_program(uid), f"{FOLDER}/{name}") for name, uid in host.programs.items()]
    return "".join(f"nobody:x:{user}:nobody:{home}:/bin/sh\n" for user, home in homes)


def _wired(host: RunningHost) -> protocol.WiredHost:
    legs = [
        protocol.Leg(
            bridge=leg.bridge, port=leg.port, interface=leg.interface, mac=leg.mac, mtu=leg.mtu,
            addresses=[str(address) for address in leg.addresses],
        )
        for leg in host.plan.legs
    ]  # fmt: skip
    routes = [protocol.Route(to=route.to, via=route.via) for route in host.plan.routes]
    return protocol.WiredHost(
        name=host.plan.name,
        pid=host.pid,
        users=_users(host),
        proxied=host.plan.proxied,
        legs=legs,
        routes=routes,
    )  # fmt: skip
