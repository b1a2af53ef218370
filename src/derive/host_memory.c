/* host_memory.c - /proc/meminfo: every line a series, Active(anon) as node_memory_Active_anon_bytes. */
#include <stdio.h>

#include "derive/host_put.h"

void host_read_memory(const struct host_out *o)
{
    struct str text = host_file(o, "/proc/meminfo"), line, key, value, unit;
    while (host_line(&text, &line)) {
        key = str_cut(line, ':', &line);
        if (key.n == 0 || key.n > 64 || !host_word(&line, &value)) continue;
        bool in_kb = host_word(&line, &unit) && str_is(unit, "kB");

        char name[128], clean[65];
        size_t n = 0;
        for (size_t i = 0; i < key.n; i++)
            if (key.p[i] != ')') clean[n++] = key.p[i] == '(' ? '_' : key.p[i];
        snprintf(name, sizeof name, "node_memory_%.*s%s", (int)n, clean, in_kb ? "_bytes" : "");
        host_put(o, name, host_number(value) * (in_kb ? 1024 : 1), NULL);
    }
}
