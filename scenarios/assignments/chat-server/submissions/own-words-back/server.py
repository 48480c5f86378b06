"""It sends a line to everybody, its speaker too."""

import socket
import sys
import threading

clients: list[socket.socket] = []


def tell_all(text: str) -> None:
    for client in clients:
        client.sendall(f"{text}\n".encode())


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("r") as lines:
        name = lines.readline().strip()
        clients.append(connection)
        print(f"{name} joined", flush=True)
        tell_all(f"* {name} joined")
        try:
            for line in lines:
                if line.endswith("\n"):
                    tell_all(f"{name}: {line.strip()}")
        except ConnectionResetError:
            pass
        clients.remove(connection)
    print(f"{name} left", flush=True)
    tell_all(f"* {name} left")


with socket.create_server(("", int(sys.argv[1]))) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
