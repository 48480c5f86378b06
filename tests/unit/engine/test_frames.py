"""The engine's framing, however the bytes are cut."""

from __future__ import annotations

import pytest

from lab.engine.frames import STDERR, STDOUT, Frames


def frame(pipe: int, data: bytes) -> bytes:
    return bytes([pipe, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


STREAM = frame(STDOUT, b"hello") + frame(STDERR, b"") + frame(STDERR, b"oh" * 500) + frame(STDOUT, b"!")


def joined(pieces: list[tuple[int, bytes]]) -> dict[int, bytes]:
    both: dict[int, bytes] = {}
    for pipe, data in pieces:
        both[pipe] = both.get(pipe, b"") + data
    return both


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 10_000])
def test_pieces_of_any_size(size: int) -> None:
    frames = Frames()
    pieces = [piece for at in range(0, len(STREAM), size) for piece in frames.feed(STREAM[at : at + size])]
    assert joined(pieces) == {STDOUT: b"hello!", STDERR: b"oh" * 500}
    assert pieces[-1] == (STDOUT, b"!")


def test_a_piece_is_given_as_soon_as_it_is_there() -> None:
    frames = Frames()
    assert list(frames.feed(frame(STDOUT, b"hello")[:10])) == [(STDOUT, b"he")]


def test_nonsense_is_no_error() -> None:
    noise = bytes(number * number % 251 for number in range(100_000))
    frames = Frames()
    assert sum(len(data) for _, data in frames.feed(noise)) <= len(noise)
