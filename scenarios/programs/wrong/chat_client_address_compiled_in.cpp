// Wrong: the server's address is compiled in, and it is this machine's own. The arguments change nothing.

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

int connect_to(const char* address, const char* port) {
    const int connection = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(static_cast<in_port_t>(std::atoi(port)));
    server.sin_addr.s_addr = inet_addr(address);
    check(connect(connection, reinterpret_cast<sockaddr*>(&server), sizeof server), "connect");
    return connection;
}

int main() {
    const int connection = connect_to("127.0.0.1", "19999");
    for (std::string line; std::cout << "You want to say:" << std::flush, std::getline(std::cin, line);) {
        if (line.empty()) continue;
        check(send(connection, line.data(), line.size(), MSG_NOSIGNAL), "send");
        char buffer[1024];
        const int got = check(recv(connection, buffer, sizeof buffer, 0), "recv");
        if (got == 0) {
            std::cout << " server shutdown!" << std::endl;
            break;
        }
        std::cout << "server say:" << std::string(buffer, got) << std::endl;
    }
    check(close(connection), "close");
}
