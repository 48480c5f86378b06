/* A chat server in one process: poll tells which client has something to read. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 64
#define EVERYBODY 0 /* no client has this number */

struct client {
    char name[64];
    char text[4096];
    size_t length;
};

static struct pollfd polled[MOST + 1]; /* the first is the listener */
static struct client clients[MOST + 1];
static int count = 1;

static void send_all(int to, const char *text, size_t length) {
    while (length > 0) {
        ssize_t sent = send(to, text, length, 0);
        if (sent <= 0)
            return; /* its own recv tells that it has left */
        text += sent;
        length -= (size_t)sent;
    }
}

static void tell_others(int speaker, const char *text) {
    for (int other = 1; other < count; other++)
        if (other != speaker && clients[other].name[0])
            send_all(polled[other].fd, text, strlen(text));
}

static void take(int speaker, const char *line) {
    struct client *own = &clients[speaker];
    char told[sizeof own->name + sizeof own->text + 8];
    if (own->name[0]) {
        snprintf(told, sizeof told, "%s: %s\n", own->name, line);
    } else {
        snprintf(own->name, sizeof own->name, "%.63s", line);
        snprintf(told, sizeof told, "* %s joined\n", own->name);
        printf("%s joined\n", own->name);
        speaker = EVERYBODY;
    }
    tell_others(speaker, told);
}

static void leave(int who) {
    char told[128];
    snprintf(told, sizeof told, "* %s left\n", clients[who].name);
    if (clients[who].name[0]) {
        printf("%s left\n", clients[who].name);
        clients[who].name[0] = '\0';
        tell_others(EVERYBODY, told);
    }
    close(polled[who].fd);
    count--;
    polled[who] = polled[count];
    clients[who] = clients[count];
}

/* Take all whole lines; 0 if the client has left. */
static int receive(int who) {
    struct client *own = &clients[who];
    size_t room = sizeof own->text - 1 - own->length;
    ssize_t got = recv(polled[who].fd, own->text + own->length, room, 0);
    if (got <= 0)
        return 0; /* it has closed, reset the connection, or its line is too long */
    own->length += (size_t)got;
    char *end;
    while ((end = memchr(own->text, '\n', own->length))) {
        *end = '\0';
        take(who, own->text);
        own->length -= (size_t)(end + 1 - own->text);
        memmove(own->text, end + 1, own->length);
    }
    return 1;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    address.sin_port = htons((unsigned short)atoi(argc > 1 ? argv[1] : "7000"));
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
        perror("server");
        return 1;
    }
    polled[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    while (poll(polled, (nfds_t)count, -1) > 0) {
        for (int who = count - 1; who > 0; who--)
            if (polled[who].revents && !receive(who))
                leave(who);
        int own = polled[0].revents && count <= MOST ? accept(listener, NULL, NULL) : -1;
        if (own >= 0) {
            memset(&clients[count], 0, sizeof clients[count]);
            polled[count++] = (struct pollfd){.fd = own, .events = POLLIN};
        }
    }
    return 0;
}
