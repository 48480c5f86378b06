"""A web server with a thread for each client."""

import socket
import sys
import threading
from pathlib import Path

LONGEST = 16384

folder = Path(sys.argv[2]).resolve()


def header_of(connection: socket.socket) -> str:
    """All of a request's header; empty if it does not come."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = connection.recv(4096)
        if not data or len(request) > LONGEST:
            return ""
        request += data
    return request.decode("latin-1")


def answer_to(header: str) -> bytes:
    words = header.split("\r\n")[0].split(" ")
    path = (folder / words[1].lstrip("/")).resolve() if len(words) == 3 else folder
    if words[0] == "GET" and path.is_relative_to(folder) and path.is_file():
        status, content = "200 OK", path.read_bytes()
    else:
        status, content = "404 Not Found", b"There is no such page.\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode() + content


def serve(connection: socket.socket) -> None:
    with connection:
        try:
            if header := header_of(connection):
                connection.sendall(answer_to(header))
        except OSError:
            pass  # the client has gone


with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
