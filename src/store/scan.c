/* scan.c - the rows of series, out of all parts and slabs of a view.
 *
 * Sources stand in the order in which they were written: parts by day and sequence, then the head being
 * flushed, then the head. Series come by rising key, so each source is read forwards; a source that stands
 * beyond the key is not even asked. Pieces of several sources are joined by gather.c (later sources win). A
 * scanner holds one thread's cursors and is kept by the view for the next call.
 *
 * A damaged block is stepped over and remembered with the keys and times it held: a series that may have rows
 * there says so, all others are answered as if nothing had happened. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/scan.h"
#include "store/tier.h"

#define CHECK_EVERY 32

/* ---- life ---- */

static void add_part(struct scanner *c, const struct store_file *f)
{
    c->sources[c->n++] = (struct source){
        .part = f->part, .day = f->id.day, .min_ms = f->info.min_time_ms, .max_ms = f->info.max_time_ms
    };
}

/* Where all rows of a day have expired, the last row of each bucket of its narrowest summaries is left. */
static void add_tier(struct scanner *c, const struct version *v, const struct store_file *f)
{
    size_t n_parts;
    const struct store_file *narrowest = NULL;
    for (size_t k = 0; k < TIER_KINDS; k++) {
        const struct store_file *t = tier_of_day(v, f->id.day, tier_kinds[k].kind);
        if (t != NULL) narrowest = t;
    }
    version_day(v, f->id.day, FILE_PART, &n_parts);
    if (n_parts > 0 || f != narrowest) return;
    int64_t begin_ms = (int64_t)f->id.day * DAY_MS;
    c->sources[c->n++] = (struct source){ .tier = f->tier,
                                          .day = f->id.day,
                                          .width_ms = tier_kind_of(f->id.kind)->width_ms,
                                          .min_ms = begin_ms,
                                          .max_ms = begin_ms + DAY_MS - 1 };
}

static void add_slabs(struct scanner *c, const struct head_pin *pin)
{
    for (size_t i = 0; i < pin->n; i++) {
        struct slab *s = slab_sorted(pin->at[i].slab, pin->at[i].rows);
        c->sources[c->n++] =
            (struct source){ .slab = s, .day = s->day, .min_ms = s->min_ms, .max_ms = s->max_ms };
    }
}

static struct scanner *scanner_new(const struct view *v)
{
    struct scanner *c = mem_alloc_zero(sizeof *c);
    uint32_t last = day_of_ms(v->to_ms);
    c->sources = mem_array(v->version->n + v->flushing.n + v->head.n, sizeof c->sources[0]);
    c->arena = (struct arena)ARENA_INIT(SIZE_MAX);
    c->tier = mem_alloc_zero(sizeof *c->tier);
    for (size_t i = version_from(v->version, day_of_ms(v->from_ms));
         i < v->version->n && v->version->at[i]->id.day <= last; i++) {
        const struct store_file *f = v->version->at[i];
        if (f->part != NULL) add_part(c, f);
        if (f->tier != NULL) add_tier(c, v->version, f);
    }
    add_slabs(c, &v->flushing);
    add_slabs(c, &v->head);
    return c;
}

void scanner_free(struct scanner *c)
{
    for (struct scanner *next; c != NULL; c = next) {
        next = c->next;
        for (size_t i = 0; i < c->n; i++) {
            part_cursor_free(c->sources[i].cursor);
            mem_free(c->sources[i].lost);
            slab_unref(c->sources[i].slab);
        }
        for (int k = 0; k < KINDS; k++) gather_release(&c->rows[k]);
        arena_release(&c->arena);
        tier_rows_release(c->tier);
        mem_free(c->tier);
        mem_free(c->sources);
        mem_free(c->time_ms);
        mem_free(c->start_ms);
        mem_free(c->value);
        mem_free(c->hist);
        mem_free(c);
    }
}

struct scanner *scanner_take(struct view *v, const struct call *call)
{
    pthread_mutex_lock(&v->mu);
    struct scanner *c = v->idle;
    if (c != NULL) v->idle = c->next;
    pthread_mutex_unlock(&v->mu);
    if (c == NULL) c = scanner_new(v);
    c->call = call;
    return c;
}

void scanner_give_back(struct view *v, struct scanner *c)
{
    c->call = NULL;
    pthread_mutex_lock(&v->mu);
    c->next = v->idle;
    v->idle = c;
    pthread_mutex_unlock(&v->mu);
}

/* ---- pieces ---- */

