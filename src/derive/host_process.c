/* host_process.c - our own process, with the names every Prometheus client library uses. */
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "derive/host.h"
#include "derive/host_put.h"

static int count_one(const char *name, bool is_dir, void *ctx)
{
    (void)name, (void)is_dir;
    ++*(double *)ctx;
    return OK;
}

/* Field numbers of proc(5), counted after the parenthesised name, which may hold blanks: field 3 is the
 * first. */
static double stat_field(struct str after_name, int field)
{
    struct str word = STR("");
    for (int i = 3; i <= field; i++)
        if (!host_word(&after_name, &word)) return 0;
    return host_number(word);
}

static double boot_time(const struct host_out *o)
{
    struct str text = host_file(o, "/proc/stat"), line, word;
    while (host_line(&text, &line))
        if (host_word(&line, &word) && str_is(word, "btime") && host_word(&line, &word))
            return host_number(word);
    return 0;
}

void host_read_process(struct batch *b, const char *root, struct str job, struct str instance,
                       int64_t time_ms)
{
    struct host_out o = { b, root, job, instance, time_ms, "This process." };
    struct str text = host_file(&o, "/proc/self/stat");
    const char *name_end = memrchr(text.p, ')', text.n);
    if (name_end != NULL) {
        struct str rest = str_make(name_end + 1, (size_t)(text.p + text.n - name_end - 1));
        double tick = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
        host_put(&o, "process_cpu_seconds_total", (stat_field(rest, 14) + stat_field(rest, 15)) / tick, NULL);
        host_put(&o, "process_threads", stat_field(rest, 20), NULL);
        host_put(&o, "process_start_time_seconds", boot_time(&o) + stat_field(rest, 22) / tick, NULL);
        host_put(&o, "process_virtual_memory_bytes", stat_field(rest, 23), NULL);
        host_put(&o, "process_resident_memory_bytes", stat_field(rest, 24) * page, NULL);
    }
    double fds = 0;
    struct rlimit most;
    if (file_list("/proc/self/fd", count_one, &fds, NULL) == OK) host_put(&o, "process_open_fds", fds, NULL);
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) host_put(&o, "process_max_fds", (double)most.rlim_cur, NULL);
}
