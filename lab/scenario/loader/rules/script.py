"""Steps, each by itself: what they refer to, what they wait for, and how long."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from lab.core.durations import format_duration
from lab.core.words import TcpState
from lab.scenario.loader.place import Path, step_words
from lab.scenario.loader.rules.finding import Case, Finding
from lab.scenario.loader.wording import did_you_mean
from lab.scenario.script import numbered_lines
from lab.scenario.steps import Condition, Expect, Hold, Line, Pattern, Quiet, Release, Run, Start, Wait
from lab.scenario.variables import RESERVED, blanked

_PATTERNS = tuple(Pattern.model_fields)
_CONDITIONS = ("listening", "state", "exited", "asleep_in")

_Below = tuple[Path, str, str]
"""A path below a step's action, what is wrong there, and how to mend it."""


def actors(case: Case) -> Iterator[Finding]:
    """Every line begins with a host that exists."""
    hosts = case.scenario.hosts
    for path, line in numbered_lines(case.scenario):
        if line.host not in hosts:
            what = f'{step_words(path)} names host "{line.host}", which is not defined'
            yield Finding("unknown-host", (*path, "actor"), what, did_you_mean(line.host, hosts, "hosts"))


def peers(case: Case) -> Iterator[Finding]:
    """Every host that a step waits for a connection with exists."""
    hosts = case.scenario.hosts
    for path, line in numbered_lines(case.scenario):
        peer, below = _peer(line)
        if peer is not None and peer not in hosts:
            what = f'{step_words(path)} names host "{peer}", which is not defined'
            fix = did_you_mean(peer, hosts, "hosts")
            yield Finding("unknown-host", (*path, "action", *below), what, fix)


def _peer(line: Line) -> tuple[str | None, Path]:
    """The other host that a step names, and where."""
    if isinstance(line.action, Hold):
        return line.action.to, ("to",)
    return (line.action.wait.peer if isinstance(line.action, Wait) else None), ("wait", "peer")


def releases(case: Case) -> Iterator[Finding]:
    """Segments are kept back and released by hosts, and only what may have been kept back is released."""
    lines = [line for _, line in numbered_lines(case.scenario)]
    held = {(line.host, line.action.hold) for line in lines if isinstance(line.action, Hold)}
    for path, line in numbered_lines(case.scenario):
        action = line.action
        if isinstance(action, Hold | Release) and line.program is not None:
            what = f'{step_words(path)}: "{action.verb}" is done with a host\'s cable, not with a program'
            yield Finding("bad-actor", (*path, "actor"), what, f"write `{line.host}: {{{action.verb}: …}}`")
        if isinstance(action, Release) and (line.host, action.release) not in held:
            what = f"{step_words(path)} releases a {action.release} of {line.host} that no step holds"
            fix = f"hold it first: `{line.host}: {{hold: {action.release}}}`"
            yield Finding("not-held", (*path, "action", "release"), what, fix)


def started_programs(case: Case) -> Iterator[Finding]:
    """Every program that is started exists."""
    programs = case.scenario.programs
    for path, line in numbered_lines(case.scenario):
        if isinstance(line.action, Start) and line.action.start not in programs:
            what = f'{step_words(path)} starts program "{line.action.start}", which is not defined'
            fix = did_you_mean(line.action.start, programs, "programs")
            yield Finding("unknown-program", (*path, "action", "start"), what, fix)


def pattern_of(line: Line) -> Pattern | None:
    """What a step expects, if it expects anything."""
    return line.action.expect if isinstance(line.action, Expect | Run) else None


def patterns(case: Case) -> Iterator[Finding]:
    """Every pattern is of one kind and can be found."""
    for path, line in numbered_lines(case.scenario):
        pattern = pattern_of(line)
        if pattern is not None:
            for below, what, fix in _pattern_faults(pattern, after_end=isinstance(line.action, Run)):
                where = (*path, "action", "expect", *below)
                yield Finding("bad-pattern", where, f"{step_words(path)} {what}", fix)


