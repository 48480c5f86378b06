"""Mistakes of memory that no check sees reach the student as advice, and cost no points."""

from __future__ import annotations

import csv
import json

from lab.grade.results import GRADE_BOOK, JSON
from tests.docker.stage import Stage

SERVER = """
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
static void serve(int end) {
    char *buffer = malloc(ROOM);
    ssize_t count = recv(end, buffer, 8, 0);
    buffer[count] = 0;
    send(end, buffer, count, 0);
    free(buffer);
}
int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(5000)};
    bind(listener, (struct sockaddr *)&own, sizeof own);
    listen(listener, 5);
    for (;;) { int end = accept(listener, 0, 0); serve(end); close(end); }
}
"""
MAKEFILE = "CC = gcc\nserver: server.c\n\t$(CC) -O2 -o $@ $<\n"
ASSIGNMENT = """
version: 1
title: Echo in C
submit: {programs: server, required: server.c}
sanitizers: true
scenarios: [{file: play.yaml, points: 10}]
"""
PLAY = """
version: 1
title: Eight bytes
networks: {lan: 192.168.153.0/24}
hosts: {server: 192.168.153.101, client: 192.168.153.102}
programs: {server: {source: server.c, listens: 5000}}
steps:
- server: {start: server}
- client: {connect: "server:5000", as: c}
- client.c: {type: "12345678"}
- client.c: {expect: "12345678"}
checks:
- exit: {host: server, program: server, running: true}
"""


def test_a_byte_behind_its_buffer_is_told_and_costs_nothing(stage: Stage) -> None:
    right = SERVER.replace("ROOM", "9")
    stage.lay(ASSIGNMENT, {"play.yaml": PLAY, "server.c": right}, "assignment.yaml")
    place = stage.folder / "class"
    for name, room, makefile in (("ann", "9", ""), ("ben", "8", ""), ("mia", "8", MAKEFILE)):
        (place / name).mkdir(parents=True)
        (place / name / "server.c").write_text(SERVER.replace("ROOM", room))
        if makefile:
            (place / name / "Makefile").write_text(makefile)
    done = stage.lab("grade", "assignment.yaml", "class", "--out", "out")
    assert done.returncode == 0, done.stderr
    book = csv.DictReader((stage.folder / "out" / GRADE_BOOK).read_text().splitlines())
    assert {row["student"]: row["points"] for row in book} == {"ann": "10", "ben": "10", "mia": "10"}
    students = json.loads((stage.folder / "out" / JSON).read_text())["students"]
    told = {one["student"]: one["scenarios"][0]["advice"] for one in students}
    assert told["ann"] == []
    for name in ("ben", "mia"):
        assert {"what": "heap-buffer-overflow", "place": "server.c:9 in serve"} in told[name], told
    pages = [page.read_text() for page in sorted((stage.folder / "out").glob("students/*/feedback.txt"))]
    assert ["heap-buffer-overflow, at server.c:9 in serve" in page for page in pages] == [False, True, True]
