"""Answers datagrams in capitals, and loses every third."""

import itertools
import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("", 12000))
    for number in itertools.count(1):
        message, asker = server.recvfrom(1024)
        if number % 3:
            server.sendto(message.upper(), asker)
