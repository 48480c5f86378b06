/* Its buffer for an answer has 1024 bytes: what is longer is cut. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int answer_of(int server, char *answer, size_t room) {
    size_t length = 0;
    do {
        ssize_t got = recv(server, answer + length, room - 1 - length, 0);
        if (got <= 0)
            return length > 0 && length == room - 1;
        length += (size_t)got;
        answer[length] = '\0';
    } while (!strchr(answer, '\n'));
    return 1;
}

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (argc < 3 || getaddrinfo(argv[1], argv[2], &hints, &found))
        return 1;
    int server = socket(found->ai_family, SOCK_STREAM, 0);
    if (connect(server, found->ai_addr, found->ai_addrlen))
        return 1;
    char line[1024], answer[1024];
    while (fgets(line, sizeof line, stdin)) {
        send(server, line, strlen(line), 0);
        if (!answer_of(server, answer, sizeof answer))
            return 1;
        printf("%s", answer);
        fflush(stdout);
    }
    shutdown(server, SHUT_WR);
    while (answer_of(server, answer, sizeof answer)) {
        printf("%s", answer);
        fflush(stdout);
    }
    return 0;
}
