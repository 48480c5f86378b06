"""Trees of sources, built and run in hosts: by what is in them, several programs from one, and what fails."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import pytest

from lab.core.errors import ExitCode, UsageError
from lab.evidence import record
from tests.docker.stage import CHECKOUT, Stage, assert_passed, printed, why_not_built

SERVER = """
#include "net/net.h"
int main(int argc, char **argv)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&own, sizeof own) || listen(listener, 5)) return 1;
    int peer = accept(listener, 0, 0);
    char bytes[100];
    for (ssize_t got; (got = read(peer, bytes, sizeof bytes)) > 0;) write(peer, bytes, got);
    close(peer);
    return 0;
}
"""
CLIENT = """
#include "net/net.h"
int main(int argc, char **argv)
{
    struct addrinfo *found, wanted = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(argv[1], argv[2], &wanted, &found)) return 2;
    int peer = socket(found->ai_family, SOCK_STREAM, 0);
    if (connect(peer, found->ai_addr, found->ai_addrlen)) return 3;
    write(peer, "hello\\n", 6);
    shutdown(peer, SHUT_WR);
    char bytes[100];
    ssize_t got = read(peer, bytes, sizeof bytes);
    printf("got %.*s", (int)got, bytes);
    return 0;
}
"""
HEADER = """
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
"""
MAKEFILE = """
all: bin/server bin/client
bin/%: src/%.c
\tmkdir -p bin && cc -Wall -Isrc -o $@ $<
"""
TREE = {
    "Makefile": MAKEFILE,
    "src/server.c": SERVER,
    "src/client.c": CLIENT,
    "src/net/net.h": HEADER,
    "bin/server": "\x7fELF of another machine",
}
PLAY = """
version: 1
title: Two programs of one tree
networks: {lan: 10.9.8.0/24}
programs:
  server: {SERVER, args: ["9000"], listens: 9000}
  client: {CLIENT, args: [server, "9000"]}
hosts: {server: 10.9.8.1, client: 10.9.8.2}
steps:
- server: {start: server}
- client: {start: client}
- client: {wait: {exited: true}}
- server: {wait: {exited: true}}
checks:
- output: {host: client, lines: {got hello: 1}}
- exit: {host: server, status: 0}
"""


def play(server: str, client: str = "build_of: server") -> str:
    return PLAY.replace("{SERVER", f"{{{server}").replace("{CLIENT", f"{{{client}")


def lay(stage: Stage, files: dict[str, str], folder: str = "hand") -> None:
    for name, content in files.items():
        file = stage.folder / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def packed(files: dict[str, str]) -> bytes:
    """As macOS packs a folder."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"Übung 1/{name}", content)
            archive.writestr(f"__MACOSX/Übung 1/._{Path(name).name}", "\0\5\26\7")
        archive.writestr("Übung 1/.DS_Store", "x")
    return result.getvalue()


def test_a_makefile_gives_server_and_client_from_a_folder_and_from_a_zip(stage: Stage) -> None:
    lay(stage, TREE)
    finished = stage.play(play("source: hand"))
    assert_passed(finished)
    told = finished.evidence.info.programs
    assert (told["server"].build, told["server"].because_built) == ("make", "there is a Makefile")
    assert (told["client"].run, told["client"].because_run) == (
        "./bin/client",
        "the executable with its name",
    )
    (stage.folder / "Übung.zip").write_bytes(packed(TREE))
    assert_passed(stage.play(play("source: Übung.zip")))


@pytest.mark.parametrize("wrong", ["nothing comes back", "it does not build"])
def test_a_wrong_tree_is_seen_to_fail(stage: Stage, wrong: str) -> None:
    typo = ("write(peer, bytes, got)", "0" if wrong == "nothing comes back" else "writ(peer, bytes, got)")
    lay(stage, {**TREE, "src/server.c": SERVER.replace(*typo)})
    finished = stage.play(play("source: hand"))
    if wrong == "nothing comes back":
        assert finished.verdict.results[1].outcome == "fail"
        return
    assert "undefined reference to `writ'" in why_not_built(finished)
    again = record.read(finished.record)
    assert set(again.info.not_built) == {"server", "client"}
    done = stage.lab("run", "play.yaml")
    assert done.returncode == ExitCode.FAILED
    assert "nothing was built: server and client do not build" in " ".join(done.stdout.split())
    assert "undefined reference to `writ'" in done.stdout
    checked = stage.lab("check", finished.record)
    assert (checked.returncode, checked.stderr) == (ExitCode.FAILED, "")
    assert stage.lab("run", "play.yaml", "--only", "exit of server").returncode == ExitCode.FAILED


def test_a_submission_in_the_place_of_a_program(stage: Stage) -> None:
    lay(stage, TREE)
    (stage.folder / "there").mkdir()
    (stage.folder / "there/play.yaml").write_text(play("source: none.c", "source: ../none.c"))
    good = ("--program", "server=hand", "--program", "client=hand")
    done = stage.lab("run", "there/play.yaml", *good)
    assert done.returncode == ExitCode.PASSED, done.stdout + done.stderr
    (stage.folder / "bad.zip").write_bytes(packed({**TREE, "src/server.c": "int main(void) { return 0 }\n"}))
    done = stage.lab("run", "there/play.yaml", *good[2:], "--program", "server=bad.zip", "--junit", "out.xml")
    assert done.returncode == ExitCode.FAILED
    assert "expected ‘;’ before ‘}’" in done.stdout
    assert "server does not build" in (stage.folder / "out.xml").read_text()


