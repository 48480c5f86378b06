"""ICMP messages."""

from __future__ import annotations

from collections.abc import Mapping

from lab.output.describe import Teller, counted
from lab.wire.packets.icmp import Meaning


def _with_wrong(text: str, wrong: int) -> str:
    more = (
        f"; {wrong} with a wrong checksum, which {'is' if wrong == 1 else 'are'} dropped by who receives it"
    )
    return text + (more if wrong else "")


def _answers(_: Teller, number: int, of: int, slow: int, again: int, wrong: int) -> str:
    text = f"{number} of {counted(of, 'echo request')} answered" + (f", {slow} more too late" if slow else "")
    if again:
        has = "has" if again == 1 else "have"
        text += f"; {again} {has} the identifier and the sequence number of an earlier one"
    return _with_wrong(text, wrong)


def _ttls(_: Teller, least: int, most: int, wrong: int, of: int) -> str:
    text = f"they arrived with a TTL of {least}" + (f" to {most}" if most != least else "")
    return text + (f"; {wrong} of {of} {'is' if wrong == 1 else 'are'} not" if wrong else "")


SENTENCES = {
    "icmp-messages": "{type}[ from {host}][ to {to}]",
    "icmp-count": "{number} ICMP {number:message|messages} {whom}",
    "icmp-sent": lambda _, number, wrong: _with_wrong(f"{counted(number, 'message')} sent", wrong),
    "icmp-none": lambda _, wrong: _with_wrong("no such message was sent", wrong),
    "icmp-answered": "{number} {number:message|messages} {whom} answered[ within {within:duration}]",
    "icmp-answers": _answers,
    "icmp-ttl": "{whom} with a TTL of {ttl} on arrival",
    "icmp-ttls": _ttls,
    "icmp-arrived-unsent": "{number} {number:message|messages} arrived that nobody was seen to send",
    "icmp": "{type}[ {echo}] from {host} to {to}[, {about}][, its checksum is wrong{wrong}]",
    "icmp-echo": "id {ident} seq {seq}",
    "about-segment": "about a segment from {host} to {to}, ports {ports}[, of connection {connection}]",
    "about-datagram": "about a datagram from {host} to {to}, ports {ports}[, of connection {connection}]",
    "about-echo": "about an echo id {ident} seq {seq} from {host} to {to}",
    "about-protocol": "about a packet of IP protocol {protocol} from {host} to {to}",
    "icmp-means": "{what:icmp-meaning}[: the next link takes {mtu} bytes]",
}

WORDS: Mapping[str, Mapping[Meaning, str]] = {
    "icmp-meaning": {
        "net-unreachable": "destination unreachable: no route to its network",
        "host-unreachable": "destination unreachable: no answer from that host",
        "protocol-unreachable": "destination unreachable: no such protocol there",
        "port-unreachable": "destination unreachable: nobody has that port",
        "fragmentation-needed": "fragmentation needed",
        "prohibited": "destination unreachable: prohibited",
        "hop-limit-exceeded": "time exceeded: it crossed too many routers",
        "reassembly-time-exceeded": "time exceeded: a fragment was missing",
        "parameter-problem": "parameter problem",
        "no-route": "destination unreachable: no route to it",
        "packet-too-big": "packet too big",
    },
}
