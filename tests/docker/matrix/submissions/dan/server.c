#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(7000)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&own, sizeof own);
    listen(listener, 5);
    for (;;) {
        int connection = accept(listener, 0, 0);
        char line[64];
        long length = read(connection, line, sizeof line);
        for (long at = 0; at < length; at++) line[at] ^= line[at] > ' ';
        write(connection, line, length);
        close(connection);
    }
}
