/* budget.c - see budget.h.
 *
 * Always true:
 *   1. `resident` and `taken_then` are of one look: what was taken since is the difference of now and then.
 * Less than then counts as nothing, for what was given back may still be resident.
 *   2. Nobody is refused without a limit.
 *   3. Refusing takes two loads and no lock: it is asked for each batch and each chunk of a query. */
#include "base/budget.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stat.h"
#include "base/yaml.h"

#define LOOK_FREE_MS    1000 /* no limit: only to be shown */
#define LOOK_EASY_MS    25   /* a query writes some 20 MB meanwhile; a look costs 3 us */
#define LOOK_TIGHT_MS   5
#define SHRINK_EVERY_MS 1000
#define SHRINKERS_MAX   8
#define PARTS           256
#define REQUESTS_MOST   ((uint64_t)256 << 20)
#define REQUEST_SMALL   ((size_t)1 << 20) /* most requests have less, and are not refused for others' sake */

/* In parts of the limit, of 256; a fifth is left for the threads' stacks, the allocator and what nobody
 * counts. */
static const struct use {
    const char *name;
    unsigned share;
    bool is_counted; /* by name; the others are told by the store and the caches themselves */
} uses[BUDGET_USES] = {
    [BUDGET_HEAD] = { "head", 32 },
    [BUDGET_SERIES] = { "series", 64 },
    [BUDGET_CACHES] = { "caches", 32 },
    [BUDGET_QUERIES] = { "queries", 64, true },
    [BUDGET_REQUESTS] = { "requests", 16, true },
};
static const unsigned percents[] = {
    [BUDGET_EASY] = 0, [BUDGET_TIGHT] = 70, [BUDGET_NO_INGEST] = 78, [BUDGET_NO_QUERIES] = 85
};

