// Wrong: it believes that after recv's 0 there is nothing left to send. The client, which has only ended its
// own sending side, waits for an answer and gets none.

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "3000");
    const int client = accept_client(listener);
    while (!receive(client).empty()) {}
    enter_to("answer");
    check(close(client), "close");
    check(close(listener), "close");
}
