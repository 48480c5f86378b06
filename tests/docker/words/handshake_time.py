"""How long a handshake took."""

from __future__ import annotations

from tests.docker.words.play import Play, Row
from tests.docker.words.queues import TWICE
from tests.docker.words.servers import CLIENT, CLOSES


def handshake_time() -> Play:
    return Play(
        "How long a handshake takes",
        ("a", "a2", "prompt", "late"),
        {"client": CLIENT, "server": CLOSES},
        f"""
- prompt: {{start: server}}
- late: {{start: server}}
- a: {{start: client, args: prompt, as: first}}
- a.first: {{expect: called}}
- a: {{start: client, args: prompt, as: again}}
- a.again: {{expect: called}}
- late: {{hold: syn_ack, to: a}}
- a: [{{start: client, args: late, as: second}}, {{run: "{TWICE % "syn-sent"}"}}]
- late: {{release: syn_ack}}
- a.second: {{expect: called}}
""",
        (
            Row(
                "handshake_time.max",
                'handshake_time: {from: a, to: "@:7000", max: 900ms}',
                "prompt", "late", "it took 1.",
            ),
            Row(
                "handshake_time.from",
                'handshake_time: {from: "@", to: "late:7000", max: 20s}',
                "a", "prompt", "@ never sent a SYN to late:7000",
            ),
            Row(
                "handshake_time.to",
                'handshake_time: {from: a, to: "@:7000", max: 20s}',
                "late", "a2", "a never sent a SYN to @:7000",
            ),
            Row(
                "handshake_time.nth",
                'handshake_time: {from: a, to: "@:7000", nth: 2, max: 20s}',
                "prompt", "late", "there was only 1",
            ),
        ),
        {"server": 7000},
    )  # fmt: skip