/* Global: there is one memory, and everyone who takes of it must find the account. */
static struct {
    _Atomic uint64_t limit, resident, taken_then, peak, requests_most;
    _Atomic int64_t taken[BUDGET_USES];
    struct {
        void (*run)(void *ctx);
        void *ctx;
    } shrinkers[SHRINKERS_MAX];
    size_t n_shrinkers; /* mu; they are only added while the thread runs */
    bool is_running;    /* the main thread's */
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stop; /* mu */
    int64_t shrunk_ns;
    enum budget_level told; /* the looking thread's: what was last written to the log */
    struct stat *asked[4 + 2 * BUDGET_USES], *refused_ingest, *refused_queries, *shrinks;
} all = { .requests_most = REQUESTS_MOST, .mu = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* ---- how much there is ---- */

static uint64_t number_in(const char *path)
{
    char text[64];
    uint64_t n = UINT64_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return n;
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    if (got <= 0 || !str_to_u64(str_trim(str_make(text, (size_t)got)), &n))
        return UINT64_MAX; /* "max", too */
    return n;
}

/* A group may have more than those above it: the least counts. */
static uint64_t least_upwards(const char *root, struct str group, const char *file)
{
    char path[4096];
    uint64_t least = UINT64_MAX;
    for (;;) {
        snprintf(path, sizeof path, "%s%.*s/%s", root, STR_ARG(group), file);
        uint64_t n = number_in(path);
        least = MIN(least, n);
        if (group.n == 0) return least;
        while (group.n > 0 && group.p[group.n - 1] != '/') group.n--;
        if (group.n > 0) group.n--;
    }
}

/* Lines "4:memory:/group" of version 1, "0::/group" of version 2. */
static uint64_t group_of_line(struct str line)
{
    struct str controllers, group;
    (void)str_cut(line, ':', &controllers);
    controllers = str_cut(controllers, ':', &group);
    while (group.n > 0 && group.p[group.n - 1] == '/') group.n--;
    if (controllers.n == 0) return least_upwards("/sys/fs/cgroup", group, "memory.max");
    for (struct str rest = controllers, one; rest.n > 0;) {
        one = str_cut(rest, ',', &rest);
        if (!str_is(one, "memory")) continue;
        /* up to the root of the mount, which in a container is the group's own directory */
        return least_upwards("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    }
    return UINT64_MAX;
}

static uint64_t group_bytes(void)
{
    char text[8192];
    uint64_t least = UINT64_MAX;
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return least;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    for (struct str rest = str_make(text, n > 0 ? (size_t)n : 0), line; rest.n > 0;) {
        line = str_cut(rest, '\n', &rest);
        uint64_t of_line = group_of_line(line);
        least = MIN(least, of_line);
    }
    return least;
}

uint64_t budget_machine_bytes(bool *is_group)
{
    uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), group = group_bytes();
    *is_group = group < ram;
    return MIN(group, ram);
}

static int parse_percent(struct str text, uint64_t *limit, struct err *e)
{
    bool is_group;
    uint64_t percent;
    if (!str_to_u64(str_make(text.p, text.n - 1), &percent) || percent < 1 || percent > 100)
        return err_set(e, ERR_RANGE, "a share of memory is from 1%% to 100%%, not \"%.*s\"", STR_ARG(text));
    *limit = budget_machine_bytes(&is_group) / 100 * percent;
    return OK;
}

int budget_parse(struct str text, uint64_t *limit, struct err *e)
{
    struct yaml scalar = { .kind = YAML_SCALAR, .text = text };
    bool is_group;
    *limit = 0;
    if (str_is(text, "none")) return OK;
    if (str_is(text, "auto")) {
        uint64_t bytes = budget_machine_bytes(&is_group);
        *limit = is_group ? bytes / 5 * 4 : 0;
        return OK;
    }
    if (text.n > 1 && str_ends(text, "%")) {
        int rc = parse_percent(text, limit, e);
        if (rc < 0) return rc;
    } else if (yaml_bytes(&scalar, limit, NULL) < 0) {
        return err_set(e, ERR_PARSE, "want a size like 512MiB, a share like 60%%, auto or none, not \"%.*s\"",
                       STR_ARG(text));
    }
    if (*limit > 0 && *limit < BUDGET_LEAST)
        return err_set(e, ERR_RANGE, "%llu bytes are too small a limit: at least %llu",
                       (unsigned long long)*limit, (unsigned long long)BUDGET_LEAST);
    return OK;
}

/* ---- what is used ---- */

static uint64_t taken_now(void)
{
    int64_t sum = 0;
    for (int i = 0; i < BUDGET_USES; i++) sum += atomic_load_explicit(&all.taken[i], memory_order_relaxed);
    return sum > 0 ? (uint64_t)sum : 0;
}

static uint64_t resident_bytes(void)
{
    char text[128];
    unsigned long size, resident;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "%lu %lu", &size, &resident) != 2) return 0;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look(void)
{
    uint64_t taken = taken_now(), resident = resident_bytes();
    atomic_store(&all.taken_then, taken);
    atomic_store(&all.resident, resident);
    if (resident > atomic_load(&all.peak)) atomic_store(&all.peak, resident);
}

uint64_t budget_used(void)
{
    uint64_t now = taken_now(), then = atomic_load_explicit(&all.taken_then, memory_order_relaxed);
    return atomic_load_explicit(&all.resident, memory_order_relaxed) + (now > then ? now - then : 0);
}

static enum budget_level level_of(uint64_t used)
{
    uint64_t limit = atomic_load_explicit(&all.limit, memory_order_relaxed);
    int level = BUDGET_NO_QUERIES;
    if (limit == 0) return BUDGET_EASY;
    while (level > BUDGET_EASY && used < limit / 100 * percents[level]) level--;
    return (enum budget_level)level;
}

enum budget_level budget_level(void)
{
    return level_of(budget_used());
}

/* ---- the thread that looks ---- */

static void shrink(void)
{
    int64_t now = clock_mono_ns();
    if (all.shrunk_ns != 0 && now - all.shrunk_ns < SHRINK_EVERY_MS * 1000000ll) return;
    pthread_mutex_lock(&all.mu);
    size_t n = all.n_shrinkers;
    pthread_mutex_unlock(&all.mu);
    for (size_t i = 0; i < n; i++) all.shrinkers[i].run(all.shrinkers[i].ctx);
    malloc_trim(0); /* what is free goes back, and is not counted as ours any more */
    stat_add(all.shrinks, 1);
    all.shrunk_ns = clock_mono_ns();
    look();
}

/* One line when it begins and one when it is over. */
static void tell(enum budget_level level)
{
    char used[32], limit[32];
    bool was = all.told >= BUDGET_NO_INGEST, is = level >= BUDGET_NO_INGEST;
    if (was == is || (was && level != BUDGET_EASY)) return;
    all.told = level;
    snprintf(used, sizeof used, "%llu", (unsigned long long)budget_used());
    snprintf(limit, sizeof limit, "%llu", (unsigned long long)budget_limit());
    if (is)
        log_warn("memory", "near the limit: telemetry is refused for a moment", "used", used, "limit", limit,
                 NULL);
    else
        log_info("memory", "enough again", "used", used, "limit", limit, NULL);
}

static void *look_for_ever(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&all.mu);
    while (!all.stop) {
        pthread_mutex_unlock(&all.mu);
        look();
        enum budget_level level = budget_level();
        if (level >= BUDGET_TIGHT) shrink();
        tell(level);
        int pause_ms = budget_limit() == 0     ? LOOK_FREE_MS
                       : level >= BUDGET_TIGHT ? LOOK_TIGHT_MS
                                               : LOOK_EASY_MS;
        int64_t until = clock_mono_ns() + pause_ms * 1000000ll;
        struct timespec ts = { until / 1000000000, until % 1000000000 };
        pthread_mutex_lock(&all.mu);
        if (!all.stop) pthread_cond_timedwait(&all.wake, &all.mu, &ts);
    }
    pthread_mutex_unlock(&all.mu);
    return NULL;
}

