#include "wire.h"

#include <unistd.h>

ssize_t read_line(int connection, char *line, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(connection, line + length, 1);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        if (line[length++] == '\n')
            break;
    }
    return (ssize_t)length;
}

int write_all(int connection, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(connection, data, size);
        if (written < 0)
            return -1;
        data += written;
        size -= (size_t)written;
    }
    return 0;
}
