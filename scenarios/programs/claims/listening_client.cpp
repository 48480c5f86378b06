// A client that prints what it is sent until the server closes, and then closes too.
//
//   ./listening_client ADDRESS [port]          by default port 3000

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int connection = connect_to(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000");
    for (std::string data; !(data = receive(connection)).empty();) {
        std::cout << "received " << data << std::endl;
    }
    std::cout << "the server has closed" << std::endl;
    enter_to("close");
    check(close(connection), "close");
}
