/* clock_jumps.c - the wall clock jumps by a second, an hour, a year, forth and back, or stands still, while
 * rows are written, flushed, merged and read back; and rows come with times from 0 to 2^63.
 *
 *     clock_jumps [--jumps N] [--seed S]
 *
 * Nothing that was acknowledged may be missing, whatever the clock said when it was written; acknowledgements
 * come within a second of the monotonic clock; rows at impossible times are refused and counted, their
 * neighbours kept. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fault/common/crew.h"
#include "fault/common/random.h"
#include "fault/common/work.h"

#define SECOND 1000ll
#define HOUR   (3600 * SECOND)
#define YEAR   (365 * 24 * HOUR)

enum { ACK_MS = 1000, NAP_MS = 10, BUSY_MS = 30000 };
enum figure { JUMPS, BATCHES_WRITTEN, ROWS, SLOWEST_ACK_MS, REFUSED, LATEST_MS };

static const int64_t jumps[] = { SECOND, -SECOND, HOUR, -HOUR, YEAR, -YEAR, 0, 1 };

struct world {
    char data[300];
    struct embedded_conf conf;
    struct work *w;
    struct store *s;
    struct rnd rnd;
    uint32_t next;
};

static void start(struct world *x)
{
    struct err e = ERR_INIT;
    if (embedded_open(&x->conf, &x->s, &e) == OK) return;
    crew_wrong("it does not start: %s", e.text);
    exit(1);
}

/* How much later than it wanted a thread woke that does nothing but sleep: what a busy machine adds. */
static void *watch_lateness(void *arg)
{
    for (int64_t before = clock_mono_ns(), now;; before = now) {
        nanosleep(&(struct timespec){ 0, NAP_MS * 1000000 }, NULL);
        now = clock_mono_ns();
        crew_most(LATEST_MS, (uint64_t)((now - before) / 1000000 - NAP_MS));
    }
    return arg;
}

/* Busy is an answer, too: the head is full, and a flush is under way. */
static int try_to_write(struct world *x, uint32_t b, int64_t *begun_ns, struct err *e)
{
    int64_t until = clock_mono_ns() + BUSY_MS * 1000000ll;
    int rc;
    for (;;) {
        *begun_ns = clock_mono_ns();
        rc = work_write(x->w, x->s, b, ACK_DURABLE, e);
        if (rc != ERR_BUSY || *begun_ns > until) return rc;
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    }
}

static void write_one(struct world *x)
{
    struct err e = ERR_INIT;
    int64_t begun_ns;
    uint32_t b = x->next++;
    if (try_to_write(x, b, &begun_ns, &e) < 0) crew_wrong("batch %u is refused: %s", b, e.text);
    work_wait(x->w, b, b + 1, 0);
    uint64_t ms = (uint64_t)(clock_mono_ns() - begun_ns) / 1000000, late_ms = crew_figure(LATEST_MS);
    crew_most(SLOWEST_ACK_MS, ms);
    if (ms > ACK_MS + 4 * late_ms)
        crew_wrong("batch %u was acknowledged after %llu ms", b, (unsigned long long)ms);
    crew_count(BATCHES_WRITTEN, 1);
}

static void something_else(struct world *x)
{
    switch (random_below(&x->rnd, 8)) {
    case 0: store_admin(x->s, STORE_FLUSH, NULL, NULL); break;
    case 1: store_admin(x->s, STORE_MERGE, NULL, NULL); break;
    case 2: store_admin(x->s, STORE_RETAIN, NULL, NULL); break;
    case 3:
        store_close(x->s);
        start(x);
        break;
    default: break;
    }
}

static void look(struct world *x, uint64_t jump)
{
    struct work_verdict v;
    work_judge(x->w, x->s, INT64_MAX, false, &v);
    if (v.wrong[0]) crew_wrong("after jump %llu: %s", (unsigned long long)jump, v.wrong);
    crew_count(ROWS, v.rows);
}

/* Each time on its own row: those the store can hold are kept, the others refused by number. */
static void extreme_times(struct world *x)
{
    static const struct {
        int64_t ms;
        bool is_kept;
    } times[] = { { 0, true },
                  { 1, true },
                  { 253402300799999, true }, /* the end of the year 9999 */
                  { 253402300800000, false },
                  { INT64_MAX - 1, false },
                  { INT64_MAX, false },
                  { -1, false },
                  { INT64_MIN, false } };
    for (size_t i = 0; i < COUNT(times); i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct batch b;
        struct write_result r;
        struct label l[] = { { STR("__name__"), STR("extreme") } };
        batch_init(&b, &a, LABELS_PACKED);
        batch_series_labels(&b, (struct labels){ l, 1 });
        batch_sample(&b, times[i].ms, 1);
        batch_sample(&b, x->w->day0_ms, 2);
        check(store_write(x->s, &b, ACK_MEMORY, &r, NULL, NULL, NULL) == OK);
        if (r.samples != 1u + times[i].is_kept || r.rejected_total != !times[i].is_kept)
            crew_wrong("time %lld: %llu kept, %llu refused", (long long)times[i].ms,
                       (unsigned long long)r.samples, (unsigned long long)r.rejected_total);
        crew_count(REFUSED, r.rejected_total);
        arena_release(&a);
    }
}

static void jump_around(struct world *x, uint64_t n)
{
    int64_t now_ms = x->w->day0_ms + HOUR;
    start(x);
    for (uint64_t i = 0; i < n; i++) {
        int64_t by = jumps[random_below(&x->rnd, COUNT(jumps))];
        now_ms = MAX(now_ms + by, 1); /* 0 would let the clock run */
        clock_fix_ms(now_ms);
        for (int k = 0; k < 2; k++) write_one(x);
        something_else(x);
        if (i % 8 == 0 || i == n - 1) look(x, i);
        crew_count(JUMPS, 1);
    }
    extreme_times(x);
    look(x, n);
    store_close(x->s);
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t preset)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return strtoull(argv[i + 1], NULL, 10);
    return preset;
}

int main(int argc, char **argv)
{
    uint64_t n = option(argc, argv, "--jumps", 100),
             seed = option(argc, argv, "--seed", (uint64_t)time(NULL));
    struct world x = { .rnd = random_of(seed, 0) };
    crew_init("clock_jumps", 1);
    check(pthread_create(&(pthread_t){ 0 }, NULL, watch_lateness, NULL) == 0);
    log_set_level((enum log_level)(LOG_ERROR + 1));
    check(n <= (WORK_BATCHES - 8) / 2);
    snprintf(x.data, sizeof x.data, "%s/data", scratch_make());
    x.conf = work_conf(x.data);
    x.conf.retention_ms = 0; /* what a clock that is a year ahead makes of a retention is another story */
    x.w = mem_alloc_zero(sizeof *x.w);
    work_init(x.w, seed);
    jump_around(&x, n);
    scratch_remove();
    mem_free(x.w);
    printf("# clock_jumps: seed %llu: %llu jumps, %llu batches, %llu rows judged, slowest acknowledgement "
           "%llu ms, %llu "
           "rows at impossible times refused\n",
           (unsigned long long)seed, (unsigned long long)crew_figure(JUMPS),
           (unsigned long long)crew_figure(BATCHES_WRITTEN), (unsigned long long)crew_figure(ROWS),
           (unsigned long long)crew_figure(SLOWEST_ACK_MS), (unsigned long long)crew_figure(REFUSED));
    return crew_exit();
}
