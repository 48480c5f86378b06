// Wrong: a listener in non-blocking mode, asked again and again. It burns a processor instead of sleeping
// in accept.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

int check(int result, const char* call) {
    if (result < 0) {
        std::perror(call);
        std::exit(1);
    }
    return result;
}

int listen_on(const char* address, const char* port) {
    const int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
    const int yes = 1;
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "setsockopt");
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(static_cast<in_port_t>(std::atoi(port)));
    here.sin_addr.s_addr = inet_addr(address);
    check(bind(listener, reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
    check(listen(listener, 3), "listen");
    return listener;
}

int main(int argc, char* argv[]) {
    const char* port = argc > 2 ? argv[2] : "8080";
    const int listener = listen_on(argc > 1 ? argv[1] : "0.0.0.0", port);
    std::cout << "Server started. Listening on port " << port << "..." << std::endl;
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    int client = -1;
    while (client < 0) client = accept(listener, reinterpret_cast<sockaddr*>(&peer), &size);
    std::cout << "Client connected. IP address: " << inet_ntoa(peer.sin_addr) << std::endl;
    char buffer[1024];
    const int got = check(recv(client, buffer, sizeof buffer, 0), "recv");
    std::cout << "Received " << got << " bytes of data from client: ";
    std::cout.write(buffer, got) << std::endl;
    check(close(client), "close");
    check(close(listener), "close");
}
