"""Hosts and programs from images that are not the lab's, down to one that holds a single file."""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.core.archive import Tree, archive
from lab.core.assets import HOST_IMAGE
from lab.deploy import build as building
from lab.deploy.build import built
from lab.engine import Engine, images
from lab.engine import image as engine_images
from lab.engine.containers import ours, remove, start
from lab.engine.image import Build
from lab.engine.labels import Labels, Owner
from lab.evidence.transcript import Started
from lab.scenario.programs import Recipe
from tests.docker.stage import Stage, assert_passed, why_not_built

PROGRAM = b"""
#include <filesystem>
#include <iostream>
#include <string>
int main(int argc, char* argv[]) {
    std::cout << "hello from " << argv[0] << ' ' << (argc > 1 ? argv[1] : "nobody") << std::endl;
    std::cout << "in " << std::filesystem::current_path().string() << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << "heard " << line << std::endl;
}
"""


@pytest.fixture
def bare_image(engine: Engine, own_images: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """An image with one file: a static program. It has no shell, no library, and no folder but /."""
    run_id = f"test-{secrets.token_hex(4)}"
    labels = Labels(run_id, "", "", "", "", "build", Owner.this_process(), 0)
    recipe = Recipe("p", Tree((("p.cpp", PROGRAM),)), "g++ -static -O1 -o p p.cpp", ("./p",))
    packed = built(engine, recipe, [own_images["tcp-lab/host"]], labels, seconds=60, say=print)
    remove(engine, [one.id for one in ours(engine, run_id)])
    root, name = tmp_path / "root.tar", f"tcp-lab-test/bare:{run_id}"
    with tarfile.open(fileobj=io.BytesIO(packed)) as made, tarfile.open(root, "w") as tar:
        tar.addfile(made.getmember("p/p"), made.extractfile("p/p"))
    engine_images.load_root(engine, name, root, ["WORKDIR /p", 'CMD ["/p/p", "the image itself"]'])
    yield name
    engine_images.remove(engine, name)


def test_a_host_from_an_image_with_a_single_file(stage: Stage, bare_image: str) -> None:
    text = f"""
version: 1
title: Whatever image there is
networks: {{lan: 10.9.8.0/24}}
hosts:
  bare: {{address: 10.9.8.1, image: {bare_image}}}
  by_program: 10.9.8.2
programs:
  command: {{command: /p/p a-command}}
  own: {{image: {bare_image}}}
  tool: {{command: cat /etc/hosts}}
steps:
- bare: {{start: command}}
- bare: {{expect: {{line: "hello from /p/p a-command"}}}}
- bare: {{expect: {{line: in /work}}}}
- bare: {{send: hi}}
- bare: {{expect: {{line: heard hi}}}}
- bare: {{start: tool, as: tool}}
- bare.tool: {{expect: by_program}}
- bare: {{run: "echo the lab brings a shell"}}
- by_program: {{start: own}}
- by_program: {{expect: {{line: "hello from /p/p the image itself"}}}}
- by_program: {{expect: {{line: in /p}}}}
- by_program: {{key: ctrl-d}}
- by_program: {{wait: {{exited: true}}}}
checks:
- exit: {{host: by_program, status: 0}}
- exit: {{host: bare, program: command, running: true}}
"""
    finished = stage.play(text)
    assert_passed(finished)
    events = finished.evidence.transcript.events
    commands = [event.command for event in events if isinstance(event, Started)]
    assert commands[-1] == "/p/p the image itself"


def test_a_compiled_program_is_brought_into_a_bare_image(
    stage: Stage, bare_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"""
version: 1
title: A student's program where there is nothing
networks: {{lan: 10.9.8.0/24}}
hosts: {{bare: {{address: 10.9.8.1, image: {bare_image}}}}}
programs: {{p: {{source: p.cpp, build: g++ -static -O1 -o p p.cpp}}}}
steps:
- bare: {{start: p, args: [a student]}}
- bare: {{expect: {{line: "hello from ./p a student"}}}}
checks:
- exit: {{host: bare, running: true}}
"""
    assert_passed(stage.play(text, {"p.cpp": PROGRAM.decode()}))

    def start_and_wait(engine: Engine, container: str) -> None:
        start(engine, container)
        for _ in range(10):  # one with nothing in it ends at once; the lab's own does not
            if not engine.client.containers(filters={"id": container}):
                return
            time.sleep(0.1)

    monkeypatch.setattr(building, "start", start_and_wait)
    assert_passed(
        stage.play(text.replace("-O1", f"-O1 -DBUILT={time.time_ns()}"), {"p.cpp": PROGRAM.decode()})
    )


@pytest.fixture
def made_image(engine: Engine, own_images: dict[str, str]) -> Iterator[Callable[[str], str]]:
    """Makes images from Dockerfiles, with ``HOST`` and ``SIDECAR`` for the lab's own; they go after the test."""
    made: list[str] = []

    def make(dockerfile: str) -> str:
        name = f"tcp-lab-test/made:{secrets.token_hex(4)}"
        for word, image in (("HOST", HOST_IMAGE), ("SIDECAR", images.SIDECAR)):
            dockerfile = dockerfile.replace(word, own_images[image])
        context = archive((("Dockerfile", dockerfile.encode()),))
        engine_images.build(engine, Build(name, context, "Dockerfile", {}, {}), print)
        made.append(name)
        return name

    yield make
    for name in made:
        engine_images.remove(engine, name)


OWN_LIBRARY = """
version: 1
title: A library that only an image of one's own has
networks: {{lan: 10.9.8.0/24}}
hosts: {{a: {host}}}
programs: {{p: {program}}}
steps:
- a: {{start: p}}
- a: {{expect: {{line: "forty two"}}}}
checks:
- exit: {{host: a, status: 0}}
"""


@pytest.mark.parametrize("of", ["host", "program"])
def test_a_program_is_built_in_the_image_that_runs_it(
    stage: Stage, made_image: Callable[[str], str], of: str
) -> None:
    image = made_image("FROM HOST\nRUN echo '#define OWN \"forty two\"' > /usr/local/include/own.h\n")
    in_host, in_program = (f", image: {image}", "") if of == "host" else ("", f", image: {image}")
    text = OWN_LIBRARY.format(host=f"{{address: 10.9.8.1{in_host}}}", program=f"{{source: p.c{in_program}}}")
    program = "#include <own.h>\n#include <stdio.h>\nint main(void) { puts(OWN); return 0; }\n"
    assert_passed(stage.play(text, {"p.c": program}))
    elsewhere = OWN_LIBRARY.format(host="10.9.8.1", program="p.c")
    assert "own.h: No such file" in why_not_built(stage.play(elsewhere, {"p.c": program}))


def test_an_image_with_nothing_but_busybox_builds_what_it_can(
    stage: Stage, made_image: Callable[[str], str]
) -> None:
    busybox = made_image(
        "FROM SIDECAR AS tools\nFROM scratch\nCOPY --from=tools /bin/busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
    )
    host = f"{{address: 10.9.8.1, image: {busybox}}}"
    build = "sed s/WORDS/two/ p.sh > q.sh && ls -l /bin/sh | grep -q busybox"
    text = OWN_LIBRARY.format(host=host, program=f"{{source: p.sh, build: '{build}', run: sh q.sh}}")
    assert_passed(stage.play(text, {"p.sh": f"# {time.time_ns()}\necho forty WORDS\n"}))
    slow = text.replace(build, "sleep 60").replace("version: 1", "version: 1\ntimeouts: {build: 1s}")
    assert "it takes longer than 1 s" in why_not_built(stage.play(slow, {"p.sh": ""}))
    compiled = OWN_LIBRARY.format(host=host, program="{source: p.c, build: gcc -static -o p p.c}")
    program = '#include <stdio.h>\nint main(void) { puts("forty two"); return 0; }\n'
    assert_passed(stage.play(compiled, {"p.c": program}))
