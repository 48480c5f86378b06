// A server that hears its client out, to the end of the stream, and only then answers: how many bytes there
// were. recv's 0 means that the peer sends nothing more, not that it hears nothing more.
//
//   ./half_close_server [port]          by default 3000

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    const int client = accept_client(listener);
    std::size_t bytes = 0;
    for (std::string data; !(data = receive(client)).empty();) bytes += data.size();
    enter_to("answer");
    send_all(client, "I heard " + std::to_string(bytes) + " bytes, and now I speak.");
    check(close(client), "close");
    check(close(listener), "close");
}
