from __future__ import annotations

import json
import random
import re
import shutil
import time
from pathlib import Path

import pytest

from lab.core.archive import Tree
from lab.core.errors import LabError, ScenarioError, SourceRef, UsageError
from lab.scenario.base import plain
from lab.scenario.loader import Loaded, dump, load, with_trees
from lab.scenario.loader.loader import MAX_PROBLEMS
from lab.scenario.loader.syntax import MAX_BYTES
from lab.scenario.steps import Line
from lab.steps.actions.start import Start

CHECKOUT = Path(__file__).parents[3]
SCENARIOS = sorted(file for file in CHECKOUT.glob("scenarios/**/*.yaml") if file.name != "assignment.yaml")

BASE = """\
version: 1
title: A client says hello
networks: {lan: 10.1.2.0/24}
programs:
  server: {command: serve, listens: 8080}
  client: {command: talk, args: ["${server.address}"]}
hosts: {server: 10.1.2.1, client: 10.1.2.2}
steps:
- server: {start: server}
- client:
  - {start: client}
  - {expect: {regex: "name (?P<name>.+)"}}
- together:
  - client: {send: "I am ${name}"}
  - - server: {expect: "I am ${name}"}
    - repeat:
        times: 3
        steps:
        - client: {run: "echo ${i}", expect: "${i}"}
finally:
- client: {key: ctrl-c}
checks:
- connection: {from: client, to: "server:8080"}
  close: orderly
  rst: none
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "scenario.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def loaded(folder: Path, text: str) -> Loaded:
    return load(written(folder, text))


def codes(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(written(folder, text))
    return [problem.code for problem in caught.value.problems]


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_loads_every_scenario(file: Path) -> None:
    found = load(file)
    assert found.file == file
    assert found.folder == file.parent
    assert found.lines


def test_short_forms_stand_for_long_ones(tmp_path: Path) -> None:
    data = plain(loaded(tmp_path, BASE).scenario)
    assert data["networks"] == {"lan": {"subnet": "10.1.2.0/24"}}
    assert data["hosts"]["client"] == {"address": "10.1.2.2"}
    assert data["programs"]["server"]["listens"] == [8080]
    assert data["steps"][2] == {"client": {"expect": {"regex": "name (?P<name>.+)"}}}
    assert data["checks"][0]["close"] == {"kind": ["orderly"]}


def test_whom_a_reset_is_from(tmp_path: Path) -> None:
    data = plain(loaded(tmp_path, BASE.replace("rst: none", "rst: server")).scenario)
    assert data["checks"][0]["rst"] == {"by": "server"}


def test_steps_are_numbered_with_their_places(tmp_path: Path) -> None:
    lines = {number: (ref.line, ref.column) for number, ref in loaded(tmp_path, BASE).lines.items()}
    assert lines == {
        "1": (9, 3),
        "2": (11, 5),
        "3": (12, 5),
        "4": (13, 3),
        "4.1.1": (14, 5),
        "4.2.1": (15, 7),
        "4.2.2": (16, 7),
        "4.2.2.1": (19, 11),
        "finally.1": (21, 3),
    }


def test_json_is_read_too(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, BASE).scenario
    assert loaded(tmp_path, json.dumps(plain(scenario))).scenario == scenario


def test_line_ends_and_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, BASE).scenario
    other = written(tmp_path, b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert load(other).scenario == scenario


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path / name)
    assert str(tmp_path) in caught.value.what


def test_a_file_that_is_too_big(tmp_path: Path) -> None:
    assert codes(tmp_path, BASE + "#" * MAX_BYTES) == ["too-big"]


def test_problems_come_all_at_once_in_order(tmp_path: Path) -> None:
    text = (
        BASE.replace("title:", "titel:")
        .replace("10.1.2.2", "10.1.3.2")
        .replace("{key: ctrl-c}", "{kye: ctrl-c}")
    )
    assert codes(tmp_path, text) == ["missing-key", "unknown-key", "unknown-action"]
    text = BASE.replace("10.1.2.2", "10.1.3.2").replace("{key: ctrl-c}", "{kye: ctrl-c}")
    assert codes(tmp_path, text) == ["outside-subnet", "unknown-action"]


def test_a_faulty_step_is_not_missed_by_others(tmp_path: Path) -> None:
    """What a faulty step would have started or captured is no further problem."""
    assert codes(tmp_path, BASE.replace("{start: client}", "{strat: client}")) == ["unknown-action"]
    assert codes(tmp_path, BASE.replace("{regex: ", "{rgex: ")) == ["unknown-key"]


def test_very_many_problems_are_cut_short(tmp_path: Path) -> None:
    many = "".join(f"- client: {{sned: {number}}}\n" for number in range(3 * MAX_PROBLEMS))
    found = codes(tmp_path, BASE.replace("finally:\n", f"{many}finally:\n"))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == "too-many"


def test_a_message_does_not_steer_the_terminal(tmp_path: Path) -> None:
    text = BASE.replace("10.1.2.2", r'"\e[31mred\u202e"')
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, text))
    assert r"␛[31mred\u202e" in str(caught.value)


def test_a_message_is_of_sensible_length(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, BASE.replace("10.1.2.2", "1" * 100_000 + ".5")))
    assert len(str(caught.value)) < 2000


def test_a_source_that_is_too_large_or_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "secret.cpp").write_text("secret")
    (folder / "link.cpp").symlink_to(tmp_path / "secret.cpp")
    (folder / "circle.cpp").symlink_to(folder / "circle.cpp")
    with (folder / "large.cpp").open("wb") as large:
        large.truncate(17 * 1024**2)
    text = BASE.replace("{command: talk, ", "{source: NAME, ")
    assert codes(folder, text.replace("NAME", "link.cpp")) == ["outside-folder"]
    assert codes(folder, text.replace("NAME", "large.cpp")) == ["too-big"]
    assert codes(folder, text.replace("NAME", "circle.cpp")) == ["no-file"]
    assert codes(folder, text.replace("NAME", "x" * 250)) == ["no-file"]
    assert codes(folder, text.replace("NAME", "/dev/zero")) == ["outside-folder"]


def test_a_program_may_run_again_after_its_end(tmp_path: Path) -> None:
    again = "- client: [{key: ctrl-c}, {start: client}]\nfinally:\n"
    assert loaded(tmp_path, BASE.replace("finally:\n", again)).lines
    again = "- client: [{wait: {exited: true}}, {start: client}]\nfinally:\n"
    assert loaded(tmp_path, BASE.replace("finally:\n", again)).lines


def test_a_branch_may_speak_to_what_another_starts(tmp_path: Path) -> None:
    branches = "- together:\n  - client: {start: client, as: b}\n  - client.b: {expect: hello}\nfinally:\n"
    assert loaded(tmp_path, BASE.replace("finally:\n", branches)).lines


# --- the normal form -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_what_is_dumped_is_read_back(file: Path) -> None:
    scenario = load(file).scenario
    assert load_beside(file, dump(scenario)).scenario == scenario


def load_beside(file: Path, text: str) -> Loaded:
    """Load a text as if it lay where the file does: its programs are found there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lab.scenario.loader.syntax._content", lambda _: text.encode())
        return load(file)


