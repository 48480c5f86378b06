"""Everything that was observed in one run: the only thing that checks may look at."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from lab.core.words import MEMORY_ENDS
from lab.evidence.capture import CaptureFile, HeldSegment, Interface, link_local
from lab.evidence.files import FileEvidence
from lab.evidence.history import SocketHistory, grouped, histories
from lab.evidence.message import Message, message
from lab.evidence.processes import ProcessRow, ProcessSample
from lab.evidence.situation import Killed, OutOfMemory, SituationEvent
from lab.evidence.sockets import DatagramSample, Sampling, SocketSample
from lab.evidence.transcript import Input, Opened, Output, ProgramRun, Started, Transcript
from lab.scenario import Scenario
from lab.wire.icmp import MOST_MESSAGES, IcmpMessage, IcmpMessages
from lab.wire.packets import RST, Reader, Segment, opened
from lab.wire.packets.internet import TCP
from lab.wire.packets.problems import Unread
from lab.wire.packets.segment import FLAGS, named
from lab.wire.spoken import Speakers, Spoken
from lab.wire.tcp import MOST_CONNECTIONS, CapturePoint, Connection, Flows, Forged
from lab.wire.udp import MOST_DATAGRAMS, Datagram, Datagrams

_MOST_RESETS = 100_000
"""RSTs of a host in one capture whose times are kept; of more than that no cause can be told."""

OUT_OF_MEMORY_WITHIN = 1_000_000_000
"""ns between the engine's word that memory was used up and the end that it brought, at the most."""


class SourceFile(Struct, frozen=True):
    """A source file as it was read, and built: its path in the scenario, its size and its SHA-256."""

    path: str
    size: int
    sha256: str


class ProgramInfo(Struct, frozen=True):
    """How a program of sources was built and run, each with the reason where the lab has chosen it."""

    build: str
    run: str
    because_built: str = ""
    because_run: str = ""


