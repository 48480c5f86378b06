"""The command line as typer reads it: every command with its words, and nothing that is done."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lab import __version__
from lab.cli.flow import Form
from lab.cli.order import Order

_typer = partial(typer.Typer, add_completion=False, rich_markup_mode=None)
app = _typer(
    help="Hosts with real addresses in containers, a scripted conversation, and a verdict on it.",
    epilog="Exit codes: 0 passed, 1 a check failed, 2 wrong use or input, 3 could not judge, 4 no check "
    "selected, 70 a mistake in the lab, 130 interrupted.",
)
images = _typer(help="The lab's own images.")
app.add_typer(images, name="images")

_argument = partial(typer.Argument, show_default=False)
_option = partial(typer.Option, show_default=False)

File = Annotated[Path, _argument(help="A scenario.")]
Files = Annotated[list[Path], _argument(help="Scenarios.")]
Host = Annotated[
    str, _argument(help="A host of the lab that is up, or one of its programs, HOST.PROGRAM: as its user.")
]
Command = Annotated[list[str], _argument(help="What to run there.")]
Records = Annotated[list[Path], _argument(help="Records of runs.")]
Record = Annotated[Path | None, _argument(help="A record; else the lab's that is up.")]
Saved = Annotated[Path, _argument(help="The record of a run.")]
Folder = Annotated[Path, _argument(help="Where; made if it is not there.")]

Which = Annotated[
    str, _option("--lab", metavar="RUN", help="Which of several: the start of its run id, or its scenario.")
]
Only = Annotated[list[str] | None, _option("--only", metavar="NAME", help="Only this check; repeatable.")]
RecordsIn = Annotated[Path, typer.Option("--records", metavar="DIR", help="Where the records of runs lie.")]
Seed = Annotated[str, _option("--seed", metavar="TEXT", help="Makes ${nonce} the same at each run.")]
Lease = Annotated[str, typer.Option("--lease", metavar="TIME", help="How long the lab may stay, as in 30m.")]
Watch = Annotated[
    bool, _option("--watch", help="Draw the conversation, and then what else goes on, until ^C.")
]
Bundle = Annotated[
    Path | None, _option("--ca-bundle", metavar="FILE", help="Certificates of a proxy, for building images.")
]
Json = Annotated[bool, _option("--json", help="Answer with one JSON document.")]
Verbose = Annotated[bool, _option("--verbose", "-v", help="Show the engine's calls, and each step.")]
_RUNS = Path("runs")
_HERE = Path()


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lab {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, _option("--version", is_eager=True, callback=_show_version, help="Show the version.")
]


@app.callback()
def _lab(*, version: Version = False) -> None:
    """Options that stand before a command."""


@app.command()
def up(
    *,
    file: File,
    only: Only = None,
    records: RecordsIn = _RUNS,
    seed: Seed = "",
    lease: Lease = "8h",
    watch: Watch = False,
    ca_bundle: Bundle = None,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Play a scenario, judge it, and leave its hosts up for a look."""
    from lab.cli import play

    wishes = play.Wishes(tuple(only or ()), records, seed, ca_bundle, lease=lease, keep=True, watch=watch)
    return Order(partial(play.play_all, [file], wishes), json, verbose)


