// A server that says good-bye to one client, closes first, and ends.
//
//   ./farewell_server [port]          by default 3000

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");  // with SO_REUSEADDR
    const int client = accept_client(listener);
    send_all(client, "good-bye");
    check(shutdown(client, SHUT_WR), "shutdown");  // our FIN, the first one
    while (!receive(client).empty()) {}            // until the client's has come too
    check(close(client), "close");
    check(close(listener), "close");
}
