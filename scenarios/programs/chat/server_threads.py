"""The chat server, third version: a thread for each client.

python3 server_threads.py [address] [port]  by default 0.0.0.0 19999
"""

import signal
import socket
import sys
import threading

LONGEST = 1024  # bytes in a message

# All threads share the operator's one terminal: who holds this speaks with the operator, the others wait.
terminal = threading.Lock()


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


def converse(client: socket.socket) -> None:
    """The conversation with one client, until it or the operator ends it."""
    while message := client.recv(LONGEST):
        with terminal:
            say(b"client say:" + message + b"\n")
            line = ask(b"you want to say:")
            if not line:
                return
            client.sendall(line)
    say(b" client shutdown !\n")


def serve(client: socket.socket) -> None:
    """One client's trouble ends its own thread only."""
    with client:
        try:
            converse(client)
        except OSError as error:
            print(f"server_threads.py: {error}", file=sys.stderr)


def listen(address: str, port: int) -> None:
    # create_server calls socket, setsockopt(SO_REUSEADDR), bind and listen.
    with socket.create_server((address, port), backlog=1) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C ends it without a traceback
    address = sys.argv[1] if len(sys.argv) > 1 else "0.0.0.0"
    port = sys.argv[2] if len(sys.argv) > 2 else "19999"
    try:
        listen(address, int(port))
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"server_threads.py: {error}")


if __name__ == "__main__":
    main()
