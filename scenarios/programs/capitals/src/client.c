/* Sends each line of its input and prints what comes back.  client HOST PORT */
#include "wire.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *host, const char *port)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found;
    int trouble = getaddrinfo(host, port, &wanted, &found);
    if (trouble != 0) {
        fprintf(stderr, "client: %s\n", gai_strerror(trouble));
        exit(1);
    }
    int connection = socket(found->ai_family, SOCK_STREAM, 0);
    if (connection < 0 || connect(connection, found->ai_addr, found->ai_addrlen) < 0) {
        perror("client");
        exit(1);
    }
    freeaddrinfo(found);
    return connection;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: client HOST PORT\n");
        return 1;
    }
    int connection = connect_to(argv[1], argv[2]);
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (write_all(connection, line, strlen(line)) < 0)
            break;
        ssize_t length = read_line(connection, line, sizeof line);
        if (length <= 0)
            break;
        fwrite(line, 1, (size_t)length, stdout);
        fflush(stdout);
    }
    close(connection);
    return 0;
}
