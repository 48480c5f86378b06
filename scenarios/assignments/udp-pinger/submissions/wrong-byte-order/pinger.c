/* The number is in the byte order of its own processor. */
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}, *found;
    if (argc < 4 || getaddrinfo(argv[1], argv[2], &hints, &found))
        return 1;
    int own = socket(AF_INET, SOCK_DGRAM, 0), received = 0, count = atoi(argv[3]);
    struct timeval patience = {.tv_sec = 1};
    setsockopt(own, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int32_t number = 1; number <= count; number++) {
        char ping[8], answer[2048];
        memcpy(ping, &number, 4);
        memcpy(ping + 4, "ping", 4);
        sendto(own, ping, sizeof ping, 0, found->ai_addr, found->ai_addrlen);
        ssize_t got;
        while ((got = recv(own, answer, sizeof answer - 1, 0)) >= 0 && (got < 4 || memcmp(ping, answer, 4)))
            ;
        if (got >= 0)
            answer[got] = '\0';
        printf("%d: %s\n", number, got < 0 ? "no answer" : answer + 4);
        fflush(stdout);
        received += got >= 0;
    }
    printf("%d sent, %d received\n", count, received);
    return 0;
}
