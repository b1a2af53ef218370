/* host_kernel.c - load, pressure stall, paging, open files, and which kernel this is. */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/check.h"
#include "derive/host_put.h"

static void read_load(const struct host_out *o)
{
    static const char *const names[] = { "node_load1", "node_load5", "node_load15" };
    struct str line = host_file(o, "/proc/loadavg"), word;
    for (size_t i = 0; i < COUNT(names) && host_word(&line, &word); i++)
        host_put(o, names[i], host_number(word), NULL);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234": microseconds. */
static void read_pressure(const struct host_out *o)
{
    static const struct {
        const char *file, *kind, *name;
    } rows[] = {
        { "/proc/pressure/cpu", "some", "node_pressure_cpu_waiting_seconds_total" },
        { "/proc/pressure/io", "some", "node_pressure_io_waiting_seconds_total" },
        { "/proc/pressure/io", "full", "node_pressure_io_stalled_seconds_total" },
        { "/proc/pressure/memory", "some", "node_pressure_memory_waiting_seconds_total" },
        { "/proc/pressure/memory", "full", "node_pressure_memory_stalled_seconds_total" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = host_file(o, rows[i].file), line, word;
        while (host_line(&text, &line)) {
            if (!host_word(&line, &word) || !str_is(word, rows[i].kind)) continue;
            while (host_word(&line, &word))
                if (str_starts(word, "total="))
                    host_put(o, rows[i].name, host_number(str_make(word.p + 6, word.n - 6)) / 1e6, NULL);
        }
    }
}

static void read_vmstat(const struct host_out *o)
{
    static const char *const keys[] = { "oom_kill", "pgpgin",  "pgpgout",   "pswpin",
                                        "pswpout",  "pgfault", "pgmajfault" };
    struct str text = host_file(o, "/proc/vmstat"), line, key, value;
    while (host_line(&text, &line)) {
        if (!host_word(&line, &key) || !host_word(&line, &value)) continue;
        for (size_t i = 0; i < COUNT(keys); i++) {
            char name[64];
            snprintf(name, sizeof name, "node_vmstat_%s", keys[i]);
            if (str_is(key, keys[i])) host_put(o, name, host_number(value), NULL);
        }
    }
}

static void read_open_files(const struct host_out *o)
{
    struct str line = host_file(o, "/proc/sys/fs/file-nr"), allocated, unused, most;
    if (!host_word(&line, &allocated) || !host_word(&line, &unused) || !host_word(&line, &most)) return;
    host_put(o, "node_filefd_allocated", host_number(allocated), NULL);
    host_put(o, "node_filefd_maximum", host_number(most), NULL);
}

static void read_name(const struct host_out *o)
{
    struct utsname u;
    if (uname(&u) < 0) return;
    host_put(o, "node_uname_info", 1, "sysname", str_of(u.sysname), "release", str_of(u.release), "version",
             str_of(u.version), "machine", str_of(u.machine), "nodename", str_of(u.nodename), "domainname",
             str_of(u.domainname), NULL);
}

void host_read_kernel(const struct host_out *o)
{
    read_load(o);
    read_pressure(o);
    read_vmstat(o);
    read_open_files(o);
    read_name(o);
}
