"""What is in the files of programs when the script is over."""

from __future__ import annotations

import hashlib

from tests.docker.words.play import Play, Row

_DATA = "one\\ntwo\\ntwo\\n"
_SHA256 = hashlib.sha256(b"one\ntwo\ntwo\n").hexdigest()


def file() -> Play:
    def row(word: str, rest: str, wrong: str, told: str, right: str = "right") -> Row:
        return Row(f"file.{word}", f"file: {{host: a, program: '@', path: out, {rest}}}", right, wrong, told)

    def writes(data: str) -> str:
        return f"with open('out', 'w') as out: out.write('{data}')\n"

    return Play(
        "Files that programs write",
        ("a", "b"),
        {
            "right": f"open('other', 'w').close()\n{writes(_DATA)}",
            "short": writes("one\\ntwo\\n"),
            "long": writes(_DATA + "more"),
            "changed": writes("one\\nTwo\\ntwo\\n"),
            "swapped": writes("two\\ntwo\\none\\n"),
            "nothing": "open('elsewhere', 'w').close()\n",
            "link": "import os\nos.symlink('/etc/passwd', 'out')\n",
            "through": "import os\nos.symlink('/etc', 'sub')\n",
            "folder": "import os\nos.mkdir('out')\n",
            "fifo": "import os\nos.mkfifo('out')\n",
            "unix": "import socket\nsocket.socket(socket.AF_UNIX).bind('out')\n",
            "sparse": "with open('out', 'w') as out: out.truncate(60 << 20)\n",
            "grows": (
                "import os\nout = open('out', 'wb', buffering=0)\nprint('ready', flush=True)\n"
                "while True:\n    out.write(b'x' * 4096)\n    if out.tell() > 1 << 24: out.seek(0)\n"
            ),
            "late": (
                "import time\nprint('ready', flush=True)\nout = open('out', 'w')\ntime.sleep(0.5)\n"
                f"out.write('{_DATA}')\nout.close()\ninput()\n"
            ),
        },
        "".join(
            f"- a: [{{start: {name}, as: {name}}}]\n- a.{name}: {{wait: {{exited: true}}}}\n"
            for name in (
                "right", "short", "long", "changed", "swapped", "nothing", "link", "through", "folder", "fifo",
                "unix", "sparse",
            )
        )
        + "- b: [{start: right, as: good}, {start: short, as: right}]\n"
        + "- b.good: {wait: {exited: true}}\n- b.right: {wait: {exited: true}}\n"
        + "- a: [{start: grows, as: grows}]\n- a.grows: {expect: ready}\n"
        + "- a: [{start: late, as: late}]\n- a.late: {expect: ready}\n",
        (
            row("exists=true", "exists: true", "nothing", "there is no file 'out' in /work/@ of a; there are: 'elsewhere'"),
            row("exists=true", "exists: true", "link", "is a link, and none is followed"),
            row("exists=true", "exists: true", "folder", "is a folder"),
            row("exists=true", "exists: true", "fifo", "is a FIFO"),
            row("exists=true", "exists: true", "unix", "is a device or a socket"),
            row("exists=false", "exists: false", "right", "there is 'out' in /work/@ of a", right="nothing"),
            row("lines", "exists: true, lines: {two: 2}", "short", "1 line 'two'", right="late"),
            row("size", "size: 12", "short", "it has 8 bytes"),
            row("size", 'size: "<=100"', "sparse", "it has 62914560 bytes"),
            row("size", "size: {min: 1}", "link", "is a link"),
            row("sha256", f"sha256: {_SHA256}", "changed", "it has 12 bytes and SHA-256"),
            row("sha256", f"sha256: {_SHA256}", "sparse", "it has 62914560 bytes and SHA-256"),
            row("same_as.host", "same_as: {host: b, program: good, path: out}", "changed", "it differs from byte 5 on"),
            row("same_as.host", "same_as: {host: b, program: good, path: out}", "short", "it ends after 8 bytes of 12"),
            row("same_as.host", "same_as: {host: b, program: good, path: out}", "long", "it has 4 bytes more behind the 12"),
            row("same_as.host", "same_as: {host: b, program: good, path: out}", "sparse", "it differs from byte 1 on"),
                        row("contains", "contains: [one, two]", "swapped", "'two' is not there after 'one'"),
            row("lines", "lines: {two: 2}", "changed", "1 line 'two'"),
            Row(
                "file.same_as.host", _late("{host: '@', program: right, path: out}"),
                "a", "b", "it has 4 bytes more behind the 8 that are the same",
            ),
            Row("file.same_as.program", _late("{host: a, program: '@', path: out}"), "right", "fifo", "is a FIFO"),
            Row(
                "file.same_as.path", _late("{host: a, program: right, path: '@'}"),
                "out", "other", "it has 12 bytes more behind the 0",
            ),
            Row("file.host", "file: {host: '@', program: right, path: out, size: 12}", "a", "b", "it has 8 bytes"),
            row("program", "size: 12", "short", "it has 8 bytes"),
            Row("file.path", "file: {host: a, program: right, path: '@', size: 12}", "out", "other", "it has 0 bytes"),
            Row(
                "file.path", "file: {host: a, program: '@', path: sub/passwd, exists: false}",
                "right", "through", "is a link, and none is followed ('sub')",
            ),
        ),
    )  # fmt: skip


def _late(other: str) -> str:
    return f"file: {{host: a, program: late, path: out, same_as: {other}}}"