@pytest.mark.parametrize(
    ("file", "right", "wrong", "words"),
    [
        ("src/server.c", "while ((length = read", "if ((length = read", "✗ fail conversation"),
        ("src/server.c", "(size_t)length) < 0", "(size_t)length - 1) < 0", "✗ fail conversation"),
        pytest.param(
            "src/server.c",
            "sizeof line)) > 0)",
            "sizeof line)) >= 0)",
            "✗ fail The server ends when its client",
            marks=pytest.mark.alone,  # it takes a processor; that others took it would be a doubt
        ),
        ("src/wire.c", "length < size) {", "length < size)", "error: "),
        ("Makefile", "all: bin/server bin/client", "all:", "first target of its Makefile, `all`"),
    ],
    ids=["one line only", "no newline", "for ever", "does not compile", "makes nothing"],
)
def test_wrong_trees_in_the_place_of_a_right_one(
    stage: Stage, file: str, right: str, wrong: str, words: str
) -> None:
    hand = Path(shutil.copytree(CHECKOUT / "scenarios/programs/capitals", stage.folder / "hand"))
    source = (hand / file).read_text()
    assert source.count(right) == 1
    (hand / file).write_text(source.replace(right, wrong))
    done = stage.lab("run", CHECKOUT / "scenarios/capitals.yaml", "--program", "server=hand")
    assert done.returncode == ExitCode.FAILED
    assert words in " ".join(done.stdout.split())


def test_cmake_and_a_library_in_the_tree(stage: Stage) -> None:
    lists = (
        "cmake_minimum_required(VERSION 3.10)\nproject(hand C)\ninclude_directories(src)\n"
        "add_library(own SHARED src/own.c)\nadd_executable(server src/server.c)\n"
        "add_executable(client src/client.c)\ntarget_link_libraries(server own)\ntarget_link_libraries(client own)\n"
    )
    called = {"src/own.c": "int own(void) { return 0; }\n"} | {
        name: text.replace("return 0;", "return own();")
        for name, text in TREE.items()
        if name.endswith("t.c")
    }
    called = {name: text.replace("int main", "int own(void);\nint main") for name, text in called.items()}
    lay(
        stage,
        {
            **TREE,
            **called,
            "CMakeLists.txt": lists,
            "build/CMakeCache.txt": "CMAKE_HOME_DIRECTORY=/home/ann\n",
        },
    )
    (stage.folder / "hand/Makefile").unlink()
    assert_passed(stage.play(play("source: hand")))


def test_files_without_a_makefile_that_have_two_main_functions(stage: Stage) -> None:
    lay(stage, {name: text for name, text in TREE.items() if name.startswith("src")})
    assert_passed(stage.play(play('source: ["hand/src/*.c", hand/src/net]', "source: hand/src")))


def test_run_is_a_shell_command_and_args_stand_behind_it(stage: Stage) -> None:
    lay(stage, TREE)
    server = (
        "source: hand, build: make bin/server CFLAGS='-O2', run: 'cd bin && PORT=$(echo 9000) && ./server'"
    )
    assert_passed(stage.play(play(server, "source: hand, run: 'test -x bin/client && exec bin/client'")))


def test_signals_reach_the_program_behind_a_shell_command(stage: Stage) -> None:
    lay(
        stage,
        {
            "sub/app.py": "import sys, time\nprint('here', sys.argv[1:], flush=True)\ntime.sleep(600)\n",
            "x": "",
        },
    )
    text = (
        "version: 1\ntitle: A signal\nnetworks: {lan: 10.9.8.0/24}\nhosts: {a: 10.9.8.1}\n"
        "programs: {app: {source: hand, run: 'cd sub && B=$(cat ../x) python3 app.py one', args: [two words]}}\n"
        "steps:\n- a: {start: app}\n- a: {expect: \"here ['one', 'two words']\"}\n- a: {signal: SIGTERM}\n"
        "- a: {wait: {exited: true}}\n- a: {run: '! pgrep -x python3'}\nchecks:\n- exit: {host: a, program: app, signal: SIGTERM}\n"
    )
    assert_passed(stage.play(text))


def test_what_to_run_is_not_clear_after_the_build(stage: Stage) -> None:
    lay(stage, {**TREE, "Makefile": MAKEFILE + "\tcp $@ bin/one; mv $@ bin/two\n"})
    with pytest.raises(UsageError) as caught:
        stage.play(play("source: hand"))
    assert "several things can be run: ./bin/one, ./bin/two" in caught.value.what
    assert caught.value.fix == "say which: `run: ./bin/one`"
    lay(stage, {"Makefile": "all:\n\techo nothing to do\n"})
    (stage.folder / "hand/bin/server").unlink()
    assert "there is nothing that can be run" in why_not_built(stage.play(play("source: hand")))


def test_scripts_with_data_beside_them(stage: Stage) -> None:
    lay(stage, {"app.py": "print(open('data/größe.txt').read())\n", "data/größe.txt": "forty two"})
    text = (
        "version: 1\ntitle: A script\nnetworks: {lan: 10.9.8.0/24}\nhosts: {a: 10.9.8.1}\n"
        "programs: {app: hand}\nsteps:\n- a: {start: app}\n- a: {expect: forty two}\n"
        "checks:\n- output: {host: a, contains: forty two}\n"
    )
    assert "forty two" in printed(stage.play(text))
