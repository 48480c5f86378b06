"""UDP datagrams: how many, how large, how often, what is in them, and what became of them."""

from __future__ import annotations

from tests.docker.words.play import Play, Row


def datagrams() -> Play:
    return Play(
        "Datagrams that the script sends",
        ("a", "b", "c", "late", "server", "deaf", "bulk"),
        {},
        """
- server: {listen: "udp:7000", as: service}
- a: {connect: "udp:server:7000", as: u}
- b: {connect: "udp:server:7000", as: u}
- a: {connect: "udp:deaf:7000", as: lost}
- a.u: {type: "one"}
- server.service: [{expect: one}, {type: "ONE"}]
- a.u: [{expect: ONE}, {sleep: 300ms}, {type: "two"}]
- server.service: [{expect: two}, {type: "TWO"}]
- a.u: [{expect: TWO}, {sleep: 300ms}, {type: "one"}]
- server.service: {expect: one}
- b.u: [{type: "longer"}, {type: "longest"}]
- server.service: {expect: longest}
- a.lost: {type: "nobody"}
- c: {connect: "udp:server:7000", as: u}
- c.u: [{type: "one"}, {type: "one"}]
- server.service: [{expect: one}, {expect: one}]
- bulk: {connect: "udp:server:7000", as: u}
- bulk.u: [{type: "b"}, {type: "BULK"}]
- server.service: {expect: xxxx}
- late: {connect: "udp:server:7000", as: u}
- late.u: {type: "late"}
- server.service: [{expect: late}, {sleep: 1s}, {type: "LATE"}]
- late.u: {expect: LATE}
""".replace("BULK", "x" * 20_000),
        (
            Row("datagrams.count", _of('"@"', "count: 3"), "a", "b", "2 datagrams sent"),
            Row("datagrams.arrived", _of('"@"', "arrived: 3"), "a", "b", "2 datagrams arrived"),
            Row("datagrams.size", _of('"@"', "size: {max: 5}"), "a", "b", "6 to 7 bytes; 2 of 2 are not"),
            Row(
                "datagrams.interval.min", _of('"@"', "interval: {min: 200ms}"), "a", "b",
                "between two datagrams; 1 of 1 is not",
            ),
            Row(
                "datagrams.interval.max", _of('"@"', "interval: {max: 200ms}"), "b", "a",
                "between two datagrams; 2 of 2 are not",
            ),
            Row("datagrams.payload.text", _of('"@"', "payload: one"), "c", "a", "1 of 3 is not"),
            Row("datagrams.payload.bytes", _of('"@"', 'payload: {bytes: "hex:6f6e65"}'), "c", "a", "1 of 3 is not"),
            Row("datagrams.payload.contains", _of('"@"', "payload: {contains: lon}"), "b", "a", "3 of 3 are not"),
            Row("datagrams.payload.nth", _of('"@"', "payload: {contains: w, nth: 2}"), "a", "b", "1 of 1 is not"),
            Row("datagrams.answered.count", _of('"@"', "answered: 2"), "a", "b", "0 of 2 datagrams answered"),
            Row(
                "datagrams.answered.within", _of('"@"', "answered: {count: 0, within: 900ms}"), "late", "a",
                "2 of 3 datagrams answered",
            ),
            Row(
                "datagrams.repeated", _of('"@"', "repeated: 1"), "a", "b",
                "0 of 2 had the payload of an earlier one",
            ),
            Row("datagrams.order=kept", _of('"@"', "order: kept"), "a", "deaf", "no datagram was sent"),
            Row(
                "datagrams.unreachable", 'datagrams: {from: a, to: "@:7000", unreachable: "@"}', "deaf", "server",
                "0 ICMP errors",
            ),
            Row("datagrams.by=to", _of("a", "by: @, payload: {contains: O}"), "to", "from", "3 of 3 are not"),
            Row("datagrams.by=from", _of("a", "by: @, count: 3"), "from", "to", "2 datagrams sent"),
            Row("datagrams.from", _of('"@"', "count: 3"), "a", "deaf", "0 datagrams sent"),
            Row(
                "throughput.to", 'throughput: {from: "@", to: "udp:server:7000", max: 2000}', "a", "bulk",
                "20000 bytes in ",
            ),
            Row("datagrams.to", 'datagrams: {from: a, to: "@:7000", count: 3}', "server", "deaf", "1 datagram sent"),
        ),
        {},
    )  # fmt: skip


def _of(sender: str, word: str) -> str:
    return f'datagrams: {{from: {sender}, to: "server:7000", {word}}}'
