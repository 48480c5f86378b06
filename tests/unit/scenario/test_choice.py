"""How a tree is built and run where the scenario does not say it."""

from __future__ import annotations

import re
import shlex
import time
from typing import Any

import pytest

from lab.core.archive import Tree
from lab.scenario.cast import Program
from lab.scenario.choice import UnclearError, makes_no_program, run_of_tree
from lab.scenario.programs import Recipe, recipe
from lab.scenario.shell import run_words

C_MAIN = b"#include <stdio.h>\nint main(int argc, char **argv)\n{ return 0; }\n"
JAVA_MAIN = b"package chat.net;\npublic class X { public static void main(String[] args) {} }\n"


def tree(*files: str) -> Tree:
    known = {".c": C_MAIN, ".cpp": C_MAIN, ".java": JAVA_MAIN}
    return Tree(tuple((name, known.get(name[name.rfind(".") :], b"")) for name in files))


def chosen(name: str, *files: str, **program: Any) -> Recipe:
    return recipe(name, Program(source=("hand",), **program), tree(*files))


@pytest.mark.parametrize(
    ("files", "build", "because", "language"),
    [
        (("Makefile", "a.c", "go.mod"), "make", "there is a Makefile", "go"),
        (("go.mod", "Cargo.toml", "main.go"), "go build -o bin/ ./...", "there is a go.mod", "go"),
        (("Cargo.toml", "src/main.rs"), "cargo build --offline", "there is a Cargo.toml", "rust"),
        (("CMakeLists.txt", "a.cpp"), "cmake ", "there is a CMakeLists.txt", ""),
        (("CMakeLists.txt", "src/A.java"), "find . -name '*.java' ", "there are Java sources", "java"),
        (("A.java", "lib/gson.jar"), "-cp 'classes:lib/*' -d classes", "there are Java sources", "java"),
        (("src/server.c", "src/x.h"), "gcc .* -o p src/server.c -lm$", "by the ending of its sources", ""),
        (("p/server.c",), "gcc .* -o p.out p/server.c -lm$", "by the ending of its sources", ""),
        (("p.cpp", "it's.cc"), r"""g\+\+ .* -o p p.cpp 'it'"'"'s.cc'$""", "by the ending of its sources", ""),
        (("a.cpp", "b.CC"), r"g\+\+ .* a.cpp -x c\+\+ b.CC -x none$", "by the ending of its sources", ""),
        (("main.go", "util.go", "util_test.go"), "go build -o p main.go util.go$", "by the ending of its sources", "go"),
    ],
)  # fmt: skip
def test_what_builds_a_tree(files: tuple[str, ...], build: str, because: str, language: str) -> None:
    found = chosen("p", *files)
    assert found.build is not None
    assert build in found.build or re.search(build, found.build)
    assert found.because == (because, "")
    assert found.argv is None
    assert found.language == language


def test_the_scenario_has_the_first_word() -> None:
    found = chosen("p", "Makefile", build="make -C src", run="bin/p > log")
    assert found.build == "make -C src"
    assert found.argv == ("sh", "-c", 'exec bin/p > log "$@"', "sh")
    assert found.because == ("`build:`", "`run:`")


def test_of_several_files_with_main_that_with_the_programs_name() -> None:
    files = ("server.c", "client.c", "Chat_Server.c")
    with_common = Tree((*tree(*files).files, ("common.c", b"int helper(void) { return main_of(1); }\n")))
    found = recipe("chat-server", Program(source=("hand",)), with_common)
    assert found.build is not None
    assert found.build.endswith("-o chat-server Chat_Server.c common.c -lm")
    with pytest.raises(
        UnclearError, match=r"3 files have a main function: server.c, client.c, Chat_Server.c"
    ):
        chosen("proxy", *files)


def test_c_beside_cpp_stays_c() -> None:
    mixed = Tree((("a.cpp", C_MAIN), ("b.c", b"")))
    found = recipe("p", Program(source=("hand",)), mixed)
    assert found.build is not None
    assert found.build.endswith("-o p a.cpp -x c b.c -x none")


@pytest.mark.parametrize(
    ("made", "argv", "because"),
    [
        (("bin/tool",), ("./bin/tool",), "the one executable there"),
        (("bin/Server", "bin/client"), ("./bin/Server",), "the executable with its name"),
        (("server", "old/server"), ("./server",), "the executable with its name"),
        (("libx.so.1", "build/CMakeFiles/3.1/a.out", "target/debug/deps/x-1f", "x"), ("./x",), "the one executable there"),
        ((), ("sh", "run.sh"), "the one script there"),
    ],
)  # fmt: skip
def test_what_is_run_of_what_was_built(made: tuple[str, ...], argv: tuple[str, ...], because: str) -> None:
    assert run_of_tree("server", tree("Makefile", "run.sh"), made) == (argv, because)


