/* damage.c - see damage.h. */
#include "store/damage.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/stat.h"

#define PLACES_MAX 65536u

static const char *const kinds[DAMAGE_KINDS] = {
    [DAMAGE_BLOCK] = "block",   [DAMAGE_FILTER] = "filter",   [DAMAGE_INDEX] = "index",
    [DAMAGE_SERIES] = "series", [DAMAGE_SUMMARY] = "summary",
};

/* Global, as the counters are: a file that is opened again has the damage it had. */
static struct {
    pthread_mutex_t mu;
    struct map places; /* mu; hashes of those met */
    size_t n;          /* mu */
    pthread_once_t once;
    struct stat *found[DAMAGE_KINDS];
} seen = { .mu = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT };

static void make_stats(void)
{
    map_init(&seen.places, 16);
    for (int k = 0; k < DAMAGE_KINDS; k++) {
        char label[40];
        snprintf(label, sizeof label, "kind=\"%s\"", kinds[k]);
        seen.found[k] = stat_counter("vedette_store_damaged_blocks_total",
                                     "Places in files found unreadable since the start, each once.", label);
    }
}

void damage_init(void)
{
    pthread_once(&seen.once, make_stats);
}

static bool is_news(const struct damage *d)
{
    struct {
        uint64_t path, at, kind;
    } key = { hash64(d->path, strlen(d->path)), d->at, (uint64_t)d->kind };
    uint64_t hash = hash64(&key, sizeof key);
    pthread_mutex_lock(&seen.mu);
    bool news = seen.n < PLACES_MAX && map_find(&seen.places, hash, NULL, NULL) == NULL;
    if (news) map_add(&seen.places, hash, seen.n++);
    pthread_mutex_unlock(&seen.mu);
    return news;
}

void damage_found(const struct damage *d, const char *why)
{
    damage_init();
    if (!is_news(d)) return;
    stat_add(seen.found[d->kind], 1);
    log_error("store", "damage found: what lies there is left out of answers; see docs/reliability.md",
              "kind", kinds[d->kind], "file", d->path, "at", log_num((int64_t)d->at), "rows",
              log_num((int64_t)d->rows), "why", why ? why : "", NULL);
}

/* ---- telling ---- */

/* <table>/<day>/<file>: where the store lies is nobody's business. */
static const char *short_path(const char *path)
{
    const char *p = path + strlen(path);
    for (int slashes = 0; p > path; p--)
        if (p[-1] == '/' && ++slashes == 3) break;
    return p;
}

static void time_text(char to[32], int64_t ms)
{
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (gmtime_r(&s, &tm) == NULL || strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(to, 32, "%lld", (long long)ms);
}

static bool tell(const struct call *c, const struct damage *d)
{
    char from[32], to[32], rows[40] = "", between[80] = "";
    if (c == NULL || c->notes == NULL) return false;
    if (d->rows > 0) snprintf(rows, sizeof rows, ", up to %llu rows", (unsigned long long)d->rows);
    if (d->from_ms <= d->to_ms) {
        time_text(from, d->from_ms);
        time_text(to, d->to_ms);
        snprintf(between, sizeof between, " between %s and %s", from, to);
    }
    return call_note(c, "data is missing: %s of %s at %llu is damaged%s%s", kinds[d->kind],
                     short_path(d->path), (unsigned long long)d->at, rows, between);
}

int damage_leave_out(const struct call *c, const struct damage *d, int rc, struct err *e)
{
    if (rc != ERR_CORRUPT && rc != ERR_IO) return rc;
    if (rc == ERR_CORRUPT) damage_found(d, e ? e->text : NULL);
    if (!tell(c, d)) return rc;
    if (e) *e = (struct err)ERR_INIT;
    return OK;
}

int damage_known(const struct call *c, const struct damage *d, struct err *e)
{
    if (tell(c, d)) return OK;
    return err_set(e, ERR_CORRUPT, "%s: %s at %llu is damaged", d->path, kinds[d->kind],
                   (unsigned long long)d->at);
}
