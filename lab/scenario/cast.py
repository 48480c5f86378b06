"""The cast of a scenario: networks, programs and hosts."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from lab.scenario.base import (
    Amount,
    Duration,
    LocalPortNumber,
    Model,
    Name,
    OneOrMany,
    Size,
    Text,
    Transport,
    WorkPath,
    shaped,
)

MAX_SOURCE_BYTES = 16 * 1024**2
MAX_SOURCES_BYTES = 64 * 1024**2
"""Of one source file, and of all of a scenario together."""

FileName = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _as_written(paths: tuple[str, ...]) -> str | tuple[str, ...]:
    return paths[0] if len(paths) == 1 else paths


Paths = Annotated[
    tuple[FileName, ...],
    BeforeValidator(_several),
    PlainSerializer(_as_written, return_type=str | tuple[str, ...]),
    OneOrMany(),
]
"""One path, or several."""

ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
EnvName = Annotated[str, StringConstraints(pattern=ENV_NAME)]


class Network(Model):
    """A switched network of its own: no gateway, no route out, any subnet."""

    short: ClassVar[str] = "subnet"

    subnet: Annotated[
        Text, Field(description="The network and its prefix length", examples=["192.168.153.0/24"])
    ]
    ipv6: Annotated[
        Text | None, Field(description="A second, IPv6 subnet on the same wire", examples=["fd00:153::/64"])
    ] = None
    mtu: Annotated[int, Field(ge=576, le=9000, description="Largest IP packet in bytes; IPv6 needs 1280")] = (
        1500
    )


_MODE = re.compile(r"0?[0-7]{3}", re.ASCII)

Mode = Annotated[
    str,
    shaped(_MODE, 'a mode is three octal digits in quotes, as in "0644" or "755"'),
    WithJsonSchema({"type": "string", "pattern": rf"^{_MODE.pattern}$", "examples": ["0755"]}),
]
"""The permissions of a file, as chmod(1) takes them."""


class LaidFile(Model):
    """A file that is laid into a program's folder before anything is started."""

    heading: ClassVar[str] = "A file"
    short: ClassVar[str] = "text"

    text: Annotated[str | None, Field(description="What is in it, as UTF-8; variables are filled in")] = None
    from_: Annotated[
        FileName | None, Field(alias="from", description="A file of the scenario's folder, byte for byte")
    ] = None
    random: Annotated[
        Amount | None, Field(description="So many random bytes, the same for the same seed and size")
    ] = None
    seed: Annotated[int | None, Field(ge=0, description="Which random bytes; 0 unless given")] = None
    mode: Annotated[
        Mode, Field(description="Its permissions; the first digit says what the program may do with it")
    ] = "0644"

    @property
    def kinds(self) -> list[str]:
        """Which of the keys that say what is in it are given."""
        given = {"text": self.text, "from": self.from_, "random": self.random}
        return [kind for kind, value in given.items() if value is not None]


class Program(Model):
    """What a host runs: from source files, from a command its image has, or an image's own command."""

    short: ClassVar[str] = "source"

    source: Annotated[
        Paths,
        Field(
            min_length=1,
            description="A file, a folder, an archive (zip, tar, tar.gz), or files, folders and globs",
        ),
    ] = ()
    sources: Annotated[
        tuple[FileName, ...],
        Field(description="Several source files, built in one folder; the first is the main one"),
    ] = ()
    build_of: Annotated[
        Name | None, Field(description="The program whose sources and build also give this one")
    ] = None
    command: Annotated[Text | None, Field(description="A command that the host's image already has")] = None
    image: Annotated[
        Text | None,
        Field(description="The image of the host; without sources or a command its own runs, in its WORKDIR"),
    ] = None
    build: Annotated[
        Text | None,
        Field(description="How to build, as a shell command; chosen by what is there unless given"),
    ] = None
    run: Annotated[
        Text | None,
        Field(description="How to run it, as a shell command; chosen by what was built unless given"),
    ] = None
    args: Annotated[tuple[str, ...], Field(description="Arguments for every start")] = ()
    env: Annotated[dict[EnvName, str], Field(description="Environment variables for every start")] = Field(
        default_factory=dict
    )
    files: Annotated[
        dict[WorkPath, LaidFile],
        Field(description="Files in its folder, in the place of its own of that name"),
    ] = Field(default_factory=dict)
    tty: Annotated[
        bool, Field(description="On a terminal (lines, ^C, 4095 bytes a line) or, if false, on pipes")
    ] = True
    listens: Annotated[
        tuple[LocalPortNumber, ...],
        OneOrMany(),
        Field(
            description="Ports on which the program, or what came from it, listens when it is ready; of UDP "
            "with udp: before it"
        ),
    ] = ()

    def ports(self, transport: Transport) -> tuple[int, ...]:
        """The ports of a transport on which it listens when it is ready."""
        return tuple(port.number for port in self.listens if port.transport == transport)

    @property
    def paths(self) -> tuple[str, ...]:
        """What it is made of: its source files, the main one first, or where its tree lies."""
        return self.source or self.sources


class Limits(Model):
    """What a host container may use."""

    memory: Annotated[Size, Field(description="Memory, swap included")] = 256 * 1024**2
    cpus: Annotated[float, Field(gt=0.0, le=64.0, description="Processor cores")] = 1.0
    processes: Annotated[
        int,
        Field(ge=4, le=4096, description="Processes and threads"),
    ] = 128
    open_files: Annotated[int, Field(ge=16, le=65536, description="Open files a process")] = 1024
    file_size: Annotated[Size, Field(description="Largest file a program may write")] = 64 * 1024**2
    work: Annotated[Size, Field(description="Space in /work, and in each program's folder there")] = (
        64 * 1024**2
    )


class Host(Model):
    """A machine on one or more networks."""

    short: ClassVar[str] = "address"

    address: Annotated[Text | None, Field(description="Its one address", examples=["192.168.153.128"])] = None
    addresses: Annotated[
        dict[Name, Annotated[tuple[Text, ...], OneOrMany(), Field(min_length=1)]],
        Field(description="Its addresses on each network, the first one its main one"),
    ] = Field(default_factory=dict)
    image: Annotated[Text | None, Field(description="Any image; nothing is needed in it but the program")] = (
        None
    )
    limits: Annotated[Limits, Field(description="What its container may use")] = Limits()
    forward: Annotated[bool, Field(description="A router: it forwards packets between its networks")] = False
    raw: Annotated[bool, Field(description="Its programs may open raw sockets (CAP_NET_RAW)")] = False
    capture: Annotated[
        tuple[Literal["lo"], ...],
        OneOrMany(),
        Field(description="Interfaces to capture besides the switch: its own loopback"),
    ] = ()


class Timeouts(Model):
    """How long anything may take."""

    step: Annotated[Duration, Field(description="One step, unless it says otherwise with within")] = 5.0
    scenario: Annotated[Duration, Field(description="All steps together")] = 60.0
    build: Annotated[Duration, Field(description="Building one program")] = 60.0
