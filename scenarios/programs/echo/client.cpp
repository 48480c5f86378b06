// The echo client: it sends each line typed and prints what comes back, until the end of input (^D).
//
//   ./client SERVER-ADDRESS [port]     by default port 10000

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

int connect_to(const sockaddr_in& server) {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0) fail("socket");
    // No bind: the kernel gives the client a free port.
    if (connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server) < 0) fail("connect");
    return connection;
}

// write may take only a part of the data: call it until all is written.
void write_all(int file, std::string_view data) {
    while (!data.empty()) {
        const ssize_t written = write(file, data.data(), data.size());
        if (written >= 0) data.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR) fail("write");
    }
}

// Appends what one read gives; the server is not to close while it owes us an answer.
void read_some(int file, std::string& data) {
    std::array<char, 1024> buffer;
    ssize_t got = 0;
    do {
        got = read(file, buffer.data(), buffer.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail("read");
    if (got == 0) {
        std::cerr << "read: the server has closed" << std::endl;
        std::exit(1);
    }
    data.append(buffer.data(), static_cast<std::size_t>(got));
}

int main(int argc, char* argv[]) {
    if (argc < 2) {
        std::cerr << "usage: ./client SERVER-ADDRESS [port]" << std::endl;
        return 1;
    }
    // write has no MSG_NOSIGNAL: ignore SIGPIPE, so that a server that has gone is an error to report.
    if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) fail("signal");

    const int connection = connect_to(endpoint(argv[1], argc > 2 ? argv[2] : "10000"));
    for (std::string line; std::getline(std::cin, line);) {
        line += '\n';  // even an empty line is a byte to send, so that there is something to come back
        write_all(connection, line);
        std::string reply;
        while (reply.size() < line.size()) read_some(connection, reply);
        std::cout << reply << std::flush;
    }
    if (close(connection) < 0) fail("close");
}
