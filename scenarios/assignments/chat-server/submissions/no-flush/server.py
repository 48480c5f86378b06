"""It never flushes: its log stays in a buffer, for its output is a pipe and no terminal."""

import socket
import sys
import threading

clients: dict[socket.socket, str] = {}


def tell_others(speaker: socket.socket | None, text: str) -> None:
    for client in [one for one in clients if one is not speaker]:
        client.sendall(f"{text}\n".encode())


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("r") as lines:
        name = clients[connection] = lines.readline().strip()
        print(f"{name} joined")
        tell_others(None, f"* {name} joined")
        try:
            for line in lines:
                if line.endswith("\n"):
                    tell_others(connection, f"{name}: {line.strip()}")
        except ConnectionResetError:
            pass
        del clients[connection]
    print(f"{name} left")
    tell_others(None, f"* {name} left")


with socket.create_server(("", int(sys.argv[1]))) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
