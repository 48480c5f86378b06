// A server that receives at most 32 bytes at a time and prints whole lines, however the stream was cut.
//
//   ./lines_server [port]          by default 3000

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    const int client = accept_client(listener);
    std::string stream;  // what has come and is no whole line yet
    for (std::string data; !(data = receive<32>(client)).empty();) {
        std::cout << "(" << data.size() << " bytes)" << std::endl;
        stream += data;
        for (std::size_t end = 0; (end = stream.find('\n')) != std::string::npos; stream.erase(0, end + 1)) {
            std::cout << "line: " << stream.substr(0, end) << std::endl;
        }
        if (stream.size() > 65536) {
            std::cerr << "recv: a line without an end" << std::endl;
            return 1;
        }
    }
    check(close(client), "close");
    check(close(listener), "close");
}
