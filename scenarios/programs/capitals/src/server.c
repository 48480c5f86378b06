/* Sends each line of one client back in capitals, until the client has closed.  server PORT */
#include "wire.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 16) < 0) {
        perror("server");
        exit(1);
    }
    return listener;
}

int main(int argc, char **argv)
{
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 9000);
    int client = accept(listener, NULL, NULL);
    char line[1024];
    ssize_t length;
    while ((length = read_line(client, line, sizeof line)) > 0) {
        for (ssize_t place = 0; place < length; place++)
            line[place] = (char)toupper((unsigned char)line[place]);
        if (write_all(client, line, (size_t)length) < 0)
            break;
    }
    close(client);
    close(listener);
    return length < 0;
}
