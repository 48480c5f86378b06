"""``${name}`` in texts of a scenario: what it stands for, and what it may be called.

``$${`` is a literal ``${``. A ``$`` that no brace follows is a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from lab.core.errors import LabError
from lab.scenario import Scenario
from lab.scenario.addresses import host_addresses

NONCE = "nonce"
COUNTER = "i"
RESERVED = (NONCE, COUNTER)
"""Names that no captured group may have: a text of its own for each run, and the count of a ``repeat``."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[^}]*)(?P<end>\}|$)")


class VariableError(LabError):
    """A text refers to a variable that has no value at this moment."""


def references(text: str) -> tuple[str, ...]:
    """The names that a text refers to, in order, each once."""
    names = (found["name"] for found in _REFERENCE.finditer(text))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def parts(text: str) -> Iterator[tuple[str, bool]]:
    """What a text is made of: text as it is read, and references as they are written; which each is."""
    place = 0
    for found in _REFERENCE.finditer(text):
        literal = text[place : found.start()] + ("" if found["name"] is not None else "${")
        if literal:
            yield literal, False
        if found["name"] is not None:
            yield found[0], True
        place = found.end()
    if text[place:]:
        yield text[place:], False


def is_unclosed(text: str) -> bool:
    """Whether a ``${`` is never closed."""
    return any(found["end"] == "" for found in _REFERENCE.finditer(text))


def blanked(text: str) -> str:
    """The text with a letter in place of every reference: its form, whatever the values."""
    return _REFERENCE.sub(lambda found: "x" if found["name"] is not None else "${", text)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """The text with every ``${name}`` replaced; what is put in is not looked through again.

    Raises VariableError for a name without a value.
    """

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return "${"
        if name not in values or not found["end"]:
            fix = f"variables with a value here: {', '.join(sorted(values))}"
            raise VariableError("unknown-variable", f'"${{{name}}}" has no value', fix=fix)
        return values[name]

    return _REFERENCE.sub(value, text)


def host_variables(scenario: Scenario) -> dict[str, str]:
    """The address variables of every host."""
    given = host_addresses(scenario).items()
    return {name: value for host, networks in given for name, value in address_variables(host, networks)}


def address_variables(host: str, networks: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    """A host's variables with their values.

    ``server.address`` is its main address, ``server.address.lan`` its first on a network; ``address6``
    instead of ``address`` is the first of IPv6.
    """
    values: dict[str, str] = {}
    for network, addresses in networks.items():
        for address in addresses:
            for kind in ("address", "address6") if ip_address(address).version == 6 else ("address",):
                values.setdefault(f"{host}.{kind}", address)
                values.setdefault(f"{host}.{kind}.{network}", address)
    yield from values.items()