/* ---- own metrics ---- */

static double ask_limit(void *ctx)
{
    (void)ctx;
    return (double)budget_limit();
}
static double ask_used(void *ctx)
{
    (void)ctx;
    return (double)budget_used();
}
static double ask_peak(void *ctx)
{
    (void)ctx;
    return (double)atomic_load(&all.peak);
}
static double ask_level(void *ctx)
{
    (void)ctx;
    return (double)budget_level();
}
static double ask_share(void *ctx)
{
    return (double)(budget_limit() / PARTS * ((const struct use *)ctx)->share);
}
static double ask_taken(void *ctx)
{
    const _Atomic int64_t *taken = ctx;
    return (double)MAX(atomic_load(taken), 0);
}

static void stats_start(void)
{
    char labels[48];
    all.asked[0] =
        stat_ask(STAT_GAUGE, "vedette_memory_limit_bytes", "Memory limit; 0: none.", NULL, ask_limit, NULL);
    all.asked[1] = stat_ask(STAT_GAUGE, "vedette_memory_used_bytes",
                            "Memory by the account that the limit is kept by.", NULL, ask_used, NULL);
    all.asked[2] =
        stat_ask(STAT_GAUGE, "vedette_memory_peak_bytes", "Most resident memory seen.", NULL, ask_peak, NULL);
    all.asked[3] = stat_ask(STAT_GAUGE, "vedette_memory_level",
                            "0 easy, 1 caches are emptied, 2 telemetry is refused, 3 queries, too.", NULL,
                            ask_level, NULL);
    for (int i = 0; i < BUDGET_USES; i++) {
        snprintf(labels, sizeof labels, "use=\"%s\"", uses[i].name);
        all.asked[4 + i] = stat_ask(STAT_GAUGE, "vedette_memory_share_bytes",
                                    "Share of the limit; 0: no limit.", labels, ask_share, (void *)&uses[i]);
        if (uses[i].is_counted)
            all.asked[4 + BUDGET_USES + i] =
                stat_ask(STAT_GAUGE, "vedette_memory_taken_bytes", "Memory taken by name.", labels, ask_taken,
                         (void *)&all.taken[i]);
    }
    all.refused_ingest =
        stat_counter("vedette_memory_refused_total", "Refusals for want of memory.", "use=\"ingest\"");
    all.refused_queries =
        stat_counter("vedette_memory_refused_total", "Refusals for want of memory.", "use=\"queries\"");
    all.shrinks = stat_counter("vedette_memory_shrinks_total", "Times that caches were emptied.", NULL);
}

