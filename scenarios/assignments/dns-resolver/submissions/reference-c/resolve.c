/* Find the address of a name, from the root on. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>

static uint16_t number_at(const unsigned char *place) {
    return (uint16_t)(place[0] << 8 | place[1]);
}

/* Write a question for the address of a name; its length, or 0 if the name is too long. */
static size_t question(unsigned char *query, const char *name) {
    static const unsigned char rest[] = {0, 0, 1, 0, 1}, header[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    if (strlen(name) > 250 || getrandom(query, 2, 0) != 2)
        return 0;
    memcpy(query + 2, header, sizeof header);
    size_t at = 12;
    while (*name) {
        size_t length = strcspn(name, ".");
        query[at++] = (unsigned char)length;
        memcpy(query + at, name, length);
        at += length;
        name += length + (name[length] == '.');
    }
    memcpy(query + at, rest, sizeof rest);
    return at + sizeof rest;
}

/* The length of the answer; 0 if there is none. */
static size_t ask(const char *server, const char *name, unsigned char *answer, size_t room) {
    unsigned char query[300];
    size_t length = question(query, name);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, server, &address.sin_addr);
    int own = socket(AF_INET, SOCK_DGRAM, 0);
    struct timeval patience = {.tv_sec = 1};
    setsockopt(own, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int turn = 0; turn < 3 && length; turn++) {
        sendto(own, query, length, 0, (struct sockaddr *)&address, sizeof address);
        ssize_t got;
        while ((got = recv(own, answer, room, 0)) >= 0)
            if (got >= 12 && memcmp(answer, query, 2) == 0)
                return (size_t)got;
    }
    return 0;
}

static size_t behind_name(const unsigned char *data, size_t length, size_t at) {
    while (at < length && data[at] && data[at] < 0xC0)
        at += 1u + data[at];
    return at + (at < length && data[at] ? 2 : 1);
}

/* The first address of an answer: 1 if it is that of the name, 0 if it is that of a server, -1 if there is none. */
static int address_in(const unsigned char *data, size_t length, char *address) {
    int answers = number_at(data + 6), all = answers + number_at(data + 8) + number_at(data + 10);
    size_t at = 12;
    for (int left = number_at(data + 4); left > 0; left--)
        at = behind_name(data, length, at) + 4;
    for (int number = 0; number < all; number++) {
        at = behind_name(data, length, at);
        if (at + 14 > length)
            return -1;
        if (number_at(data + at) == 1) {
            inet_ntop(AF_INET, data + at + 10, address, INET_ADDRSTRLEN);
            return number < answers;
        }
        at += 10u + number_at(data + at + 8);
    }
    return -1;
}

int main(int argc, char **argv) {
    unsigned char answer[512];
    char server[INET_ADDRSTRLEN];
    if (argc < 3)
        return 2;
    snprintf(server, sizeof server, "%s", argv[1]);
    for (int referrals = 0; referrals < 10; referrals++) {
        size_t length = ask(server, argv[2], answer, sizeof answer);
        int found = length ? address_in(answer, length, server) : -1;
        if (found > 0) {
            puts(server);
            return 0;
        }
        if (found < 0)
            break;
    }
    fprintf(stderr, "%s is not found\n", argv[2]);
    return 1;
}
