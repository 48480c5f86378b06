/* A thread for each client. Nobody ignores SIGPIPE: one client that has gone ends the server for all. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder;

static void *serve(void *argument) {
    int client = *(int *)argument;
    char text[4096], path[1024], whole[2048] = "";
    size_t length = 0;
    struct stat about = {0};
    free(argument);
    do {
        ssize_t got = recv(client, text + length, sizeof text - 1 - length, 0);
        if (got <= 0) {
            close(client);
            return NULL;
        }
        length += (size_t)got;
        text[length] = '\0';
    } while (!strstr(text, "\r\n\r\n"));
    if (sscanf(text, "GET /%1023[^ ]", path) == 1 && !strstr(path, ".."))
        snprintf(whole, sizeof whole, "%s/%s", folder, path);
    FILE *file = stat(whole, &about) ? NULL : fopen(whole, "rb");
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %ld\r\n\r\n", file ? "200 OK" : "404 Not Found",
             (long)about.st_size);
    send(client, text, strlen(text), 0);
    while (file && (length = fread(text, 1, sizeof text, file)) > 0)
        send(client, text, length, 0);
    close(client);
    return NULL;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    folder = argv[argc - 1];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64))
        return 1;
    for (;;) {
        int *client = malloc(sizeof *client);
        pthread_t thread;
        *client = accept(listener, NULL, NULL);
        pthread_create(&thread, NULL, serve, client);
        pthread_detach(thread);
    }
}
