// Wrong: it binds a port of its own choice. After the first call that is in TIME_WAIT, and bind is refused.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int connection = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const sockaddr_in here = endpoint("0.0.0.0", "5000");
    check(bind(connection, reinterpret_cast<const sockaddr*>(&here), sizeof here), "bind");
    const sockaddr_in server = endpoint(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000");
    check(connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server), "connect");
    std::cout << "connected from port " << own_port(connection) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        send_all(connection, line);
        std::cout << "sent " << line << std::endl;
    }
    check(close(connection), "close");
    std::cout << "closed" << std::endl;
}
