// A client that says all it has to say, ends its sending side, and then listens to the end.
//
//   ./half_close_client ADDRESS [port]          by default port 3000

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int connection = connect_to(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000");
    send_all(connection, "That is all I have to say.");
    check(shutdown(connection, SHUT_WR), "shutdown");  // FIN; what comes in still comes in
    std::cout << "said all" << std::endl;
    std::string answer;
    for (std::string data; !(data = receive(connection)).empty();) answer += data;
    std::cout << "the server says: " << answer << std::endl;
    check(close(connection), "close");
}
