"""What every part of the scenario language is made of: strict frozen models and text with a meaning.

A model may name one field as its ``short`` form: a value that is no mapping then stands for
a mapping with that field alone (``lan: 10.0.0.0/8`` for ``lan: {subnet: 10.0.0.0/8}``). The loader
and the JSON schema both read this one declaration.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lab.core.durations import DURATION, format_duration, parse_duration
from lab.core.endpoint import endpoint


class Model(BaseModel):
    """A frozen piece of a scenario; unknown keys and wrong types are refused."""

    # Built when the first scenario is read: a field may be of a family, whose members are defined later.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    heading: ClassVar[str] = ""
    """What its section in the reference is called, if it has one by itself."""

    called: ClassVar[str] = ""
    """What a file is called that holds it."""

    page: ClassVar[str] = "docs/scenario.md"
    """Where it is explained."""

    short: ClassVar[str | None] = None
    """The field that a bare value stands for, or None where only a mapping will do."""


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """Marks a list of which a single item may be written alone."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = handler(core_schema)
        return {"anyOf": [many["items"], many]}


def tag(word: str) -> str:
    """The name of one form of several; its brackets keep it apart from the keys in an error's place."""
    return f"<{word}>"


NAME = r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=40)]
"""A name of a host, network or program: lower case letters, digits, ``-`` and ``_``."""


class IsHost:
    """Marks a name that is a host's: the scenario must have it."""


HostName = Annotated[Name, IsHost()]
"""The name of a host of the scenario."""

Text = Annotated[str, StringConstraints(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{DURATION.pattern}$", "examples": ["500ms", "2s"]}),
]
"""Seconds, written with a unit."""


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number within bounds, both included; ``maximum`` None is unbounded."""

    minimum: int
    maximum: int | None

    def __contains__(self, number: int) -> bool:
        return self.minimum <= number and (self.maximum is None or number <= self.maximum)

    def __str__(self) -> str:
        if self.maximum is None:
            return f">={self.minimum}"
        if self.minimum == self.maximum:
            return str(self.minimum)
        return f"{self.minimum}..{self.maximum}" if self.minimum else f"<={self.maximum}"


_COUNT = re.compile(
    r">= ?(?P<least>\d{1,15})|<= ?(?P<most>\d{1,15})|(?P<low>\d{1,15})\.\.(?P<high>\d{1,15})", re.ASCII
)


def parse_count(value: object) -> Count:
    """``2``, ``">=1"``, ``"<=3"``, ``"1..3"`` or ``{min: 1, max: 3}``; ValueError for anything else."""
    if isinstance(value, Count):
        return value
    if isinstance(value, dict) and value.keys() <= {"min", "max"}:
        return _count_between(value.get("min"), value.get("max"))
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Count(value, value)
    found = _COUNT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a count is a number, text such as ">=1" or "1..3", or {min: 1, max: 3}')
    if found["least"]:
        return Count(int(found["least"]), None)
    if found["most"]:
        return Count(0, int(found["most"]))
    if int(found["low"]) > int(found["high"]):
        raise ValueError("the first number of a range must not be the larger one")
    return Count(int(found["low"]), int(found["high"]))


def _count_between(least: object, most: object) -> Count:
    numbers = [number for number in (least, most) if number is not None]
    if not numbers or any(not isinstance(number, int) or isinstance(number, bool) for number in numbers):
        raise ValueError("min and max of a count are whole numbers")
    minimum, maximum = int(str(least or 0)), None if most is None else int(str(most))
    if minimum < 0 or (maximum is not None and maximum < minimum):
        raise ValueError("min is at least 0, and max at least min")
    return Count(minimum, maximum)


def _count_as_written(count: Count) -> int | str:
    return count.minimum if count.minimum == count.maximum else str(count)


Counted = Annotated[
    Count,
    BeforeValidator(parse_count),
    PlainSerializer(_count_as_written, return_type=int | str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {
                    "type": "object",
                    "properties": {key: {"type": "integer", "minimum": 0} for key in ("min", "max")},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
                {
                    "type": "string",
                    "pattern": r"^(>= ?\d{1,15}|<= ?\d{1,15}|\d{1,15}\.\.\d{1,15})$",
                    "examples": [">=1"],
                },
            ]
        }
    ),
]
"""How many: a number, text such as ``">=1"``, ``"<=3"``, ``"1..3"``, or ``{min: 1, max: 3}``."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``HOST:PORT``, as the scenario writes it."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


_ENDPOINT = re.compile(rf"(?P<host>{NAME[1:-1]}):(?P<port>\d{{1,9}})", re.ASCII)


def parse_endpoint(value: object) -> Endpoint:
    """``server:19999``; ValueError for anything else."""
    if isinstance(value, Endpoint):
        return value
    found = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('an endpoint is a host and its port, as in "server:19999"')
    if not 1 <= int(found["port"]) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return Endpoint(found["host"], int(found["port"]))


HostPort = Annotated[
    Endpoint,
    BeforeValidator(parse_endpoint),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^{NAME[1:-1]}:[0-9]{{1,5}}$", "examples": ["server:19999"]}
    ),
]
"""A host of the scenario and a port on it."""

