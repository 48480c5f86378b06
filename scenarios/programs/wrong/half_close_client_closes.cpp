// Wrong: it means to end its sending side and closes the whole connection. Nobody is there for the answer:
// its kernel meets it with RST.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int connection = connect_to(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000");
    send_all(connection, "That is all I have to say.");
    check(close(connection), "close");
    std::cout << "said all" << std::endl;
}
