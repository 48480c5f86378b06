// A client that asks for a name, sends it, and prints what the server says until the server closes.
//
//   ./client SERVER-ADDRESS

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

constexpr int port = 5000;

// Says which call failed and why, and ends the program.
[[noreturn]] void fail(const char* call) {
    std::perror(call);
    std::exit(1);
}

int connect_to(const char* address) {
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    if (inet_pton(AF_INET, address, &server.sin_addr) != 1) {
        std::cerr << "not an IPv4 address: " << address << std::endl;
        std::exit(1);
    }
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0) fail("socket");
    if (connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server) < 0) fail("connect");
    return connection;
}

void send_all(int socket, std::string_view data) {
    while (!data.empty()) {
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent >= 0) data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EINTR) fail("send");
    }
}

void print_until_closed(int socket) {
    std::array<char, 256> buffer;
    for (;;) {
        const ssize_t got = recv(socket, buffer.data(), buffer.size(), 0);
        if (got == 0) return;  // the server has closed
        if (got > 0) std::cout.write(buffer.data(), got) << std::flush;
        else if (errno != EINTR) fail("recv");
    }
}

int main(int argc, char* argv[]) {
    if (argc < 2) {
        std::cerr << "usage: ./client SERVER-ADDRESS" << std::endl;
        return 1;
    }
    const int connection = connect_to(argv[1]);
    std::cout << "Your name: " << std::flush;
    std::string name;
    std::getline(std::cin, name);
    send_all(connection, name + '\n');
    print_until_closed(connection);
    if (close(connection) < 0) fail("close");
}