def test_the_normal_form_begins_with_what_is_done(tmp_path: Path) -> None:
    text = BASE.replace("{key: ctrl-c}", "{within: 1s, key: ctrl-c}").replace(
        "  close:", "  name: All\n  close:"
    )
    written_out = dump(loaded(tmp_path, text).scenario)
    assert "key: ctrl-c\n    within: 1s\n" in written_out
    assert written_out.rstrip().endswith("name: All")


TEXTS = [
    *("no", "1.10", "0777", "12:30", "1e3", "0o17", "2024-05-01", "~", "null", "true", "", " lead", "trail "),
    *(
        "a: b",
        "- a",
        "#",
        "a #b",
        "'",
        '"',
        "\\",
        "{",
        "[",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%",
        "@",
        "`",
        "=",
        "<<",
    ),
    *(
        "---",
        "...",
        "$${x}",
        "\t",
        "\r",
        "\n",
        "a\nb",
        "a\n\n b\n",
        "\x07",
        "\x1b[0m",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *("é", "客户端成功连接", "\U0001f600", "\u0378"),
]


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


def test_any_text_is_read_back(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, BASE).scenario
    for text in [*TEXTS, *random_texts(seeded(1), 300)]:
        line = Line(actor="client", action=Start(start="client", args=(text,)))
        changed = scenario.model_copy(update={"steps": (line,), "finally_": ()})
        assert loaded(tmp_path, dump(changed)).scenario == changed, repr(text)


def random_texts(dice: random.Random, number: int) -> list[str]:
    letters = "".join(TEXTS).replace("$", "") + "abc 0123456789:-_.,?"
    return ["".join(dice.choices(letters, k=dice.randint(1, 30))) for _ in range(number)]


# --- hostile and damaged files --------------------------------------------------------------------


def verdict_on(file: Path) -> Loaded | LabError:
    try:
        return load(file)
    except LabError as error:
        return error


def damaged(dice: random.Random, text: str) -> str:
    """The text with one to three things done to it."""
    for _ in range(dice.randint(1, 3)):
        lines = text.split("\n")
        start, end = sorted((dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)))
        one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
        words = re.findall(r"[\w.]+", text) or ["x"]
        changes = [
            text[:start] + text[min(end, start + 20) :],
            text[:start] + dice.choice("\t\n\0\x1b{}[]:,-#&*!|>'\"%@`\\ é\u2028") + text[start:],
            "\n".join([*lines[:one], *lines[one + 1 :]]),
            "\n".join([*lines[:one], lines[other], *lines[one:]]),
            "\n".join(
                [*lines[:one], dice.choice(("  ", " ", "- ", "")) + lines[one].lstrip(), *lines[one + 1 :]]
            ),
            text.replace(dice.choice(words), dice.choice(words), dice.choice((1, -1))),
            text.replace(dice.choice(words), dice.choice([*TEXTS, "{}", "[]", "-1", "9" * 40]), 1),
        ]
        text = dice.choice(changes) or "x"
    return text


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the scenarios name."""
    folder = tmp_path_factory.mktemp("programs")
    for source in {file.parent for file in SCENARIOS}:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize("seed", range(8))
def test_damage_gives_a_scenario_or_an_error(seed: int, programs: Path) -> None:
    dice = seeded(seed)
    texts = [BASE, *(file.read_text(encoding="utf-8") for file in SCENARIOS)]
    sound = 0
    for _ in range(60):
        text = damaged(dice, dice.choice(texts))
        found = verdict_on(written(programs, text.encode("utf-8", "surrogatepass")))
        if isinstance(found, Loaded):
            sound += 1
            assert loaded(programs, dump(found.scenario)).scenario == found.scenario
    assert 0 < sound < 60


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_give_a_scenario_or_an_error(seed: int, tmp_path: Path) -> None:
    dice = seeded(seed)
    for _ in range(60):
        content = bytearray(BASE.encode())
        for _ in range(dice.randint(1, 5)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        verdict_on(written(tmp_path, bytes(content)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 100_000,
        "- " * 100_000,
        "? " * 50_000,
        "a: &a [" + "*a," * 1000 + "]",
        "x" * 500_000,
        "'" + "x\n" * 100_000,
        "- 1\n" * 100_000,
        BASE + "a: 1\n" * 50_000,
        BASE.replace("times: 3", "times: " + "9" * 5000),
        BASE.replace("times: 3", "times: 1" + "_0" * 5000),
        BASE.replace("name (?P<name>.+)", "(" * 5000 + "(?P<name>.)" + ")" * 5000),
        BASE.replace("name (?P<name>.+)", "(?P<name>a{1,99999999999999})"),
        BASE.replace("{key: ctrl-c}", "{quiet: " + "9" * 5000 + "h}"),
        BASE.replace("10.1.2.0/24", "10.1.2.0/" + "9" * 5000),
    ],
)
def test_hostile_files_are_refused_soon(text: str, tmp_path: Path) -> None:
    began = time.process_time()
    assert isinstance(verdict_on(written(tmp_path, text)), LabError)
    assert time.process_time() - began < 10


def test_places_read_as_editors_take_them() -> None:
    assert str(SourceRef("a.yaml", 3, 5)) == "a.yaml:3:5"


def test_a_listener_may_be_looked_for_at_a_variable(tmp_path: Path) -> None:
    check = "checks:\n- listener: {host: server, port: 8080, address: ADDRESS}\n"
    text = BASE.replace("checks:\n", check)
    assert loaded(tmp_path, text.replace("ADDRESS", '"${server.address}"')).lines
    assert codes(tmp_path, text.replace("ADDRESS", '"${server.adress}"')) == ["unknown-variable"]
    assert codes(tmp_path, text.replace("ADDRESS", "10.1.2.2")) == ["bad-address"]


def test_other_sources_for_a_scenario_that_was_read(tmp_path: Path) -> None:
    """It is what the file gives with these sources, and the files are not needed any more."""
    (tmp_path / "client.py").write_text("print()\n")
    text = BASE.replace("{command: serve, listens: 8080}", "{source: server.c, listens: 8080}")
    text = text.replace("{command: talk,", "{source: client.py,")
    file = written(tmp_path, text)
    stand_in = Tree((("main.py", b""),), main="main.py")
    own = Tree((("server.c", b"int main(void) { return 0; }\n"), ("own.h", b"")), main="server.c")
    before, wanted = load(file, {"server": stand_in}), load(file, {"server": own})
    for path in tmp_path.iterdir():
        path.unlink()
    assert with_trees(before, {"server": own}) == wanted
    with pytest.raises(UsageError):
        with_trees(before, {"nobody": own})
    with pytest.raises((ScenarioError, UsageError)):
        with_trees(before, {"server": Tree((("notes.txt", b""),), main="notes.txt")})
