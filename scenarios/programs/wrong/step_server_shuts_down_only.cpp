// Wrong: it ends its sending side only. FIN goes out, but the descriptor is never given back: with each client
// there is one less for others.

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
        check(shutdown(client, SHUT_WR), "shutdown");
        // Here "close(client)" is missing.
    }
}
