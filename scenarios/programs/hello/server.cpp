// The hello server: it accepts one client, says who it is, prints what it sent, and closes.
//
//   ./server [address] [port]          by default 0.0.0.0 8080

#include <arpa/inet.h>
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
    if (listen(listener, 3) < 0) fail("listen");
    return listener;
}

// The next client and its address. A signal, or a client that has gone already, is no reason to stop.
int accept_client(int listener, sockaddr_in& peer) {
    int client = -1;
    do {
        socklen_t size = sizeof peer;
        client = accept(listener, reinterpret_cast<sockaddr*>(&peer), &size);
    } while (client < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (client < 0) fail("accept");
    return client;
}

// Fills the buffer until it is full or the client closes. One read gives a short message whole nearly
// always; only the end of the stream says that it was all.
std::string_view receive_all(int socket, std::array<char, 1024>& buffer) {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
        const ssize_t got = read(socket, buffer.data() + filled, buffer.size() - filled);
        if (got == 0) break;
        if (got > 0) filled += static_cast<std::size_t>(got);
        else if (errno != EINTR) fail("read");
    }
    return {buffer.data(), filled};
}

int main(int argc, char* argv[]) {
    const std::string port = argc > 2 ? argv[2] : "8080";
    const int listener = listen_on(endpoint(argc > 1 ? argv[1] : "0.0.0.0", port.c_str()));
    std::cout << "Server started. Listening on port " << port << "..." << std::endl;

    sockaddr_in peer{};
    const int client = accept_client(listener, peer);
    std::array<char, INET_ADDRSTRLEN> address;
    if (inet_ntop(AF_INET, &peer.sin_addr, address.data(), address.size()) == nullptr) fail("inet_ntop");
    std::cout << "Client connected. IP address: " << address.data() << std::endl;

    std::array<char, 1024> buffer;
    const std::string_view data = receive_all(client, buffer);
    std::cout << "Received " << data.size() << " bytes of data from client: " << data << std::endl;
    if (close(client) < 0) fail("close");
    if (close(listener) < 0) fail("close");
}
