"""The segmentation adversary: what the script says on its connections, in other pieces and among others.

A scenario in, scenarios out; nothing is played here. TCP keeps the order of bytes and no borders of messages:
a program that answers when all comes as the script says it must answer when the same bytes come otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from msgspec import Struct

from lab.core.quote import quoted
from lab.grade.assignment import Word
from lab.scenario import Scenario
from lab.scenario.addresses import host_addresses
from lab.scenario.cast import Host
from lab.scenario.script import walk
from lab.scenario.steps import Action, Line, Repeat, Step, Together
from lab.scenario.variables import NONCE, host_variables, parts
from lab.steps.actions.connect import Connect
from lab.steps.actions.end import Close, Reset
from lab.steps.actions.expect import Expect
from lab.steps.actions.send import Send, SendBytes, Type
from lab.steps.actions.sleep import Sleep

HOST = "adversary"
"""The host whose connections are reset, or are many."""

_PLACES = 8
"""Places at which messages are split, each in a lab of its own."""

_DRIBBLED = 64
"""Bytes of a message that come one by one; the rest comes at once."""

_CROWD = 10
_PAUSE = 300
"""ms between two pieces, so that the receiver reads the first one by itself on a busy machine, too."""

_BYTE_PAUSE = 20
"""ms between two bytes at the least; all of a message take as long as a pause together."""

_BORDERS = (
    "the server takes one recv for one message: it passes when each message comes whole, and fails when"
)
_WHY: dict[Word, str] = {
    "split": f"{_BORDERS} the same bytes come in two pieces",
    "dribble": f"{_BORDERS} the same bytes come one by one",
    "join": f"{_BORDERS} the same bytes of several messages come at once",
    "half_close": "the server does not answer a client that has sent everything and closed its side "
    "(shutdown): recv returning 0 says that no more comes, not that nobody listens",
    "reset": "the server does not serve a client after another one reset its connection in the middle of a "
    "message: recv and send may fail with ECONNRESET",
    "crowd": f"the server does not serve a client while {_CROWD} others are connected, each in the middle of "
    "a message",
}

_Atom = bytes | str
"""A byte, or a ``${reference}``: what is in one is not known before it is played."""


class Variant(Struct, frozen=True):
    """A scenario that is played otherwise; ``told`` says how, ``why`` what it shows if it fails alone."""

    word: Word
    told: str
    scenario: Scenario

    @property
    def name(self) -> str:
        """What tells it from the other variants of a scenario."""
        return f"{self.word}: {self.told}"

    @property
    def why(self) -> str:
        """What a failure shows, where the scenario passes as it stands."""
        return f"{_WHY[self.word]} ({self.told})"


def variants(scenario: Scenario, words: Iterable[Word]) -> list[Variant]:
    """All variants of a scenario, word by word; none for a word that changes nothing of it."""
    own = _connections(scenario)
    return [one for word in words for one in _MAKERS[word](scenario, own)]


def _connections(scenario: Scenario) -> frozenset[str]:
    """The connections of TCP that the script opens, by their actor."""
    openings = (_opening(step) for _, step in walk(("steps",), scenario.steps))
    return frozenset(f"{line.host}.{action.as_}" for line, action in filter(None, openings))


def _opening(step: Step) -> tuple[Line, Connect] | None:
    """A line with its action that opens a connection of TCP; None for any other step."""
    if (
        isinstance(step, Line)
        and isinstance(step.action, Connect)
        and step.action.connect.to.transport == "tcp"
    ):
        return step, step.action
    return None


def _speaker(step: Step) -> str:
    """Which connection a line is about; of several of one name, all of them."""
    return ".".join(step.actor.split(".")[:2]) if isinstance(step, Line) else ""


# Messages and their pieces


def _atoms(step: Step, own: frozenset[str]) -> list[_Atom]:
    """What a line says on a connection of the script; nothing for any other line."""
    if not isinstance(step, Line) or _speaker(step) not in own:
        return []
    action = step.action
    if isinstance(action, SendBytes):
        return [bytes([byte]) for byte in action.bytes]
    if not isinstance(action, Send | Type):
        return []
    text = f"{action.send}\n" if isinstance(action, Send) else action.type
    found: list[_Atom] = []
    for part, is_reference in parts(text):
        if is_reference:
            found.append(part)
        else:
            found += [bytes([byte]) for byte in part.encode("utf-8", "surrogateescape")]
    return found


def _said(line: Line, atoms: Sequence[_Atom]) -> list[Line]:
    """The lines that say these: one, unless some can be said as bytes only, and others as text only."""
    if isinstance(line.action, SendBytes) and all(isinstance(atom, bytes) for atom in atoms):
        whole = b"".join(atom for atom in atoms if isinstance(atom, bytes))
        return [_like(line, SendBytes.model_construct(bytes=whole))]
    groups: list[_Atom] = []
    for atom in atoms:
        if groups and isinstance(atom, bytes) and isinstance(groups[-1], bytes):
            groups[-1] += atom
        else:
            groups.append(atom)
    texts = [_as_text(group) for group in groups]
    text = "".join(one or "" for one in texts)
    if None not in texts and _same(text, atoms):
        return [_like(line, Type(type=text))]
    return [
        _like(line, SendBytes.model_construct(bytes=group) if isinstance(group, bytes) else Type(type=group))
        for group in groups
    ]


def _same(text: str, atoms: Sequence[_Atom]) -> bool:
    """Whether a text is read as these again: a ``$`` before a reference is not."""
    return [part for part, is_reference in parts(text) if is_reference] == [
        atom for atom in atoms if isinstance(atom, str)
    ]


def _as_text(group: _Atom) -> str | None:
    """The text in a scenario for some bytes, if there is one."""
    if isinstance(group, str):
        return group
    try:
        return group.decode().replace("${", "$${")
    except UnicodeDecodeError:
        return None


def _like(line: Line, action: Action, actor: str = "") -> Line:
    """A line of the same actor with as much time."""
    timed = action if action.within is not None else action.model_copy(update={"within": line.action.within})
    return Line.model_construct(actor=actor or line.actor, action=timed)


def _pause(line: Line, milliseconds: int) -> Line:
    return Line.model_construct(actor=line.host, action=Sleep.model_validate({"sleep": f"{milliseconds}ms"}))


# Every message in other pieces


def _through(steps: Iterable[Step], change: Callable[[list[Step]], Iterable[Step]]) -> tuple[Step, ...]:
    """Steps with each list of steps in them changed."""
    return tuple(change([_inside(step, change) for step in steps]))


def _inside(step: Step, change: Callable[[list[Step]], Iterable[Step]]) -> Step:
    if isinstance(step, Together):
        return step.model_copy(update={"together": tuple(_through(one, change) for one in step.together)})
    if isinstance(step, Repeat):
        steps = _through(step.repeat.steps, change)
        return step.model_copy(update={"repeat": step.repeat.model_copy(update={"steps": steps})})
    return step


def _with_steps(scenario: Scenario, steps: tuple[Step, ...]) -> Scenario:
    return scenario.model_copy(update={"steps": steps})


def _split(scenario: Scenario, own: frozenset[str]) -> Iterator[Variant]:
    messages = [_atoms(step, own) for _, step in walk(("steps",), scenario.steps)]
    longest = max(messages, key=len, default=[])
    for place in _places(len(longest)):

        def change(steps: list[Step], place: int = place) -> Iterator[Step]:
            for step in steps:
                atoms = _atoms(step, own)
                if isinstance(step, Line) and len(atoms) > place:
                    yield from _said(step, atoms[:place])
                    yield _pause(step, _PAUSE)
                    yield from _said(step, atoms[place:])
                else:
                    yield step

        told = f"as {_shown(longest[:place])} and {_shown(longest[place:])}"
        yield Variant("split", told, _with_steps(scenario, _through(scenario.steps, change)))


def _places(length: int) -> list[int]:
    """Where to split so many: everywhere, or at so many places as far from each other as can be."""
    if length - 1 <= _PLACES:
        return list(range(1, length))
    return sorted({1 + round(number * (length - 2) / (_PLACES - 1)) for number in range(_PLACES)})


def _shown(atoms: Sequence[_Atom]) -> str:
    text = "".join(atom if isinstance(atom, str) else atom.decode("latin-1") for atom in atoms)
    return quoted(text)


def _dribble(scenario: Scenario, own: frozenset[str]) -> Iterator[Variant]:
    def change(steps: list[Step]) -> Iterator[Step]:
        for step in steps:
            atoms = _atoms(step, own)
            if not isinstance(step, Line) or len(atoms) < 2:
                yield step
                continue
            for atom in atoms[:_DRIBBLED]:
                yield from _said(step, [atom])
                yield _pause(step, max(_BYTE_PAUSE, _PAUSE // (len(atoms) - 1)))
            if atoms[_DRIBBLED:]:
                yield from _said(step, atoms[_DRIBBLED:])

    steps = _through(scenario.steps, change)
    if steps != scenario.steps:
        yield Variant("dribble", "byte by byte", _with_steps(scenario, steps))


def _join(scenario: Scenario, own: frozenset[str]) -> Iterator[Variant]:
    def change(steps: list[Step]) -> Iterator[Step]:
        place = 0
        while place < len(steps):
            first, run = steps[place], _run(steps[place:], own)
            messages = [atoms for step in run if (atoms := _atoms(step, own))]
            if isinstance(first, Line) and len(messages) > 1:
                yield from _said(first, [atom for atoms in messages for atom in atoms])
                yield from (step for step in run if not _atoms(step, own))
            else:
                yield from run
            place += len(run)

    steps = _through(scenario.steps, change)
    if steps != scenario.steps:
        yield Variant("join", "without waiting for an answer between them", _with_steps(scenario, steps))


def _run(steps: Sequence[Step], own: frozenset[str]) -> list[Step]:
    """What is said on one connection with nothing between but what is expected there; at least one step.

    What comes after something whose value is taken may need that value.
    """
    run = [steps[0]]
    if not _atoms(steps[0], own):
        return run
    for step in steps[1:]:
        if not isinstance(step, Line) or step.actor != run[0].actor:  # type: ignore[union-attr]
            break
        expected = step.action.expect if isinstance(step.action, Expect) else None
        if not _atoms(step, own) and (expected is None or expected.end or "(?P<" in (expected.regex or "")):
            break
        run.append(step)
    while not _atoms(run[-1], own):
        run.pop()
    return run


# Other moments, and others


def _half_close(scenario: Scenario, own: frozenset[str]) -> Iterator[Variant]:
    steps = list(scenario.steps)
    for actor in sorted(own):
        steps = _closed_early(steps, actor)
    if tuple(steps) != scenario.steps:
        told = "right behind the last message"
        yield Variant("half_close", told, _with_steps(scenario, tuple(steps)))


def _closed_early(steps: list[Step], actor: str) -> list[Step]:
    """The steps with a connection half closed as soon as all is said; as they are if blocks speak on it."""
    in_blocks = (
        line
        for number, step in enumerate(steps)
        if not isinstance(step, Line)
        for _, line in walk((number,), [step])
    )
    said = [number for number, step in enumerate(steps) if _atoms(step, frozenset({actor}))]
    if not said or any(_speaker(line) == actor for line in in_blocks):
        return steps
    last = steps[said[-1]]
    assert isinstance(last, Line)  # noqa: S101 - it says something
    if _closes(steps[said[-1] + 1 :][:1], actor):
        return steps
    rest = [step for step in steps[said[-1] + 1 :] if not _closes([step], actor)]
    closing = Line.model_construct(actor=last.actor, action=Close(close="write"))
    return [*steps[: said[-1] + 1], closing, *rest]


def _closes(steps: Sequence[Step], actor: str) -> bool:
    """Whether the first of some steps closes the connection's way there."""
    return any(
        isinstance(step, Line)
        and _speaker(step) == actor
        and isinstance(step.action, Close)
        and step.action.close == "write"
        for step in steps
    )


