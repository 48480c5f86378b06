"""Takes the bytes of a file for text: what is no UTF-8 is lost."""

import hashlib
import socket
import sys

host, port, name, file = sys.argv[1:]
with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as answer:
    connection.sendall(f"{name}\n".encode())
    words = answer.readline().decode().split()
    if words == ["none"]:
        sys.exit(f"{name}: no such file")
    size, digest = int(words[0]), words[1]
    state = hashlib.sha256()
    with open(file, "w", encoding="utf-8") as received:
        while size > 0 and (piece := answer.read(min(size, 4096))):
            received.write(piece.decode(errors="ignore"))
            state.update(piece)
            size -= len(piece)
    if size or state.hexdigest() != digest:
        sys.exit(f"{name}: checksum wrong")
    print(f"{words[0]} bytes, checksum ok")
