"""The echo client: it sends each line typed and prints what comes back, until the end of input (^D).

python3 client.py SERVER-ADDRESS [port]     by default port 10000
"""

import signal
import socket
import sys


def receive_exactly(connection: socket.socket, size: int) -> bytes:
    """The next `size` bytes of the stream, in however many pieces they come."""
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server has closed")
        data += piece
    return data


def connect(address: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((address, port))
    except OSError as error:
        sys.exit(f"connect: {error.strerror}")


def talk(address: str, port: int) -> None:
    with connect(address, port) as connection:
        while line := sys.stdin.buffer.readline():
            connection.sendall(line)
            sys.stdout.buffer.write(receive_exactly(connection, len(line)))
            sys.stdout.buffer.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C ends it without a traceback
    if len(sys.argv) < 2:
        sys.exit("usage: python3 client.py SERVER-ADDRESS [port]")
    try:
        talk(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000)
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"client.py: {error}")


if __name__ == "__main__":
    main()