Transport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Service(Endpoint):
    """``HOST:PORT``, or ``udp:HOST:PORT``."""

    transport: Transport = "tcp"

    def __str__(self) -> str:
        return f"{_prefix(self.transport)}{self.host}:{self.port}"


def parse_service(value: object) -> Service:
    """``server:80`` or ``udp:server:53``; ValueError for anything else."""
    if isinstance(value, Service):
        return value
    transport, text = _transport_of(value)
    endpoint = parse_endpoint(text)
    return Service(endpoint.host, endpoint.port, transport)


ServiceName = Annotated[
    Service,
    BeforeValidator(parse_service),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^(udp:)?{NAME[1:-1]}:[0-9]{{1,5}}$",
            "examples": ["server:80", "udp:server:53"],
        }
    ),
]
"""A host of the scenario and a port on it, of TCP unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class AddressAndPort:
    """``10.1.2.3:80``, ``[fd00::1]:80`` or ``udp:[fd00::1]:53``."""

    address: str
    port: int
    transport: Transport = "tcp"

    def __str__(self) -> str:
        return f"{_prefix(self.transport)}{endpoint(self.address, self.port)}"


_ADDRESS_AND_PORT = re.compile(
    r"(?:\[(?P<six>[^\[\]]{1,60})\]|(?P<four>[0-9.]{7,15})):(?P<port>\d{1,5})", re.ASCII
)


def parse_destination(value: object) -> Service | AddressAndPort:
    """``server:80`` or ``[fd00::1]:80``, ``udp:`` before it or not; ValueError for anything else."""
    if isinstance(value, Service | AddressAndPort):
        return value
    transport, text = _transport_of(value)
    found = _ADDRESS_AND_PORT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return parse_service(value)
    if not 1 <= int(found["port"]) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    try:
        address = IPv6Address(found["six"]) if found["six"] else IPv4Address(found["four"])
    except ValueError:
        raise ValueError('an address and a port are written "192.168.153.128:80" or "[fd00::1]:80"') from None
    return AddressAndPort(str(address), int(found["port"]), transport)


Destination = Annotated[
    Service | AddressAndPort,
    BeforeValidator(parse_destination),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^(udp:)?({NAME[1:-1]}|\[[0-9A-Fa-f:.]+\]|[0-9.]{{7,15}}):[0-9]{{1,5}}$",
            "examples": ["server:80", "udp:server:53", "[fd00::1]:80"],
        }
    ),
]
"""A host of the scenario, or one of its addresses, and a port on it, of TCP unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class LocalPort:
    """``80``, or ``udp:53``."""

    number: int
    transport: Transport = "tcp"

    def __str__(self) -> str:
        return f"{_prefix(self.transport)}{self.number}"


def parse_local_port(value: object) -> LocalPort:
    """``80`` or ``udp:53``; ValueError for anything else."""
    if isinstance(value, LocalPort):
        return value
    transport, text = _transport_of(value)
    number = int(text) if transport == "udp" and isinstance(text, str) and _DIGITS.fullmatch(text) else text
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise ValueError('a port is a number from 1 to 65535, of UDP as in "udp:53"')
    return LocalPort(number, transport)


_DIGITS = re.compile(r"\d{1,9}", re.ASCII)


def _transport_of(value: object) -> tuple[Transport, object]:
    """The transport that a text begins with, and what follows."""
    if isinstance(value, str) and value.startswith("udp:"):
        return "udp", value.removeprefix("udp:")
    return "tcp", value


def _prefix(transport: Transport) -> str:
    return "" if transport == "tcp" else f"{transport}:"


def _port_as_written(port: LocalPort) -> int | str:
    return port.number if port.transport == "tcp" else str(port)


LocalPortNumber = Annotated[
    LocalPort,
    BeforeValidator(parse_local_port),
    PlainSerializer(_port_as_written, return_type=int | str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": "^udp:[0-9]{1,5}$", "examples": ["udp:53"]},
            ]
        }
    ),
]
"""A port of a host, of TCP unless it says otherwise."""

_SIZE = re.compile(r"(\d{1,6})([kmg])", re.ASCII)


def parse_size(text: object) -> int:
    """Bytes in ``64k``, ``256m`` or ``1g`` (powers of 1024, as Docker counts); ValueError otherwise."""
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a size is a whole number with its unit, as in 64k, 256m or 1g")
    return int(found[1]) << 10 * ("kmg".index(found[2]) + 1)


def format_size(size: int) -> str:
    """The shortest exact text that :func:`parse_size` reads back."""
    for power, unit in ((3, "g"), (2, "m"), (1, "k")):
        if size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    raise ValueError(f"{size} is no whole number of KiB")


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": rf"^{_SIZE.pattern}$", "examples": ["256m"]}),
]
"""Bytes, written with a unit."""


