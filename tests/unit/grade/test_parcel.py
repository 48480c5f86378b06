"""What travels to another machine and back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import lab
from lab.core.archive import Tree
from lab.core.assets import ASSIGNMENT_STARTER
from lab.core.errors import UsageError
from lab.grade import cluster, parcel
from lab.grade.parcel import Parcel
from lab.grade.reading import read
from lab.grade.task import Task


def test_a_parcel_needs_no_file_of_the_assignment(tmp_path: Path) -> None:
    assigned = read(ASSIGNMENT_STARTER / "assignment.yaml")
    tree = Tree((("caf\udce9.py", b"\xff\0"),), main="caf\udce9.py")
    sent = Parcel(lab.__version__, assigned, {"server": tree}, Task("ann", "digest"))
    parcel.write(sent, tmp_path / "parcel")
    assert parcel.opened(tmp_path / "parcel") == sent


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "there" / "run").mkdir(parents=True)
    (tmp_path / "there" / "run" / "capture.pcap").write_bytes(b"\0\xff")
    (tmp_path / "there" / "run" / "link").symlink_to("/etc/passwd")
    files = parcel.files_in(tmp_path / "there")
    assert files == (("run/capture.pcap", b"\0\xff"),)
    parcel.lay(files, tmp_path / "here")
    assert (tmp_path / "here" / "run" / "capture.pcap").read_bytes() == b"\0\xff"


@pytest.mark.parametrize("path", ["../out", "/root-of-all/out", "run/../../out"])
def test_no_record_leads_out_of_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="out"):
        parcel.lay(((path, b""),), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_without_the_library_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as told, cluster.connected("tcp://10.0.0.5:8786"):
        pass
    assert "tcp-lab[cluster]" in told.value.fix
