/* The port is not in network byte order: 7000 becomes 22555. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (argc < 3 || getaddrinfo(argv[1], NULL, &hints, &found))
        return 1;
    struct sockaddr_in *address = (struct sockaddr_in *)found->ai_addr;
    address->sin_port = (unsigned short)atoi(argv[2]);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, found->ai_addr, found->ai_addrlen)) {
        perror("connect");
        return 1;
    }
    return 0;
}
