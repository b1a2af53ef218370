/* days.c - which UTC days the registry answers for.
 *
 * A day is opened by the first row that arrives for it and closed when its rows and series are all in files
 * and nobody has written to it for a while; today and yesterday stay open. A closed day costs no memory: its
 * index files answer for it. When late rows open it again the registry knows only some of its series, and
 * both are asked (is_whole is false).
 *
 * Threads: opening under write_mu; reading under days_lock. Closing takes write_mu, then days_lock. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/engine.h"

#define IDLE_MS (10 * 60 * 1000)

static size_t place_of(const struct engine *s, uint32_t day, bool *is_there)
{
    size_t low = 0, high = s->n_open;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->open_days[mid].day < day)
            low = mid + 1;
        else
            high = mid;
    }
    *is_there = low < s->n_open && s->open_days[low].day == day;
    return low;
}

void days_add(struct engine *s, uint32_t day, bool is_whole)
{
    bool is_there;
    pthread_rwlock_wrlock(&s->days_lock);
    size_t at = place_of(s, day, &is_there);
    if (!is_there) {
        s->open_days = mem_grow(s->open_days, s->n_open, &s->cap_open, sizeof s->open_days[0]);
        memmove(s->open_days + at + 1, s->open_days + at, (s->n_open - at) * sizeof s->open_days[0]);
        s->open_days[at] = (struct open_day){ .day = day, .is_whole = is_whole };
        s->n_open++;
    }
    s->open_days[at].since_ms = clock_now_ms();
    pthread_rwlock_unlock(&s->days_lock);
}

static bool has_index(struct engine *s, uint32_t day)
{
    size_t n;
    struct version *v = catalog_pin(s->catalog);
    version_day(v, day, FILE_INDEX, &n);
    version_unref(v);
    return n > 0;
}

void days_open(struct engine *s, uint32_t day)
{
    if (s->day_seen == day) return;
    bool is_there;
    place_of(s, day, &is_there); /* only write_mu changes the list, and we hold it */
    if (!is_there) days_add(s, day, !has_index(s, day));
    s->day_seen = day;
}

bool days_are_open(struct engine *s, uint32_t day)
{
    bool is_there;
    place_of(s, day, &is_there);
    return is_there;
}

bool days_are_whole(struct engine *s, uint32_t day)
{
    bool is_there;
    size_t at = place_of(s, day, &is_there);
    return is_there && s->open_days[at].is_whole;
}

static bool in_list(const uint32_t *days, size_t n, uint32_t day)
{
    for (size_t i = 0; i < n; i++)
        if (days[i] == day) return true;
    return false;
}

/* write_mu held: no row of the day is in memory, and no series of it waits for an index file. */
static bool is_in_files(struct engine *s, uint32_t day)
{
    series_key *fresh;
    uint32_t *days;
    size_t n_days = head_days(s->head, &days);
    bool is_idle = s->flushing == NULL && !in_list(days, n_days, day);
    mem_free(days);
    if (!is_idle) return false;
    size_t n = registry_fresh(s->registry, day, &fresh, false);
    mem_free(fresh);
    return n == 0;
}

void days_close_idle(struct engine *s)
{
    uint32_t today = day_of_ms(clock_now_ms());
    int64_t before = clock_now_ms() - IDLE_MS;
    bool any = false;

    pthread_mutex_lock(&s->flush_mu);
    pthread_mutex_lock(&s->write_mu);
    pthread_rwlock_wrlock(&s->days_lock);
    size_t kept = 0;
    for (size_t i = 0; i < s->n_open; i++) {
        struct open_day *d = &s->open_days[i];
        bool is_old = d->day + 1 < today && d->since_ms < before;
        if (is_old && is_in_files(s, d->day)) {
            registry_forget_day(s->registry, d->day);
            any = true;
        } else {
            s->open_days[kept++] = *d;
        }
    }
    s->n_open = kept;
    s->day_seen = UINT32_MAX;
    if (any) registry_collect(s->registry);
    pthread_rwlock_unlock(&s->days_lock);
    pthread_mutex_unlock(&s->write_mu);
    pthread_mutex_unlock(&s->flush_mu);
}
