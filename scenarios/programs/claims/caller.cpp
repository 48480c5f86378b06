// A client that connects, sends each line typed (without its newline), and closes at the end of input (^D).
//
//   ./caller ADDRESS [port] [patience]      by default port 3000, and as patient as the kernel (milliseconds)

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int patience = argc > 3 ? number(argv[3], 0, 600'000) : 0;
    const int connection = connect_to(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000", patience);
    std::cout << "connected from port " << own_port(connection) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        send_all(connection, line);
        std::cout << "sent " << line << std::endl;
    }
    check(close(connection), "close");
    std::cout << "closed" << std::endl;
}
