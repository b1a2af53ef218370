/* retention.c - forgetting on purpose: whole days that are too old, or too many for the space allowed, table
 * by table; and refusing writes while the disk is nearly full. Dropped days are one manifest edit; their
 * files go when the last view lets go. */
#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/tier.h"

#define ANY_TABLE TABLE_COUNT

static int64_t age_limit_ms(const struct engine *s, enum table table)
{
    switch (table) {
    case TABLE_LOGS: return s->conf.retention_logs_ms;
    case TABLE_SPANS: return s->conf.retention_spans_ms;
    default: return s->conf.retention_ms;
    }
}

static uint64_t size_limit(const struct engine *s, enum table table)
{
    switch (table) {
    case TABLE_METRICS: return s->conf.retention_metrics_bytes;
    case TABLE_LOGS: return s->conf.retention_logs_bytes;
    case TABLE_SPANS: return s->conf.retention_spans_bytes;
    default: return s->conf.retention_bytes;
    }
}

int64_t engine_oldest_ms(const struct engine *s, enum table table)
{
    int64_t limit = age_limit_ms(s, table);
    return limit > 0 ? MAX((int64_t)0, clock_now_ms() - limit) : 0;
}

static enum table table_of(const struct store_file *f)
{
    return file_type(f->id.kind)->table;
}

/* Days before this one go. */
static uint32_t first_kept_by_age(const struct engine *s, enum table table)
{
    return day_of_ms(engine_oldest_ms(s, table)); /* its last millisecond is not older */
}

static uint32_t first_kept_by_size(const struct engine *s, const struct version *v, enum table table)
{
    uint64_t kept = 0, limit = size_limit(s, table);
    uint32_t first = UINT32_MAX;
    if (limit == 0) return 0;
    for (size_t i = v->n; i-- > 0;) {
        if (table != ANY_TABLE && table_of(v->at[i]) != table) continue;
        kept += v->at[i]->bytes;
        if (kept > limit && first != UINT32_MAX && v->at[i]->id.day < first) return first;
        first = v->at[i]->id.day; /* the newest day stays, however large */
    }
    return 0;
}

struct kept { /* the first day of which anything is kept */
    uint32_t table[TABLE_COUNT];
    uint32_t summaries; /* of metrics; and the series they are of */
};

static bool has_summaries(const struct version *v, uint32_t day)
{
    for (size_t k = 0; k < TIER_KINDS; k++)
        if (tier_of_day(v, day, tier_kinds[k].kind) != NULL) return true;
    return false;
}

static uint32_t first_kept(const struct version *v, const struct kept *first, const struct store_file *f)
{
    bool stays =
        tier_kind_of(f->id.kind) != NULL || (f->id.kind == FILE_INDEX && has_summaries(v, f->id.day));
    return stays ? first->summaries : first->table[table_of(f)];
}

static size_t list_old(const struct version *v, const struct kept *first, struct store_file **out)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i]->id.day < first_kept(v, first, v->at[i])) out[n++] = v->at[i];
    return n;
}

/* The oldest time of a sample that goes. */
static int64_t oldest_sample_ms(struct store_file *const *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (table_of(files[i]) == TABLE_METRICS) return (int64_t)files[i]->id.day * DAY_MS;
    return INT64_MAX;
}

static int drop(struct engine *s, struct store_file **files, size_t n, struct err *e)
{
    if (n == 0) return OK;
    int64_t oldest_ms = oldest_sample_ms(files, n);
    uint32_t day = files[0]->id.day;
    changes_note(&s->changes, oldest_ms);
    int rc = catalog_apply(s->catalog, &(struct catalog_change){ .drop = files, .n_drop = n }, e);
    changes_note(&s->changes, oldest_ms);
    if (rc == OK)
        log_info("store", "old days dropped", "files", log_num((int64_t)n), "oldest day", log_num(day), NULL);
    return rc;
}

