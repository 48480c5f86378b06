/* The header of htonl is missing, and so is the end of the function. */
#include <stdio.h>

int main(void) {
    printf("%u sent, 0 received\n", 0u);
    return 0;