@app.command()
def run(
    *,
    files: Files,
    only: Only = None,
    records: RecordsIn = _RUNS,
    seed: Seed = "",
    ca_bundle: Bundle = None,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Play scenarios, judge them, and take them down."""
    from lab.cli import play

    wishes = play.Wishes(tuple(only or ()), records, seed, ca_bundle)
    return Order(partial(play.play_all, files, wishes), json, verbose)


@app.command()
def ps(*, json: Json = False, verbose: Verbose = False) -> Order:
    """List the labs that are up, and their hosts."""
    from lab.cli import hosts

    return Order(hosts.ps, json, verbose)


@app.command(name="exec")
def execute(*, host: Host, command: Command, lab: Which = "", verbose: Verbose = False) -> Order:
    """Run a command in a host and end with its exit status."""
    from lab.cli import hosts

    return Order(partial(hosts.execute, host, command, lab), verbose=verbose)


@app.command()
def shell(*, host: Host, lab: Which = "", verbose: Verbose = False) -> Order:
    """Open a shell in a host."""
    from lab.cli import hosts

    return Order(partial(hosts.shell, host, lab), verbose=verbose)


@app.command()
def logs(
    *,
    record: Record = None,
    lab: Which = "",
    records: RecordsIn = _RUNS,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Show who typed and printed what in a run, and when."""
    from lab.cli import records as reading

    return Order(partial(reading.logs, record, lab, records), json, verbose)


@app.command()
def down(
    *,
    lab: Which = "",
    every: Annotated[bool, _option("--all", help="All labs that are up.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Take down a lab that `lab up` left up."""
    from lab.cli import hosts

    return Order(partial(hosts.down, lab, every), json, verbose)


@app.command()
def wipe(*, json: Json = False, verbose: Verbose = False) -> Order:
    """Remove every lab whose process or time has ended."""
    from lab.cli import hosts

    return Order(hosts.wipe, json, verbose)


@app.command()
def validate(
    *,
    files: Files,
    show: Annotated[bool, _option("--print", help="Print the normal form.")] = False,
    json: Json = False,
) -> Order:
    """Report everything that is wrong with scenarios."""
    from lab.cli import scenarios

    return Order(partial(scenarios.validate, files, show), json)


@app.command()
def check(*, records: Records, only: Only = None, json: Json = False) -> Order:
    """Judge records of runs again, without an engine."""
    from lab.cli import records as reading

    return Order(partial(reading.check, records, tuple(only or ())), json)


@app.command()
def flow(
    *,
    record: Saved,
    form: Annotated[
        Form, typer.Option("--format", help="For a terminal, or as a Mermaid diagram.")
    ] = Form.TEXT,
    connection: Annotated[
        int, _option("--connection", metavar="N", help="The packets of this one only.")
    ] = 0,
    whole: Annotated[bool, _option("--all", help="Every segment and line: nothing is folded.")] = False,
) -> Order:
    """Draw the conversation of a run as a ladder."""
    from lab.cli import flow as drawing

    return Order(partial(drawing.flow, record, form, connection, whole))


@app.command()
def wireshark(
    *,
    record: Saved,
    output: Annotated[
        Path | None,
        _option("--output", "-o", metavar="FILE", help="Where to; else lab.pcapng in the record."),
    ] = None,
    json: Json = False,
) -> Order:
    """Write all captures of a run to one pcapng, steps as comments."""
    from lab.cli import flow as drawing

    return Order(partial(drawing.wireshark, record, output), json)


@app.command()
def analyze(
    *,
    capture: Annotated[Path, _argument(help="A capture from anywhere, pcap or pcapng.")],
    json: Json = False,
) -> Order:
    """Tell the TCP connections of any capture."""
    from lab.cli import analyze as telling

    return Order(partial(telling.analyze, capture), json)


@images.command()
def build(
    *,
    again: Annotated[bool, _option("--again", help="Even where nothing has changed.")] = False,
    ca_bundle: Bundle = None,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Build the images that are missing or out of date."""
    from lab.cli import machine

    return Order(partial(machine.build_images, again, ca_bundle), json, verbose)


@images.command(name="list")
def list_(*, json: Json = False, verbose: Verbose = False) -> Order:
    """List the images and whether they are current."""
    from lab.cli import machine

    return Order(machine.list_images, json, verbose)


@app.command()
def doctor(*, json: Json = False) -> Order:
    """Look for what keeps labs from running here."""
    from lab.cli import machine

    return Order(machine.doctor, json)


@app.command()
def init(*, folder: Folder = _HERE, json: Json = False) -> Order:
    """Lay down a first scenario with its programs."""
    from lab.cli import scenarios

    return Order(partial(scenarios.init, folder), json)
