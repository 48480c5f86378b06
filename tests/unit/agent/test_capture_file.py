"""A capture whose file disappears."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.agent.capture import Capture


def test_a_file_that_was_there_and_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    capture = Capture.__new__(Capture)  # without tcpdump
    capture.path, capture._seen, capture._there = str(tmp_path / "c"), 0, False  # noqa: SLF001
    assert not capture._holds(b"token")  # noqa: SLF001
    (tmp_path / "c").write_bytes(b"... token ...")
    assert capture._holds(b"token")  # noqa: SLF001
    (tmp_path / "c").unlink()
    with pytest.raises(RuntimeError, match="is gone"):
        capture._holds(b"token")  # noqa: SLF001
