"""How many bytes a second a connection, or the datagrams to a port, have carried."""

from __future__ import annotations

from lab.output.describe import Teller, counted, span


def _wanted(_: Teller, min: int | None, max: int | None, host: str) -> str:  # noqa: A002 - the words of a scenario
    bounds = (("at least", min), ("at most", max))
    told = [f"{word} {counted(bound, 'byte')}" for word, bound in bounds if bound is not None]
    return f"{' and '.join(told)} a second from {host}"


def _was(_: Teller, rate: int, bytes: int, took: int) -> str:  # noqa: A002
    return f"{counted(rate, 'byte')} a second: {counted(bytes, 'byte')} in {span(took)}"


SENTENCES = {
    "throughput": _wanted,
    "throughput-was": _was,
    "throughput-none": "no data of {host} arrived",
    "first-datagram": "the first datagram of {host} arrives",
    "last-datagram": "the last datagram of {host} arrives",
    "last-data": "the last data of {host} arrives",
}
