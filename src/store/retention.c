/* retention.c - forgetting on purpose: whole days that are too old, or too many for the space allowed; and
 * refusing writes while the disk is nearly full. A dropped day is one manifest edit; its files go when the
 * last view lets go. */
#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/engine.h"

int64_t engine_oldest_ms(const struct engine *s)
{
    return s->conf.retention_ms > 0 ? MAX((int64_t)0, clock_now_ms() - s->conf.retention_ms) : 0;
}

/* Days before this one go. */
static uint32_t first_kept_by_age(const struct engine *s)
{
    return day_of_ms(engine_oldest_ms(s)); /* its last millisecond is not older */
}

static uint32_t first_kept_by_size(const struct engine *s, const struct version *v)
{
    uint64_t kept = 0;
    uint32_t first = UINT32_MAX;
    if (s->conf.retention_bytes == 0) return 0;
    for (size_t i = v->n; i-- > 0;) {
        kept += v->at[i]->bytes;
        if (kept > s->conf.retention_bytes && first != UINT32_MAX && v->at[i]->id.day < first) return first;
        first = v->at[i]->id.day; /* the newest day stays, however large */
    }
    return 0;
}

int engine_retain(struct engine *s, struct err *e)
{
    if (s->wal == NULL) return OK;
    pthread_mutex_lock(&s->merge_mu); /* a merge must not bring back what is dropped here */
    struct version *v = catalog_pin(s->catalog);
    uint32_t first = MAX(first_kept_by_age(s), first_kept_by_size(s, v));
    size_t n = version_from(v, first);
    int rc = OK;
    if (n > 0) {
        uint32_t oldest = v->at[0]->id.day;
        changes_note(&s->changes, (int64_t)oldest * DAY_MS);
        rc = catalog_apply(s->catalog, &(struct catalog_change){ .drop = v->at, .n_drop = n }, e);
        changes_note(&s->changes, (int64_t)oldest * DAY_MS);
        if (rc == OK)
            log_info("store", "old days dropped", "files", log_num((int64_t)n), "oldest day", log_num(oldest),
                     NULL);
    }
    version_unref(v);
    pthread_mutex_unlock(&s->merge_mu);
    exemplar_store_drop_before(s->exemplars, (int64_t)first * DAY_MS);
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
