"""UDP datagrams from a host to an endpoint."""

from __future__ import annotations

from lab.core.quote import quoted
from lab.output.describe import Teller, counted, span


def _wrong(wrong: int, of: int) -> str:
    return f"; {wrong} of {of} {'is' if wrong == 1 else 'are'} not" if wrong else ""


def _sizes(_: Teller, least: int, most: int, wrong: int, of: int) -> str:
    sizes = counted(least, "byte") if least == most else f"{least} to {counted(most, 'byte')}"
    return f"payloads of {sizes}{_wrong(wrong, of)}"


def _intervals(_: Teller, least: int, most: int, wrong: int, of: int) -> str:
    return f"{span(least)} to {span(most)} between two datagrams{_wrong(wrong, of)}"


def _answers(_: Teller, number: int, of: int, slow: int) -> str:
    late = f", {slow} more too late" if slow else ""
    return f"{number} of {counted(of, 'datagram')} answered{late}"


SENTENCES = {
    "datagrams": "[from {host} ]to {to}",
    "datagrams-back": "from {to}[ to {host}]",
    "datagrams-sent": "{number} {number:datagram|datagrams} sent[ {whom}]",
    "datagrams-arrived": "{number} {number:datagram|datagrams} arrived[ {whom}]",
    "datagrams-lost-in-buffer": (
        "a receive buffer of {host}[, that of UDP port {port},] was full: {number}"
        " {number:datagram was|datagrams were} dropped"
    ),
    "socket-buffer-full": (
        "the kernel of {host} counts {number} {number:datagram|datagrams} dropped at UDP port {port} at"
        " {time:when}"
    ),
    "receive-buffer-full": "the kernel of {host} counts {number} in RcvbufErrors at {time:when}",
    "datagrams-none": "no datagram was sent",
    "arrived-unsent": "{number} {number:datagram|datagrams} arrived that nobody was seen to send",
    "datagram": "{size} {size:byte|bytes} from {host}:{port}",
    "datagrams-size": "payloads {whom} of {size} bytes each",
    "datagram-sizes": _sizes,
    "datagrams-interval": "{bounds} between two datagrams {whom}",
    "datagram-intervals": _intervals,
    "datagram-payload": "payload {payload:quoted}[ of datagram {nth}]",
    "datagram-contains": "a payload that contains {payload:quoted}[ in datagram {nth}]",
    "datagram-matches": "a payload that {regex:quoted} matches[ in datagram {nth}]",
    "datagram-payloads": lambda _, payload, wrong, of: f"payload {quoted(payload)}{_wrong(wrong, of)}",
    "payload-cut": "a payload was not captured whole",
    "datagrams-answered": "{number} {number:datagram|datagrams} {whom} answered[ within {within:duration}]",
    "datagram-answers": _answers,
    "datagrams-repeated": "{number} {number:datagram|datagrams} {whom} sent again",
    "datagram-repeats": "{number} of {of} had the payload of an earlier one",
    "datagrams-in-order": "datagrams {whom} arrive as they were sent",
    "datagrams-overtook": "{number} of {of} overtook the one before",
    "unreachable-by": "an ICMP error from {by} about a datagram {whom}",
    "unreachable-none": "no ICMP error about datagrams {whom}",
    "icmp-errors": "{number} ICMP {number:error|errors}[ from {by}]",
    "icmp-said": "{by}: {meaning} (ICMP)",
}
