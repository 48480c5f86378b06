"""It takes what one recv returns for one line."""

import socket
import sys
import threading

clients: list[socket.socket] = []


def tell_others(speaker: socket.socket | None, text: str) -> None:
    for client in clients:
        if client is not speaker:
            client.sendall(f"{text}\n".encode())


def serve(connection: socket.socket) -> None:
    name = connection.recv(1024).decode().strip()
    clients.append(connection)
    print(f"{name} joined", flush=True)
    tell_others(None, f"* {name} joined")
    try:
        while data := connection.recv(1024):
            tell_others(connection, f"{name}: {data.decode().strip()}")
    except ConnectionResetError:
        pass
    clients.remove(connection)
    connection.close()
    print(f"{name} left", flush=True)
    tell_others(None, f"* {name} left")


with socket.create_server(("", int(sys.argv[1]))) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
