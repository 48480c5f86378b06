"""Sends its whole buffer each time, also where the file has filled a part of it."""

import hashlib
import socket
from pathlib import Path


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as lines:
        name = lines.readline().decode().strip()
        file = Path(name)
        if "/" in name or not file.is_file():
            connection.sendall(b"none\n")
            return
        data = file.read_bytes()
        connection.sendall(f"{-(-len(data) // 4096) * 4096} {hashlib.sha256(data).hexdigest()}\n".encode())
        block = bytearray(4096)
        with file.open("rb") as source:
            while count := source.readinto(block):
                connection.sendall(block)  # not block[:count]


with socket.create_server(("", 9000)) as listener:
    while True:
        serve(listener.accept()[0])
