"""The states that sockets of a host were in."""

from __future__ import annotations

WORDS = {
    "held": {"none": " (held by no process)"},
    "owner": {"none": ", held by no process", "process": ", held by a process"},
}

SENTENCES = {
    "socket-of": "a socket of {host}[ to {peer}][ on port {port}]",
    "owned-state": "{state}[{owner:owner}]",
    "socket-is-in": "{socket} is in {state}",
    "socket-never-is-in": "{socket} never is in {state}",
    "socket-was-in": "{socket} was in {state}",
    "socket-never-was-in": "{socket} never was in {state}",
    "kernel-shows-at": "the kernel of {host} shows {state} at {time:when}, {where}",
    "goes-to": "{host} goes to {state}",
    "shown-state": "{state}[{owner:held}]",
    "sockets-seen-in": "its sockets were seen in {states:commas}",
    "socket-seen-in": "{socket} was seen in {states:commas}",
    "nobody-accepted": "no program ever accepted the connection",
}
