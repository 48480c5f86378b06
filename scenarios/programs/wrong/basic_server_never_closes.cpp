// Wrong: it never closes the connection, so the server never sends its FIN.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

int check(int result, const char* call) {
    if (result < 0) {
        std::perror(call);
        std::exit(1);
    }
    return result;
}

int listen_on(const char* address, const char* port) {
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const int yes = 1;
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "setsockopt");
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(static_cast<in_port_t>(std::atoi(port)));
    here.sin_addr.s_addr = inet_addr(address);
    check(bind(listener, reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
    check(listen(listener, SOMAXCONN), "listen");
    return listener;
}

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "0.0.0.0", argc > 2 ? argv[2] : "3000");
    for (;;) {
        const int client = check(accept(listener, nullptr, nullptr), "accept");
        char buffer[32];
        const int got = check(recv(client, buffer, sizeof buffer, 0), "recv");
        const std::string data(buffer, got);
        std::cout << "recv data from client, data: " << data << std::endl;
        check(send(client, data.data(), data.size(), MSG_NOSIGNAL), "send");
        std::cout << "send data to client successfully, data: " << data << std::endl;
    }
}
