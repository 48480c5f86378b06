"""Serves one client after the other."""

import socket
import sys
from urllib.parse import urlsplit

LONGEST = 65536


def head_of(client: socket.socket) -> bytes:
    """The request's head, however many segments it comes in."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < LONGEST and (piece := client.recv(4096)):
        head += piece
    return head


def serve(client: socket.socket) -> None:
    with client:
        words, _, fields = head_of(client).partition(b"\r\n")
        parts = words.decode("latin-1").split(" ")
        if len(parts) != 3 or not parts[1].startswith("http://"):
            client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            return
        target = urlsplit(parts[1])
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        with socket.create_connection((target.hostname, target.port or 80)) as origin:
            origin.sendall(f"{parts[0]} {path} {parts[2]}\r\n".encode("latin-1") + fields)
            while piece := origin.recv(4096):
                client.sendall(piece)


with socket.create_server(("", int(sys.argv[1]))) as listener:
    while True:
        serve(listener.accept()[0])
