/* Ping a server over UDP, and tell which pings were answered. */
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether the answer to a ping comes in time; then its text. */
static int answer_to(uint32_t number, int own, char *text, size_t room) {
    long left, deadline = milliseconds() + 1000;
    char datagram[2048];
    while ((left = deadline - milliseconds()) > 0) {
        struct pollfd polled = {.fd = own, .events = POLLIN};
        if (poll(&polled, 1, (int)left) <= 0)
            return 0;
        ssize_t got = recv(own, datagram, sizeof datagram, 0);
        uint32_t told;
        if (got < (ssize_t)sizeof told)
            continue; /* too short, or nobody has the port */
        memcpy(&told, datagram, sizeof told);
        if (ntohl(told) != number)
            continue;
        snprintf(text, room, "%.*s", (int)(got - 4), datagram + 4);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *found;
    if (argc < 4 || getaddrinfo(argv[1], argv[2], &hints, &found)) {
        fprintf(stderr, "pinger HOST PORT COUNT\n");
        return 1;
    }
    int own = socket(AF_INET, SOCK_DGRAM, 0);
    connect(own, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    uint32_t count = (uint32_t)atoi(argv[3]), received = 0;
    for (uint32_t number = 1; number <= count; number++) {
        char ping[8], text[2048] = "no answer";
        uint32_t sent = htonl(number);
        memcpy(ping, &sent, 4);
        memcpy(ping + 4, "ping", 4);
        if (send(own, ping, sizeof ping, 0) < 0)
            perror("pinger"); /* told of the ping before */
        received += (uint32_t)answer_to(number, own, text, sizeof text);
        printf("%u: %s\n", number, text);
        fflush(stdout);
    }
    printf("%u sent, %u received\n", count, received);
    return 0;
}
