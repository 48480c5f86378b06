"""What a program does, prints, holds, and how it ends: no network is in it."""

from __future__ import annotations

from tests.docker.words.play import Play, Row

_SLEEPS = {
    "accept": "import socket\ns = socket.create_server(('', 7000))\n{}s.accept()",
    "recv": "import socket\na, b = socket.socketpair()\n{}a.recv(1)",
    "send": "import socket\na, b = socket.socketpair()\n{}a.sendall(bytes(10_000_000))",
    "connect": "import socket\ns = socket.create_server(('127.0.0.1', 7001), backlog=0)\n"
    "a, b = socket.socket(), socket.socket()\na.connect(s.getsockname())\n{}b.connect(s.getsockname())",
    "read": "import os\nr, w = os.pipe()\n{}os.read(r, 1)",
    "write": "import os\nr, w = os.pipe()\n{}os.write(w, bytes(1_000_000))",
    "poll": "import select, sys\n{}select.select([sys.stdin], [], [])",
    "wait": "import os, time\nif os.fork() == 0: time.sleep(600)\n{}os.wait()",
    "futex": "import threading\nlock = threading.Lock()\nlock.acquire()\n{}lock.acquire()",
    "sleep": "import time\n{}time.sleep(600)",
}
"""Programs that say that they are ready and then sleep in a call."""

_SIGNALS = (
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGTERM", "SIGSEGV", "SIGABRT",
    "SIGFPE", "SIGBUS", "SIGILL",
)  # fmt: skip

_STAYS = "print('ready', flush=True)\nsys.stdin.readline()\n"


def _start(programs: tuple[str, ...], host: str = "p") -> str:
    """The script: each program is started, and is ready before the next is."""
    return "".join(
        f"- {host}: {{start: {name}, as: {name}}}\n- {host}.{name}: {{expect: ready}}\n" for name in programs
    )


def processes() -> Play:
    """The programs that are wrong for others come first: nobody looks at them before they are asleep."""

    def row(word: str, rest: str, right: str, wrong: str, told: str) -> Row:
        return Row(f"process.{word}", f"process: {{host: p, program: '@', {rest}}}", right, wrong, told)

    order = ("sleep", *(call for call in _SLEEPS if call != "sleep"))
    return Play(
        "What a program does and holds while it runs",
        ("p", "q"),
        {
            **{call: text.format("print('ready', flush=True)\n") + "\n" for call, text in _SLEEPS.items()},
            "reaps": f"import os, sys\nif os.fork() == 0: os._exit(0)\nos.wait()\n{_STAYS}",
            "leaves": f"import os, sys\nif os.fork() == 0: os._exit(0)\n{_STAYS}",
            "leaks": f"import os, sys\nkept = os.pipe()\n{_STAYS}",
        },
        _start((*order, "reaps", "leaves", "leaks"))
        + "".join(f"- p.{call}: {{wait: {{asleep_in: {call}}}}}\n" for call in order)
        + _start(("reaps",), "q"),
        (
            *(
                row(f"asleep_in={call}", f"asleep_in: {call}", call, wrong, "it was seen asleep in @")
                for call, wrong in {**dict.fromkeys(_SLEEPS, "sleep"), "sleep": "accept"}.items()
            ),
            row("zombies", "zombies: 0", "reaps", "leaves", "@ had 1 zombie when it was looked at last"),
            row("children", "children: 1", "wait", "reaps", "@ had 0 running children when it was looked at last"),
            row("descriptors", "descriptors: 3", "reaps", "leaks", "@ had 5 open descriptors"),
            row("program", "zombies: 0", "reaps", "leaves", "@ had 1 zombie"),
            Row("process.host", "process: {host: '@', zombies: 0}", "q", "p", "leaves had 1 zombie"),
        ),
    )  # fmt: skip


def prints_and_ends() -> Play:
    def output(word: str, rest: str) -> str:
        return f"output: {{host: {word}, {rest}}}"

    def end(word: str, rest: str, right: str, wrong: str, told: str) -> Row:
        return Row(f"exit.{word}", f"exit: {{host: p, program: '@', {rest}}}", right, wrong, told)

    return Play(
        "What a program prints, and how it ends",
        ("p", "q"),
        {
            "says": "print('one')\nprint('two')\nprint('two')\n",
            "mutters": "print('two one and three')\nraise SystemExit(3)\n",
            "stays": f"import sys\n{_STAYS}",
            "dies": "import os, signal, sys\nnumber = signal.Signals[sys.argv[1]]\n"
            "if number != signal.SIGKILL: signal.signal(number, signal.SIG_DFL)\nos.kill(os.getpid(), number)\n",
        },
        "".join(
            f"- {host}: {{start: {name}, as: {name}}}\n- {host}.{name}: {{wait: {{exited: true}}}}\n"
            for host, name in (("p", "says"), ("p", "mutters"), ("q", "says"))
        )
        + _start(("stays",))
        + "".join(
            f"- p: {{start: dies, args: {name}, as: {name.lower()}}}\n"
            f"- p.{name.lower()}: {{wait: {{exited: true}}}}\n"
            for name in _SIGNALS
        ),
        (
            Row(
                "output.lines", "output: {host: p, program: '@', lines: {two: 2}}",
                "says", "mutters", "0 lines 'two'; the line 'two one and three' contains it",
            ),
            Row(
                "output.contains", "output: {host: p, program: '@', contains: [one, two]}",
                "says", "mutters", "'two' is not there after 'one'",
            ),
            Row(
                "output.lacks", "output: {host: p, program: '@', lacks: three}",
                "says", "mutters", "it is in the line 'two one and three'",
            ),
            Row(
                "output.program", "output: {host: p, program: '@', lines: {one: 1}}",
                "says", "mutters", "0 lines 'one'",
            ),
            Row(
                "output.host", "output: {host: '@', lacks: three}",
                "q", "p", "it is in the line 'two one and three'",
            ),
            end("status", "status: 0", "says", "mutters", "@: exit status 3"),
            end("running=true", "running: true", "stays", "says", "@: exit status 0"),
            end("program", "status: 0", "says", "mutters", "@: exit status 3"),
            Row("exit.host", "exit: {host: '@', status: 0}", "q", "p", "mutters: exit status 3"),
            *(
                end(f"signal={name}", f"signal: {name}", name.lower(), other.lower(), f"@: killed by {other}")
                for name, other in zip(_SIGNALS, (*_SIGNALS[1:], _SIGNALS[0]), strict=True)
            ),
        ),
    )  # fmt: skip
