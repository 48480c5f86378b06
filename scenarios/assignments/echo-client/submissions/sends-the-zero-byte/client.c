/* It sends the zero byte that ends a string in C, too. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (argc < 3 || getaddrinfo(argv[1], argv[2], &hints, &found))
        return 1;
    int server = socket(found->ai_family, SOCK_STREAM, 0);
    if (connect(server, found->ai_addr, found->ai_addrlen))
        return 1;
    FILE *answers = fdopen(dup(server), "r");
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        send(server, line, strlen(line) + 1, 0);
        if (!fgets(line, sizeof line, answers) || !strchr(line, '\n'))
            return 1;
        fputs(line, stdout);
        fflush(stdout);
    }
    shutdown(server, SHUT_WR);
    while (fgets(line, sizeof line, answers))
        fputs(line, stdout);
    return 0;
}