/* ---- life ---- */

void budget_on_tight(void (*run)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&all.mu);
    check(all.n_shrinkers < SHRINKERS_MAX);
    all.shrinkers[all.n_shrinkers].run = run;
    all.shrinkers[all.n_shrinkers++].ctx = ctx;
    pthread_mutex_unlock(&all.mu);
}

void budget_start(uint64_t limit_bytes)
{
    pthread_condattr_t mono;
    check(!all.is_running);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&all.wake, &mono);
    pthread_condattr_destroy(&mono);
    atomic_store(&all.limit, limit_bytes);
    atomic_store(&all.peak, 0);
    all.stop = false;
    all.shrunk_ns = 0;
    all.told = BUDGET_EASY;
    stats_start();
    look();
    check(pthread_create(&all.thread, NULL, look_for_ever, NULL) == 0);
    pthread_setname_np(all.thread, "budget");
    all.is_running = true;
}

void budget_stop(void)
{
    if (!all.is_running) return;
    pthread_mutex_lock(&all.mu);
    all.stop = true;
    pthread_cond_broadcast(&all.wake);
    pthread_mutex_unlock(&all.mu);
    pthread_join(all.thread, NULL);
    for (size_t i = 0; i < COUNT(all.asked); i++)
        if (all.asked[i] != NULL) stat_forget(all.asked[i]);
    atomic_store(&all.limit, 0);
    all.n_shrinkers = 0;
    all.is_running = false;
}

/* ---- asking and counting ---- */

uint64_t budget_limit(void)
{
    return atomic_load_explicit(&all.limit, memory_order_relaxed);
}

uint64_t budget_share(enum budget_use use)
{
    uint64_t limit = budget_limit();
    return limit == 0 ? UINT64_MAX : limit / PARTS * uses[use].share;
}

uint64_t budget_at_most(enum budget_use use, uint64_t bytes)
{
    uint64_t share = budget_share(use);
    return MIN(share, bytes);
}

void budget_take(enum budget_use use, size_t bytes)
{
    atomic_fetch_add_explicit(&all.taken[use], (int64_t)bytes, memory_order_relaxed);
}

void budget_give(enum budget_use use, size_t bytes)
{
    atomic_fetch_sub_explicit(&all.taken[use], (int64_t)bytes, memory_order_relaxed);
}

void budget_requests_most(uint64_t bytes)
{
    atomic_store(&all.requests_most, bytes);
}

bool budget_request_take(size_t more, size_t own)
{
    int64_t before =
        atomic_fetch_add_explicit(&all.taken[BUDGET_REQUESTS], (int64_t)more, memory_order_relaxed);
    uint64_t sum = (uint64_t)MAX(before, 0) + more;
    return own <= REQUEST_SMALL || sum <= own + REQUEST_SMALL ||
           sum <= atomic_load_explicit(&all.requests_most, memory_order_relaxed);
}

void budget_request_give(size_t bytes)
{
    budget_give(BUDGET_REQUESTS, bytes);
}

uint64_t budget_taken(enum budget_use use)
{
    int64_t taken = atomic_load(&all.taken[use]);
    return taken > 0 ? (uint64_t)taken : 0;
}

const char *budget_use_name(enum budget_use use)
{
    return uses[use].name;
}

int budget_admit_ingest(size_t bytes, struct err *e)
{
    if (budget_limit() == 0 || level_of(budget_used() + bytes) < BUDGET_NO_INGEST) return OK;
    stat_add(all.refused_ingest, 1);
    return err_set(e, ERR_BUSY,
                   "memory is near its limit of %llu bytes (--memory-limit): try again in a moment",
                   (unsigned long long)budget_limit());
}

int budget_admit_query(size_t bytes, struct err *e)
{
    if (budget_limit() == 0 || level_of(budget_used() + bytes) < BUDGET_NO_QUERIES) return OK;
    stat_add(all.refused_queries, 1);
    return err_set(
        e, ERR_LIMIT,
        "the query would take memory beyond the limit of %llu bytes (--memory-limit): try again in a "
        "moment, or ask for less",
        (unsigned long long)budget_limit());
}