/* The rows of [time, time + n) that lie in the window go to g. */
static void add_piece(struct gather *g, const int64_t *time_ms, const void *bits, size_t n, int64_t from_ms,
                      int64_t to_ms)
{
    size_t first = 0, end = n;
    if (n > 0 && time_ms[0] < from_ms) { /* first row not before */
        size_t high = n;
        while (first < high) {
            size_t mid = first + (high - first) / 2;
            if (time_ms[mid] < from_ms)
                first = mid + 1;
            else
                high = mid;
        }
    }
    if (first < n && time_ms[n - 1] > to_ms) { /* first row behind */
        size_t low = first;
        while (low < end) {
            size_t mid = low + (end - low) / 2;
            if (time_ms[mid] <= to_ms)
                low = mid + 1;
            else
                end = mid;
        }
    }
    if (first < end) gather_add(g, time_ms + first, (const char *)bits + first * 8, end - first);
}

/* ---- damage ---- */

struct damage scanner_damage(const struct part *p, const struct part_loss *l, enum damage_kind kind)
{
    if (l->is_index) kind = DAMAGE_INDEX;
    return (struct damage){ kind, part_path(p), l->at, l->place.rows, l->place.min_ms, l->place.max_ms };
}

static bool is_known(const struct source *s, const struct part_loss *l)
{
    for (size_t i = 0; i < s->n_lost; i++)
        if (s->lost[i].at <= l->at && s->lost[i].at + s->lost[i].bytes > l->at &&
            s->lost[i].first_key <= l->first_key && s->lost[i].last_key >= l->last_key)
            return true;
    return false;
}

/* Neighbouring blocks become one, so that the list of a part that is damaged all over stays short. */
static bool joins(struct part_loss *last, const struct part_loss *l)
{
    if (last->is_index || l->is_index || last->at + last->bytes != l->at) return false;
    last->bytes += l->bytes;
    last->last_key = l->last_key;
    last->rows += l->rows;
    last->place.rows += l->place.rows;
    last->min_ms = MIN(last->min_ms, l->min_ms);
    last->max_ms = MAX(last->max_ms, l->max_ms);
    last->place.min_ms = MIN(last->place.min_ms, l->place.min_ms);
    last->place.max_ms = MAX(last->place.max_ms, l->place.max_ms);
    return true;
}

static void remember(struct source *s, const struct part_loss *l)
{
    if (is_known(s, l) || (s->n_lost > 0 && joins(&s->lost[s->n_lost - 1], l))) return;
    s->lost = mem_grow(s->lost, s->n_lost, &s->cap_lost, sizeof *s->lost);
    s->lost[s->n_lost++] = *l;
}

/* After the cursor failed: past the place. Else rc. A disk that refuses may be asked again, unless the one
 * who asks can be told. */
static int step_over(const struct scanner *c, struct source *s, int rc, struct err *e)
{
    struct part_loss loss;
    bool is_told = c->call != NULL && c->call->notes != NULL;
    if (rc != ERR_CORRUPT && !(rc == ERR_IO && is_told)) return rc;
    if (!part_cursor_pass(s->cursor, &loss)) return rc;
    struct damage d = scanner_damage(s->part, &loss, DAMAGE_BLOCK);
    damage_found(&d, e ? e->text : NULL);
    remember(s, &loss);
    if (e) *e = (struct err)ERR_INIT;
    return OK;
}

static int tell_lost(const struct scanner *c, const struct source *s, series_key key, int64_t from_ms,
                     int64_t to_ms, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < s->n_lost; i++) {
        const struct part_loss *l = &s->lost[i];
        if (key < l->first_key || key > l->last_key || l->min_ms > to_ms || l->max_ms < from_ms) continue;
        struct damage d = scanner_damage(s->part, l, DAMAGE_BLOCK);
        rc = damage_known(c->call, &d, e);
    }
    return rc;
}

/* ---- rows of a part ---- */

static const void *column_of(const struct run *r)
{
    if (r->kind == ROW_FLOAT) return r->value;
    if (r->kind == ROW_START) return r->start_ms;
    return r->hist;
}

static int peek(const struct scanner *c, struct source *s, struct err *e)
{
    int rc = part_cursor_peek(s->cursor, &s->at, e);
    while (rc < 0 && (rc = step_over(c, s, rc, e)) == OK) rc = part_cursor_peek(s->cursor, &s->at, e);
    s->is_placed = rc >= 0;
    s->is_at_end = rc == 0;
    return MIN(rc, 0);
}

static int place(const struct scanner *c, struct source *s, series_key key, struct err *e)
{
    if (s->is_placed && s->sought <= key && (s->is_at_end || s->at.key >= key)) return OK;
    if (s->cursor == NULL) s->cursor = part_cursor_new(s->part);
    int rc = part_cursor_seek(s->cursor, key, e);
    if (rc < 0) rc = step_over(c, s, rc, e);
    if (rc == OK) rc = peek(c, s, e);
    s->sought = key;
    if (rc < 0) s->is_placed = false;
    return rc;
}

