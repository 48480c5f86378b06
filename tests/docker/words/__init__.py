"""Every word of the checks, with a program that is right and one that is wrong."""

from tests.docker.words.datagrams import datagrams
from tests.docker.words.elapsed import elapsed
from tests.docker.words.ends import ends
from tests.docker.words.file import file
from tests.docker.words.handshake_time import handshake_time
from tests.docker.words.icmp import icmp
from tests.docker.words.number import number
from tests.docker.words.play import Play, Row
from tests.docker.words.programs import prints_and_ends, processes
from tests.docker.words.queues import handshakes, resent
from tests.docker.words.silence import silence
from tests.docker.words.throughput import throughput
from tests.docker.words.waiting import close_wait

__all__ = ["PLAYS", "Play", "Row"]

PLAYS = (
    ends(),
    handshakes(),
    resent(),
    handshake_time(),
    elapsed(),
    number(),
    close_wait(),
    processes(),
    prints_and_ends(),
    silence(),
    datagrams(),
    icmp(),
    file(),
    throughput(),
)
