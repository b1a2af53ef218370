/* host_cpu.c - /proc/stat: processor time by mode, interrupts, forks, boot time. */
#include <math.h>
#include <unistd.h>

#include "base/check.h"
#include "derive/host_put.h"

static void put_cpu(const struct host_out *o, struct str cpu, struct str rest)
{
    static const char *const modes[] = {
        "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"
    };
    static const char *const guests[] = { "user", "nice" };
    double tick = (double)sysconf(_SC_CLK_TCK);
    struct str word;
    for (size_t i = 0; i < COUNT(modes) && host_word(&rest, &word); i++)
        host_put(o, "node_cpu_seconds_total", host_number(word) / tick, "cpu", cpu, "mode", str_of(modes[i]),
                 NULL);
    for (size_t i = 0; i < COUNT(guests) && host_word(&rest, &word); i++)
        host_put(o, "node_cpu_guest_seconds_total", host_number(word) / tick, "cpu", cpu, "mode",
                 str_of(guests[i]), NULL);
}

void host_read_cpu(const struct host_out *o)
{
    static const struct {
        const char *key, *name;
    } singles[] = {
        { "intr", "node_intr_total" },
        { "ctxt", "node_context_switches_total" },
        { "btime", "node_boot_time_seconds" },
        { "processes", "node_forks_total" },
        { "procs_running", "node_procs_running" },
        { "procs_blocked", "node_procs_blocked" },
    };
    struct str text = host_file(o, "/proc/stat"), line, word;
    while (host_line(&text, &line)) {
        if (!host_word(&line, &word)) continue;
        if (str_starts(word, "cpu") && word.n > 3) put_cpu(o, str_make(word.p + 3, word.n - 3), line);
        for (size_t i = 0; i < COUNT(singles); i++) {
            struct str value;
            if (str_is(word, singles[i].key) && host_word(&line, &value))
                host_put(o, singles[i].name, host_number(value), NULL);
        }
    }
}
