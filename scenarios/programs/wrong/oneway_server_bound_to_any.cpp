// Wrong: meant for this machine only, it is bound to 0.0.0.0. Any machine that can reach this one is let
// in.

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

int main() {
    const int listener = listen_on("0.0.0.0", "8023");
    const int client = check(accept(listener, nullptr, nullptr), "accept");
    std::cout << "客户端成功连接" << std::endl;
    std::string stream;
    for (;;) {
        char buffer[1000];
        const int got = check(recv(client, buffer, sizeof buffer, 0), "recv");
        if (got == 0) break;
        stream.append(buffer, got);
        for (std::size_t end = 0; (end = stream.find('\n')) != std::string::npos; stream.erase(0, end + 1)) {
            if (stream.starts_with("exit\n")) return 0;
            std::cout << "收到客户端信息：" << stream.substr(0, end) << std::endl;
        }
    }
    check(close(client), "close");
    check(close(listener), "close");
}
