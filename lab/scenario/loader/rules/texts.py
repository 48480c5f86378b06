"""Variables: that each ``${name}`` has a value where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from lab.scenario import Scenario
from lab.scenario.addresses import holds, is_address
from lab.scenario.base import Model
from lab.scenario.loader import place
from lab.scenario.loader.rules.context import RuleContext, checks_of
from lab.scenario.loader.rules.networks import sound_networks
from lab.scenario.loader.rules.script import compiled_regex
from lab.scenario.loader.wording import did_you_mean, whose
from lab.scenario.mistake import Mistake
from lab.scenario.script import StepPath, blocks, walk
from lab.scenario.steps import Line, Repeat, Step
from lab.scenario.variables import COUNTER, NONCE, address_variables, is_unclosed, references

_Text = tuple[place.Path, str]
_LITERAL = "a literal `${` is written `$${`"
_ONLY_IN_REPEAT = "`${i}` counts the rounds of a `repeat`: use it inside one"


def known_variables(context: RuleContext) -> Iterator[Mistake]:
    """Every ``${name}`` has a value by the time it is needed."""
    scenario = context.scenario
    always = {NONCE, *_host_names(scenario)}
    yield from _unknown(_program_texts(scenario), always)
    captured = set(always)
    yield from _in_steps(("steps",), scenario.steps, captured)
    yield from _in_steps(("finally",), scenario.finally_, captured)
    yield from _unknown(_check_texts(scenario), captured)


_ANY = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound to them
"""Stand for addresses that cannot be read: of them another rule tells."""


def _host_names(scenario: Scenario) -> Iterator[str]:
    """The names that :func:`lab.scenario.variables.host_variables` gives, of sound addresses."""
    for name, host in scenario.hosts.items():
        given = host.addresses or _networks_of(host.address, scenario)
        readable = {
            network: texts if all(map(is_address, texts)) else _ANY for network, texts in given.items()
        }
        yield from (variable for variable, _ in address_variables(name, readable))


def _networks_of(address: str | None, scenario: Scenario) -> Mapping[str, tuple[str, ...]]:
    """The networks that a host with one address can be on, each with that address."""
    sound = sound_networks(scenario)
    if address is None or not is_address(address):
        return dict.fromkeys(scenario.networks, _ANY)
    holding = [network for network in sound if holds(sound[network], ip_address(address))]
    return dict.fromkeys(holding or scenario.networks, (address,))


def _in_steps(path: StepPath, steps: tuple[Step, ...], known: set[str]) -> Iterator[Mistake]:
    """Adds the groups that the steps capture to what is known."""
    for position, step in enumerate(steps):
        here = (*path, position)
        if isinstance(step, Line):
            yield from _unknown(_step_texts(here, step), known)
        counter = {COUNTER} if isinstance(step, Repeat) else set()
        for below, held in blocks(here, step):
            yield from _in_steps(below, held, known | counter)
        known |= _captured(step)


def _captured(step: Step) -> set[str]:
    lines = (held for _, held in walk((), (step,)) if isinstance(held, Line))
    patterns = (line.action.pattern() for line in lines)
    regexes = [pattern.regex for pattern in patterns if pattern is not None and pattern.regex]
    compiled = [found for regex in regexes if (found := compiled_regex(regex)[0]) is not None]
    return {group for found in compiled for group in found.groupindex}


def _unknown(texts: Iterator[_Text], known: set[str]) -> Iterator[Mistake]:
    for path, text in texts:
        holder = whose(path, str(path[2]) if path[0] == "checks" else "")
        if is_unclosed(text):
            what = f"{holder}: `${{` is not closed"
            yield Mistake("bad-variable", path, what, f"close it with `}}`; {_LITERAL}")
            continue
        for name in references(text):
            if name not in known:
                what = f"{holder}: `${{{name}}}` has no value here"
                near = did_you_mean(name, sorted(known), "variables here")
                fix = _ONLY_IN_REPEAT if name == COUNTER else f"{near}; {_LITERAL}"
                yield Mistake("unknown-variable", path, what, fix)


def _program_texts(scenario: Scenario) -> Iterator[_Text]:
    for name, program in scenario.programs.items():
        path = ("programs", name)
        for key, text in (("command", program.command), ("run", program.run)):
            if text is not None:
                yield (*path, key), text
        yield from _each((*path, "args"), program.args)
        yield from _each((*path, "env"), program.env)
        for file, laid in program.files.items():
            if laid.text is not None:
                yield (*path, "files", file, "text"), laid.text


def _step_texts(path: StepPath, line: Line) -> Iterator[_Text]:
    return _texts((*path, "action"), line.action)


def _texts(path: place.Path, value: Any) -> Iterator[_Text]:
    """Every text that is filled in before an action is executed, as :mod:`lab.steps.filling` does it."""
    if isinstance(value, Model):
        for name, info in type(value).model_fields.items():
            yield from _texts((*path, info.alias or name), getattr(value, name))
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from _texts((*path, key), held)
    elif isinstance(value, tuple):
        for position, held in enumerate(value):
            yield from _texts((*path, position), held)
    elif type(value) is str:  # not a word of an enumeration
        yield path, value


def _check_texts(scenario: Scenario) -> Iterator[_Text]:
    for path, _, check in checks_of(scenario):
        yield from (((*path, *below), text) for below, text in check.texts())


def _each(path: place.Path, texts: Any) -> Iterator[_Text]:
    """The items of a list; of a mapping the keys as well as those values that are text."""
    if not isinstance(texts, dict):
        yield from (((*path, position), text) for position, text in enumerate(texts))
        return
    for key, value in texts.items():
        yield (*path, key), value if isinstance(value, str) else key
