// A server that greets one client by name and ends.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

constexpr int port = 5000;

// Says which call failed and why, and ends the program.
[[noreturn]] void fail(const char* call) {
    std::perror(call);
    std::exit(1);
}

int start_listening() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) fail("socket");
    const int yes = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0) fail("setsockopt");

    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_ANY);  // every address of this host
    here.sin_port = htons(port);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) < 0) fail("bind");
    if (listen(listener, 5) < 0) fail("listen");
    return listener;
}

// Reads to the end of the line, in however many pieces it comes, or to the end of the stream.
std::string receive_line(int socket) {
    std::string line;
    std::array<char, 256> buffer;
    while (line.find('\n') == std::string::npos && line.size() < 4096) {
        const ssize_t got = recv(socket, buffer.data(), buffer.size(), 0);
        if (got == 0) break;  // the client has closed
        if (got > 0) line.append(buffer.data(), static_cast<std::size_t>(got));
        else if (errno != EINTR) fail("recv");
    }
    return line.substr(0, line.find('\n'));
}

void send_all(int socket, std::string_view data) {
    while (!data.empty()) {
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent >= 0) data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EINTR) fail("send");
    }
}

int main() {
    const int listener = start_listening();
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) fail("accept");

    const std::string name = receive_line(client);
    std::cout << name << " is here" << std::endl;
    send_all(client, "Hello, " + name + "!\n");

    if (close(client) < 0) fail("close");
    if (close(listener) < 0) fail("close");
}