static void find_kept(const struct engine *s, const struct version *v, struct kept *first)
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        uint32_t by_size = MAX(first_kept_by_size(s, v, (enum table)t), first_kept_by_size(s, v, ANY_TABLE));
        first->table[t] = MAX(first_kept_by_age(s, (enum table)t), by_size);
        if (t != TABLE_METRICS) continue;
        int64_t age_ms = s->conf.retention_rollups_ms;
        first->summaries = age_ms > 0 ? day_of_ms(MAX((int64_t)0, clock_now_ms() - age_ms)) : 0;
        first->summaries = MAX(first->summaries, by_size); /* a limit of bytes is one of all */
    }
}

/* Rows about to go are summed up first, when that was not done yet. A damaged part or a full disk must not
 * keep the rest. */
static int sum_up(struct engine *s, struct version **v, uint32_t before, struct err *e)
{
    struct err mine = ERR_INIT;
    int rc = tier_build_before(s, *v, before, &mine);
    if (rc < 0 && rc != ERR_CANCEL && rc != ERR_IO)
        log_warn("store", "rows expire without summaries", "why", mine.text, NULL);
    else if (rc < 0)
        return err_set(e, rc, "%s", mine.text);
    version_unref(*v);
    *v = catalog_pin(s->catalog);
    return OK;
}

int engine_retain(struct engine *s, struct err *e)
{
    struct kept first = { 0 };
    if (s->wal == NULL) return OK;
    pthread_mutex_lock(&s->merge_mu); /* a merge must not bring back what is dropped here */
    struct version *v = catalog_pin(s->catalog);
    find_kept(s, v, &first);
    int rc = sum_up(s, &v, first.table[TABLE_METRICS], e);
    if (rc == OK) {
        struct store_file **old = mem_array(v->n, sizeof old[0]);
        rc = drop(s, old, list_old(v, &first, old), e);
        mem_free(old);
    }
    version_unref(v);
    pthread_mutex_unlock(&s->merge_mu);
    exemplar_store_drop_before(s->exemplars, (int64_t)first.table[TABLE_METRICS] * DAY_MS);
    return rc;
}

#define LEAP_MS (3600 * 1000ll)
#define HOLD_NS (3600 * 1000000000ll)

bool retention_clock_ok(struct retention_clock *c, int64_t now_ms, int64_t mono_ns)
{
    int64_t leap_ms = now_ms - c->now_ms - (mono_ns - c->mono_ns) / 1000000;
    bool is_first = c->mono_ns == 0;
    c->now_ms = now_ms;
    c->mono_ns = mono_ns;
    if (is_first) return true;
    if (leap_ms > LEAP_MS) {
        c->ahead_ms += leap_ms;
        c->hold_until_ns = mono_ns + HOLD_NS;
        log_warn("store", "the clock leapt ahead: nothing is dropped as too old for an hour", "seconds",
                 log_num(leap_ms / 1000), NULL);
    } else if (c->hold_until_ns != 0 && leap_ms < -LEAP_MS) {
        c->ahead_ms += leap_ms;
    }
    if (c->hold_until_ns != 0 && (c->ahead_ms < LEAP_MS || mono_ns >= c->hold_until_ns))
        c->hold_until_ns = c->ahead_ms = 0;
    return c->hold_until_ns == 0;
}

void engine_check_space(struct engine *s)
{
    struct err e = ERR_INIT;
    int64_t bytes = file_free_bytes(s->dir, &e);
    if (bytes < 0) return; /* not known: the disk will say */
    int now = (uint64_t)bytes < s->conf.min_free_bytes ? ERR_FULL : OK;
    int before = atomic_exchange(&s->refusal, now);
    if (now != OK && before == OK)
        log_error("store", "the disk is nearly full: writes are refused", "free", log_num(bytes), NULL);
    if (now == OK && before != OK)
        log_info("store", "there is space again: writes are welcome", "free", log_num(bytes), NULL);
}
