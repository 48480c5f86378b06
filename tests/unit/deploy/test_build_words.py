"""The words of a failed build, with the names of the program's own files."""

from __future__ import annotations

import pytest

from lab.deploy.build_words import with_own_names


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (  # debug information: the source stands in the next line
            """\
/usr/bin/ld: /tmp/ccMZH07E.o: in function `main':
/work/chat/src/e.c:3: undefined reference to `sqrt'
/usr/bin/ld: /tmp/ccMZH07E.o:(.data.rel+0x0): undefined reference to `gone'
""",
            """\
/usr/bin/ld: src/e.c: in function `main':
src/e.c:3: undefined reference to `sqrt'
/usr/bin/ld: src/e.c:(.data.rel+0x0): undefined reference to `gone'
""",
        ),
        (  # in the same line, of two objects
            "ld: /tmp/ccy9LpvD.o:/work/chat/b.c:1: multiple definition of `x'; /tmp/ccGLbrCQ.o:a.c:2: first",
            "ld: b.c:1: multiple definition of `x'; a.c:2: first",
        ),
        (  # without debug information
            "/usr/bin/ld: /tmp/ccaq5ev4.o: in function `main':\na.c:(.text+0xa): undefined reference to `f'",
            "/usr/bin/ld: a.c: in function `main':\na.c:(.text+0xa): undefined reference to `f'",
        ),
        (  # the linker repeats its own name
            "/usr/bin/ld: /tmp/cctTzIuo.o: in function `f':\n/usr/bin/ld: /work/chat/c.cpp:4: undefined",
            "/usr/bin/ld: c.cpp: in function `f':\n/usr/bin/ld: c.cpp:4: undefined",
        ),
        (  # nothing names the source
            "/usr/bin/ld: /tmp/cc6pqrFI.o:(.data+0x0): undefined reference to `gone'",
            "/usr/bin/ld: an object file:(.data+0x0): undefined reference to `gone'",
        ),
        ("/work/chat/main.c: error; /work/chats/x", "main.c: error; /work/chats/x"),
    ],
)
def test_temporary_names_are_those_of_the_sources(said: str, told: str) -> None:
    assert with_own_names(said, "/work/chat") == told
