"""Options of a SYN (RFC 9293, section 3.1; RFC 7323; RFC 2018): what each end can do."""

from __future__ import annotations

from typing import NamedTuple

_END, _NONE = 0, 1
_MSS, _SCALE, _SACK_PERMITTED, _TIMESTAMPS = 2, 3, 4, 8
_SIZES = {_MSS: 4, _SCALE: 3, _SACK_PERMITTED: 2, _TIMESTAMPS: 10}


class SynOptions(NamedTuple):
    """The largest segment, the window's scale (a power of two), and what else is offered; None: not given."""

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    timestamps: bool = False


_NO_OPTIONS = SynOptions()


def syn_options(data: bytes) -> SynOptions:
    """The options behind a TCP header, as far as they can be read. Of two alike the first counts.

    >>> syn_options(bytes.fromhex("020405b4 0402 080a 00000001 00000000 01 030307"))
    SynOptions(mss=1460, window_scale=7, sack_permitted=True, timestamps=True)
    """
    if not data:
        return _NO_OPTIONS
    found: dict[int, bytes] = {}
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        if kind == _NONE:
            at += 1
            continue
        size = data[at + 1] if at + 1 < end else 0
        if kind == _END or size < 2 or at + size > end:
            break
        if size == _SIZES.get(kind):
            found.setdefault(kind, data[at + 2 : at + size])
        at += size
    mss, scale = found.get(_MSS), found.get(_SCALE)
    return SynOptions(
        None if mss is None else int.from_bytes(mss, "big"),
        None if scale is None else scale[0],
        _SACK_PERMITTED in found,
        _TIMESTAMPS in found,
    )
