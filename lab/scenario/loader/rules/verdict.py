"""Checks: that each says something which can be false, and nothing that cannot be true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lab.core.words import TcpState
from lab.scenario.checks import (
    CheckBase,
    CloseWaitCheck,
    ConnectionCheck,
    ExitCheck,
    OutputCheck,
    ProcessCheck,
    Span,
    StateCheck,
)
from lab.scenario.loader.place import Path
from lab.scenario.loader.rules.finding import Case, Finding, checks_of

_ASSERTIONS = {
    CloseWaitCheck: ("observed", "dwell", "left", "eof_read", "blame"),
    ProcessCheck: ("asleep_in", "zombies", "children", "descriptors"),
    OutputCheck: ("lines", "contains", "lacks"),
    ExitCheck: ("status", "signal", "running"),
}
"""The words of which a check needs one. Other subjects cannot be named without saying something of them."""

_Below = tuple[Path, str, str]
"""A path below a check, what is wrong there, and how to mend it."""


def assertions(case: Case) -> Iterator[Finding]:
    """Every check says something that can be false."""
    for path, words, check in checks_of(case.scenario):
        choices = _choices(check)
        if choices and not _given(check, choices):
            fix = f"add one of: {', '.join(choices)}"
            yield Finding("no-assertion", path, f"{words} asserts nothing", fix)
        for below, fix in _hollow(check):
            yield Finding("no-assertion", (*path, *below), f'{words}: "{below[-1]}" says nothing', fix)


def _choices(check: CheckBase) -> Sequence[str]:
    if isinstance(check, ConnectionCheck):
        own = type(check).model_fields.keys() - CheckBase.model_fields.keys() - {check.subject}
        return [name for name in type(check).model_fields if name in own]
    return _ASSERTIONS.get(type(check), ())


def _given(check: CheckBase, choices: Sequence[str]) -> list[str]:
    about: Any = check if isinstance(check, ConnectionCheck) else getattr(check, check.subject)
    return [choice for choice in choices if getattr(about, choice) is not None]


def _hollow(check: CheckBase) -> Iterator[tuple[Path, str]]:
    """Words that are there, but with nothing under them."""
    match check:
        case ConnectionCheck():
            yield from _hollow_connection(check)
        case OutputCheck():
            for key in _given(check, _ASSERTIONS[OutputCheck]):
                if not getattr(check.output, key):
                    yield ("output", key), "put at least one text in it"
        case CloseWaitCheck():
            if check.close_wait.dwell == Span():
                yield ("close_wait", "dwell"), "add `min:` or `max:`"


def _hollow_connection(check: ConnectionCheck) -> Iterator[tuple[Path, str]]:
    if check.close is not None and not check.close.kind and check.close.active is None:
        yield ("close",), "add `kind:` or `active:`"
    if check.retransmissions is not None and not (check.retransmissions.model_fields_set - {"by"}):
        yield ("retransmissions",), "add `syn:`, `data:` or `fin:`"
    if check.bytes == {}:
        yield ("bytes",), "name a host and how many bytes it sent"
    if check.states is not None and not all(check.states.values() or [()]):
        yield ("states",), "name a host and the states it goes through"


def contradictions(case: Case) -> Iterator[Finding]:
    """No check asks for what cannot be true."""
    for path, words, check in checks_of(case.scenario):
        for below, what, fix in _contradictions(check):
            yield Finding("contradiction", (*path, *below), f"{words}: {what}", fix)


def _contradictions(check: CheckBase) -> Iterator[_Below]:
    match check:
        case ConnectionCheck():
            yield from _never_opened(check)
            yield from _ends_in_two_ways(check)
            yield from _states_without_trace(check)
        case CloseWaitCheck():
            yield from _of_close_wait(check)
        case ExitCheck():
            yield from _of_exit(check)
        case StateCheck() if check.state.state is TcpState.CLOSED:
            yield ("state", "state"), "CLOSED is no state of a socket, but its absence", "name another state"
        case OutputCheck():
            for text in check.output.lines or ():
                if "\n" in text:
                    fix = "use `contains:` for text of several lines"
                    yield ("output", "lines", text), "a line cannot hold a line break", fix


def _never_opened(check: ConnectionCheck) -> Iterator[_Below]:
    if check.handshake not in ("refused", "no_reply"):
        return
    for key in ("close", "fin"):
        if getattr(check, key):
            what = f'a handshake that is "{check.handshake}" leaves nothing to close'
            yield (key,), what, f"take `{key}:` away, or mend `handshake:`"
    if check.rst == "none" and check.handshake == "refused":
        yield ("rst",), "a handshake is refused by RST", "take `rst:` away, or say `rst: {by: …}`"


def _ends_in_two_ways(check: ConnectionCheck) -> Iterator[_Below]:
    if check.close is None:
        return
    if check.close.kind == ("simultaneous",) and check.close.active is not None:
        fix = "take `active:` away, or name another kind"
        yield ("close", "active"), "no side is the first in a simultaneous close", fix
    if check.close.kind == ("reset",) and check.rst == "none":
        yield ("rst",), 'a close of kind "reset" is an RST', "take one of the two away"


def _states_without_trace(check: ConnectionCheck) -> Iterator[_Below]:
    for end, states in (check.states or {}).items():
        if TcpState.LISTEN in states:
            fix = "take LISTEN away: a `listener:` check looks for it"
            yield ("states", end), "a connection is never in LISTEN, its listener is", fix
        if TcpState.TIME_WAIT in states[:-1]:
            fix = "end with TIME_WAIT"
            yield ("states", end), "no frame shows the end of TIME_WAIT, so nothing can follow it", fix


def _of_close_wait(check: CloseWaitCheck) -> Iterator[_Below]:
    about, dwell = check.close_wait, check.close_wait.dwell
    if dwell is not None and dwell.min is not None and dwell.max is not None and dwell.min > dwell.max:
        yield ("close_wait", "dwell"), "no time is at least `min` and at most `max`", "swap the two"
    others = [key for key in _ASSERTIONS[CloseWaitCheck][1:] if getattr(about, key) is not None]
    if about.observed is False and others:
        what = "what is not observed neither lasts nor ends"
        fix = f"take `observed:` away, or {' and '.join(f'`{key}:`' for key in others)}"
        yield ("close_wait", "observed"), what, fix
    if about.blame is not None and about.eof_read is (about.blame != "not_closed"):
        what = f'"{about.blame}" says already whether the end of the input was read, and says otherwise'
        yield ("close_wait", "eof_read"), what, "take one of the two away"


def _of_exit(check: ExitCheck) -> Iterator[_Below]:
    given = _given(check, _ASSERTIONS[ExitCheck])
    if len(given) > 1:
        what = f'a program ends in one way, not with both "{given[0]}" and "{given[1]}"'
        yield ("exit", given[1]), what, "keep one of them"
    status = check.exit.status
    if status is not None and status.minimum > 255:
        yield ("exit", "status"), "an exit status is at most 255", "write a status from 0 to 255"