static int read_piece(struct scanner *c, struct source *s, int64_t from_ms, int64_t to_ms, struct err *e)
{
    struct run run;
    int rc = part_cursor_read(s->cursor, from_ms, to_ms, &c->arena, &run, e);
    if (rc < 0) return step_over(c, s, rc, e);
    if (run.kind >= KINDS) return err_set(e, ERR_CORRUPT, "a part of rows has a summary");
    if (run.n > 0) add_piece(&c->rows[run.kind], run.time_ms, column_of(&run), run.n, from_ms, to_ms);
    return OK;
}

static int part_rows(struct scanner *c, struct source *s, series_key key, int64_t from_ms, int64_t to_ms,
                     struct err *e)
{
    int rc = place(c, s, key, e);
    while (rc == OK && !s->is_at_end && s->at.key == key) {
        bool is_out = s->at.last_ms < from_ms || s->at.first_ms > to_ms;
        rc = is_out ? part_cursor_skip(s->cursor, e) : read_piece(c, s, from_ms, to_ms, e);
        if (rc == OK) rc = peek(c, s, e);
    }
    if (rc < 0) return rc;
    s->sought = key + 1; /* the rows of key are behind the cursor now */
    return s->n_lost > 0 ? tell_lost(c, s, key, from_ms, to_ms, e) : OK;
}

static void slab_rows(struct scanner *c, struct source *s, series_key key, int64_t from_ms, int64_t to_ms)
{
    uint32_t from = s->sought <= key ? s->row : 0;
    uint32_t begin = slab_find(s->slab, from, key);
    s->row = begin;
    s->sought = key;
    if (begin == s->slab->n || s->slab->key[begin] != key) return;
    uint32_t end = slab_run_end(s->slab, begin);
    add_piece(&c->rows[s->slab->kind], s->slab->time_ms + begin, s->slab->bits + begin, end - begin, from_ms,
              to_ms);
}

/* The last float of each bucket, and the stale marker behind it. */
static int thin_rows(struct scanner *c, struct source *s, series_key key, int64_t from_ms, int64_t to_ms,
                     struct err *e)
{
    uint32_t fields = SUM_BIT(SUM_N) | SUM_BIT(SUM_LAST_AT) | SUM_BIT(SUM_LAST) | SUM_BIT(SUM_STALE_AT);
    struct part_loss loss;
    if (s->cursor == NULL) s->cursor = part_cursor_new(s->tier);
    int rc = tier_read(s->cursor, key, fields, c->tier, &loss, e);
    if (rc < 0 && loss.rows > 0) {
        struct damage d = scanner_damage(s->tier, &loss, DAMAGE_SUMMARY);
        rc = damage_leave_out(c->call, &d, rc, e);
    }
    for (size_t i = 0; rc == OK && i < c->tier->n; i++) {
        struct summary sum;
        double stale = double_of(STALE_BITS);
        tier_get(c->tier, i, s->width_ms, &sum);
        if (sum.n > 0) add_piece(&c->rows[ROW_FLOAT], &sum.last_ms, &sum.last, 1, from_ms, to_ms);
        if (sum.ends_stale) add_piece(&c->rows[ROW_FLOAT], &sum.stale_ms, &stale, 1, from_ms, to_ms);
    }
    return rc;
}

static int gather_key(struct scanner *c, series_key key, int64_t from_ms, int64_t to_ms, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < c->n; i++) {
        struct source *s = &c->sources[i];
        if (!s->is_in_window) continue;
        if (s->slab != NULL)
            slab_rows(c, s, key, from_ms, to_ms);
        else if (s->tier != NULL)
            rc = thin_rows(c, s, key, from_ms, to_ms, e);
        else
            rc = part_rows(c, s, key, from_ms, to_ms, e);
    }
    return rc;
}

/* ---- one series ---- */

static void reserve(struct scanner *c, size_t n)
{
    if (n <= c->cap) return;
    c->cap = MAX(n, c->cap * 2);
    c->time_ms = mem_realloc(c->time_ms, c->cap * sizeof c->time_ms[0]);
    c->start_ms = mem_realloc(c->start_ms, c->cap * sizeof c->start_ms[0]);
    c->value = mem_realloc(c->value, c->cap * sizeof c->value[0]);
    c->hist = mem_realloc(c->hist, c->cap * sizeof c->hist[0]);
}

