"""The command line as typer reads it: every command with its words, and nothing that is done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lab import __version__
from lab.cli.flow import Form
from lab.cli.order import Order
from lab.cli.reports import with_reports

_typer = partial(typer.Typer, add_completion=False, rich_markup_mode=None)
app = _typer(
    help="Run a network of containers, play a scripted conversation in it, and check the result.",
    epilog="Exit codes: 0 passed, 1 a check failed, 2 wrong use or input, 3 no result possible, 4 no check "
    "selected, 70 a bug in the lab, 130 interrupted.",
)
images = _typer(help="Build and list the images that the lab uses.")
app.add_typer(images, name="images")

_argument = partial(typer.Argument, show_default=False)
_option = partial(typer.Option, show_default=False)

File = Annotated[Path, _argument(help="A scenario file.")]
Files = Annotated[list[Path], _argument(help="Scenario files.")]
Host = Annotated[
    str, _argument(help="A host of the running lab. HOST.PROGRAM runs the command as that program's user.")
]
Command = Annotated[list[str], _argument(help="The command to run.")]
Records = Annotated[list[Path], _argument(help="Folders of saved runs.")]
Record = Annotated[Path | None, _argument(help="The folder of a saved run; the running lab unless given.")]
Saved = Annotated[Path, _argument(help="The folder of a saved run.")]
Folder = Annotated[Path, _argument(help="The folder; it is created if needed.")]

Languages = Annotated[
    list[str] | None, _argument(help="Languages whose images to build: go, java, node, rust.")
]

Which = Annotated[
    str, _option("--lab", metavar="RUN", help="Select a lab by the start of its run id or by its scenario.")
]
Only = Annotated[
    list[str] | None, _option("--only", metavar="NAME", help="Show only this check; can be repeated.")
]
RecordsIn = Annotated[Path, typer.Option("--records", metavar="DIR", help="The folder for saved runs.")]
Seed = Annotated[str, _option("--seed", metavar="TEXT", help="Make ${nonce} the same in each run.")]
Lease = Annotated[
    str, typer.Option("--lease", metavar="TIME", help="Remove the lab after this time, as in 30m.")
]
Watch = Annotated[bool, _option("--watch", help="Draw the conversation live; end with ^C.")]
Bundle = Annotated[
    Path | None,
    _option("--ca-bundle", metavar="FILE", help="Trust these certificates of a proxy when building images."),
]
Programs = Annotated[
    list[str] | None,
    _option(
        "--program",
        metavar="NAME=PATH",
        help="Take the sources of this program from a file, folder or archive; can be repeated.",
    ),
]
Reports = Mapping[str, Path]
"""Files by the formats that they are to have: ``with_reports`` makes an option of each format."""
Json = Annotated[bool, _option("--json", help="Print one JSON document.")]
Verbose = Annotated[
    bool, _option("--verbose", "-v", help="Show each step and each call of the container engine.")
]
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
@with_reports
def up(
    *,
    file: File,
    programs: Programs = None,
    only: Only = None,
    records: RecordsIn = _RUNS,
    seed: Seed = "",
    lease: Lease = "8h",
    watch: Watch = False,
    ca_bundle: Bundle = None,
    reports: Reports,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Play a scenario, check it, and keep its hosts running."""
    from lab.cli import play

    wishes = play.Wishes(
        tuple(only or ()), records, seed, ca_bundle, lease=lease, keep=True, watch=watch, reports=reports,
        programs=tuple(programs or ()),
    )  # fmt: skip
    return Order(partial(play.play_all, [file], wishes), json, verbose)


