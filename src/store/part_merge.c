/* part_merge.c - several parts into one, in one pass.
 *
 * Every source has a cursor standing at its lowest run not yet written; the lowest of all is next.
 * Its rows are woven with those of the other sources that have the same series and kind. A block
 * that no other source reaches into goes over as it lies in the file.
 *
 * Always true:
 *   1. Sources are ordered by sequence, so of equal (key, kind, time) the last source that has one
 *      wins; equal sequences count in the order they were given.
 *   2. What is written is a merge of exactly the rows not dropped: no row twice, none lost.
 *   3. Memory is one block for each source and one run of PART_BLOCK_ROWS rows, however large the
 *      parts.
 *   4. On any error the unfinished file is gone. A damaged block is one, unless the caller keeps account of
 *      losses: then (2) is said of what can be read.
 *
 * Copied blocks must not leave ragged ones between them: what is pending is only flushed for a copy
 * when it is at least half a block, or when enough whole blocks went by since the last ragged one
 * (CREDIT). */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/damage.h"
#include "store/part_cursor.h"
#include "store/part_format.h"
#include "store/part_writer.h"

enum { CREDIT = 4 };
#define THROTTLE_ROWS 8192
#define SOURCE_ARENA  (64u << 20)

struct source {
    const struct part *part;
    struct part_cursor *cursor;
    bool is_open;         /* head is valid: the cursor is not at the end */
    struct run_head head; /* under the cursor */
    struct run run;       /* being woven: rows from `at` on are not written yet */
    size_t at;
    struct arena arena; /* of run's histograms */
    size_t number;      /* as the caller counts */
};

struct merge {
    struct source *source;
    size_t n;
    struct part_writer *writer;
    int wrap_level;
    bool (*drop)(void *ctx, series_key);
    struct part_cut *cut; /* NULL: nothing is left out */
    int (*throttle)(void *ctx);
    void *ctx;
    size_t rows_since; /* throttle() was asked */
    int credit;
    struct merge_losses *losses; /* NULL: damage is an error */

    struct run out; /* woven, not yet written; n rows in the arrays below */
    int64_t *time_ms;
    union {
        double *value;
        int64_t *start_ms;
        struct histogram **hist;
    };
};

/* ---- sources ---- */

static bool has_run(const struct source *s, series_key key, enum row_kind kind)
{
    return s->is_open && s->head.key == key && s->head.kind == kind;
}

/* Past what cannot be read, if that may be; else rc. */
static int step_over(struct merge *m, struct source *s, int rc, struct err *e)
{
    struct part_loss loss;
    if (m->losses == NULL || rc != ERR_CORRUPT || !part_cursor_pass(s->cursor, &loss)) return rc;
    struct damage d = { .kind = loss.is_index ? DAMAGE_INDEX : DAMAGE_BLOCK,
                        .path = s->part->path,
                        .at = loss.at,
                        .rows = loss.place.rows,
                        .from_ms = loss.place.min_ms,
                        .to_ms = loss.place.max_ms };
    damage_found(&d, e ? e->text : NULL);
    m->losses->damaged |= UINT32_C(1) << s->number;
    m->losses->rows += loss.rows;
    return OK;
}

static int peek(struct merge *m, struct source *s, struct err *e)
{
    int rc = part_cursor_peek(s->cursor, &s->head, e);
    while (rc < 0 && (rc = step_over(m, s, rc, e)) == OK) rc = part_cursor_peek(s->cursor, &s->head, e);
    s->is_open = rc > 0;
    return MIN(rc, 0);
}

static struct source *lowest(struct merge *m)
{
    struct source *low = NULL;
    for (struct source *s = m->source; s < m->source + m->n; s++)
        if (s->is_open && (low == NULL || s->head.key < low->head.key ||
                           (s->head.key == low->head.key && s->head.kind < low->head.kind)))
            low = s;
    return low;
}