class RunInfo(Struct, frozen=True, dict=True):
    """Where, when and with what a run was made."""

    run_id: str
    file: str
    began: int
    ended: int
    versions: Mapping[str, str]
    addresses: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Host -> network -> addresses."""
    interfaces: tuple[Interface, ...]
    captures: tuple[CaptureFile, ...]
    sampling: Sampling
    clock_offset: int
    """Nanoseconds that were added to the CLI's clock to get the capture's."""
    variables: Mapping[str, str]
    """The texts that ``${...}`` stood for: nonce and captured groups."""
    carriage_returns: tuple[str, ...] = ()
    """The programs whose script has lines that end with CR LF, where a shell or the kernel reads them."""
    held: tuple[HeldSegment, ...] = ()
    """What the script kept back at the switch."""
    sources: tuple[SourceFile, ...] = ()
    programs: Mapping[str, ProgramInfo] = field(default_factory=dict)
    not_built: Mapping[str, str] = field(default_factory=dict)
    """The programs that do not build, and what the compiler said of each; nothing was played then."""

    @cached_property
    def hosts_by_address(self) -> Mapping[str, str]:
        """Which host has an address, link-local ones too; addresses in their shortest form."""
        given = {
            str(ip_address(address)): host
            for host, networks in self.addresses.items()
            for addresses in networks.values()
            for address in addresses
        }
        return {**link_local(self.interfaces), **given}


class Unsound(Struct, frozen=True):
    """What in a capture could not be read, or was not kept.

    ``about`` are the hosts, or the pairs of hosts, whose packets it may be; all, if there is none.
    ``targets`` are the hosts that it was sent to; None if that is not known of all of it.
    """

    capture: str
    what: Message
    about: tuple[tuple[str, ...], ...] = ()
    targets: frozenset[str] | None = None

    def concerns(self, hosts: Collection[str]) -> bool:
        """Whether it may be about what two hosts sent to each other; about one, or any, it always may."""
        known = {*hosts}
        return not self.about or len(known) < 2 or any(known >= {*one} for one in self.about)

    def may_be_sent(self, sender: str | None, receiver: str | None) -> bool:
        """Whether it may be what one host, or any, sent to another, or to any, or an answer to that."""
        known = {host for host in (sender, receiver) if host}
        if not self.about or len(known) != 1:
            return self.concerns(known)
        from_there = any(known & {*one} for one in self.about)
        return from_there or (sender is None and (self.targets is None or bool(self.targets & known)))

    @property
    def kind(self) -> str:
        """Which damage it is; empty for what was not kept."""
        return str(self.what.parameters.get("kind", ""))

    @property
    def message(self) -> Message:
        """All of it as it is said."""
        return message("unsound", capture=self.capture, what=self.what)


class Evidence(Struct, frozen=True, dict=True):
    """One run, ready to be judged.

    ``connections`` are those of all captures in the order of their first SYN (or first frame), except
    for those that another host than the client pretended: ``forged`` tells of these, too, and of what else
    was forged; ``unsound`` says what in the captures could not be read.
    """

    scenario: Scenario
    info: RunInfo
    transcript: Transcript
    connections: tuple[Connection, ...]
    sockets: Mapping[str, SocketHistory]
    """Of each host that was sampled."""
    unsound: tuple[Unsound, ...] = ()
    datagram_samples: tuple[DatagramSample, ...] = ()
    processes: tuple[ProcessSample, ...] = ()
    situation: tuple[SituationEvent, ...] = ()
    """What the programs were doing when the script broke off, and what was killed in the run."""
    resets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """When each host sent an RST (ns), repeated ones too, as its own ports and loopback saw it."""
    forged: tuple[Forged, ...] = ()
    """Frames that hosts have sent in the name of others."""
    icmp: tuple[IcmpMessage, ...] = ()
    """ICMP and ICMPv6, of all captures, in the order of time."""
    spoken: tuple[Spoken, ...] = ()
    """Which protocols the hosts speak on the switch's ports."""
    unsound_icmp: tuple[Unsound, ...] = ()
    """What of ICMP could not be read or kept, as in ``unsound``."""
    datagrams: tuple[Datagram, ...] = ()
    """UDP, of all captures, in the order of time."""
    unsound_datagrams: tuple[Unsound, ...] = ()
    """What of UDP could not be read or kept, as in ``unsound``."""
    files: tuple[FileEvidence, ...] = ()
    """Those that checks look at, when the script was over."""

    @cached_property
    def origin(self) -> int:
        """From when on a run is told (ns): its first SYN, or else its first datagram, or its beginning."""
        syns = (connection.client.syn.first for connection in self.connections if connection.client.syn)
        return min((syn.time for syn in syns if syn), default=self._without_syn)

    def number_of(self, connection: Connection) -> int:
        """The number of a connection, as ``lab flow`` counts them from 1 on."""
        return self._numbers[connection.capture, connection.began.frame]

    @cached_property
    def _numbers(self) -> Mapping[tuple[str, int], int]:
        """The numbers of connections, by their captures and first frames."""
        numbered = enumerate(self.connections, start=1)
        return {(one.capture, one.began.frame): number for number, one in numbered}

    @property
    def _without_syn(self) -> int:
        times = [one.at.time for one in self.datagrams[:1]]
        times += [one.at.time for one in self.icmp if not one.upkeep]
        return min(times, default=self.info.began)

    def until_reused(self, connection: Connection) -> int:
        """When the next connection with the same two ends began (ns), or the run was over."""
        began = self._began[_ends(connection)]
        place = bisect_right(began, connection.began.time)
        return began[place] if place < len(began) else self.info.ended + 1

    def icmp_about(self, connection: Connection) -> Sequence[IcmpMessage]:
        """What was said of a connection's segments while it was there."""
        until = self.until_reused(connection)
        said = self._icmp.get(_ends(connection), ())
        return [one for one in said if connection.began.time <= one.at.time < until]

    @cached_property
    def icmp_errors(self) -> Sequence[IcmpMessage]:
        """What routers and hosts said of packets that they did not pass on, in words that are known."""
        return [one for one in self.icmp if one.about and one.meaning and not one.wrong]

    @cached_property
    def _icmp(self) -> Mapping[frozenset[tuple[str, int]], Sequence[IcmpMessage]]:
        """What was said of segments, by the two ends of their connections."""
        return grouped(
            (frozenset({(flow.source, flow.source_port), (flow.target, flow.target_port)}), one)
            for one in self.icmp_errors
            if one.about and one.about.protocol == TCP
            for flow in (one.about.flow,)
        )

    @cached_property
    def _began(self) -> Mapping[frozenset[tuple[str, int]], Sequence[int]]:
        """When the connections between two ends began, in order."""
        return grouped((_ends(one), one.began.time) for one in self.connections)

    @cached_property
    def programs(self) -> Mapping[tuple[str, int], str]:
        """The programs that the script started, by host and process id."""
        started = (event for event in self.transcript.events if isinstance(event, Started))
        return {(event.host, event.pid): event.program for event in started}

    @cached_property
    def marked(self) -> Mapping[tuple[str, int], str]:
        """The programs that the script started, by host and the mark of what came from each start."""
        return {
            (host, row.mark): program
            for (host, pid), program in self.programs.items()
            for _, row in self.looks.get((host, pid), ())
            if row.mark > 0
        }

    @cached_property
    def outputs(self) -> Mapping[tuple[str, str], Sequence[Output]]:
        """What each program of each host has printed, in the order it was heard."""
        found: dict[tuple[str, str], list[Output]] = {}
        for event in self.transcript.events:
            if isinstance(event, Output):
                found.setdefault((event.host, event.program), []).append(event)
        return found

    @cached_property
    def runs(self) -> Mapping[str, Sequence[ProgramRun]]:
        """The runs of each host's programs."""
        return grouped((run.started.host, run) for run in self.transcript.runs())

    def opened_by_script(self, host: str, port: int) -> bool:
        """Whether a connection with this port at a host is one of the script itself."""
        opened = (event for event in self.transcript.events if isinstance(event, Opened))
        return any(one.host == host and one.how != "listen" and port in one.ports for one in opened)

    @cached_property
    def killed(self) -> Mapping[str, Sequence[Killed]]:
        """The processes of each host that a signal ended."""
        ended = (event for event in self.situation if isinstance(event, Killed))
        return grouped((event.host, event) for event in ended)

    def called_between(self, host: str, since: int, until: int) -> bool:
        """Whether a host has opened a connection after one time and before another (ns)."""
        times = self._calls.get(host, ())
        return bisect_right(times, since) < bisect_right(times, until)

    @cached_property
    def _calls(self) -> Mapping[str, Sequence[int]]:
        """When each host opened its connections (ns), in order."""
        return grouped((one.client.host, one.began.time) for one in self.connections)

    def killed_for_memory(self, host: str, status: int, at: int) -> bool:
        """Whether a process has ended (ns) for want of memory."""
        return status in MEMORY_ENDS and self.used_up_memory(host, at)

    def used_up_memory(self, host: str, at: int) -> bool:
        """Whether a host's memory was used up when a process of it was killed (ns): the kernel did that."""
        return any(
            isinstance(event, OutOfMemory)
            and event.host == host
            and abs(event.at - at) < OUT_OF_MEMORY_WITHIN
            for event in self.situation
        )

    @cached_property
    def inputs(self) -> Mapping[tuple[str, str], Sequence[Input]]:
        """What the script gave to each program, by host and program."""
        given = (event for event in self.transcript.events if isinstance(event, Input))
        return grouped(((event.host, event.program), event) for event in given)

    @cached_property
    def looks(self) -> Mapping[tuple[str, int], Sequence[tuple[ProcessSample, ProcessRow]]]:
        """The looks that show a process, by host and process id, each with its row."""
        return grouped(((look.host, row.pid), (look, row)) for look in self.processes for row in look.rows)

    @cached_property
    def holders(self) -> Mapping[tuple[str, int], Sequence[tuple[int, ProcessRow]]]:
        """The processes that held a socket, by host and inode, each with the number of its look."""
        return grouped(
            ((look.host, inode), (number, row))
            for number, look in enumerate(self.processes)
            for row in look.rows
            for inode in dict.fromkeys(row.sockets)
        )


