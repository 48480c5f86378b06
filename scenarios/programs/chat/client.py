"""The chat client: ask for a line, send it, print the reply, and again.

    python3 client.py [address] [port]          by default 192.168.153.128 19999

The two sides take turns, so one message is under way at a time and one recv gives it whole, as long as
it fits into one segment. TCP itself keeps no messages apart: the turns do.
"""

import signal
import socket
import sys

LONGEST = 1024  # bytes in a message


def say(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def ask(prompt: bytes) -> bytes:
    """A line that can be sent; empty at the end of input (^D).

    An empty line would put nothing on the wire, and both sides would wait for each other for ever.
    """
    while True:
        say(prompt)
        typed = sys.stdin.buffer.readline()
        line = typed.rstrip(b"\n")
        if not typed or 0 < len(line) <= LONGEST:
            return line


def connect(address: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((address, port))
    except OSError as error:
        sys.exit(f"connect: {error.strerror}")


def talk(address: str, port: int) -> None:
    with connect(address, port) as connection:
        while line := ask(b"You want to say:"):
            connection.sendall(line)
            reply = connection.recv(LONGEST)
            if not reply:
                return say(b" server shutdown!\n")
            say(b"server say:" + reply + b"\n")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C ends it without a traceback
    address = sys.argv[1] if len(sys.argv) > 1 else "192.168.153.128"
    port = sys.argv[2] if len(sys.argv) > 2 else "19999"
    try:
        talk(address, int(port))
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"client.py: {error}")


if __name__ == "__main__":
    main()