@app.command()
@with_reports
def run(
    *,
    files: Files,
    programs: Programs = None,
    only: Only = None,
    records: RecordsIn = _RUNS,
    seed: Seed = "",
    ca_bundle: Bundle = None,
    reports: Reports,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Play scenarios, check them, and remove their hosts."""
    from lab.cli import play

    wishes = play.Wishes(
        tuple(only or ()), records, seed, ca_bundle, reports=reports, programs=tuple(programs or ())
    )
    return Order(partial(play.play_all, files, wishes), json, verbose)


@app.command()
def ps(*, json: Json = False, verbose: Verbose = False) -> Order:
    """List the running labs and their hosts."""
    from lab.cli import hosts

    return Order(hosts.ps, json, verbose)


@app.command(name="exec")
def execute(*, host: Host, command: Command, lab: Which = "", verbose: Verbose = False) -> Order:
    """Run a command in a host and exit with its status."""
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
    """Show what was typed and printed in a run, with times."""
    from lab.cli import records as reading

    return Order(partial(reading.logs, record, lab, records), json, verbose)


@app.command()
def down(
    *,
    lab: Which = "",
    every: Annotated[bool, _option("--all", help="Remove all running labs.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Remove a lab that `lab up` started."""
    from lab.cli import hosts

    return Order(partial(hosts.down, lab, every), json, verbose)


@app.command()
def wipe(*, json: Json = False, verbose: Verbose = False) -> Order:
    """Remove all labs whose process has ended or whose time is over."""
    from lab.cli import hosts

    return Order(hosts.wipe, json, verbose)


@app.command()
def validate(
    *,
    files: Files,
    programs: Programs = None,
    show: Annotated[
        bool, _option("--print", help="Print the scenario with all short forms expanded.")
    ] = False,
    json: Json = False,
) -> Order:
    """Report all mistakes in scenario files."""
    from lab.cli import scenarios

    return Order(partial(scenarios.validate, files, tuple(programs or ()), show), json)


@app.command()
@with_reports
def check(*, records: Records, only: Only = None, reports: Reports, json: Json = False) -> Order:
    """Check saved runs again (no Docker needed)."""
    from lab.cli import records as reading

    return Order(partial(reading.check, records, tuple(only or ()), reports), json)


@app.command()
def flow(
    *,
    record: Saved,
    form: Annotated[
        Form, typer.Option("--format", help="Print for a terminal or as a Mermaid diagram.")
    ] = Form.TEXT,
    connection: Annotated[
        int, _option("--connection", metavar="N", help="Show only the packets of this connection.")
    ] = 0,
    whole: Annotated[bool, _option("--all", help="Show every segment and line.")] = False,
) -> Order:
    """Draw a saved run as a sequence diagram."""
    from lab.cli import flow as drawing

    return Order(partial(drawing.flow, record, form, connection, whole))


@app.command()
def wireshark(
    *,
    record: Saved,
    output: Annotated[
        Path | None,
        _option(
            "--output", "-o", metavar="FILE", help="The file to write; lab.pcapng in the record unless given."
        ),
    ] = None,
    json: Json = False,
) -> Order:
    """Write all captures of a run to one pcapng file for Wireshark."""
    from lab.cli import flow as drawing

    return Order(partial(drawing.wireshark, record, output), json)


@app.command()
def analyze(
    *,
    capture: Annotated[Path, _argument(help="A capture file: pcap or pcapng.")],
    json: Json = False,
) -> Order:
    """List the TCP connections in a capture file."""
    from lab.cli import analyze as telling

    return Order(partial(telling.analyze, capture), json)


@images.command()
def build(
    *,
    languages: Languages = None,
    again: Annotated[bool, _option("--again", help="Build them again, even if they are current.")] = False,
    ca_bundle: Bundle = None,
    json: Json = False,
    verbose: Verbose = False,
) -> Order:
    """Build images that are missing or out of date: those of all labs, or those of LANGUAGES."""
    from lab.cli import machine

    return Order(partial(machine.build_images, tuple(languages or ()), again, ca_bundle), json, verbose)


@images.command(name="list")
def list_(*, json: Json = False, verbose: Verbose = False) -> Order:
    """List the images and whether they are current."""
    from lab.cli import machine

    return Order(machine.list_images, json, verbose)


@app.command()
def doctor(*, json: Json = False) -> Order:
    """Check whether this machine can run labs."""
    from lab.cli import machine

    return Order(machine.doctor, json)


@app.command()
def init(*, folder: Folder = _HERE, json: Json = False) -> Order:
    """Create an example scenario with its programs."""
    from lab.cli import scenarios

    return Order(partial(scenarios.init, folder), json)
