/* host_put.h - what the readers of derive/host_*.c share: one file of /proc as text, one sample into the
 * batch. */
#pragma once
#include "base/str.h"
#include "model/batch.h"

struct host_out {
    struct batch *batch;
    const char *root;
    struct str job, instance;
    int64_t time_ms;
    const char *help; /* of what is read now */
};

#define HOST_LABELS_MAX 6

/* name and up to HOST_LABELS_MAX - 2 pairs key, value (const char *, struct str), ended by a NULL key. */
void host_put(const struct host_out *, const char *name, double value, const char *key, ...);

/* The file's text in the batch's arena; empty when it cannot be read. */
struct str host_file(const struct host_out *, const char *path);

bool host_line(struct str *text, struct str *line); /* next line of a text; false at its end */
bool host_word(struct str *line, struct str *word); /* next word of a line */
double host_number(struct str word);                /* NaN when it is not one */

void host_read_cpu(const struct host_out *);
void host_read_memory(const struct host_out *);
void host_read_disk(const struct host_out *);
void host_read_network(const struct host_out *);
void host_read_filesystem(const struct host_out *);
void host_read_kernel(const struct host_out *); /* load, pressure, vmstat, uname, file handles */