/* Decode the run under the cursor and step on. What cannot be read: the next piece of it, or none. */
static int take(struct merge *m, struct source *s, struct err *e)
{
    const struct run_head want = s->head;
    for (;;) {
        arena_reset(&s->arena);
        s->at = 0;
        int rc = part_cursor_read(s->cursor, INT64_MIN, INT64_MAX, &s->arena, &s->run, e);
        if (rc >= 0) return OK;
        s->run.n = 0;
        if ((rc = step_over(m, s, rc, e)) < 0 || (rc = peek(m, s, e)) < 0) return rc;
        if (!has_run(s, want.key, want.kind)) return OK;
    }
}

static int ask_throttle(struct merge *m, size_t rows, struct err *e)
{
    m->rows_since += rows;
    if (m->throttle == NULL || m->rows_since < THROTTLE_ROWS) return OK;
    m->rows_since = 0;
    int rc = m->throttle(m->ctx);
    return rc < 0 ? err_set(e, rc, "merge: stopped") : OK;
}

/* ---- dropped series ---- */

static int skip_key(struct merge *m, struct source *s, series_key key, struct err *e)
{
    while (s->is_open && s->head.key == key) {
        int rc = part_cursor_skip(s->cursor, e);
        if (rc == OK) rc = peek(m, s, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int drop_key(struct merge *m, series_key key, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < m->n && rc == OK; i++) rc = skip_key(m, &m->source[i], key, e);
    return rc;
}

/* ---- whole blocks ---- */

static bool others_reach(const struct merge *m, const struct source *s, series_key last_key)
{
    for (const struct source *o = m->source; o < m->source + m->n; o++)
        if (o != s && o->is_open && o->head.key <= last_key) return true;
    return false;
}

/* With an account of losses a block goes over whole only when all of it is sound. */
static bool is_sound(const struct merge *m, struct str stored)
{
    while (m->losses != NULL && stored.n > 0)
        if (page_check_any(&stored, NULL) < 0) return false;
    return true;
}

/* 1 = the block under s's cursor went over whole, 0 = it cannot. */
static int copy_block(struct merge *m, struct source *s, struct err *e)
{
    struct str stored;
    struct run_head last;
    const struct part_place *place = part_cursor_block(s->cursor, &stored, &last);
    bool wrapped_enough = s->part->head.wrap_level > 0 || m->wrap_level <= s->part->head.wrap_level;
    if (place == NULL || place->rows < PART_BLOCK_ROWS / 2 || !wrapped_enough) return 0;
    if (others_reach(m, s, place->last_key) || !is_sound(m, stored)) return 0;
    if (m->drop && part_cursor_any(s->cursor, m->drop, m->ctx)) return 0;
    if (m->cut && place->min_ms <= m->cut->to_ms && place->max_ms >= m->cut->from_ms &&
        part_cursor_any(s->cursor, m->cut->claims, m->cut->ctx))
        return 0;

    size_t pending = part_writer_pending(m->writer);
    bool ragged = pending > 0 && pending < PART_BLOCK_ROWS / 2;
    if (ragged && m->credit < CREDIT) return 0;
    m->credit = ragged ? 0 : m->credit + 1;

    int rc = part_writer_copy(m->writer, part_cursor_unpacker(s->cursor), stored, place, &last, e);
    if (rc < 0) return rc;
    size_t rows = place->rows;
    part_cursor_skip_block(s->cursor);
    if ((rc = peek(m, s, e)) < 0 || (rc = ask_throttle(m, rows, e)) < 0) return rc;
    return 1;
}

/* ---- weaving ---- */

static int write_out(struct merge *m, struct err *e)
{
    struct run *r = &m->out;
    if (r->n == 0) return OK;
    r->time_ms = m->time_ms;
    r->value = row_is_double(r->kind) ? m->value : NULL;
    r->start_ms = r->kind == ROW_START ? m->start_ms : NULL;
    r->hist = r->kind == ROW_HISTOGRAM ? m->hist : NULL;
    int rc = part_writer_run(m->writer, r, e);
    size_t rows = r->n;
    r->n = 0;
    return rc < 0 ? rc : ask_throttle(m, rows, e);
}

static int append(struct merge *m, const struct run *r, size_t from, size_t n, struct err *e)
{
    while (n > 0) {
        size_t fit = MIN(n, PART_BLOCK_ROWS - m->out.n), to = m->out.n;
        memcpy(m->time_ms + to, r->time_ms + from, fit * sizeof r->time_ms[0]);
        switch (r->kind) {
        case ROW_START: memcpy(m->start_ms + to, r->start_ms + from, fit * sizeof r->start_ms[0]); break;
        case ROW_HISTOGRAM: memcpy(m->hist + to, r->hist + from, fit * sizeof r->hist[0]); break;
        default: memcpy(m->value + to, r->value + from, fit * sizeof r->value[0]); break;
        }
        m->out.n += fit;
        from += fit;
        n -= fit;
        if (m->out.n < PART_BLOCK_ROWS) continue;
        int rc = write_out(m, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static size_t row_from(const struct run *r, size_t from, size_t end, int64_t time_ms)
{
    while (from < end && r->time_ms[from] < time_ms) from++;
    return from;
}

/* append() but for rows that are cut out. */
static int append_kept(struct merge *m, const struct run *r, size_t from, size_t n, struct err *e)
{
    struct part_cut *cut = m->cut;
    if (cut == NULL || !cut->claims(cut->ctx, r->key)) return append(m, r, from, n, e);
    size_t end = from + n, first = row_from(r, from, end, cut->from_ms), last = first;
    while (last < end && r->time_ms[last] <= cut->to_ms) last++;
    cut->rows += last - first;
    int rc = append(m, r, from, first - from, e);
    return rc == OK ? append(m, r, last, end - last, e) : rc;
}

/* The next piece of the same run, when the one at hand is used up. Its histograms are still wanted
 * by `out`, so that goes out first. */
static int refill(struct merge *m, struct source *s, struct err *e)
{
    int rc = OK;
    while (rc == OK && s->at == s->run.n && s->run.n > 0) {
        if ((rc = peek(m, s, e)) < 0) break;
        s->run.n = s->at = 0;
        if (!has_run(s, m->out.key, m->out.kind)) break;
        if (m->out.kind == ROW_HISTOGRAM) rc = write_out(m, e);
        if (rc == OK) rc = take(m, s, e);
    }
    return rc;
}

static int64_t next_ms(const struct source *s)
{
    return s->run.time_ms[s->at];
}

/* The source whose row is next: the earliest time, of equal ones the newest; older equals step over
 * theirs. *until is the time at which another source has a say: after an equal that is at once,
 * since who stepped over may be due again. */
static struct source *earliest(struct merge *m, int64_t *until)
{
    struct source *first = NULL;
    *until = INT64_MAX;
    for (struct source *s = m->source; s < m->source + m->n; s++) {
        if (s->at == s->run.n) continue;
        if (first == NULL || next_ms(s) < next_ms(first)) {
            if (first) *until = MIN(*until, next_ms(first));
            first = s;
        } else if (next_ms(s) == next_ms(first)) {
            *until = next_ms(s);
            first->at++;
            first = s;
        } else {
            *until = MIN(*until, next_ms(s));
        }
    }
    return first;
}

static int weave(struct merge *m, struct err *e)
{
    int64_t until;
    for (;;) {
        int rc = OK;
        for (size_t i = 0; i < m->n && rc == OK; i++) rc = refill(m, &m->source[i], e);
        if (rc < 0) return rc;
        struct source *s = earliest(m, &until);
        if (s == NULL) return write_out(m, e);

        size_t end = s->at + 1;
        while (end < s->run.n && s->run.time_ms[end] < until) end++;
        rc = append_kept(m, &s->run, s->at, end - s->at, e);
        if (rc < 0) return rc;
        s->at = end;
    }
}

/* All rows of one series and kind. */
static int merge_run(struct merge *m, series_key key, enum row_kind kind, struct err *e)
{
    m->out = (struct run){ .key = key, .kind = kind };
    for (struct source *s = m->source; s < m->source + m->n; s++) {
        s->run.n = s->at = 0;
        if (!has_run(s, key, kind)) continue;
        int rc = take(m, s, e);
        if (rc < 0) return rc;
    }
    return weave(m, e);
}

static int merge_all(struct merge *m, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < m->n && rc == OK; i++) rc = peek(m, &m->source[i], e);
    for (struct source *s; rc == OK && (s = lowest(m)) != NULL;) {
        if ((rc = copy_block(m, s, e)) != 0) {
            rc = MIN(rc, 0);
            continue;
        }
        if (m->drop && m->drop(m->ctx, s->head.key))
            rc = drop_key(m, s->head.key, e);
        else
            rc = merge_run(m, s->head.key, s->head.kind, e);
    }
    return rc;
}

/* ---- the whole ---- */

static void merge_init(struct merge *m, struct part *const *sources, size_t n)
{
    m->n = n;
    m->source = mem_array(n, sizeof *m->source);
    for (size_t i = 0; i < n; i++) {
        size_t at = i; /* insertion sort by sequence, stable */
        for (; at > 0 && m->source[at - 1].part->info.sequence > sources[i]->info.sequence; at--)
            m->source[at] = m->source[at - 1];
        m->source[at] = (struct source){ .part = sources[i], .arena = ARENA_INIT(SOURCE_ARENA), .number = i };
    }
    for (size_t i = 0; i < n; i++) m->source[i].cursor = part_cursor_new(m->source[i].part);
    m->time_ms = mem_array(PART_BLOCK_ROWS, sizeof *m->time_ms);
    m->value = mem_array(PART_BLOCK_ROWS, sizeof *m->value); /* 8 bytes a row, whatever the kind */
}

static void merge_release(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        part_cursor_free(m->source[i].cursor);
        arena_release(&m->source[i].arena);
    }
    mem_free(m->source);
    mem_free(m->time_ms);
    mem_free(m->value);
}

static int merge_to(struct merge *m, struct part *const *sources, size_t n, const char *path, uint32_t level,
                    uint64_t sequence, struct part_info *info, struct err *e)
{
    int rc = part_writer_open(path, level, sequence, m->wrap_level, &m->writer, e);
    if (rc < 0) return rc;

    merge_init(m, sources, n);
    rc = merge_all(m, e);
    merge_release(m);
    if (rc < 0) {
        part_writer_abandon(m->writer);
        return rc;
    }
    return part_writer_finish(m->writer, info, e);
}

int part_merge(struct part *const *sources, size_t n, const char *path, uint32_t level, uint64_t sequence,
               int zstd_level, bool (*drop)(void *ctx, series_key), int (*throttle)(void *ctx), void *ctx,
               struct part_info *info, struct err *e)
{
    struct merge m = {
        .wrap_level = zstd_level, .drop = drop, .throttle = throttle, .ctx = ctx, .credit = CREDIT
    };
    return merge_to(&m, sources, n, path, level, sequence, info, e);
}

int part_join(struct part *const *sources, size_t n, const char *path, uint32_t level, uint64_t sequence,
              int zstd_level, int (*throttle)(void *ctx), void *ctx, struct part_info *info,
              struct merge_losses *losses, struct err *e)
{
    struct merge m = {
        .wrap_level = zstd_level, .throttle = throttle, .ctx = ctx, .credit = CREDIT, .losses = losses
    };
    *losses = (struct merge_losses){ 0 };
    check(n <= 32);
    return merge_to(&m, sources, n, path, level, sequence, info, e);
}

int part_cut(struct part *source, const char *path, uint32_t level, uint64_t sequence, int zstd_level,
             struct part_cut *cut, int (*throttle)(void *ctx), void *ctx, struct part_info *info,
             struct err *e)
{
    struct merge m = {
        .wrap_level = zstd_level, .cut = cut, .throttle = throttle, .ctx = ctx, .credit = CREDIT
    };
    cut->rows = 0;
    return merge_to(&m, &source, 1, path, level, sequence, info, e);
}
