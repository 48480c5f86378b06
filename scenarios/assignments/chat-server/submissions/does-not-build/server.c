/* A semicolon is missing. */
#include <sys/socket.h>

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0)
    return listen(listener, 16);
}
