/* Not finished: it does not build. */
#include <stdio.h>

int main(int argc, char **argv) {
    int listener = make_socket(argv[1])
    return 0;
}