def _reset(scenario: Scenario, own: frozenset[str]) -> Iterator[Variant]:
    for number, line, half in _first(scenario) if own else ():
        actor = f"{HOST}.broken"
        opening = _opened(line, "broken")
        closing = Line.model_construct(actor=actor, action=Reset(reset=True))
        said = _said(Line.model_construct(actor=actor, action=line.action), half)
        # It reads the half before the RST comes, and has heard of that before the script connects.
        pause = _pause(opening, _PAUSE)
        broken = (opening, *said, pause, closing, pause)
        steps = (*scenario.steps[:number], *broken, *scenario.steps[number:])
        told = f"behind {_shown(half)}"
        yield Variant("reset", told, _with_steps(_with_host(scenario, line), steps))


def _crowd(scenario: Scenario, own: frozenset[str]) -> Iterator[Variant]:
    for number, line, half in _first(scenario) if own else ():
        actor = f"{HOST}.crowd"
        opening = _opened(line, "crowd", _CROWD)
        said = _said(Line.model_construct(actor=actor, action=line.action), half)
        closing = Line.model_construct(actor=actor, action=Close(close="both"))
        steps = (*scenario.steps[:number], opening, *said, *scenario.steps[number:], closing)
        told = f"each of them has sent {_shown(half)}"
        yield Variant("crowd", told, _with_steps(_with_host(scenario, line), steps))


