/* Lines on a connection. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <sys/types.h>

/* Read up to and with the next newline, at most size bytes; 0 at the end, -1 for an error. */
ssize_t read_line(int connection, char *line, size_t size);

/* Write all of it; -1 for an error. */
int write_all(int connection, const char *data, size_t size);

#endif
