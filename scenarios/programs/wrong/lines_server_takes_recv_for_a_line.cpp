// Wrong: what one recv gives is taken for one line. A line that comes in two pieces, or does not fit into
// the buffer, is printed as several; two that come together are printed as one.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    const int client = accept_client(listener);
    for (std::string data; !(data = receive<32>(client)).empty();) {
        std::cout << "(" << data.size() << " bytes)" << std::endl;
        std::cout << "line: " << data << std::endl;
    }
    check(close(client), "close");
    check(close(listener), "close");
}
