// Wrong: a child whose client has left goes on accepting on the listener it has closed: an error for ever,
// and a process that never ends, one more for each client.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

int check(int result, const char* call) {
    if (result < 0) {
        std::perror(call);
        std::exit(1);
    }
    return result;
}

int listen_on(const char* address, const char* port) {
    const int listener = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const int yes = 1;
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), "setsockopt");
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(static_cast<in_port_t>(std::atoi(port)));
    here.sin_addr.s_addr = inet_addr(address);
    check(bind(listener, reinterpret_cast<sockaddr*>(&here), sizeof here), "bind");
    check(listen(listener, 1), "listen");
    return listener;
}

// One turn: print the client's line, send it the operator's. False when either has gone.
bool turn(int client) {
    char buffer[1024];
    const ssize_t got = recv(client, buffer, sizeof buffer, 0);
    if (got <= 0) {
        std::cout << " client shutdown !" << std::endl;
        return false;
    }
    std::cout << "client say:" << std::string(buffer, got) << "\nyou want to say:" << std::flush;
    std::string line;
    if (!std::getline(std::cin, line)) return false;
    check(send(client, line.data(), line.size(), MSG_NOSIGNAL), "send");
    return true;
}

int main(int argc, char* argv[]) {
    const int listener = listen_on(argc > 1 ? argv[1] : "0.0.0.0", argc > 2 ? argv[2] : "19999");
    std::signal(SIGCHLD, SIG_IGN);  // the kernel reaps the children, if they ever end
    for (;;) {
        const int client = accept(listener, nullptr, nullptr);
        if (client < 0) {
            usleep(100'000);  // the original does not even pause: it burns a processor
            continue;
        }
        if (check(fork(), "fork") == 0) {
            check(close(listener), "close");
            while (turn(client)) {}
        }  // Here "return 0" is missing: the child goes on with the parent's loop.
        check(close(client), "close");
    }
}