def test_the_class_with_a_main_method() -> None:
    sources = Tree(
        (
            ("src/chat/net/X.java", JAVA_MAIN),
            ("src/Y.java", b"class Y { void main() {} }"),
            ("lib/a.jar", b""),
        )
    )
    argv, because = run_of_tree("p", sources, ("classes/chat/net/X.class", "classes/Y.class"))
    assert argv == ("java", "-cp", "classes:lib/*", "chat.net.X")
    assert because == "the one class with a main method there"


@pytest.mark.parametrize(
    ("files", "argv"),
    [
        (("server.py", "client.py"), ("python3", "server.py")),
        (("src/Server.py", "old/deep/server.py"), ("python3", "src/Server.py")),
        (("main.js", "package.json"), ("node", "main.js")),
        (("it's.py",), ("python3", "it's.py")),
    ],
)
def test_scripts(files: tuple[str, ...], argv: tuple[str, ...]) -> None:
    found = chosen("server", *files)
    assert (found.build, found.argv) == (None, argv)


def test_what_is_not_clear_is_told_with_its_cure() -> None:
    with pytest.raises(UnclearError) as caught:
        run_of_tree("p", tree(), ("bin/server", "bin/client"))
    assert caught.value.what == "several things can be run: ./bin/server, ./bin/client"
    assert caught.value.fix == "say which: `run: ./bin/server`"
    assert not caught.value.nothing
    with pytest.raises(UnclearError) as caught:
        chosen("p", "README.md")
    assert caught.value.nothing


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("./a --loud 'two words'", ("./a", "--loud", "two words")),
        ("python3 -m chat ${server.address}", ("python3", "-m", "chat", "${server.address}")),
        ("echo $${HOME}", ("echo", "$${HOME}")),
        ("./a '$HOME; *'", ("./a", "$HOME; *")),
        ("./a \\; b", ("./a", ";", "b")),
        ("cd build && ./a", ("sh", "-c", 'cd build && exec ./a "$@"', "sh")),
        ("cd a; B='c && d' ./a > e", ("sh", "-c", "cd a; B='c && d' exec ./a > e \"$@\"", "sh")),
        ("LANG=C ./a", ("sh", "-c", 'LANG=C exec ./a "$@"', "sh")),
        ("./a $HOME", ("sh", "-c", 'exec ./a $HOME "$@"', "sh")),
        ('./a "$HOME"', ("sh", "-c", 'exec ./a "$HOME" "$@"', "sh")),
        ("./a $(cat b; ls) ~", ("sh", "-c", 'exec ./a $(cat b; ls) ~ "$@"', "sh")),
        ("./a ~ ${a.address}", ("sh", "-c", 'exec ./a ~ ${a.address} "$@"', "sh")),
        ("./a $(cat b)", ("sh", "-c", 'exec ./a $(cat b) "$@"', "sh")),
        ("(cd b && ./a)", ("sh", "-c", "(cd b && ./a)", "sh")),
        ("./a | tee b", ("sh", "-c", './a | tee b "$@"', "sh")),
        ("./a & ./b", ("sh", "-c", './a & ./b "$@"', "sh")),
        ("./a; exit 3", ("sh", "-c", './a; exit 3 "$@"', "sh")),
        ("./a || ./b", ("sh", "-c", './a || ./b "$@"', "sh")),
        ("cd a && exec ./b", ("sh", "-c", 'cd a && exec ./b "$@"', "sh")),
        ("for i in 1 2; do ./a; done", ("sh", "-c", "for i in 1 2; do ./a; done", "sh")),
        ("./a --level=3", ("./a", "--level=3")),
    ],
)
def test_run_is_a_shell_command(command: str, words: tuple[str, ...]) -> None:
    assert run_words(command) == words


@pytest.mark.parametrize(
    ("makefile", "build", "target"),
    [
        (b"CC := gcc\n.PHONY: help\nhelp:\n\techo\nall: server\n", "make", "help"),
        (b"help:\n", "make all", ""),
        (b"# nothing\nX ::= 1\n", "make", ""),
        (None, "make", ""),
    ],
)
def test_the_first_target_of_a_makefile_that_makes_no_program(
    makefile: bytes | None, build: str, target: str
) -> None:
    files = (("Makefile", makefile),) if makefile is not None else ()
    told = makes_no_program(build, Tree((*files, ("a.c", b"")), main=""))
    assert (f"first target of its Makefile, `{target}`," in told) if target else told == ""


def test_hostile_sources_take_no_time() -> None:
    began = time.process_time()
    for name, content in (
        ("a.c", b"\n" * 10**7), ("a.rs", b"\n" * 10**7), ("A.java", b"package " * 10**6), ("a.go", b"func " * 10**6),
        ("a.c", b"int " * 10**6), ("A.java", b"static final " * 10**6), ("b.c", (b"int" + b"\t\n" * 1000) * 1000),
    ):  # fmt: skip
        files = ((name, content), (f"x{name}", content))
        recipe("p", Program(source=("hand",)), Tree((*files, ("p.py", b"")), main=""))
    assert time.process_time() - began < 60


def test_a_file_name_is_no_shell_command() -> None:
    found = chosen("p", "a b; ls.c")
    assert found.build is not None
    assert shlex.split(found.build)[-2] == "a b; ls.c"
