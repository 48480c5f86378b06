"""What a step does, in words a person reads in the transcript."""

from __future__ import annotations

from functools import singledispatch

from lab.core.durations import format_duration
from lab.core.quote import quoted
from lab.scenario.steps import (
    Action,
    Close,
    Condition,
    Expect,
    Hold,
    Key,
    Quiet,
    Release,
    Run,
    Send,
    SendBytes,
    SendSignal,
    Start,
    Type,
    Wait,
)
from lab.steps.screen import describe


@singledispatch
def in_words(action: Action) -> str:
    """One line for an action, its variables filled in."""
    return action.verb


@in_words.register
def _start(action: Start) -> str:
    return f"start {action.start}" + (f" as {action.as_}" if action.as_ else "")


@in_words.register
def _expect(action: Expect) -> str:
    return f"expect {describe(action.expect)}"


@in_words.register
def _quiet(action: Quiet) -> str:
    return f"quiet for {format_duration(action.quiet)}"


@in_words.register
def _send(action: Send) -> str:
    return f"send {quoted(action.send)}"


@in_words.register
def _type(action: Type) -> str:
    return f"type {quoted(action.type)}"


@in_words.register
def _bytes(action: SendBytes) -> str:
    return f"send {len(action.bytes)} bytes"


@in_words.register
def _key(action: Key) -> str:
    return f"press {action.key}"


@in_words.register
def _signal(action: SendSignal) -> str:
    return f"signal {action.signal}"


@in_words.register
def _close(action: Close) -> str:
    return f"close {action.close}"


@in_words.register
def _run(action: Run) -> str:
    return f"run {quoted(action.run)}"


@in_words.register
def _hold(action: Hold) -> str:
    return f"hold {action.hold}" + (f" to {action.to}" if action.to else "")


@in_words.register
def _release(action: Release) -> str:
    return f"release {action.release}"


@in_words.register
def _wait(action: Wait) -> str:
    return f"wait until {_condition(action.wait)}"


def _condition(condition: Condition) -> str:
    if condition.exited:
        return "the program has ended"
    if condition.listening is not None:
        return f"a socket is in LISTEN on port {condition.listening}"
    if condition.asleep_in is not None:
        return f"the program is asleep in {condition.asleep_in}"
    port = f" at port {condition.port}" if condition.port else ""
    peer = f" with {condition.peer}" if condition.peer else ""
    return f"a socket is in {condition.state}{port}{peer}"
