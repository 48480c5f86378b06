"""The blocks of a pcapng (draft-ietf-opsawg-pcapng, section 4), little-endian, with times in nanoseconds."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address

from lab import __version__
from lab.core.escape import escape

_SECTION, _INTERFACE, _NAMES, _PACKET = 0x0A0D0D0A, 1, 4, 6
_COMMENT = 1
_APPLICATION = 4
_NAME, _RESOLUTION = 2, 9
_FLAGS = 2
INBOUND, OUTBOUND = 1, 2
_IPV4, _IPV6 = 1, 2
"""Records of a name resolution block: nrb_record_ipv4, nrb_record_ipv6."""

_NANOSECONDS = b"\x09"
"""if_tsresol: times count 10 to the power of -9 seconds."""

_LONGEST_COMMENT = 4096
"""Bytes of a comment; an option has room for 65535."""


def section(comment: str) -> bytes:
    """The head of the file: its byte order, version 1.0, a length that is not told, and what it is of."""
    fixed = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(_SECTION, fixed, _text(_COMMENT, comment) + _text(_APPLICATION, f"tcp-lab {__version__}"))


def interface(name: str, link: int) -> bytes:
    """An interface; they are numbered from 0 in the order of their blocks."""
    options = _text(_NAME, name) + _option(_RESOLUTION, _NANOSECONDS)
    return _block(_INTERFACE, struct.pack("<HHI", link, 0, 0), options)


def names(hosts: Mapping[str, str]) -> bytes:
    """What each address is called."""
    records = [_record(address, host) for address, host in hosts.items()]
    return _block(_NAMES, b"".join([*records, bytes(4)]), b"")


def _record(address: str, host: str) -> bytes:
    parsed = ip_address(address)
    kind = _IPV4 if isinstance(parsed, IPv4Address) else _IPV6
    return _option(kind, parsed.packed + escape(host).encode() + b"\0")


def packet(
    number: int, time: int, data: bytes, wire: int, *, direction: int = 0, comments: Iterable[str] = ()
) -> bytes:
    """A frame at an interface; ``wire`` is its length there, of which ``data`` was kept."""
    fixed = struct.pack("<IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), wire)
    options = b"".join(_text(_COMMENT, comment) for comment in comments)
    if direction:
        options += _option(_FLAGS, struct.pack("<I", direction))
    return _block(_PACKET, fixed + _padded(data), options)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    """A block: its kind and length, the body, the options and their end, and the length again."""
    if options:
        options += struct.pack("<HH", 0, 0)
    length = 12 + len(body) + len(options)
    return struct.pack("<II", kind, length) + body + options + struct.pack("<I", length)


def _text(code: int, text: str) -> bytes:
    """An option that holds text of any origin, made harmless; nothing for none."""
    data = escape(text).encode()[:_LONGEST_COMMENT].decode(errors="ignore").encode()
    return _option(code, data) if data else b""


def _option(code: int, data: bytes) -> bytes:
    return struct.pack("<HH", code, len(data)) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
