"""The command line as typer reads it: every command with its words, and nothing that is done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lab import __version__
from lab.cli import completion
from lab.cli.flow import Form
from lab.cli.invocation import Invocation
from lab.cli.reports import with_reports

_typer = partial(
    typer.Typer,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app = _typer(
    help="Run a network of containers, play a scripted conversation in it, and check the result.",
    epilog="Exit codes: 0 passed, 1 a check failed, 2 wrong use or input, 3 no result possible, 4 no check "
    "selected, 70 a bug in the lab, 130 interrupted.",
)
images = _typer(help="Build and list the images that the lab uses.")
app.add_typer(images, name="images")

argument = partial(typer.Argument, show_default=False)
option = partial(typer.Option, show_default=False)

File = Annotated[Path, argument(help="A scenario file.")]
Files = Annotated[list[Path], argument(help="Scenario files.")]
Host = Annotated[
    str,
    argument(
        help="A host of the running lab. HOST.PROGRAM runs the command as that program's user.",
        autocompletion=completion.hosts,
    ),
]
Command = Annotated[list[str], argument(help="The command to run.")]
Records = Annotated[
    list[str] | None,
    argument(
        metavar="[RUN]...",
        help="Folders or run ids of saved runs; the last run unless given.",
        autocompletion=completion.runs,
    ),
]
Record = Annotated[
    str,
    argument(
        metavar="[RUN]",
        help="The folder or run id of a saved run; the last run unless given.",
        autocompletion=completion.runs,
    ),
]
Folder = Annotated[Path, argument(help="The folder; it is created if needed.")]

Languages = Annotated[
    list[str] | None,
    argument(
        help="Languages whose images to build: go, java, node, rust.", autocompletion=completion.languages
    ),
]

Which = Annotated[
    str,
    option(
        "--lab",
        metavar="RUN",
        autocompletion=completion.labs,
        help="Select a lab by the start of its run id or by its scenario; else LAB_RUN, or the newest.",
    ),
]
Only = Annotated[
    list[str] | None, option("--only", metavar="NAME", help="Show only this check; can be repeated.")
]
RecordsIn = Annotated[Path, typer.Option("--records", metavar="DIR", help="The folder for saved runs.")]
Seed = Annotated[str, option("--seed", metavar="TEXT", help="Make ${nonce} the same in each run.")]
Lease = Annotated[
    str, typer.Option("--lease", metavar="TIME", help="Remove the lab after this time, as in 30m.")
]
Watch = Annotated[bool, option("--watch", help="Draw the conversation live; end with ^C.")]
Bundle = Annotated[
    Path | None,
    option("--ca-bundle", metavar="FILE", help="Trust these certificates of a proxy when building images."),
]
Programs = Annotated[
    list[str] | None,
    option(
        "--program",
        metavar="NAME=PATH",
        help="Take the sources of this program from a file, folder or archive; can be repeated.",
    ),
]

Reports = Mapping[str, Path]
"""Files by the formats that they are to have: ``with_reports`` makes an option of each format."""
Json = Annotated[bool, option("--json", help="Print one JSON document.")]
Verbose = Annotated[
    bool, option("--verbose", "-v", help="Show each step and each call of the container engine.")
]
RUNS = Path("runs")
_HERE = Path()


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lab {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, option("--version", is_eager=True, callback=_show_version, help="Show the version.")
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
    records: RecordsIn = RUNS,
    seed: Seed = "",
    lease: Lease = "8h",
    watch: Watch = False,
    beside: Annotated[
        bool, option("--beside", help="Keep a lab of the same file that is up already.")
    ] = False,
    ca_bundle: Bundle = None,
    reports: Reports,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Play a scenario, check it, and keep its hosts running."""
    from lab.cli import play

    asked = play.PlayOptions(
        tuple(only or ()), records, seed, ca_bundle, lease=lease, keep=True, watch=watch, reports=reports,
        programs=tuple(programs or ()), beside=beside,
    )  # fmt: skip
    return Invocation(partial(play.play_all, [file], asked), json, verbose)


