/* A web server with a process for each client. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int send_all(int to, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(to, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            return 0;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 1;
}

/* Whether a whole header comes. */
static int header_comes(int from, char *header, size_t room) {
    size_t length = 0;
    do {
        ssize_t got = recv(from, header + length, room - 1 - length, 0);
        if (got <= 0)
            return 0;
        length += (size_t)got;
        header[length] = '\0';
    } while (!strstr(header, "\r\n\r\n"));
    return 1;
}

static FILE *file_of(const char *header, const char *folder, long *size) {
    char path[2048], whole[4096];
    struct stat about;
    if (sscanf(header, "GET /%2047[^ \r\n] HTTP/1.", path) != 1 || strstr(path, ".."))
        return NULL;
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    if (stat(whole, &about) || !S_ISREG(about.st_mode))
        return NULL;
    *size = (long)about.st_size;
    return fopen(whole, "rb");
}

static void serve(int client, const char *folder) {
    char text[16384];
    long size = 0;
    if (!header_comes(client, text, sizeof text))
        return;
    FILE *file = file_of(text, folder, &size);
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %ld\r\nConnection: close\r\n\r\n",
             file ? "200 OK" : "404 Not Found", size);
    size_t length = strlen(text);
    while (length > 0 && send_all(client, text, length))
        length = file ? fread(text, 1, sizeof text, file) : 0;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    signal(SIGCHLD, SIG_IGN); /* no child becomes a zombie */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) {
        perror("server");
        return 1;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        if (fork() == 0) {
            serve(client, argv[2]);
            _exit(0);
        }
        close(client);
    }
}