def _ends(connection: Connection) -> frozenset[tuple[str, int]]:
    return frozenset((side.address, side.port) for side in connection.sides)


def gather(
    folder: Path,
    scenario: Scenario,
    info: RunInfo,
    transcript: Transcript,
    samples: Iterable[SocketSample],
    *,
    datagram_samples: tuple[DatagramSample, ...] = (),
    processes: tuple[ProcessSample, ...] = (),
    situation: tuple[SituationEvent, ...] = (),
    files: tuple[FileEvidence, ...] = (),
) -> Evidence:
    """The evidence of a record: its captures, which lie in ``folder``, are read here.

    Raises EvidenceError for a capture that cannot be opened; one that is damaged is told in ``unsound``.
    """
    routers = {name for name, host in scenario.hosts.items() if host.forward}
    resets: dict[str, list[int]] = {}
    read = [_read(folder / file.path, file, info, routers, resets) for file in info.captures]
    connections = sorted(
        (connection for one in read for connection in one.connections),
        key=lambda connection: (connection.began.time, connection.capture, connection.began.frame),
    )
    forged = [each for connection in connections for each in connection.forged]
    return Evidence(
        scenario,
        info,
        transcript,
        tuple(connection for connection in connections if not connection.pretended),
        histories(samples),
        tuple(each for one in read for each in one.unsound),
        datagram_samples,
        processes,
        situation,
        resets={host: tuple(sorted(times)) for host, times in resets.items()},
        forged=_forged([*forged, *(each for one in read for each in one.forged)]),
        icmp=tuple(sorted((each for one in read for each in one.icmp), key=lambda each: each.at.time)),
        spoken=tuple(each for one in read for each in one.spoken),
        unsound_icmp=tuple(each for one in read for each in one.unsound_icmp),
        datagrams=tuple(
            sorted((each for one in read for each in one.datagrams), key=lambda each: each.at.time)
        ),
        unsound_datagrams=tuple(each for one in read for each in one.unsound_datagrams),
        files=files,
    )


def _forged(each: Iterable[Forged]) -> tuple[Forged, ...]:
    """What was forged by each host in each name."""
    found: dict[tuple[str, str], Forged] = {}
    for one in each:
        known = found.get((one.host, one.address), one)
        frames = one.frames + (known.frames if known is not one else 0)
        found[one.host, one.address] = replace(known, frames=frames, first=min(known.first, one.first))
    return tuple(found.values())


