/* The type of its variable is misspelt. */
#include <netinet/in.h>

int main(void) {
    struct sockadr_in address = {0};
    return address.sin_port;
}
