"""Why a side sent RST. The wire tells who answered what; what the program did, the kernel's rows must tell.

A socket that is closed with data unread, or with SO_LINGER at 0, or by its listener before it was accepted,
sends the same RST. Which it was follows from the socket's last row before that: who held it, and whether all
that had reached it was read.
"""

from __future__ import annotations

from lab.checks.case import Case, Row
from lab.flows import Reset, Side
from lab.scenario.checks import ResetWord
from lab.words import TcpState

_LOOKS = 3
"""Looks at the sockets between which nothing changed, before that is taken to have lasted until the RST."""

_ABORTED = "its program closed with data unread, or with linger 0"
_WHY = {
    "no_listener": "nothing listened on that port",
    "late_data": "something arrived after it had closed",
    "unread_data": f"{_ABORTED}: with data unread, says its kernel; read until recv gives 0 before closing",
    "linger0": f"{_ABORTED}: with linger 0 (SO_LINGER), says its kernel, for all was read",
    "listener_closed": "its listener was closed before any program had accepted the connection",
    "after_close": "both sides had already closed",
    "abort": f"{_ABORTED}, or its listener before anybody had accepted the connection",
}

Cause = tuple[ResetWord | None, list[str]]
"""The cause, None where it cannot be known, and what of the kernel's samples tells it."""


def cause_of(side: Side, case: Case) -> Cause:
    """Why a side that sent RST did so."""
    reset = side.reset
    if reset is None:
        return None, []
    if reset.cause in {"no_listener", "late_data"}:
        return reset.cause, []
    return _aborted(side, reset, case) if reset.cause == "abort" else (None, [])


def cause_told(side: Side, case: Case) -> str:
    """The cause in words; as much as is known of it."""
    if side.reset is None:
        return ""
    cause, _ = cause_of(side, case)
    return _WHY.get(cause or side.reset.cause, "")


def _aborted(side: Side, reset: Reset, case: Case) -> Cause:
    """The RST came from a close: what the socket's last row before it says."""
    at = reset.first.time if reset.first else 0
    before = [shown for shown in case.rows(side) if shown[0].at <= at]
    if not before:
        return None, []
    sample, row = before[-1]
    proof = f"the kernel of {sample.host} shows {_words(before[-1])} at {case.teller.when(sample.at)}"
    # Between the last look and the RST a program may have accepted, read and closed: what may so have changed
    # is known only if it had stood for several looks.
    stood = at - sample.at > _LOOKS * case.evidence.info.sampling.mean_gap
    if reset.heard is not None and sample.at <= reset.heard.time:
        return None, [proof]
    if not row.inode:
        return ("listener_closed" if stood and not side.bytes else None), [proof]
    if _unread(before[-1]):
        return ("unread_data" if stood else None), [proof]
    return "linger0", [proof]


def _unread(shown: Row) -> int:
    """Bytes that the program had not read; an unread FIN counts 1 in the receive queue."""
    row = shown[1]
    return max(0, row.recv_queue - (row.state is TcpState.CLOSE_WAIT))


def _words(shown: Row) -> str:
    holder = "" if shown[1].inode else ", held by no process"
    return f"{shown[1].state} with {_unread(shown)} bytes unread{holder}"
