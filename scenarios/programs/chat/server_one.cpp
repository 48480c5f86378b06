// The chat server, first version: one client at a time. Others wait, connected, until it has left.
//
//   ./server_one [address] [port]      by default 0.0.0.0 19999

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

constexpr std::size_t longest = 1024;  // bytes in a message

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
    if (listen(listener, 1) < 0) fail("listen");
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

// send may take only a part of the data: call it until all is sent.
bool send_all(int socket, std::string_view data) {
    while (!data.empty()) {
        // MSG_NOSIGNAL: a client that has gone is an error to report, not a SIGPIPE that kills us.
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent >= 0) data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EINTR) return false;
    }
    return true;
}

// Asks the operator until there is a line that can be sent; false at the end of input (^D). An empty line
// would put nothing on the wire, and both sides would wait for each other for ever.
bool ask(std::string& line) {
    do {
        std::cout << "you want to say:" << std::flush;
        if (!std::getline(std::cin, line)) return false;
    } while (line.empty() || line.size() > longest);
    return true;
}

// Fills in one message. False when the client has closed, or when it is lost: that is said, and no more.
bool receive(int client, std::string& message) {
    std::array<char, longest> buffer;
    ssize_t got = 0;
    do {
        got = recv(client, buffer.data(), buffer.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) std::perror("recv");
    if (got == 0) std::cout << " client shutdown !\n" << std::flush;
    message.assign(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    return got > 0;
}

// The conversation with one client, until it or the operator ends it.
void serve(int client) {
    for (std::string line; receive(client, line);) {
        std::cout << "client say:" << line << std::endl;
        if (!ask(line)) return;
        if (!send_all(client, line)) return std::perror("send");
    }
}

int main(int argc, char* argv[]) {
    const int listener = listen_on(endpoint(argc > 1 ? argv[1] : "0.0.0.0", argc > 2 ? argv[2] : "19999"));
    while (std::cin) {
        const int client = accept_client(listener);
        serve(client);
        if (close(client) < 0) std::perror("close");
    }
    if (close(listener) < 0) fail("close");
}
