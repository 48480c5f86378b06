// Wrong: recv has given 0, and the connection is not closed, only forgotten: it stays in CLOSE_WAIT.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    std::cout << "listening" << std::endl;
    while (enter_to("accept")) {
        int port = 0;
        const int client = accept_client(listener, &port);
        std::cout << "accepted a client, its port is " << port << std::endl;
        for (std::string data; !(data = receive(client)).empty();) {
            std::cout << "received " << data << std::endl;
        }
        std::cout << "recv gave 0: the client has closed" << std::endl;
        enter_to("close");
        // Here "close(client)" is missing.
    }
}
