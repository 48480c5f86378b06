// Wrong: it sends each line typed and never receives. When it leaves while the server still answers, its kernel
// answers with RST: the client to try a server's SIGPIPE with.

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

int main(int argc, char* argv[]) {
    const int connection = connect_to(argc > 1 ? argv[1] : "192.168.153.128", argc > 2 ? argv[2] : "19999");
    for (std::string line; std::cout << "You want to say:" << std::flush, std::getline(std::cin, line);) {
        check(send(connection, line.data(), line.size(), MSG_NOSIGNAL), "send");
    }
    check(close(connection), "close");
}