def parse_amount(value: object) -> int:
    """Bytes as a whole number, or as :func:`parse_size` reads them; ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        return parse_size(value)
    raise ValueError("a size is a number of bytes, or a whole number with its unit, as in 64k or 1m")


def _amount_as_written(size: int) -> int | str:
    return format_size(size) if size and size % 1024 == 0 else size


Amount = Annotated[
    int,
    BeforeValidator(parse_amount),
    PlainSerializer(_amount_as_written, return_type=int | str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": rf"^{_SIZE.pattern}$", "examples": ["200k"]},
            ]
        }
    ),
]
"""Bytes: a number, or a text with a unit."""


def written(number: float) -> Fraction:
    """The number as it is written in decimal digits."""
    return Fraction(repr(number))


_PERCENT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a number may be from another: by so much, or by so many per cent of the other."""

    amount: float
    percent: bool = False

    def of(self, near: float) -> Fraction:
        """The distance that is allowed."""
        amount = written(self.amount)
        return amount * abs(written(near)) / 100 if self.percent else amount

    def __str__(self) -> str:
        return f"{self.amount:.12g}{'%' if self.percent else ''}"


def parse_tolerance(value: object) -> Tolerance:
    """``2.5`` or ``5%``; ValueError for anything else."""
    if isinstance(value, Tolerance):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Tolerance(float(value))
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a distance is a number from 0, or a percentage as in 5%")
    return Tolerance(float(found[1]), percent=True)


def _tolerance_as_written(tolerance: Tolerance) -> float | str:
    return str(tolerance) if tolerance.percent else tolerance.amount


Within = Annotated[
    Tolerance,
    BeforeValidator(parse_tolerance),
    PlainSerializer(_tolerance_as_written, return_type=float | str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": f"^{_PERCENT.pattern}$", "examples": ["5%"]},
            ]
        }
    ),
]
"""How far from another number: a number, or a text such as ``5%`` of that."""

_PATH_PART = r"\.{0,2}[^/.\x00-\x1f\x7f][^/\x00-\x1f\x7f]*"
_PATH = re.compile(rf"{_PATH_PART}(/{_PATH_PART})*")
_LONGEST_WORK_PATH = 255


def parse_work_path(value: object) -> str:
    """A path below a program's folder, such as ``www/index.html``; ValueError for one that leads out."""
    if not isinstance(value, str) or not _PATH.fullmatch(value) or not _is_short(value):
        raise ValueError("a path begins in the program's folder and stays there: data.bin, www/index.html")
    return value


def _is_short(path: str) -> bool:
    return len(path.encode(errors="surrogatepass")) <= _LONGEST_WORK_PATH


WorkPath = Annotated[
    str,
    BeforeValidator(parse_work_path),
    WithJsonSchema({"type": "string", "pattern": rf"^{_PATH.pattern}$", "maxLength": _LONGEST_WORK_PATH}),
]
"""A file in the folder of a program."""


_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def shaped(shape: re.Pattern[str], otherwise: str) -> BeforeValidator:
    """Takes text of that shape only; of anything else it says what to write instead."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not shape.fullmatch(value):
            raise ValueError(otherwise)
        return value

    return BeforeValidator(parse)


Digest = Annotated[
    str,
    shaped(_DIGEST, "write the 64 digits that sha256sum(1) prints: 0 to 9 and a to f"),
    WithJsonSchema({"type": "string", "pattern": f"^{_DIGEST.pattern}$"}),
]
"""A SHA-256."""


def parse_bytes(value: object) -> bytes:
    """The bytes of ``hex:00ff`` or ``base64:AP8=``; ValueError for anything else."""
    if isinstance(value, str) and ":" in value:
        encoding, _, digits = value.partition(":")
        try:
            if encoding == "hex":
                return bytes.fromhex(digits)
            if encoding == "base64":
                return base64.b64decode(digits, validate=True)
        except (ValueError, binascii.Error):
            pass
    raise ValueError('bytes are written "hex:00 ff" or "base64:AP8="')


Bytes = Annotated[
    bytes,
    BeforeValidator(parse_bytes),
    PlainSerializer(lambda data: f"hex:{data.hex()}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(hex|base64):", "examples": ["hex:68 69 0a"]}),
]
"""Bytes exactly as they are to be sent."""


def own_first(model: type[Model], data: dict[str, Any]) -> dict[str, Any]:
    """The data of a model with what it inherits last: the key that a reader looks for stands first."""
    inherited = {key for base in model.__mro__[1:] if issubclass(base, Model) for key in base.model_fields}
    return dict(sorted(data.items(), key=lambda item: item[0] in inherited))


def plain(value: Model) -> Any:
    """The model as YAML or JSON would hold it, in the long form, without what is at its default."""
    return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
