// The echo server: it accepts one client and writes back what it reads, until read gives 0.
//
//   ./server [address] [port]          by default 0.0.0.0 10000

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

// Says which call failed and why, and ends the program.
[[noreturn]] void fail(const char* call) {
    std::perror(call);
    std::exit(1);
}

sockaddr_in endpoint(const char* address, const char* port) {
    sockaddr_in result{};
    char* rest = nullptr;
    const long number = std::strtol(port, &rest, 10);
    if (*rest != '\0' || number < 1 || number > 65535 || inet_pton(AF_INET, address, &result.sin_addr) != 1) {
        std::cerr << "not an IPv4 address and a port: " << address << ' ' << port << std::endl;
        std::exit(1);
    }
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<in_port_t>(number));
    return result;
}

int listen_on(const sockaddr_in& here) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) fail("socket");
    // Without this, bind is refused for a minute after a server that closed first (TIME_WAIT).
    const int yes = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0) fail("setsockopt");
    if (bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) < 0) fail("bind");
    if (listen(listener, 128) < 0) fail("listen");
    return listener;
}

// The next client. A signal, or a client that has gone already, is no reason to stop.
int accept_client(int listener) {
    int client = -1;
    do {
        client = accept(listener, nullptr, nullptr);
    } while (client < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (client < 0) fail("accept");
    return client;
}

// write may take only a part of the data: call it until all is written.
void write_all(int file, std::string_view data) {
    while (!data.empty()) {
        const ssize_t written = write(file, data.data(), data.size());
        if (written >= 0) data.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR) fail("write");
    }
}

int main(int argc, char* argv[]) {
    // write has no MSG_NOSIGNAL: ignore SIGPIPE, so that a client that has gone is an error to report.
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) fail("signal");

    const int listener = listen_on(endpoint(argc > 1 ? argv[1] : "0.0.0.0", argc > 2 ? argv[2] : "10000"));
    const int client = accept_client(listener);
    std::array<char, 1024> buffer;
    for (;;) {
        const ssize_t got = read(client, buffer.data(), buffer.size());
        if (got == 0) break;  // the client has closed
        if (got > 0) write_all(client, {buffer.data(), static_cast<std::size_t>(got)});
        else if (errno != EINTR) fail("read");
    }
    if (close(client) < 0) fail("close");
    if (close(listener) < 0) fail("close");
}
