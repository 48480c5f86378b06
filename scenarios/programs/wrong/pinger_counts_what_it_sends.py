"""Counts pings that were sent as if they were answered."""

import socket
import sys
import time

COUNT, PATIENCE = 10, 0.2

received = 0
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.connect((sys.argv[1], int(sys.argv[2])))
    own.settimeout(PATIENCE)
    for number in range(1, COUNT + 1):
        began = time.monotonic()
        message = f"ping {number} {time.time():.6f}".encode()
        own.send(message)
        try:
            while own.recv(1024) != message.upper():
                pass  # an answer to an earlier one, which came too late
        except TimeoutError:
            print(f"ping {number}: timed out")
            received += 1
            continue
        received += 1
        print(f"ping {number}: {1000 * (time.monotonic() - began):.3f} ms")
lost = 100 * (COUNT - received) // COUNT
print(f"{COUNT} sent, {received} received, {lost}% lost")
