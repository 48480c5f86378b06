// Wrong: nothing on the wire says where a word ends. Words that are sent quickly arrive joined.

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
    const int connection = connect_to(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "8023");
    std::cout << "连接服务器成功！" << std::endl;
    for (std::string word; word != "exit" && std::cin >> word;) {
        check(send(connection, word.data(), word.size(), MSG_NOSIGNAL), "send");
    }
    check(close(connection), "close");
}
