// The one-way server: it accepts one client and prints each message until the message "exit" or the end.
//
//   ./server [address] [port]          by default 127.0.0.1 8023: this machine only

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
    if (listen(listener, 20) < 0) fail("listen");
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

// Appends what one recv gives, at most 1000 bytes; false when the client has closed.
bool receive(int socket, std::string& data) {
    std::array<char, 1000> buffer;
    ssize_t got = 0;
    do {
        got = recv(socket, buffer.data(), buffer.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail("recv");
    data.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
}

// Prints and removes the whole messages at the front of the stream; true once "exit" was among them.
// Several may arrive in one recv and one in several: the newline says where each ends, recv does not.
bool print_messages(std::string& stream) {
    for (std::size_t end = 0; (end = stream.find('\n')) != std::string::npos; stream.erase(0, end + 1)) {
        const std::string message = stream.substr(0, end);
        if (message == "exit") return true;
        std::cout << "收到客户端信息：" << message << std::endl;
    }
    return false;
}

int main(int argc, char* argv[]) {
    const int listener = listen_on(endpoint(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "8023"));
    const int client = accept_client(listener);
    std::cout << "客户端成功连接" << std::endl;

    std::string stream;
    while (receive(client, stream) && !print_messages(stream)) {
        if (stream.size() > 65536) {
            std::cerr << "recv: a message without an end" << std::endl;
            return 1;
        }
    }
    if (close(client) < 0) fail("close");
    if (close(listener) < 0) fail("close");
}
