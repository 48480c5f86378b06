// What the programs in this folder share, so that each shows only what it is about: every call is checked,
// and a failure says which call it was and why.

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

[[noreturn]] inline void fail(const char* call) {
    std::perror(call);
    std::exit(1);
}

inline int check(int result, const char* call) {
    if (result < 0) fail(call);
    return result;
}

inline int number(const std::string& text, int least, int most) {
    char* rest = nullptr;
    const long result = std::strtol(text.c_str(), &rest, 10);
    if (text.empty() || *rest != '\0' || result < least || result > most) {
        std::cerr << "not a number from " << least << " to " << most << ": " << text << std::endl;
        std::exit(1);
    }
    return static_cast<int>(result);
}

inline sockaddr_in endpoint(const std::string& address, const std::string& port) {
    sockaddr_in result{};
    if (inet_pton(AF_INET, address.c_str(), &result.sin_addr) != 1) {
        std::cerr << "not an IPv4 address: " << address << std::endl;
        std::exit(1);
    }
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<in_port_t>(number(port, 1, 65535)));
    return result;
}

inline int listen_on(const std::string& port, int backlog = 16) {
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const int yes = 1;
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "setsockopt");
    const sockaddr_in here = endpoint("0.0.0.0", port);
    check(bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here), "bind");
    check(listen(listener, backlog), "listen");
    return listener;
}

// The next client, and the port it calls from. A client that has gone already is no reason to stop.
inline int accept_client(int listener, int* port = nullptr) {
    sockaddr_in peer{};
    int client = -1;
    do {
        socklen_t size = sizeof peer;
        client = accept(listener, reinterpret_cast<sockaddr*>(&peer), &size);
    } while (client < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (port != nullptr) *port = ntohs(peer.sin_port);
    return check(client, "accept");
}

// So many milliseconds an unanswered SYN is repeated before connect fails; 0: as long as the kernel likes.
inline void set_patience(int connection, int milliseconds) {
    const unsigned int patience = static_cast<unsigned int>(milliseconds);
    check(setsockopt(connection, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience), "setsockopt");
}

inline int connect_to(const std::string& address, const std::string& port, int patience = 0) {
    const int connection = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    set_patience(connection, patience);
    const sockaddr_in server = endpoint(address, port);
    check(connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server), "connect");
    return connection;
}

// The port that the kernel has given this end.
inline int own_port(int connection) {
    sockaddr_in here{};
    socklen_t size = sizeof here;
    check(getsockname(connection, reinterpret_cast<sockaddr*>(&here), &size), "getsockname");
    return ntohs(here.sin_port);
}

// send may take only a part of the data. MSG_NOSIGNAL: a peer that has gone is an error, not a SIGPIPE.
inline void send_all(int connection, std::string_view data) {
    while (!data.empty()) {
        const ssize_t sent = send(connection, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent >= 0) data.remove_prefix(static_cast<std::size_t>(sent));
        else if (errno != EINTR) fail("send");
    }
}

// What one recv gives, at most so many bytes; empty when the peer has closed.
template <std::size_t longest = 1024>
std::string receive(int connection) {
    std::array<char, longest> buffer;
    ssize_t got = 0;
    do {
        got = recv(connection, buffer.data(), buffer.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) fail("recv");
    return {buffer.data(), static_cast<std::size_t>(got)};
}

// Waits until the operator presses Enter; false at the end of input (^D).
inline bool enter_to(const char* what) {
    std::cout << "[Enter] to " << what << ": " << std::flush;
    std::string line;
    return static_cast<bool>(std::getline(std::cin, line));
}
