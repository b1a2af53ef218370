/* host_disk.c - /proc/diskstats: reads, writes, time; whole devices only, as node_exporter's default leaves
 * partitions out. */
#include <ctype.h>

#include "base/check.h"
#include "derive/host_put.h"

static const struct {
    const char *name;
    double scale;
} columns[] = {
    /* in the order of the kernel's Documentation/admin-guide/iostats */
    { "node_disk_reads_completed_total", 1 },
    { "node_disk_reads_merged_total", 1 },
    { "node_disk_read_bytes_total", 512 },
    { "node_disk_read_time_seconds_total", 0.001 },
    { "node_disk_writes_completed_total", 1 },
    { "node_disk_writes_merged_total", 1 },
    { "node_disk_written_bytes_total", 512 },
    { "node_disk_write_time_seconds_total", 0.001 },
    { "node_disk_io_now", 1 },
    { "node_disk_io_time_seconds_total", 0.001 },
    { "node_disk_io_time_weighted_seconds_total", 0.001 },
    { "node_disk_discards_completed_total", 1 },
    { "node_disk_discards_merged_total", 1 },
    { "node_disk_discarded_sectors_total", 1 },
    { "node_disk_discard_time_seconds_total", 0.001 },
    { "node_disk_flush_requests_total", 1 },
    { "node_disk_flush_requests_time_seconds_total", 0.001 },
};

static bool ends_in_digit(struct str s)
{
    return s.n > 0 && isdigit((unsigned char)s.p[s.n - 1]);
}

/* ram0, loop3, fd0, and partitions: sda1, vda2, nvme0n1p1. */
static bool is_left_out(struct str device)
{
    if (!ends_in_digit(device)) return false;
    if (str_starts(device, "ram") || str_starts(device, "zram") || str_starts(device, "loop") ||
        str_starts(device, "fd"))
        return true;
    if (str_starts(device, "nvme")) {
        size_t i = device.n;
        while (i > 0 && isdigit((unsigned char)device.p[i - 1])) i--;
        return i > 0 && device.p[i - 1] == 'p';
    }
    return str_starts(device, "sd") || str_starts(device, "hd") || str_starts(device, "vd") ||
           str_starts(device, "xvd");
}

void host_read_disk(const struct host_out *o)
{
    struct str text = host_file(o, "/proc/diskstats"), line, major, minor, device, word;
    while (host_line(&text, &line)) {
        if (!host_word(&line, &major) || !host_word(&line, &minor) || !host_word(&line, &device) ||
            is_left_out(device))
            continue;
        for (size_t i = 0; i < COUNT(columns) && host_word(&line, &word); i++)
            host_put(o, columns[i].name, host_number(word) * columns[i].scale, "device", device, NULL);
    }
}
