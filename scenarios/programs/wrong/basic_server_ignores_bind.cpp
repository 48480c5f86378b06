// Wrong: it does not look at what bind returns. The port is taken; listen gives the socket another one,
// and the server waits where nobody will ever call.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const sockaddr_in here = endpoint("0.0.0.0", argc > 2 ? argv[2] : "3000");
    bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here);
    check(listen(listener, 16), "listen");
    for (;;) {
        const int client = accept_client(listener);
        send_all(client, receive(client));
        check(close(client), "close");
    }
}
