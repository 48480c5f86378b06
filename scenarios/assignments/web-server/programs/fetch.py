"""Fetches a file over HTTP as a slow client does: fetch.py HOST PATH FILE."""

import socket
import sys
import time

with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    server.settimeout(2)
    server.connect((sys.argv[1], 80))
    server.sendall(f"GET {sys.argv[2]} HTTP/1.1\r\nHost: {sys.argv[1]}\r\n\r\n".encode())
    with server.makefile("rb") as answer, open(sys.argv[3], "wb") as file:
        length = 0
        print(answer.readline().decode().strip())
        while (line := answer.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        time.sleep(0.1)  # what cannot be sent at once has to wait
        try:
            while length > 0 and (data := answer.read1(min(length, 8192))):
                file.write(data)
                length -= len(data)
        except TimeoutError:
            print("nothing more comes")
