"""Regular expressions, matched in a process that can be ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.steps.matcher import Matcher, MatchError
from lab.steps.screen import KEPT, Match, Screen

FOREVER = "(a+)+b"
HOPELESS = "a" * 60


def screen(text: str, *, ended: bool = False) -> Screen:
    found = Screen()
    found.feed(text.encode("utf-8", "surrogateescape"), last=ended)
    return found


@pytest.fixture
def matcher() -> Iterator[Matcher]:
    found = Matcher()
    yield found
    found.close()


def search(matcher: Matcher, expression: str, on: Screen) -> Match | None:
    return asyncio.run(matcher.search(expression, on))


@pytest.mark.parametrize(
    ("text", "expression", "rest"),
    [
        ("got 12 and 7\n", r"\d+", " and 7\n"),
        ("one\ntwo\nthree\n", "^t.o$", "\nthree\n"),
        ("abab cc\n", r"(?P<x>\w)(?=b)(?!ac).*(.)\2", "\n"),
        ("客\udcff 1", "客\udcff ", "1"),
    ],
)
def test_what_is_found_is_consumed_to_its_end(
    matcher: Matcher, text: str, expression: str, rest: str
) -> None:
    found = screen(text)
    match = search(matcher, expression, found)
    assert match is not None
    found.consume(match)
    assert found.rest == rest
    assert search(matcher, "not there", found) is None


def test_named_groups_are_handed_out(matcher: Matcher) -> None:
    match = search(matcher, r"port (?P<port>\d+)(?P<more>x)?,", screen("port 8080, none\n"))
    assert match is not None
    assert match.groups == {"port": "8080"}


@pytest.mark.parametrize("ended", [True, False])
def test_a_match_that_reaches_the_end_may_grow(matcher: Matcher, *, ended: bool) -> None:
    match = search(matcher, r"\d+", screen("got 1", ended=ended))
    assert match is not None
    assert match.open is not ended


def test_only_the_last_of_much_output_is_searched(matcher: Matcher) -> None:
    found = screen("first" + "x" * KEPT + "last")
    assert search(matcher, "^first|x{70000}", found) is None
    match = search(matcher, "last", found)
    assert match is not None
    assert match.end == found.printed


def test_what_cannot_be_matched_is_told(matcher: Matcher) -> None:
    with pytest.raises(MatchError, match="bad character range"):
        search(matcher, "[b-a]", screen("a"))
    assert search(matcher, "a", screen("a")) is not None


def test_a_search_without_end_holds_up_nothing_and_ends_when_it_is_given_up(
    matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *words: object, **more: object) -> None:
            super().__init__(*words, **more)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)

    async def play() -> None:
        endless = asyncio.create_task(matcher.search(FOREVER, screen(HOPELESS)))
        await asyncio.sleep(0)
        for _ in range(3):
            assert await matcher.search("a", screen("a")) is not None
        assert not endless.done()
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless

    began = time.monotonic()
    asyncio.run(play())
    assert time.monotonic() - began < 5
    first, second = started
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, None)
    matcher.close()
    assert second.returncode in {0, -signal.SIGKILL}, (
        "killed, unless it had noticed before that its input ended"
    )


def test_a_process_that_is_gone_is_told_and_replaced(matcher: Matcher) -> None:
    assert search(matcher, "a", screen("a")) is not None
    (worker,) = matcher._idle  # noqa: SLF001 - somebody else kills it
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(MatchError) as gone:
        search(matcher, "a", screen("a"))
    assert gone.value.what == ""
    assert search(matcher, "a", screen("a")) is not None


def test_it_ends_with_whoever_started_it() -> None:
    """Killed, the lab can end nothing any more; a search that never ends would take a core for ever."""
    program = (
        "import asyncio\nfrom lab.steps.matcher import Matcher\nfrom lab.steps.screen import Screen\n"
        "s = Screen(); s.feed(b'a' * 60)\nm = Matcher()\n"
        "async def play():\n"
        " t = asyncio.create_task(m.search('(a+)+b', s)); await asyncio.sleep(1.5)\n"
        " import subprocess; print(subprocess.run(['pgrep', '-P', str(__import__('os').getpid()), '-f', 'matching'],"
        " capture_output=True, text=True).stdout, flush=True); await t\n"
        "asyncio.run(play())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        number = int(lab.stdout.readline())
        lab.kill()
    deadline = time.monotonic() + 10
    while _lives(number):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
