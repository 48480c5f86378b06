// Wrong: whatever backlog it is told, it listens with SOMAXCONN. Clients queue up that nobody will serve
// soon.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000", SOMAXCONN);
    std::cout << "listening" << std::endl;
    while (enter_to("accept")) {
        const int client = accept_client(listener);
        std::cout << "accepted a client" << std::endl;
        check(close(client), "close");
    }
}
