/* tier_scan.c - summaries of series out of a view: from tiers where they say what the rows say, or where the
 * rows are gone; else from rows.
 *
 * Days are taken in order, so that a bucket of several days, or one across midnight, is joined in the order
 * of its rows. A bucket wider than a tier's is put together of whole ones; a tier whose buckets do not fit
 * the grid is only used where rows are gone, and then each of its buckets counts where it ends. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/scan.h"
#include "store/tier.h"

#define CHECK_EVERY 16

struct tier_day {
    uint32_t day;
    const struct store_file *file;
    int64_t width_ms;
    struct part_cursor *cursor;
};

struct summarizing {
    struct view *v;
    const struct summary_grid *grid;
    uint32_t fields;
    struct tier_day *days; /* those read from tiers, in order */
    size_t n_days;
    bool any_rows; /* some source of rows is left to be read */
    struct scanner *scanner;
    struct summary *at; /* grid->n */
};

/* ---- which days ---- */

static bool has_head_rows(const struct head_pin *pin, uint32_t day)
{
    for (size_t i = 0; i < pin->n; i++)
        if (pin->at[i].slab->day == day) return true;
    return false;
}

static bool fits(const struct tier_kind *k, int64_t start_ms, int64_t width_ms)
{
    return width_ms % k->width_ms == 0 && start_ms % k->width_ms == 0;
}

/* The tier to take for a day; NULL: its rows must be read. */
static const struct tier_kind *choose(const struct view *v, uint32_t day, int64_t start_ms, int64_t width_ms,
                                      const struct store_file **file)
{
    size_t n_parts;
    const struct tier_kind *narrowest = NULL;
    const struct store_file *last = NULL;
    version_day(v->version, day, FILE_PART, &n_parts);
    bool in_memory = has_head_rows(&v->flushing, day) || has_head_rows(&v->head, day);
    for (const struct tier_kind *k = tier_kinds; k < tier_kinds + TIER_KINDS; k++) {
        const struct store_file *f = tier_of_day(v->version, day, k->kind);
        if (f == NULL) continue;
        *file = last = f;
        narrowest = k;
        bool says_all = n_parts == 0 || (!in_memory && tier_is_current(v->version, day, f));
        if (says_all && fits(k, start_ms, width_ms)) return k;
    }
    *file = last;
    return n_parts == 0 ? narrowest : NULL;
}

/* The first file of the next day, from file i on. */
static size_t next_day(const struct version *v, size_t i)
{
    uint32_t day = v->at[i]->id.day;
    while (i < v->n && v->at[i]->id.day == day) i++;
    return i;
}

void view_do_cover(struct store_view *base, int64_t from_ms, int64_t to_ms, int64_t width_ms,
                   struct summary_cover *out)
{
    const struct view *v = view_of(base);
    uint32_t last = day_of_ms(MIN(to_ms, v->to_ms));
    *out = (struct summary_cover){ .rows_from_ms = INT64_MIN };
    if (to_ms < 0) return;
    for (size_t i = version_from(v->version, day_of_ms(MAX(from_ms, v->from_ms)));
         i < v->version->n && v->version->at[i]->id.day <= last; i = next_day(v->version, i)) {
        uint32_t day = v->version->at[i]->id.day;
        size_t n_parts;
        const struct store_file *file;
        const struct tier_kind *k = choose(v, day, 0, width_ms, &file);
        version_day(v->version, day, FILE_PART, &n_parts);
        out->days += k != NULL && fits(k, 0, width_ms);
        if (k == NULL || n_parts > 0) continue;
        out->rows_from_ms = ((int64_t)day + 1) * DAY_MS;
        out->widest_ms = MAX(out->widest_ms, k->width_ms);
    }
}

/* ---- a series ---- */

static size_t fold_before(struct summarizing *z, const struct series_rows *r, size_t from, int64_t before_ms)
{
    size_t end = from;
    while (end < r->n && r->time_ms[end] < before_ms) end++;
    summary_fold(z->at, z->grid, end - from, r->time_ms + from, r->value + from,
                 r->hist ? r->hist + from : NULL, r->start_ms ? r->start_ms + from : NULL);
    return end;
}

static void join_rows(struct summarizing *z, const struct tier_rows *rows, int64_t width_ms)
{
    const struct summary_grid *g = z->grid;
    int64_t last_ms = summary_grid_end(g);
    for (size_t i = 0; i < rows->n; i++) {
        struct summary s, *to;
        if (rows->end_ms[i] <= g->start_ms || rows->end_ms[i] > last_ms) continue;
        to = &z->at[(rows->end_ms[i] - g->start_ms - 1) / g->width_ms];
        bool is_first = to->n == 0 && to->odd == 0 && !to->ends_stale;
        tier_get(rows, i, width_ms, is_first ? to : &s);
        if (!is_first) summary_join(to, &s);
    }
}

/* The rows say what the damaged summaries of their day said. */
static int fold_day(struct summarizing *z, const struct tier_day *d, const struct series_ref *ref,
                    struct err *e)
{
    struct series_rows rows = { 0 };
    int64_t begin_ms = (int64_t)d->day * DAY_MS, from_ms = MAX(z->grid->start_ms + 1, begin_ms);
    int64_t to_ms = MIN(summary_grid_end(z->grid), begin_ms + DAY_MS - 1);
    struct scanner *own = scanner_take(z->v, z->scanner->call);
    scanner_choose(own, from_ms, to_ms);
    int rc = scanner_series(z->v, own, ref, from_ms, to_ms, &rows, e);
    if (rc == OK) summary_fold(z->at, z->grid, rows.n, rows.time_ms, rows.value, rows.hist, rows.start_ms);
    scanner_give_back(z->v, own);
    return rc;
}

