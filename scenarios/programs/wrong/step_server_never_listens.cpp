// Wrong: it binds and does not listen. Its kernel answers a SYN to this port with RST: connect is refused.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const sockaddr_in here = endpoint("0.0.0.0", argc > 1 ? argv[1] : "3000");
    check(bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here), "bind");
    // Here "listen(listener, 16)" is missing.
    std::cout << "listening" << std::endl;
    while (enter_to("accept")) {
        const int client = accept_client(listener);
        std::cout << "accepted a client" << std::endl;
        check(close(client), "close");
    }
}
