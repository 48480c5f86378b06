"""The protocol: each request has a handler in the agent, each event one in the lab, and lines keep what they hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import pytest

from lab.agent import protocol
from lab.agent.handlers import Handlers
from lab.agent.protocol import EVENTS, REQUESTS, Event, Message, Request
from lab.agent.waiting import Process
from lab.deploy.deployment import Deployment
from lab.evidence.sockets import Instrument, Loss
from lab.run.observe import Observer


def some(kind: Any) -> Any:
    """A value of a type of the protocol; of a list, one of one element."""
    parts = get_args(kind)
    match get_origin(kind):
        case one if one is UnionType or one is Literal:
            value: Any = some(parts[0]) if one is UnionType else parts[0]
        case one if one is Mapping:
            value = {some(parts[0]): some(parts[1])}
        case one if one in {Sequence, tuple}:
            value = tuple(some(part) for part in parts if part is not ...)
        case None if issubclass(kind, Message):
            value = kind(**{name: some(part) for name, part in kind.__annotations__.items()})
        case None if issubclass(kind, tuple):
            value = kind(*map(some, kind.__annotations__.values()))
        case _:
            value = {int: 1, float: 0.5, str: "LISTEN", bool: True, NoneType: None}[kind]
    return value


def answer_of(request: type[Request[Any]]) -> Any:
    (base,) = request.__orig_bases__  # type: ignore[attr-defined]
    return get_args(base)[0]


class Sampled:
    """A deployment whose agent has lost nothing."""

    def __init__(self) -> None:
        self.agent = self

    async def ask(self, _: protocol.EndSampling) -> protocol.SamplingEnd:
        return protocol.SamplingEnd(began=1, ended=9, mean_gap=2, worst_gap=3, lost=())


def lost_after(event: Event | protocol.Misheard) -> tuple[Loss, ...]:
    """What an observer has lost that was told an event."""
    observer = Observer()
    observer.hear(event)
    return asyncio.run(observer.end_sampling(cast("Deployment", Sampled()))).lost


def over_the_wire(line: protocol.Line) -> dict[str, Any]:
    received: dict[str, Any] = json.loads(protocol.encode(line))
    return received


def answers(kind: Any) -> set[Any]:
    """What a method of the agent answers, at once or later."""
    if get_origin(kind) in {Union, UnionType}:
        return set().union(*map(answers, get_args(kind)))
    if get_origin(kind) is Callable:  # a condition gives nothing until it is met
        return answers(get_args(kind)[1]) - {NoneType}
    return answers(get_args(kind)[0]) if get_origin(kind) is Process else {kind}


def test_the_agent_has_a_method_for_each_request_and_no_other() -> None:
    methods = {name: method for name, method in vars(Handlers).items() if name.startswith("do_")}
    assert methods.keys() == {f"do_{op}" for op in REQUESTS}
    for op, request in REQUESTS.items():
        hints = get_type_hints(methods[f"do_{op}"])
        assert answers(hints.pop("return")) == answers(answer_of(request)), op
        assert list(hints.values()) == [request]


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
def test_requests_and_answers_keep_what_they_hold(kind: type[Request[Any]]) -> None:
    request, answer = some(kind), some(answer_of(kind))
    line = over_the_wire(protocol.ask(7, request))
    assert line.pop("id") == 7
    assert protocol.request_in(line) == request
    assert protocol.answer_in(kind, over_the_wire(protocol.answer(7, answer))["ok"]) == answer


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_the_lab_takes_each_event(kind: type[Event]) -> None:
    event = protocol.event_in(over_the_wire(protocol.tell(some(kind))))
    assert event == some(kind)
    assert lost_after(event) == ()


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_an_event_that_lacks_something_is_lost_evidence(kind: type[Event]) -> None:
    for name in kind.__annotations__:
        line = over_the_wire(protocol.tell(some(kind)))
        del line[name]
        (lost,) = lost_after(protocol.event_in(line))
        assert name in lost.why
        assert lost.instrument is not Instrument.EVENTS, "it is known which evidence that is"


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ({"op": "hello"}, "lease"),
        ({"op": "hello", "lease": 1, "more": 2}, "more"),
        ({"op": "hello", "lease": "long"}, "'long' is no"),
        ({"op": "own", "pid": True}, "True"),
        ({"op": "own", "pid": [1]}, "is no"),
        ({"op": "fly"}, "no request 'fly'"),
        ({}, "no request None"),
    ],
)
def test_a_request_that_is_none_says_what_is_wrong(line: dict[str, Any], trouble: str) -> None:
    with pytest.raises(ValueError, match=trouble):
        protocol.request_in(line)
