// Wrong: it closes with linger 0. Its kernel sends RST instead of FIN: no LAST_ACK, and data may be lost.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    std::cout << "listening" << std::endl;
    while (enter_to("accept")) {
        int port = 0;
        const int client = accept_client(listener, &port);
        std::cout << "accepted a client, its port is " << port << std::endl;
        const linger at_once{1, 0};
        check(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "setsockopt");
        for (std::string data; !(data = receive(client)).empty();) {
            std::cout << "received " << data << std::endl;
        }
        std::cout << "recv gave 0: the client has closed" << std::endl;
        enter_to("close");
        check(close(client), "close");
    }
}
