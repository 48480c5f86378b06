"""What is no Python module is found in a checkout; tests/docker/test_install.py looks at the wheel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.core import assets
from lab.core.errors import UsageError
from lab.engine.images import LANGUAGES, OWN
from lab.engine.images.context import digest, files_of


def test_everything_a_user_needs_is_there() -> None:
    assert (assets.IMAGES / "host" / "Dockerfile").is_file()
    assert (assets.PACKAGE / "agent" / "__main__.py").is_file()
    assert list(assets.STARTER.glob("*.yaml"))
    assert assets.SCHEMA.is_file()


@pytest.mark.parametrize("name", [*OWN, *LANGUAGES])
def test_a_context_holds_all_that_its_dockerfile_copies(name: str) -> None:
    files = files_of(name)
    dockerfile = files[f"images/{name.rpartition('/')[2]}/Dockerfile"].decode()
    copied = [
        line.split()[1].removesuffix("*.py") for line in dockerfile.splitlines() if line.startswith("COPY")
    ]
    assert copied
    for source in copied:
        assert any(file.startswith(source) for file in files)


def test_a_digest_depends_on_names_and_contents_and_nothing_else() -> None:
    assert digest({"a": b"1", "b": b"2"}) == digest({"b": b"2", "a": b"1"})
    others = [{"a": b"1"}, {"a": b"12", "b": b""}, {"a": b"2", "b": b"1"}, {"a": b"1b", "": b"2"}, {}]
    assert len({digest(files) for files in [{"a": b"1", "b": b"2"}, *others]}) == 6


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.cache_folder() == tmp_path / "tcp-lab"
    assert assets.cache_folder().is_dir()


def test_a_cache_that_cannot_be_made_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="cannot be written") as caught:
        assets.cache_folder()
    assert caught.value.where == os.fspath(tmp_path / "file" / "tcp-lab")
