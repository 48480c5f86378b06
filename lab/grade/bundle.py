"""What Gradescope's autograder is made of: a zip that sends submissions to a machine that can play them.

A container of Gradescope cannot start containers. So it sends what was handed in by ssh to a machine of the
course, which has the same files and whose engine plays the assignment.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from lab.core.archive import Tree
from lab.core.errors import UsageError, unless_full
from lab.grade.reading import Assigned, read
from lab.scenario.loader import load

ASSIGNMENT = "assignment"
"""The folder of the assignment in the zip."""

_NAME = "assignment.yaml"
_STAND_IN = Tree((("stand-in-of-what-is-handed-in.py", b""),), main="stand-in-of-what-is-handed-in.py")
_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.:-]*")
_EXECUTABLE, _PLAIN = 0o755, 0o644

SETUP = """\
#!/bin/sh
# Gradescope starts this once, when it makes the autograder's image.
set -eu
apt-get update
apt-get install -y --no-install-recommends openssh-client
"""

RUN_AUTOGRADER = """\
#!/bin/sh
# Gradescope starts this for each submission. It sends the submission to the course's machine and gets
# results.json from there. Without an answer it writes nothing; Gradescope says that the autograder failed.
set -u
top=${AUTOGRADER:-/autograder}
results=$top/results/results.json
chmod 600 "$top/source/key"
tar -C "$top/submission" -cf - . |
    ssh -T -i "$top/source/key" -o BatchMode=yes -o IdentitiesOnly=yes \\
        -o UserKnownHostsFile="$top/source/known_hosts" RUNNER >"$results.part"
if [ $? -eq 0 ] && [ -s "$results.part" ]; then
    mv "$results.part" "$results"
else
    rm -f "$results.part"
    echo "The machine that grades did not answer. Your points are not touched: ask the course's staff." >&2
    exit 1
fi
"""

GRADE_ONE = """\
#!/bin/sh
# Grades the submission whose tar comes on standard input; results.json goes to standard output. The course's
# machine has it as the only command of the autograder's key, in ~/.ssh/authorized_keys:
#   restrict,command="/where/this/is/grade-one" ssh-ed25519 AAAA...
set -eu
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/class/submission"
head -c 200000000 | tar -C "$work/class/submission" --no-same-owner --no-same-permissions -xf -
# Exit code 3 says that a person has to look at it: results.json says so, too.
${LAB:-lab} grade "$here/assignment/assignment.yaml" "$work/class" --format gradescope --jobs 1 \\
    --out "$work/out" >&2 || [ $? -eq 3 ]
cat "$work"/out/gradescope/*.json
"""


def write(assigned: Assigned, runner: str, target: Path) -> list[str]:
    """Write the zip as a new file: the scripts, and the assignment with all that it plays; the names in it.

    Raises:
        UsageError: the address is none, the file is there, or the assignment plays something else there.
        DiskFullError: there is no room.
    """
    if not _ADDRESS.fullmatch(runner):
        what, fix = (
            f'"{runner}" is no address',
            "write the user and the host: --runner grader@lab.example.org",
        )
        raise UsageError("runner", what, where="--runner", fix=fix)
    scripts = {
        "setup.sh": SETUP,
        "run_autograder": RUN_AUTOGRADER.replace("RUNNER", runner),
        "grade-one": GRADE_ONE,
    }
    try:
        files = _files(assigned)
        _require_same(assigned, files)
        with target.open("xb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in scripts.items():
                _put(archive, name, text.encode(), _EXECUTABLE)
            for name, content in sorted(files.items()):
                _put(archive, f"{ASSIGNMENT}/{name}", content, _PLAIN)
            return archive.namelist()
    except OSError as error:
        what = f"the zip cannot be written: {error.strerror}"
        refusal = UsageError("bundle", what, where=str(target), fix="name a file that is not there yet")
        raise unless_full(error, refusal) from error


def _files(assigned: Assigned) -> dict[str, bytes]:
    """The assignment, its scenarios and what these read, by their paths from the assignment's folder on."""
    found = {_NAME: assigned.file.read_bytes()}
    for one in assigned.played:
        found[one.case.file] = one.file.read_bytes()
        folder = PurePosixPath(one.case.file).parent
        read_there = load(one.file, dict.fromkeys(one.brought, _STAND_IN)).sources
        found |= {
            str(folder / path): content for path, content in read_there.items() if path != _STAND_IN.main
        }
    return found


def _require_same(assigned: Assigned, files: Mapping[str, bytes]) -> None:
    """UsageError if what is in the zip plays something else: a link in a folder of sources, for one."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            place = Path(folder) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        same = read(Path(folder) / _NAME).digest == assigned.digest
    if not same:
        what, fix = (
            "files alone do not make up the assignment",
            "replace links and empty folders in its programs",
        )
        raise UsageError("bundle", what, where=str(assigned.file), fix=fix)


def _put(archive: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    archive.writestr(info, content)
