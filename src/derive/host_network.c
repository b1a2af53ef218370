/* host_network.c - /proc/net/dev: bytes, packets and trouble by device and direction. */
#include <stdio.h>

#include "base/check.h"
#include "derive/host_put.h"

void host_read_network(const struct host_out *o)
{
    static const char *const columns[] = {
        "receive_bytes",  "receive_packets",  "receive_errs",       "receive_drop",
        "receive_fifo",   "receive_frame",    "receive_compressed", "receive_multicast",
        "transmit_bytes", "transmit_packets", "transmit_errs",      "transmit_drop",
        "transmit_fifo",  "transmit_colls",   "transmit_carrier",   "transmit_compressed",
    };
    struct str text = host_file(o, "/proc/net/dev"), line, word;
    while (host_line(&text, &line)) {
        if (memchr(line.p, ':', line.n) == NULL) continue; /* the two heading lines */
        struct str device = str_trim(str_cut(line, ':', &line));
        for (size_t i = 0; i < COUNT(columns) && host_word(&line, &word); i++) {
            char name[64];
            snprintf(name, sizeof name, "node_network_%s_total", columns[i]);
            host_put(o, name, host_number(word), "device", device, NULL);
        }
    }
}