/* Floats and histograms into one run by time. A series that changed its kind at the very same millisecond
 * keeps the histogram. */
static size_t join_kinds(struct scanner *c)
{
    const struct gather *f = &c->rows[ROW_FLOAT], *h = &c->rows[ROW_HISTOGRAM];
    size_t n = 0;
    for (size_t i = 0, j = 0; i < f->n || j < h->n; n++) {
        bool is_hist = i == f->n || (j < h->n && h->time_ms[j] <= f->time_ms[i]);
        if (is_hist && i < f->n && f->time_ms[i] == h->time_ms[j]) i++;
        c->time_ms[n] = is_hist ? h->time_ms[j] : f->time_ms[i];
        c->hist[n] = is_hist ? (struct histogram *)(uintptr_t)h->bits[j] : NULL;
        c->value[n] = is_hist ? c->hist[n]->sum : double_of(f->bits[i]);
        if (is_hist)
            j++;
        else
            i++;
    }
    return n;
}

static void join_starts(struct scanner *c, const int64_t *time_ms, size_t n)
{
    const struct gather *s = &c->rows[ROW_START];
    for (size_t i = 0, j = 0; i < n; i++) {
        while (j < s->n && s->time_ms[j] < time_ms[i]) j++;
        c->start_ms[i] = j < s->n && s->time_ms[j] == time_ms[i] ? (int64_t)s->bits[j] : 0;
    }
}

static void join(struct scanner *c, struct series_rows *out)
{
    for (int k = 0; k < KINDS; k++) gather_join(&c->rows[k]);
    const struct gather *f = &c->rows[ROW_FLOAT];
    const void *bits = f->bits;
    bool has_hist = c->rows[ROW_HISTOGRAM].n > 0, has_start = c->rows[ROW_START].n > 0;
    if (has_hist || has_start) reserve(c, f->n + c->rows[ROW_HISTOGRAM].n);

    *out = (struct series_rows){ .series = out->series, .n = f->n, .time_ms = f->time_ms, .value = bits };
    if (has_hist) {
        out->n = join_kinds(c);
        out->time_ms = c->time_ms;
        out->value = c->value;
        out->hist = c->hist;
    }
    if (has_start) {
        join_starts(c, out->time_ms, out->n);
        out->start_ms = c->start_ms;
    }
}

struct key_list view_keys(struct view *v, const struct series_ref *ref, series_key *one)
{
    if (!(ref->id & SERIES_HAS_LIST)) {
        *one = ref->id;
        return (struct key_list){ one, 1 };
    }
    pthread_mutex_lock(&v->mu);
    check((ref->id & ~SERIES_HAS_LIST) < v->n_lists);
    struct key_list list = v->lists[ref->id & ~SERIES_HAS_LIST];
    pthread_mutex_unlock(&v->mu);
    return list;
}

int scanner_series(struct view *v, struct scanner *c, const struct series_ref *ref, int64_t from_ms,
                   int64_t to_ms, struct series_rows *out, struct err *e)
{
    series_key one;
    struct key_list keys = view_keys(v, ref, &one);
    int rc = OK;
    for (int k = 0; k < KINDS; k++) gather_clear(&c->rows[k]);
    if (c->arena.used > 0) arena_reset(&c->arena);
    for (size_t i = 0; rc == OK && i < keys.n; i++) rc = gather_key(c, keys.at[i], from_ms, to_ms, e);
    if (rc == OK) join(c, out);
    return rc;
}

void scanner_choose(struct scanner *c, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < c->n; i++)
        c->sources[i].is_in_window = c->sources[i].min_ms <= to_ms && c->sources[i].max_ms >= from_ms;
}

int view_do_scan(struct store_view *base, struct call *call, const struct series_ref *refs, size_t n,
                 int64_t from_ms, int64_t to_ms, series_sink *sink, void *ctx, struct err *e)
{
    struct view *v = view_of(base);
    struct scanner *c = scanner_take(v, call);
    uint64_t rows = 0;
    int rc = OK;
    from_ms = MAX(from_ms, v->from_ms);
    to_ms = MIN(to_ms, v->to_ms);
    scanner_choose(c, from_ms, to_ms);

    for (size_t i = 0; rc >= 0 && i < n; i++) {
        struct series_rows out = { .series = i };
        rc = i % CHECK_EVERY == 0 ? call_check(call, e) : OK;
        if (rc == OK) rc = scanner_series(v, c, &refs[i], from_ms, to_ms, &out, e);
        if (rc == OK) rc = sink(ctx, &out);
        rows += out.n;
    }
    stat_add(v->s->stats.scanned, rows);
    scanner_give_back(v, c);
    return MIN(rc, 0);
}
