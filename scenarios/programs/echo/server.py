"""The echo server: it accepts one client and sends back what it receives, until recv gives nothing.

python3 server.py [address] [port]          by default 0.0.0.0 10000
"""

import signal
import socket
import sys


def serve(address: str, port: int) -> None:
    # create_server calls socket, setsockopt(SO_REUSEADDR), bind and listen.
    with socket.create_server((address, port), backlog=128) as listener:
        client, _ = listener.accept()
        with client:
            while data := client.recv(1024):
                client.sendall(data)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C ends it without a traceback
    address = sys.argv[1] if len(sys.argv) > 1 else "0.0.0.0"
    port = sys.argv[2] if len(sys.argv) > 2 else "10000"
    try:
        serve(address, int(port))
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"server.py: {error}")


if __name__ == "__main__":
    main()
