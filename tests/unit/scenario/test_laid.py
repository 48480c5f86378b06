"""What is in the files that programs are given."""

from __future__ import annotations

import hashlib

from lab.scenario.cast import LaidFile
from lab.scenario.laid import content_of, permissions, random_bytes


def test_random_bytes_are_the_same_for_the_same_seed() -> None:
    first = random_bytes(200 * 1024, 1)
    assert hashlib.sha256(first).hexdigest() == SHA256
    assert random_bytes(100, 1) == first[:100]
    assert random_bytes(100, 2) != first[:100]
    assert random_bytes(0, 1) == b""


SHA256 = "ad5c5a7344c149e5ccca3dc35b0183c4740a5adf8fd9d68891b52af586cd03e1"


def test_a_text_has_its_variables_filled_in() -> None:
    file = LaidFile.model_validate({"text": "to ${a.address} $${a}\n"})
    assert content_of(file, None, {"a.address": "10.0.0.1"}) == b"to 10.0.0.1 ${a}\n"
    assert content_of(LaidFile.model_validate({"from": "x"}), b"taken", {}) == b"taken"


def test_a_program_may_do_what_the_first_digit_says() -> None:
    assert permissions("0644") == 0o664
    assert permissions("755") == 0o775
    assert permissions("0400") == 0o440
    assert permissions("000") == 0
