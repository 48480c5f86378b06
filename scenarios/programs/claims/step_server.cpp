// A server that does one thing at a time: it accepts, and it closes, when its operator presses Enter.
// What the kernel does by itself in the meantime can be looked at for as long as one likes.
//
//   ./step_server [port] [backlog]          by default 3000 16

#include "net.hpp"

void serve(int client) {
    for (std::string data; !(data = receive(client)).empty();) {
        std::cout << "received " << data << std::endl;
    }
    std::cout << "recv gave 0: the client has closed" << std::endl;
    enter_to("close");
    check(close(client), "close");
}

int main(int argc, char* argv[]) {
    const int backlog = argc > 2 ? number(argv[2], 0, SOMAXCONN) : 16;
    const int listener = listen_on(argc > 1 ? argv[1] : "3000", backlog);
    std::cout << "listening" << std::endl;
    while (enter_to("accept")) {
        int port = 0;
        const int client = accept_client(listener, &port);
        std::cout << "accepted a client, its port is " << port << std::endl;
        serve(client);
    }
}