static bool has_parts(const struct summarizing *z, uint32_t day)
{
    size_t n;
    version_day(z->v->version, day, FILE_PART, &n);
    return n > 0;
}

/* A series with several keys was forgotten and came again: one after the other, as a rule. */
static int join_day(struct summarizing *z, struct tier_day *d, const struct series_ref *ref, struct err *e)
{
    series_key one;
    struct part_loss loss = { 0 };
    struct key_list keys = view_keys(z->v, ref, &one);
    bool is_damaged = false;
    for (size_t i = 0; i < keys.n; i++) {
        int rc = tier_read(d->cursor, keys.at[i], z->fields, z->scanner->tier, &loss, e);
        if (rc < 0 && loss.rows == 0) return rc;
        if (rc < 0) {
            struct damage where = scanner_damage(d->file->tier, &loss, DAMAGE_SUMMARY);
            if (has_parts(z, d->day) && keys.n == 1) { /* of several keys the rows would count twice */
                damage_found(&where, e ? e->text : NULL);
                if (e) *e = (struct err)ERR_INIT;
                is_damaged = true;
            } else if ((rc = damage_leave_out(z->scanner->call, &where, rc, e)) < 0) {
                return rc;
            }
        }
        join_rows(z, z->scanner->tier, d->width_ms);
    }
    return is_damaged ? fold_day(z, d, ref, e) : OK;
}

static int one_series(struct summarizing *z, const struct series_ref *ref, struct err *e)
{
    struct series_rows rows = { 0 };
    int64_t from_ms = MAX(z->grid->start_ms + 1, z->v->from_ms);
    int64_t to_ms = MIN(summary_grid_end(z->grid), z->v->to_ms);
    int rc = OK;
    size_t at = 0;
    memset(z->at, 0, z->grid->n * sizeof *z->at);
    if (z->any_rows) rc = scanner_series(z->v, z->scanner, ref, from_ms, to_ms, &rows, e);
    for (size_t i = 0; rc == OK && i < z->n_days; i++) {
        at = fold_before(z, &rows, at, (int64_t)z->days[i].day * DAY_MS);
        rc = join_day(z, &z->days[i], ref, e);
    }
    fold_before(z, &rows, at, INT64_MAX);
    return rc;
}

/* ---- the call ---- */

static void choose_days(struct summarizing *z, struct arena *a)
{
    const struct version *v = z->v->version;
    uint32_t last = day_of_ms(z->v->to_ms);
    z->days = arena_array(a, v->n, sizeof *z->days);
    for (size_t i = version_from(v, day_of_ms(z->v->from_ms)); i < v->n && v->at[i]->id.day <= last;
         i = next_day(v, i)) {
        const struct store_file *f = NULL;
        uint32_t day = v->at[i]->id.day;
        int64_t begin_ms = (int64_t)day * DAY_MS;
        if (begin_ms > summary_grid_end(z->grid) || begin_ms + DAY_MS <= z->grid->start_ms) continue;
        const struct tier_kind *k = choose(z->v, day, z->grid->start_ms, z->grid->width_ms, &f);
        if (k != NULL) z->days[z->n_days++] = (struct tier_day){ day, f, k->width_ms, NULL };
    }
}

static bool is_from_tier(const struct summarizing *z, uint32_t day)
{
    for (size_t i = 0; i < z->n_days; i++)
        if (z->days[i].day == day) return true;
    return false;
}

static void leave_out_days(struct summarizing *z)
{
    for (size_t i = 0; i < z->scanner->n; i++) {
        struct source *s = &z->scanner->sources[i];
        /* Rows in memory of a day without parts are not in its tier. */
        if (s->is_in_window && s->slab == NULL && is_from_tier(z, s->day)) s->is_in_window = false;
        z->any_rows |= s->is_in_window;
    }
}

int view_do_summarize(struct store_view *base, struct call *call, const struct series_ref *refs, size_t n,
                      const struct summary_grid *grid, uint32_t fields, summary_sink *sink, void *ctx,
                      struct err *e)
{
    struct summarizing z = { .v = view_of(base), .grid = grid };
    z.fields = fields | SUM_BIT(SUM_N) | SUM_BIT(SUM_STALE_AT) | SUM_BIT(SUM_ODD);
    z.at = arena_array(call->arena, grid->n, sizeof *z.at);
    choose_days(&z, call->arena);
    int rc = call_check(call, e);
    if (rc < 0) return rc;

    z.scanner = scanner_take(z.v, call);
    scanner_choose(z.scanner, grid->start_ms + 1, summary_grid_end(grid));
    leave_out_days(&z);
    for (size_t i = 0; i < z.n_days; i++) z.days[i].cursor = part_cursor_new(z.days[i].file->tier);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        rc = i % CHECK_EVERY == 0 ? call_check(call, e) : OK;
        if (rc == OK) rc = one_series(&z, &refs[i], e);
        if (rc == OK) rc = sink(ctx, i, z.at);
    }
    for (size_t i = 0; i < z.n_days; i++) part_cursor_free(z.days[i].cursor);
    scanner_give_back(z.v, z.scanner);
    return MIN(rc, 0);
}