class _Read(Struct, frozen=True):
    """What a capture holds."""

    connections: tuple[Connection, ...]
    unsound: Sequence[Unsound]
    icmp: Sequence[IcmpMessage]
    unsound_icmp: Sequence[Unsound]
    spoken: Sequence[Spoken]
    datagrams: Sequence[Datagram]
    unsound_datagrams: Sequence[Unsound]
    forged: Sequence[Forged]


def _read(
    path: Path, capture: CaptureFile, info: RunInfo, routers: Collection[str], resets: dict[str, list[int]]
) -> _Read:
    let_go = 0

    def count(outcomes: Sequence[object]) -> None:
        nonlocal let_go
        let_go += len(outcomes)

    point = _vantage(capture, info, routers)
    flows = Flows(point, capture.path, most=MOST_CONNECTIONS, retire=count)
    datagrams, icmp = Datagrams(point, capture.path), IcmpMessages(point, capture.path)
    speakers = Speakers(point, capture.path)
    with opened(path) as stream:
        reader = Reader(stream, datagrams.hear, icmp.hear, speakers.hear)
        for segments in reader.batches():
            flows.take(segments)
            speakers.take(segments)
            for segment in segments:
                if segment[FLAGS] & RST:
                    _note(named(segment), point, resets)
    connections = flows.connections()
    return _Read(
        connections,
        _unsound(
            capture,
            point,
            reader.unsound,
            "connections",
            let_go=Counter({"": let_go}),
            most=MOST_CONNECTIONS,
        ),
        list(icmp.found()),
        _unsound(capture, point, reader.unsound_icmp, "icmp", let_go=icmp.let_go, most=MOST_MESSAGES),
        list(speakers.found()),
        list(datagrams.found()),
        _unsound(
            capture,
            point,
            reader.unsound_datagrams,
            "datagrams",
            let_go=datagrams.let_go,
            most=MOST_DATAGRAMS,
        ),
        [*datagrams.forged(), *icmp.forged()],
    )


def _unsound(
    capture: CaptureFile,
    point: CapturePoint,
    unread: Iterable[Unread],
    what: str,
    *,
    let_go: Mapping[str, int],
    most: int,
) -> list[Unsound]:
    """What could not be read of a protocol, and how much of it was not kept, for there was too much."""
    said = [
        Unsound(
            capture.path,
            message("unread", kind=one.kind, first=one.first, frames=one.frames),
            _about(one, point),
            _targets(one, point),
        )
        for one in unread
    ]
    for host, number in let_go.items():
        if number:
            told = message("not-kept", number=number, what=what, most=most)
            said.append(Unsound(capture.path, told, ((host,),) if host else ()))
    return said


_OF_SEVERAL = frozenset({"fragments-overlap", "fragments-crowded"})
"""Damage that several frames make together: one host's may spoil what another has sent."""


def _about(unread: Unread, point: CapturePoint) -> tuple[tuple[str, ...], ...]:
    """Whose packets a damage may be.

    What entered damaged from a host's port is that host's, whatever it says. It leaves damaged, too; only of
    what several frames make together the port where it leaves may show what no other does.
    """
    entered = {(point.ports.get(one.interface, ""),) for one in unread.places if not one.leaving}
    left = {
        (point.host_of(str(ip_address(one.source))), point.ports.get(one.interface, ""))
        for one in unread.places
        if one.leaving and unread.kind in _OF_SEVERAL and one.source
    }
    found = entered | left
    return () if any(not one[-1] for one in found) else tuple(sorted(found))


def _targets(unread: Unread, point: CapturePoint) -> frozenset[str] | None:
    """The hosts that damaged packets are for; None if that is not known of all of them."""
    if not unread.places or not all(one.target for one in unread.places):
        return None
    return frozenset(point.host_of(str(ip_address(one.target))) for one in unread.places)


def _note(reset: Segment, point: CapturePoint, resets: dict[str, list[int]]) -> None:
    """Take down an RST that was seen at its sender's own port or loopback."""
    own = point.alone or reset.interface in point.ports_of(reset.flow.source)
    if own and not reset.leaving:
        times = resets.setdefault(point.host_of(reset.flow.source), [])
        if len(times) < _MOST_RESETS:
            times.append(reset.time)


def _vantage(capture: CaptureFile, info: RunInfo, routers: Collection[str]) -> CapturePoint:
    if capture.host:
        return CapturePoint(alone=capture.host)
    ports = {interface.index: interface.host for interface in info.interfaces if interface.host}
    honest = frozenset(index for index, host in ports.items() if host not in routers)
    return CapturePoint(info.hosts_by_address, ports, honest=honest)
