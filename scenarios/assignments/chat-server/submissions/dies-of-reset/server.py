"""One loop serves all clients, and a client that breaks off ends it with an exception."""

import select
import socket
import sys

texts: dict[socket.socket, str] = {}
names: dict[socket.socket, str] = {}


def tell_others(speaker: socket.socket | None, text: str) -> None:
    for client in names:
        if client is not speaker:
            client.sendall(f"{text}\n".encode())


with socket.create_server(("", int(sys.argv[1])), backlog=16) as listener:
    while True:
        for ready in select.select([listener, *texts], [], [])[0]:
            if ready is listener:
                texts[listener.accept()[0]] = ""
                continue
            data = ready.recv(1024)
            if not data:
                del texts[ready]
                ready.close()
                print(f"{names[ready]} left", flush=True)
                tell_others(None, f"* {names.pop(ready)} left")
                continue
            *lines, texts[ready] = (texts[ready] + data.decode()).split("\n")
            for line in lines:
                if ready in names:
                    tell_others(ready, f"{names[ready]}: {line}")
                else:
                    names[ready] = line
                    print(f"{line} joined", flush=True)
                    tell_others(None, f"* {line} joined")
