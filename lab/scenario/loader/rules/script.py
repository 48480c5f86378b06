"""Steps, each by itself: what they refer to, what they wait for, and how long."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from lab.core.durations import format_duration
from lab.scenario.loader.place import Path, step_words
from lab.scenario.loader.rules.context import RuleContext, placed, unknown_host
from lab.scenario.loader.shape import hosts_in
from lab.scenario.mistake import Mistake
from lab.scenario.script import numbered_lines
from lab.scenario.steps import Line, Pattern
from lab.scenario.variables import RESERVED, blanked

_PATTERNS = tuple(Pattern.model_fields)

_Below = tuple[Path, str, str]
"""A path below a step's action, what is wrong there, and how to mend it."""


def actors(context: RuleContext) -> Iterator[Mistake]:
    """Every host that a line names exists, first of all the one that acts."""
    hosts = context.scenario.hosts
    for path, line in numbered_lines(context.scenario):
        if line.host not in hosts:
            yield unknown_host(line.host, (*path, "actor"), step_words(path), context.scenario)
        for below, host in hosts_in(line.action):
            if host not in hosts:
                yield unknown_host(host, (*path, "action", *below), step_words(path), context.scenario)


def actions(context: RuleContext) -> Iterator[Mistake]:
    """What each action says of itself makes sense, and is done with what it can be done with."""
    for path, line in numbered_lines(context.scenario):
        at = step_words(path)
        for mistake in line.action.mistakes(line, context.scenario):
            yield placed(mistake, (*path, "action"), f"{at} ")
        if line.program is None:
            continue
        verb, started = line.action.verb, line.action.enters()
        write = f"write `{line.host}: {{{verb}: …}}`"
        if line.action.acts_on == "cable":
            what = f'{at}: "{verb}" is done with a host\'s cable, not with a program'
            yield Mistake("bad-actor", (*path, "actor"), what, write)
        elif started is not None and line.action.acts_on == "host":
            what = f'{at}: "{verb}" is done by a host, not by a program on it'
            name = f", as: {line.program}" if started.program else ""
            fix = f"write `{line.host}: {{{verb}: …{name}}}`"
            yield Mistake("bad-actor", (*path, "actor"), what, fix)


def patterns(context: RuleContext) -> Iterator[Mistake]:
    """Every pattern is of one kind and can be found."""
    for path, line in numbered_lines(context.scenario):
        pattern = line.action.pattern()
        if pattern is not None:
            for below, what, fix in _pattern_faults(pattern, after_end=line.action.enters() is not None):
                where = (*path, "action", "expect", *below)
                yield Mistake("bad-pattern", where, f"{step_words(path)} {what}", fix)


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


def timeouts(context: RuleContext) -> Iterator[Mistake]:
    """Every time is more than nothing and no longer than the whole script's."""
    limits = context.scenario.timeouts
    yield from (
        _no_time(("timeouts", key), f'"{key}" of "timeouts"')
        for key in type(limits).model_fields
        if getattr(limits, key) <= 0
    )
    if "step" in limits.model_fields_set and limits.step > limits.scenario > 0:
        yield _too_long(("timeouts", "step"), '"step" of "timeouts"', limits.scenario)
    for path, line in numbered_lines(context.scenario):
        for key, seconds in _times(line):
            where, words = (*path, "action", key), f'{step_words(path)}: "{key}"'
            if seconds <= 0:
                yield _no_time(where, words)
            elif seconds > limits.scenario > 0:
                yield _too_long(where, words, limits.scenario)


def _times(line: Line) -> Iterator[tuple[str, float]]:
    if line.action.within is not None:
        yield "within", line.action.within
    lasts = line.action.lasts()
    if lasts is not None:
        yield line.action.verb, lasts


def _no_time(where: Path, words: str) -> Mistake:
    return Mistake("bad-time", where, f"{words} is no time at all", "write more than 0ms")


def _too_long(where: Path, words: str, limit: float) -> Mistake:
    what = f"{words} is longer than the whole script may take, which is {format_duration(limit)}"
    return Mistake("bad-time", where, what, "shorten it, or raise `timeouts: {scenario: …}`")
