// A client that sends its input just as it comes, in pieces that have nothing to do with lines.
//
//   ./pieces_client ADDRESS [port]          by default port 3000

#include "net.hpp"

int main(int argc, char* argv[]) {
    const int connection = connect_to(argc > 1 ? argv[1] : "127.0.0.1", argc > 2 ? argv[2] : "3000");
    std::array<char, 4096> piece;
    ssize_t got = 0;
    while ((got = read(STDIN_FILENO, piece.data(), piece.size())) != 0) {
        if (got > 0) send_all(connection, {piece.data(), static_cast<std::size_t>(got)});
        else if (errno != EINTR) fail("read");
    }
    check(close(connection), "close");
}
