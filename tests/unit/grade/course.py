"""An assignment with everything that students must not get, laid into a folder."""

from __future__ import annotations

from pathlib import Path

ASSIGNMENT = """\
# Secret comment
version: 1
title: Talk
submit: {programs: [server, other], required: "*.py"}
scenarios:
- file: teachers/talk.yaml
  name: talk
  points: 8
  needs: secret-first
  hints: {Seen: look again, Secret check: Secret hint, conversation: speak}
- {file: teachers/secret-first.yaml, points: 2, visibility: hidden, hints: {Seen: Secret hint}}
- {file: teachers/again.yaml, needs: [talk, secret-first], runs: 2, rule: {all: 4, some: 1}}
- {file: teachers/unpublished.yaml, points: 1}
- {file: teachers/only-hidden.yaml, points: 1}
publish: {programs: [client, tool], files: [handout.md, include/proto.h]}
"""

TALK = """\
# Secret comment
version: 1
title: Talk
networks: {lan: 192.168.153.0/24}
programs:
  server: {source: Secret_solution.py, listens: 7000, files: {www/a.txt: {from: data/Secret_place.txt}}}
  client: {source: Secret_folder, run: python3 sub/main.py}
  tool: {sources: [Secret_folder/code/sub/main.py, data/b.py]}
hosts:
  a: {address: 192.168.153.128}
  b: {address: 192.168.153.129}
  c: {address: 192.168.153.130}
steps:
- a: {start: server}
- b: {start: client}
- c: {start: tool}
checks:
- {name: Secret check, points: 6, hint: Secret, visibility: hidden, connections: {from: b, to: "a:7000", count: 1}}
- {name: Seen, points: 2, needs: Secret check, connections: {from: b, to: "a:7000", count: 2}}
"""

ONE = """\
version: 1
title: One
networks: {lan: 192.168.153.0/24}
programs:
  server: {source: Secret_solution.py, listens: 7000}
PROGRAMS
hosts:
  a: {address: 192.168.153.128}
  b: {address: 192.168.153.129}
steps:
- a: {start: server}
STEPS
checks:
- {name: Seen, VISIBILITY, connections: {from: b, to: "a:7000", count: 1}}
"""


def lay(folder: Path) -> Path:
    """Lay it down; the path of the assignment."""

    def one(programs: str = "", steps: str = "", visibility: str = "visible") -> str:
        text = ONE.replace("PROGRAMS", programs).replace("STEPS", steps)
        return text.replace("VISIBILITY", f"visibility: {visibility}")

    files = {
        "assignment.yaml": ASSIGNMENT,
        "teachers/talk.yaml": TALK,
        "teachers/secret-first.yaml": one("  other: {source: Secret_other.py}", "- b: {start: other}"),
        "teachers/again.yaml": one(),
        "teachers/unpublished.yaml": one("  judge: {source: Secret_other.py}", "- b: {start: judge}"),
        "teachers/only-hidden.yaml": one(visibility="after_due_date"),
        "teachers/Secret_solution.py": "# Secret solution\n",
        "teachers/Secret_other.py": "# Secret program\n",
        "teachers/Secret_folder/code/sub/main.py": "print('client')\n",
        "teachers/Secret_folder/code/sub/.git/Secret": "Secret history",
        "teachers/data/Secret_place.txt": "page\n",
        "teachers/data/b.py": "",
        "teachers/Secret_notes.md": "Secret",
        "handout.md": "Write a server.\n",
        "include/proto.h": "#define PORT 7000\n",
        "include/Secret.h": "",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder / "assignment.yaml"
