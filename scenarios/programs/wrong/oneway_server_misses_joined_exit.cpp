// Wrong: it takes what one recv gives for one message. TCP keeps no boundaries: "exit" may arrive joined to the
// word before it, and is then not recognised.

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
    check(listen(listener, 20), "listen");
    return listener;
}

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "8023");
    const int client = check(accept(listener, nullptr, nullptr), "accept");
    std::cout << "客户端成功连接" << std::endl;
    for (;;) {
        char buffer[1000];
        const int got = check(recv(client, buffer, sizeof buffer, 0), "recv");
        std::string message(buffer, got);
        if (message.ends_with('\n')) message.pop_back();
        if (got == 0 || message == "exit") break;
        std::cout << "收到客户端信息：" << message << std::endl;
    }
    check(close(client), "close");
    check(close(listener), "close");
}
