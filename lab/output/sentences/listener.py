"""Who listened where, and how full the queues of a listener were."""

from __future__ import annotations

from lab.output.describe import Teller, counted

_QUEUES = {
    "accept": ("finished connection", "waiting for accept"),
    "syn": ("handshake", "waiting for its last ACK"),
}


def _in_queue(_: Teller, number: int | str, queue: str) -> str:
    noun, waiting = _QUEUES[queue]
    return f"{counted(number, noun)} {waiting}"


SENTENCES = {
    "listens": "{host} listens on port {port}[, address {address}]",
    "never-listened": "no program of {host} ever listened",
    "listens-on": "{host} listens on {where}[{local} only: other hosts cannot reach it]",
    "shows-listen": "the kernel of {host} shows LISTEN on {where} from {time:when}",
    "backlog": "the accept queue of port {port} has the limit {limit}",
    "limits": "its limit is {limits}",
    "in-queue": _in_queue,
    "at-most-in-queue": "at the fullest {shown} on port {port}",
    "at-fullest": "at the fullest it was {shown}",
    "queue-shown": (
        "the kernel of {host}, looked at every {gap:span} on average, shows {shown} at {time:when}"
    ),
    "found-queue-full": "{number} {number:connection|connections} found the accept queue full",
    "found-queue-of-host-full": (
        "{number} {number:connection|connections} found an accept queue of {host} full"
    ),
    "listen-overflows": (
        "ListenOverflows of {host} is {number} at {time:when}, and its listeners dropped {drops}"
        " {drops:segment|segments} of handshakes (ListenDrops)"
    ),
}
