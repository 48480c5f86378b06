"""The conversation of a run as a ladder: a column a host, a row an event, in order of time.

::

    rows = story(evidence, {capture.path: segments_of(folder, capture) for capture in evidence.info.captures})
    for line in as_text(folded(rows), evidence, style): ...

Rows are a stream from the captures to the screen: packets pass through and are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.evidence.evidence import Evidence
from lab.output.ladder import document
from lab.output.ladder.document import Flow, LadderHost
from lab.output.ladder.folding import folded
from lab.output.ladder.mermaid import Diagram
from lab.output.ladder.rows import OUTSIDE, Row
from lab.output.ladder.story import segments_of, story
from lab.output.ladder.svg import Drawing
from lab.output.ladder.text import Ladder
from lab.output.style import Style

__all__ = ["as_json", "as_mermaid", "as_svg", "as_text", "folded", "segments_of", "story"]


def as_text(rows: Iterable[Row], evidence: Evidence, style: Style) -> Iterator[str]:
    """The ladder in lines that fit the style's width; times are milliseconds from the first SYN."""
    hosts = [(host, _address(evidence, host)) for host in _columns(evidence)]
    span = (evidence.info.began, evidence.info.ended)
    ladder = Ladder(hosts, evidence.origin, span, len(evidence.connections), style)
    return ladder.lines(rows)


def as_json(rows: Iterable[Row], evidence: Evidence, record: str) -> Iterator[str]:
    """The ladder as a JSON document, in parts."""
    hosts = [LadderHost(host, _address(evidence, host)) for host in _columns(evidence)]
    return document.as_json(Flow(0, record, evidence.origin, hosts, []), rows)


def as_svg(rows: Iterable[Row], evidence: Evidence) -> Iterator[str]:
    """The ladder as the lines of an SVG."""
    hosts = [(host, _address(evidence, host)) for host in _columns(evidence)]
    return Drawing(hosts, evidence.origin, evidence.scenario.title).lines(rows)


def as_mermaid(rows: Iterable[Row], evidence: Evidence) -> Iterator[str]:
    """The ladder as the lines of a Mermaid sequence diagram."""
    return Diagram(_columns(evidence)).lines(rows)


def _columns(evidence: Evidence) -> list[str]:
    """The hosts in the scenario's order, and a column for strangers if there are any."""
    of_connections = (side.host for connection in evidence.connections for side in connection.sides)
    of_datagrams = (
        host for one in evidence.datagrams for host in (one.source, one.target or bool(one.arrivals))
    )
    of_messages = (
        host
        for one in evidence.icmp
        if not one.upkeep
        for host in (one.source, one.target or bool(one.arrivals))
    )
    known = all(of_connections) and all(of_datagrams) and all(of_messages)
    return [*evidence.scenario.hosts, *([] if known else [OUTSIDE])]


def _address(evidence: Evidence, host: str) -> str:
    networks = evidence.info.addresses.get(host, {})
    return next((address for addresses in networks.values() for address in addresses), "")
