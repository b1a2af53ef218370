/* host.c - the readers of /proc together. */
#include "derive/host.h"

#include "derive/host_put.h"

void host_read(struct batch *b, const char *root, struct str job, struct str instance, int64_t time_ms)
{
    struct host_out o = { b, root, job, instance, time_ms };
    host_read_cpu(&o);
    host_read_memory(&o);
    host_read_disk(&o);
    host_read_network(&o);
    host_read_filesystem(&o);
    host_read_kernel(&o);
    host_put(&o, "node_time_seconds", (double)time_ms / 1000, NULL);
}
