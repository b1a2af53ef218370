/* host.c - the readers of /proc together. */
#include "derive/host.h"

#include "base/check.h"
#include "derive/host_put.h"

void host_read(struct batch *b, const char *root, struct str job, struct str instance, int64_t time_ms)
{
    static const struct {
        void (*read)(const struct host_out *);
        const char *help;
    } readers[] = {
        { host_read_cpu, "Processors and processes, from /proc/stat." },
        { host_read_memory, "Memory, from /proc/meminfo." },
        { host_read_disk, "Disks, from /proc/diskstats." },
        { host_read_network, "Network devices, from /proc/net/dev." },
        { host_read_filesystem, "File systems, from statvfs." },
        { host_read_kernel, "Load, pressure, paging and the kernel's name, from /proc." },
    };
    struct host_out o = { b, root, job, instance, time_ms, "Time of this reading." };
    host_put(&o, "node_time_seconds", (double)time_ms / 1000, NULL);
    for (size_t i = 0; i < COUNT(readers); i++) {
        o.help = readers[i].help;
        readers[i].read(&o);
    }
}
