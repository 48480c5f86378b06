"""A chat server with a thread for each client."""

import socket
import sys
import threading

clients: dict[socket.socket, str] = {}
lock = threading.Lock()


def tell_others(speaker: socket.socket | None, text: str) -> None:
    with lock:
        for client in clients:
            if client is not speaker:
                try:
                    client.sendall(f"{text}\n".encode())
                except OSError:
                    pass  # its own thread notices that it has left


def serve(connection: socket.socket) -> None:
    name = ""
    try:
        with connection.makefile("r", encoding="utf-8", errors="replace", newline="\n") as lines:
            name = lines.readline().strip()
            if not name:
                return
            with lock:
                clients[connection] = name
            print(f"{name} joined", flush=True)
            tell_others(None, f"* {name} joined")
            for line in lines:
                if line.endswith("\n"):
                    tell_others(connection, f"{name}: {line.rstrip()}")
    except OSError:
        pass  # RST: it has left, too
    finally:
        with lock:
            clients.pop(connection, None)
        connection.close()
        if name:
            print(f"{name} left", flush=True)
            tell_others(None, f"* {name} left")


with socket.create_server(("", int(sys.argv[1])), backlog=16) as listener:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
