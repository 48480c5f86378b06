// Wrong: SO_LINGER with 0 seconds. close throws the connection away (RST) instead of ending it (FIN): what
// was sent may be lost, and the client gets an error instead of the end.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    const int client = accept_client(listener);
    send_all(client, "good-bye");
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    check(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "setsockopt");
    check(close(client), "close");
    check(close(listener), "close");
}
