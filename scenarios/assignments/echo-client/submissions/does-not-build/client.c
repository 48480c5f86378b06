/* It calls a function that nobody has written. */
int connect_to(const char *host, const char *port);

int main(int argc, char **argv) {
    return argc < 3 || connect_to(argv[1], argv[2]) < 0;
}
