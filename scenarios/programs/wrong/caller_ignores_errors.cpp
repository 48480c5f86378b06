// Wrong: it looks at no result. It prints "connected" and "sent" whatever connect and send returned, and ends
// with 0.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    set_patience(connection, argc > 3 ? number(argv[3], 0, 600'000) : 0);
    const sockaddr_in server = endpoint(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000");
    connect(connection, reinterpret_cast<const sockaddr*>(&server), sizeof server);
    std::cout << "connected from port " << own_port(connection) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        send(connection, line.data(), line.size(), MSG_NOSIGNAL);
        std::cout << "sent " << line << std::endl;
    }
    close(connection);
    std::cout << "closed" << std::endl;
}