@app.command()
@with_reports
def run(
    *,
    files: Files,
    programs: Programs = None,
    only: Only = None,
    records: RecordsIn = RUNS,
    seed: Seed = "",
    ca_bundle: Bundle = None,
    reports: Reports,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Play scenarios, check them, and remove their hosts."""
    from lab.cli import play

    asked = play.PlayOptions(
        tuple(only or ()), records, seed, ca_bundle, reports=reports, programs=tuple(programs or ())
    )
    return Invocation(partial(play.play_all, files, asked), json, verbose)


@app.command()
def ps(*, json: Json = False, verbose: Verbose = False) -> Invocation:
    """List the running labs and their hosts."""
    from lab.cli import hosts

    return Invocation(hosts.ps, json, verbose)


@app.command(name="exec", context_settings={"allow_interspersed_args": False})
def execute(*, host: Host, command: Command, lab: Which = "", verbose: Verbose = False) -> Invocation:
    """Run a command in a host and exit with its status."""
    from lab.cli import hosts

    return Invocation(partial(hosts.execute, host, command, lab), verbose=verbose)


@app.command()
def shell(*, host: Host, lab: Which = "", verbose: Verbose = False) -> Invocation:
    """Open a shell in a host."""
    from lab.cli import hosts

    return Invocation(partial(hosts.shell, host, lab), verbose=verbose)


@app.command()
def cp(
    *,
    source: Annotated[str, argument(help="A file or folder: here, or HOST:PATH.")],
    target: Annotated[str, argument(help="Where to: HOST:PATH, or here.")],
    lab: Which = "",
    verbose: Verbose = False,
) -> Invocation:
    """Copy files and folders into a host and out of it."""
    from lab.cli import copying

    return Invocation(partial(copying.cp, source, target, lab), verbose=verbose)


@app.command()
def logs(
    *,
    record: Record = "",
    records: RecordsIn = RUNS,
    json: Json = False,
) -> Invocation:
    """Show what was typed and printed in a run, with times."""
    from lab.cli import records as reading
    from lab.cli.saved import saved

    return Invocation(lambda screen: reading.logs(saved(record, records), screen), json)


@app.command()
def down(
    *,
    run: Annotated[
        str, argument(metavar="[RUN]", help="The lab, as with --lab.", autocompletion=completion.labs)
    ] = "",
    lab: Which = "",
    every: Annotated[bool, option("--all", help="Remove all labs that you left up on this machine.")] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Remove a lab that `lab up` started."""
    from lab.cli import hosts

    return Invocation(partial(hosts.down, run or lab, every), json, verbose)


@app.command()
def wipe(*, json: Json = False, verbose: Verbose = False) -> Invocation:
    """Remove all labs whose process has ended or whose time is over."""
    from lab.cli import hosts

    return Invocation(hosts.wipe, json, verbose)


@app.command()
def validate(
    *,
    files: Annotated[list[Path], argument(help="Scenario or assignment files.")],
    programs: Programs = None,
    show: Annotated[
        bool, option("--print", help="Print the scenario with all short forms expanded.")
    ] = False,
    json: Json = False,
) -> Invocation:
    """Report all mistakes in scenario and assignment files."""
    from lab.cli import scenarios

    return Invocation(partial(scenarios.validate, files, tuple(programs or ()), show), json)


@app.command()
@with_reports
def check(
    *,
    runs: Records = None,
    only: Only = None,
    records: RecordsIn = RUNS,
    reports: Reports,
    json: Json = False,
) -> Invocation:
    """Check saved runs again (no Docker needed)."""
    from lab.cli import records as reading

    return Invocation(partial(reading.check, runs or [""], records, tuple(only or ()), reports), json)


@app.command()
def flow(
    *,
    record: Record = "",
    form: Annotated[
        Form, typer.Option("--format", help="Print for a terminal, as a Mermaid diagram, or as SVG.")
    ] = Form.TEXT,
    connection: Annotated[
        int, option("--connection", metavar="N", help="Show only the packets of this connection.")
    ] = 0,
    whole: Annotated[bool, option("--all", help="Show every segment and line.")] = False,
    records: RecordsIn = RUNS,
    json: Json = False,
) -> Invocation:
    """Draw a saved run as a sequence diagram."""
    from lab.cli import flow as drawing
    from lab.cli.saved import saved

    return Invocation(
        lambda screen: drawing.flow(saved(record, records), form, connection, whole, screen), json
    )


@app.command()
def wireshark(
    *,
    record: Record = "",
    output: Annotated[
        Path | None,
        option(
            "--output", "-o", metavar="FILE", help="The file to write; lab.pcapng in the record unless given."
        ),
    ] = None,
    both: Annotated[
        bool, option("--both", help="Write each frame where it was sent and where it was received.")
    ] = False,
    at: Annotated[
        str, option("--at", metavar="HOST", help="Write only what this host sent and received.")
    ] = "",
    records: RecordsIn = RUNS,
    json: Json = False,
) -> Invocation:
    """Write all captures of a run to one pcapng file for Wireshark."""
    from lab.cli import flow as drawing
    from lab.cli.saved import saved

    return Invocation(
        lambda screen: drawing.wireshark(saved(record, records), output, both, at, screen), json
    )


@app.command()
def capture(
    *,
    host: Annotated[
        str,
        argument(
            metavar="[HOST]",
            help="Only what this host sends and receives.",
            autocompletion=completion.hosts,
        ),
    ] = "",
    lab: Which = "",
    verbose: Verbose = False,
) -> Invocation:
    """Pipe what is sent in a running lab into Wireshark."""
    from lab.cli import capturing

    return Invocation(partial(capturing.capture, host, lab), verbose=verbose)


@app.command(
    epilog="What was sent before is not drawn: `lab flow` draws the script, `lab wireshark` saves all. What "
    "programs print and people type is not drawn either."
)
def watch(
    *,
    lab: Annotated[
        str,
        argument(
            metavar="[RUN]",
            help="A running lab, by the start of its run id or by its scenario; else LAB_RUN, or the newest.",
            autocompletion=completion.labs,
        ),
    ] = "",
    verbose: Verbose = False,
) -> Invocation:
    """Draw what is sent in a running lab from now on, until ^C."""
    from lab.cli import watching

    return Invocation(partial(watching.watch, lab), verbose=verbose)


@app.command()
def analyze(
    *,
    capture: Annotated[
        Path, argument(help="A capture file: pcap or pcapng, also gzipped; - is standard input.")
    ],
    conn: Annotated[
        int | None, option("--conn", min=1, help="Show only the connection of this number.")
    ] = None,
    host: Annotated[
        list[str] | None,
        option("--host", help="Show only what has this IP address, or one of this network (repeatable)."),
    ] = None,
    port: Annotated[
        list[int] | None,
        option("--port", min=1, max=65535, help="Show only what has this port (repeatable)."),
    ] = None,
    json: Json = False,
) -> Invocation:
    """List the TCP connections in a capture file."""
    from lab.cli import analyze as telling

    return Invocation(
        lambda screen: telling.analyze(capture, telling.choice_of(conn, host or (), port or ()), screen), json
    )


@images.command()
def build(
    *,
    languages: Languages = None,
    again: Annotated[bool, option("--again", help="Build them again, even if they are current.")] = False,
    ca_bundle: Bundle = None,
    json: Json = False,
    verbose: Verbose = False,
) -> Invocation:
    """Build images that are missing or out of date: those of all labs, or those of LANGUAGES."""
    from lab.cli import machine

    return Invocation(partial(machine.build_images, tuple(languages or ()), again, ca_bundle), json, verbose)


@images.command(name="list")
def list_(*, json: Json = False, verbose: Verbose = False) -> Invocation:
    """List the images and whether they are current."""
    from lab.cli import machine

    return Invocation(machine.list_images, json, verbose)


@app.command()
def doctor(*, json: Json = False) -> Invocation:
    """Check whether this machine can run labs."""
    from lab.cli import machine

    return Invocation(machine.doctor, json)


@app.command()
def examples(*, json: Json = False) -> Invocation:
    """List the scenarios and assignments that come with the lab."""
    from lab.cli import scenarios

    return Invocation(scenarios.examples, json)


@app.command()
def init(
    *,
    folder: Folder = _HERE,
    example: Annotated[
        str,
        option(
            "--from",
            metavar="NAME",
            help="Copy this scenario or assignment of `lab examples`.",
            autocompletion=completion.examples,
        ),
    ] = "",
    assignment: Annotated[
        bool, option("--assignment", help="Create an example assignment with submissions instead.")
    ] = False,
    json: Json = False,
) -> Invocation:
    """Create a scenario with its programs to begin with."""
    from lab.cli import scenarios

    return Invocation(partial(scenarios.init, folder, example, assignment), json)
