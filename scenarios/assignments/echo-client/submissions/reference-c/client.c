/* Send each line to the server and print its answer. */
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int give_up(const char *why) {
    fprintf(stderr, "client: %s\n", why);
    return 1;
}

static int connected(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found))
        return -1;
    int server = -1;
    for (struct addrinfo *one = found; one && server < 0; one = one->ai_next) {
        server = socket(one->ai_family, one->ai_socktype, one->ai_protocol);
        if (server >= 0 && connect(server, one->ai_addr, one->ai_addrlen)) {
            close(server);
            server = -1;
        }
    }
    freeaddrinfo(found);
    return server;
}

static int send_all(int server, const char *text, size_t length) {
    while (length > 0) {
        ssize_t sent = send(server, text, length, 0);
        if (sent < 0)
            return 0;
        text += sent;
        length -= (size_t)sent;
    }
    return 1;
}

/* Print what one recv returns; the number of newlines in it, or -1 at the end. */
static int pass_on(int server) {
    char text[4096];
    ssize_t got = recv(server, text, sizeof text, 0);
    if (got <= 0)
        return -1;
    fwrite(text, 1, (size_t)got, stdout);
    fflush(stdout);
    int ends = 0;
    for (ssize_t place = 0; place < got; place++)
        ends += text[place] == '\n';
    return ends;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return give_up("which host, and which port?");
    signal(SIGPIPE, SIG_IGN);
    int server = connected(argv[1], argv[2]);
    if (server < 0)
        return give_up("there is no connection");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, stdin)) > 0) {
        if (!send_all(server, line, (size_t)length))
            return give_up("the line cannot be sent");
        for (int ends = 0; ends == 0;)
            if ((ends = pass_on(server)) < 0)
                return give_up("the server has closed the connection");
    }
    shutdown(server, SHUT_WR);
    while (pass_on(server) >= 0)
        ;
    return 0;
}