def _pattern_faults(pattern: Pattern, *, after_end: bool) -> Iterator[_Below]:
    kinds = [kind for kind in _PATTERNS if getattr(pattern, kind) is not None]
    if len(kinds) != 1:
        what = f'expects both "{kinds[0]}" and "{kinds[1]}"' if kinds else "does not say what to expect"
        yield (), what, f"write one of: {', '.join(_PATTERNS)}"
    elif pattern.regex is not None:
        yield from _regex_faults(pattern.regex)
    elif pattern.end and after_end:
        yield ("end",), "expects the end of a command's output", "a `run` always waits for it: take it away"
    elif "\n" in (pattern.line or pattern.glob or ""):
        yield (kinds[0],), "expects one line, but the text has several", "write an `expect` for each line"


def _regex_faults(regex: str) -> Iterator[_Below]:
    compiled, reason = compiled_regex(regex)
    if compiled is None:
        fix = "mend it, or write `text:` for text that is meant as it stands"
        yield ("regex",), f"has a regular expression that cannot be read: {reason}", fix
        return
    if compiled.search("") is not None:
        what = "has a regular expression that is found in empty output, so that it never waits"
        yield ("regex",), what, "let it need at least one character"
    for group in RESERVED:
        if group in compiled.groupindex:
            what = f'captures a group named "{group}", but `${{{group}}}` is something else'
            yield ("regex",), what, "give the group another name"


def compiled_regex(regex: str) -> tuple[re.Pattern[str] | None, str]:
    """The expression, whatever its variables stand for, or why it is none; what Python warns of is none."""
    try:
        with warnings.catch_warnings(action="error"):
            return re.compile(blanked(regex)), ""
    except re.error as error:
        return None, error.msg
    except (OverflowError, RecursionError, Warning) as error:
        return None, str(error)


def conditions(case: Case) -> Iterator[Finding]:
    """Every wait asks the kernel one thing."""
    for path, line in numbered_lines(case.scenario):
        fault = _condition_fault(line.action.wait) if isinstance(line.action, Wait) else None
        if fault:
            below, what, fix = fault
            where = (*path, "action", "wait", *below)
            yield Finding("bad-condition", where, f"{step_words(path)} {what}", fix)


def _condition_fault(condition: Condition) -> _Below | None:
    asked = [kind for kind in _CONDITIONS if getattr(condition, kind) is not None]
    extra = [key for key in ("peer", "port") if getattr(condition, key) is not None]
    if not asked:
        return (), "does not say what to wait for", f"write one of: {', '.join(_CONDITIONS)}"
    if len(asked) > 1:
        return (asked[1],), f'waits for both "{asked[0]}" and "{asked[1]}"', "write two steps"
    if extra and condition.state is None:
        return (
            (extra[0],),
            f'has "{extra[0]}", but no "state" that it goes with',
            "name a state, or take it away",
        )
    if condition.state is TcpState.LISTEN and condition.peer is not None:
        return ("peer",), "waits for a listener with a peer, and a listener has none", "take `peer:` away"
    if condition.state is TcpState.CLOSED:
        return (
            ("state",),
            "waits for CLOSED, which is no state of a socket, but its absence",
            "name another state",
        )
    return None


def timeouts(case: Case) -> Iterator[Finding]:
    """Every time is more than nothing and no longer than the whole script's."""
    limits = case.scenario.timeouts
    yield from (
        _no_time(("timeouts", key), f'"{key}" of "timeouts"')
        for key in type(limits).model_fields
        if getattr(limits, key) <= 0
    )
    if "step" in limits.model_fields_set and limits.step > limits.scenario > 0:
        yield _too_long(("timeouts", "step"), '"step" of "timeouts"', limits.scenario)
    for path, line in numbered_lines(case.scenario):
        for key, seconds in _times(line):
            where, words = (*path, "action", key), f'{step_words(path)}: "{key}"'
            if seconds <= 0:
                yield _no_time(where, words)
            elif seconds > limits.scenario > 0:
                yield _too_long(where, words, limits.scenario)


def _times(line: Line) -> Iterator[tuple[str, float]]:
    if line.action.within is not None:
        yield "within", line.action.within
    if isinstance(line.action, Quiet):
        yield "quiet", line.action.quiet


def _no_time(where: Path, words: str) -> Finding:
    return Finding("bad-time", where, f"{words} is no time at all", "write more than 0ms")


def _too_long(where: Path, words: str, limit: float) -> Finding:
    what = f"{words} is longer than the whole script may take, which is {format_duration(limit)}"
    return Finding("bad-time", where, what, "shorten it, or raise `timeouts: {scenario: …}`")
