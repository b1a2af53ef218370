/* cli_doctor.c - `vedette doctor`: what would keep the server from working well on this machine, before it
 * does. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/file.h"
#include "net/http_client.h"
#include "receive/scrape_config.h"
#include "server/cli.h"
#include "server/config.h"
#include "server/options.h"
#include "state/state.h"
#include "store/wal.h"

struct findings {
    int warnings, failures;
};

static void say(struct findings *f, char kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct findings *f, char kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs(kind == '+' ? "ok    " : kind == '!' ? "warn  " : "FAIL  ", stdout);
    vprintf(fmt, ap);
    putchar('\n');
    va_end(ap);
    f->warnings += kind == '!';
    f->failures += kind == '-';
}

/* Ten small writes, each synced: what every acknowledged push will wait for. */
static int64_t sync_ns(const char *path, struct err *e)
{
    int fd = file_open(path, O_RDWR | O_CREAT | O_TRUNC, e);
    if (fd < 0) return fd;
    int64_t start = clock_mono_ns();
    int rc = OK;
    for (int i = 0; i < 10 && rc == OK; i++) {
        rc = file_write(fd, "vedette doctor\n", 15, e);
        if (rc == OK) rc = file_sync(fd, e);
    }
    file_close(fd, NULL);
    file_unlink(path, NULL);
    return rc < 0 ? rc : (clock_mono_ns() - start) / 10;
}

static void look_at_disk(struct findings *f, const struct options *o)
{
    const char *dir = o->data;
    struct err e = ERR_INIT;
    char path[4096];
    if (file_mkdirs(dir, &e) < 0) return say(f, '-', "data directory: %s", e.text);
    snprintf(path, sizeof path, "%s/.doctor", dir);
    int64_t ns = sync_ns(path, &e);
    if (ns < 0) return say(f, '-', "data directory: %s", e.text);
    say(f, ns > 50000000 ? '!' : '+', "data directory %s: a synced write takes %.1f ms%s", dir,
        (double)ns / 1e6, ns > 50000000 ? "; pushes will wait for it" : "");
    int64_t bytes = file_free_bytes(dir, &e);
    if (bytes < 0) return;
    say(f, bytes < (int64_t)1 << 30 ? '!' : '+', "free space: %.1f GiB", (double)bytes / 0x1p30);
    if ((uint64_t)bytes < o->min_free_bytes)
        say(f, '-',
            "less than %.0f MiB are free: writes are refused (507) until there is more, queries go on",
            (double)o->min_free_bytes / 0x1p20);
    else if (bytes < (int64_t)1 << 30)
        say(f, '!',
            "a small disk: segments of the log reserve %.0f MiB instead of %.0f; writes are refused below "
            "%.0f MiB",
            (double)wal_segment_room((uint64_t)bytes, 0) / 0x1p20,
            (double)wal_segment_room(UINT64_MAX, 0) / 0x1p20, (double)o->min_free_bytes / 0x1p20);
}

static void look_at_state(struct findings *f, const struct options *o)
{
    struct err e = ERR_INIT;
    if (state_check(o->data, &e) < 0)
        say(f, '-', "silences, what was told, acknowledgements: %s", e.text);
    else
        say(f, '+', "silences, what was told, acknowledgements: state.db is sound");
}

static void look_at_memory(struct findings *f, const struct options *o)
{
    struct err e = ERR_INIT;
    bool is_group;
    uint64_t limit, machine = budget_machine_bytes(&is_group);
    if (budget_parse(str_of(o->memory_limit), &limit, &e) < 0)
        return say(f, '-', "--memory-limit: %s", e.text);
    if (limit == 0)
        return say(f, '+', "memory limit: none; %.1f GiB are there%s", (double)machine / 0x1p30,
                   is_group ? " by the control group" : "");
    say(f, limit > machine ? '!' : '+', "memory limit: %.0f MiB of %.0f MiB%s%s", (double)limit / 0x1p20,
        (double)machine / 0x1p20, is_group ? " that the control group allows" : "",
        limit > machine ? ": more than there is" : "");
}

static void look_at_limits(struct findings *f)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    say(f, files.rlim_cur < 4096 ? '!' : '+', "open files allowed: %llu", (unsigned long long)files.rlim_cur);
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    say(f, memory < 0x1p28 ? '!' : '+', "memory: %.1f GiB, processors: %ld", memory / 0x1p30,
        sysconf(_SC_NPROCESSORS_ONLN));
}

static void look_at_clock(struct findings *f)
{
    const int64_t year_2024_ms = 1704067200000;
    say(f, clock_now_ms() < year_2024_ms ? '-' : '+', "clock: %lld s since 1970%s",
        (long long)(clock_now_ms() / 1000),
        clock_now_ms() < year_2024_ms
            ? ", which is in the past: samples from elsewhere will look like the future"
            : "");
}

static bool can_bind(const char *listen)
{
    char host[256];
    const char *colon = strrchr(listen, ':');
    if (colon == NULL) return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1)) };
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1) return true; /* names and IPv6: left to the server */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bool free = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return free;
}

static void look_at_port(struct findings *f, const char *what, const char *listen)
{
    if (strcmp(listen, "none") == 0) return;
    if (can_bind(listen)) return say(f, '+', "%s %s: free", what, listen);
    char url[512];
    snprintf(url, sizeof url, "http://%s/-/ready", listen);
    struct http_fetch fetch = { .method = "GET", .url = url, .timeout_ms = 2000, .max_answer_bytes = 4096 };
    struct http_fetched got = { 0 };
    bool ours = http_fetch_now(&fetch, &got, NULL) == OK && got.status == 200;
    buf_release(&got.body);
    say(f, ours ? '+' : '!', "%s %s: %s", what, listen, ours ? "in use by a server that is ready" : "in use");
}

static void look_at_config(struct findings *f, const struct options *o)
{
    if (o->file == NULL) return say(f, '+', "configuration: none, defaults are used");
    struct err e = ERR_INIT;
    struct scrape_conf *scrape = NULL;
    if (config_check(o->file, o->config, &e) < 0 || scrape_conf_parse(o->file, o->config, &scrape, &e) < 0)
        return say(f, '-', "configuration: %s", e.text);
    say(f, '+', "configuration %s: understood", o->config);
    scrape_conf_free(scrape);
}

int cli_doctor(int argc, char **argv)
{
    struct options o;
    struct err e = ERR_INIT;
    struct findings f = { 0 };
    int rc = options_load(&o, argc, argv, &e);
    if (rc == ERR_FIND && e.text[0] == 0) {
        printf("usage: vedette doctor [the flags of `vedette serve`]\n");
    } else if (rc < 0) {
        say(&f, '-', "settings: %s", e.text);
    } else {
        look_at_config(&f, &o);
        look_at_disk(&f, &o);
        look_at_state(&f, &o);
        look_at_memory(&f, &o);
        look_at_limits(&f);
        look_at_clock(&f);
        look_at_port(&f, "port", o.listen);
        look_at_port(&f, "OTLP port", o.listen_otlp);
        look_at_port(&f, "gRPC port", o.listen_grpc);
        printf("%d warnings, %d failures\n", f.warnings, f.failures);
    }
    options_release(&o);
    return f.failures > 0;
}
