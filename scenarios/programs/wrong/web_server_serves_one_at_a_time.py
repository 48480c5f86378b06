"""A small web server (HTTP/1.1, RFC 9112): wrong, as one client keeps all others waiting."""

import socket
import sys

PAGES = {"/": b"Hello, web!\n", "/slow": b"Good things take time.\n"}


def serve(connection: socket.socket) -> None:
    """Answer requests until the client closes; one may come in pieces, or several at once."""
    waiting = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in waiting:
                piece = connection.recv(4096)
                if not piece:
                    return
                waiting += piece
            request, _, waiting = waiting.partition(b"\r\n\r\n")
            connection.sendall(answer(request))


def answer(request: bytes) -> bytes:
    """The response to one request."""
    words = request.split(b"\r\n")[0].split(b" ")
    if len(words) != 3 or words[0] != b"GET":
        return response("400 Bad Request", b"")
    page = PAGES.get(words[1].decode(errors="replace"))
    return response("404 Not Found", b"") if page is None else response("200 OK", page)


def response(status: str, body: bytes) -> bytes:
    """Headers and a body."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    """Listen on the port that is given."""
    listener = socket.create_server(("", int(sys.argv[1])), backlog=128)
    while True:
        connection, _ = listener.accept()
        serve(connection)


main()
