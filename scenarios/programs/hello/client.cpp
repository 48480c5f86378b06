// The hello client: it sends "Hello, server!" and closes.
//
//   ./client [address] [port]          by default 192.168.153.128 8080

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
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

int connect_to(const sockaddr_in& server) {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0) fail("socket");
    // No bind: the kernel gives the client a free port.
    if (connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server) < 0) fail("connect");
    return connection;
}

// send may take only a part of the data: call it until all is sent.
void send_all(int socket, std::string_view data) {
    while (!data.empty()) {
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent >= 0) data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EINTR) fail("send");
    }
}

int main(int argc, char* argv[]) {
    const int connection =
        connect_to(endpoint(argc > 1 ? argv[1] : "192.168.153.128", argc > 2 ? argv[2] : "8080"));
    send_all(connection, "Hello, server!");
    if (close(connection) < 0) fail("close");
}