def _first(scenario: Scenario) -> Iterator[tuple[int, Line, list[_Atom]]]:
    """Where the script first connects, that step, and half of what it says there first; nothing without."""
    if HOST in scenario.hosts:
        return
    for number, step in enumerate(scenario.steps):
        opening = next(filter(None, (_opening(one) for _, one in walk((number,), [step]))), None)
        if opening is None:
            continue
        line, action = opening
        actor = frozenset({f"{line.host}.{action.as_}"})
        said = (_atoms(one, actor) for _, one in walk(("steps",), scenario.steps))
        message = next((atoms for atoms in said if atoms), [])
        known = {f"${{{name}}}" for name in (NONCE, *host_variables(scenario))}
        half = message[: max(1, len(message) // 2)]
        if half and all(isinstance(atom, bytes) or atom in known for atom in half):
            yield number, line, half
        return


def _opened(line: Line, name: str, count: int | None = None) -> Line:
    """The connection of a line once more, from the other host."""
    action = line.action
    assert isinstance(action, Connect)  # noqa: S101 - it opens one
    target = action.connect.model_copy(update={"count": count, "receive_buffer": None})
    return Line.model_construct(actor=HOST, action=action.model_copy(update={"connect": target, "as_": name}))


def _with_host(scenario: Scenario, line: Line) -> Scenario:
    """The scenario with another host on a network of the one that connects, at its highest free address."""
    addresses = host_addresses(scenario)
    network = next(iter(addresses[line.host]))
    taken = {ip_address(one) for own in addresses.values() for several in own.values() for one in several}
    last = int(ip_network(scenario.networks[network].subnet).broadcast_address) - 1
    address = next(one for number in range(len(taken) + 1) if (one := ip_address(last - number)) not in taken)
    host = Host.model_validate({"addresses": {network: (str(address),)}})
    return scenario.model_copy(update={"hosts": {**scenario.hosts, HOST: host}})


_MAKERS: dict[Word, Callable[[Scenario, frozenset[str]], Iterator[Variant]]] = {
    "split": _split, "join": _join, "dribble": _dribble, "half_close": _half_close, "reset": _reset,
    "crowd": _crowd,
}  # fmt: skip
