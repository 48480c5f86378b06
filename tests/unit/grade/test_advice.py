"""What sanitizers write, as gcc 12 does, and what a student is told of it."""

from __future__ import annotations

import time

from lab.evidence.transcript import Output, Transcript
from lab.grade.advice import MOST, advice_of
from lab.grade.result import Advice

REPORT = """listening
=================================================================
==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000018 at pc 0x55e0 bp 0x7ffd sp 0x7ffd
WRITE of size 1 at 0x602000000018 thread T0
    #0 0x7f11 in __interceptor_recv ../../../../src/libsanitizer/sanitizer_common/common.inc:6781
    #1 0x55e0 in serve(int, char const*) /work/server/net/server.c:10
    #2 0x55e1 in main /work/server/server.c:20
    #3 0x7f12 in __libc_start_call_main ../sysdeps/nptl/libc_start_call_main.h:58

0x602000000018 is located 0 bytes to the right of 8-byte region
"""
OVERFLOW = "server.c:19:39: runtime error: signed integer overflow: 1 + 2147483647 cannot be represented in type 'int'\n"
STORE = "./a.c:3:1: runtime error: store to address 0x602000000018 with insufficient space for an object of type 'char'\n"
NULL = "==9==ERROR: AddressSanitizer: SEGV on unknown address 0x000000000000 (pc 0x55 bp 0x7f sp 0x7f T0)\n"


def printed(*texts: str, program: str = "server") -> Transcript:
    return Transcript(tuple(Output(n, "a", program, text) for n, text in enumerate(texts)))


def test_the_first_line_of_a_report_and_the_first_place_that_is_the_students_own() -> None:
    assert advice_of(printed(REPORT.replace("\n", "\r\n")), {"server"}) == (
        Advice("heap-buffer-overflow", "net/server.c:10 in serve(int, char const*)"),
    )
    assert advice_of(printed(NULL), {"server"}) == (Advice("SEGV", ""),)


def test_undefined_behaviour_each_once() -> None:
    assert advice_of(printed(OVERFLOW, STORE, OVERFLOW[:9], OVERFLOW[9:]), {"server"}) == (
        Advice("signed integer overflow: 1 + 2147483647 cannot be represented in type 'int'", "server.c:19"),
        Advice("store to an address with insufficient space for an object of type 'char'", "a.c:3"),
    )


def test_what_other_programs_print_is_none() -> None:
    assert advice_of(printed(REPORT, program="client"), {"server"}) == ()


def test_a_program_that_prints_reports_without_end_is_cut() -> None:
    began = time.monotonic()
    many = advice_of(printed(*(OVERFLOW.replace("19", str(n)) for n in range(5000))), {"server"})
    assert len(many) == MOST
    assert advice_of(printed("    #0 0x1 in " + "a" * 1_000_000), {"server"}) == ()
    long = advice_of(
        printed(f"{'x' * 10_000}:1:1: runtime error: {'y' * 10_000}\n a.c:1:1: runtime error: z"), {"server"}
    )
    assert all(len(one.what) <= 300 for one in long)
    assert time.monotonic() - began < 20
