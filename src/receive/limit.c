/* limit.c - rows with impossible times are taken out of a batch in place.
 *
 * Nearly every batch has none, which one pass over the times shows; only then are rows moved. */
#include "receive/limit.h"

#include <inttypes.h>

#include "base/check.h"

static bool all_within(const int64_t *time_ms, size_t n, int64_t last_ms)
{
    bool outside = false;
    for (size_t i = 0; i < n; i++)
        outside |= time_ms[i] < 0 || time_ms[i] > last_ms; /* no branch: the compiler makes vectors of it */
    return !outside;
}

static bool exemplars_within(const struct batch *b, int64_t last_ms)
{
    for (size_t i = 0; i < b->n_exemplars; i++)
        if (b->exemplars[i].time_ms < 0 || b->exemplars[i].time_ms > last_ms) return false;
    return true;
}

static void refuse(struct batch *b, const struct batch_series *s, int64_t time_ms, int64_t now_ms,
                   struct write_result *refused)
{
    enum reject reason = time_ms < 0 ? REJECT_too_old : REJECT_future;
    if (refused->why[0] != 0) {
        refuse_rows(refused, reason, 1, "%s", "");
        return;
    }
    struct labels l;
    struct buf name = BUF_INIT(120);
    if (labels_from(b->spelling, s->raw, b->arena, &l, NULL) == OK) labels_print(&name, l);
    if (time_ms < 0)
        refuse_rows(refused, reason, 1, "%s: time stamp %" PRId64 " ms is before 1970",
                    name.n ? buf_cstr(&name) : "a series", time_ms);
    else
        refuse_rows(refused, reason, 1, "%s: time stamp %" PRId64 " ms is %" PRId64 " s in the future",
                    name.n ? buf_cstr(&name) : "a series", time_ms, (time_ms - now_ms) / 1000);
    buf_release(&name);
}

static void move_row(struct batch *b, size_t to, size_t from)
{
    b->time_ms[to] = b->time_ms[from];
    b->value[to] = b->value[from];
    if (b->hist != NULL) b->hist[to] = b->hist[from];
    if (b->start_ms != NULL) b->start_ms[to] = b->start_ms[from];
}

static void sift_rows(struct batch *b, int64_t last_ms, int64_t now_ms, struct write_result *refused)
{
    size_t to = 0;
    for (size_t i = 0; i < b->n_series; i++) {
        struct batch_series *s = &b->series[i];
        size_t first = s->row, end = first + s->n_rows;
        s->row = (uint32_t)to;
        for (size_t row = first; row < end; row++) {
            if (b->time_ms[row] < 0 || b->time_ms[row] > last_ms)
                refuse(b, s, b->time_ms[row], now_ms, refused);
            else
                move_row(b, to++, row);
        }
        s->n_rows = (uint32_t)(to - s->row);
    }
    b->n_rows = to;
}

static void sift_exemplars(struct batch *b, int64_t last_ms, int64_t now_ms, struct write_result *refused)
{
    size_t to = 0;
    for (size_t i = 0; i < b->n_exemplars; i++) {
        struct batch_exemplar *x = &b->exemplars[i];
        if (x->time_ms < 0 || x->time_ms > last_ms)
            refuse(b, &b->series[x->series], x->time_ms, now_ms, refused);
        else
            b->exemplars[to++] = *x;
    }
    b->n_exemplars = to;
}

/* Series with neither rows nor exemplars go; exemplars learn the new places. */
static void sift_series(struct batch *b)
{
    uint32_t *place = arena_zero(b->arena, (b->n_series + 1) * sizeof *place);
    for (size_t i = 0; i < b->n_exemplars; i++) place[b->exemplars[i].series] = 1;

    uint32_t to = 0;
    for (size_t i = 0; i < b->n_series; i++) {
        if (b->series[i].n_rows == 0 && place[i] == 0) continue;
        b->series[to] = b->series[i];
        place[i] = to++;
    }
    b->n_series = to;
    for (size_t i = 0; i < b->n_exemplars; i++) b->exemplars[i].series = place[b->exemplars[i].series];
}

void limit_times(struct batch *b, const struct limit *limit, int64_t now_ms, struct write_result *refused)
{
    int64_t last_ms;
    if (__builtin_add_overflow(now_ms, limit->future_ms, &last_ms)) last_ms = INT64_MAX;
    if (LIKELY(all_within(b->time_ms, b->n_rows, last_ms) && exemplars_within(b, last_ms))) return;

    sift_rows(b, last_ms, now_ms, refused);
    sift_exemplars(b, last_ms, now_ms, refused);
    sift_series(b);
}
