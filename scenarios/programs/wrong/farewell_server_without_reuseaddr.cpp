// Wrong: no SO_REUSEADDR. It closes first, so its port is in TIME_WAIT for a minute, and when the server is
// started again bind is refused.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    // Here "setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, ...)" is missing.
    const sockaddr_in here = endpoint("0.0.0.0", argc > 1 ? argv[1] : "3000");
    check(bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here), "bind");
    check(listen(listener, 16), "listen");
    const int client = accept_client(listener);
    send_all(client, "good-bye");
    check(shutdown(client, SHUT_WR), "shutdown");
    while (!receive(client).empty()) {}
    check(close(client), "close");
    check(close(listener), "close");
}
