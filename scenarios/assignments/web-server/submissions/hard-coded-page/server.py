"""It sends a page that is written in the program."""

import socket
import sys
import threading

PAGES = {"/index.html": b"Hello, world!\n"}


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("r", newline="") as lines:
        words = lines.readline().split()
        while lines.readline().strip():
            pass
        content = PAGES.get(words[1]) if len(words) > 1 else None
        if content is None:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)


with socket.create_server(("", int(sys.argv[1])), backlog=64) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
