/* record_scan.c - logs or spans of a view that match, in the order asked for.
 *
 * As it lies: piece by piece, matched and delivered. By time: a window of time after the other, newest or
 * oldest first; within a window the rows that match are noted, sorted by time, and only then fetched, each
 * block once. With a limit no more rows than that are ever fetched, and no window is opened that is not
 * needed.
 *
 * Who asks for the newest mostly wants few of them, and says so by a limit or by stopping. Rows of a bucket
 * (keys begin with it) are not in order of time, so a bucket would have to be matched whole for them.
 * Therefore the first windows are slices, each wider than the last, and rows outside cost a comparison of
 * times. Who reads on wants all: then windows are whole buckets, and a block is read once.
 *
 * Pieces are matched and fetched by the threads of the call's pool that are idle, each with a share of the
 * sources; the rows are delivered by the caller's thread, in order.
 *
 * A block that cannot be read is left out, if the call can be told so (damage.h); rows of it that were
 * delivered before that was noticed stay delivered. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"
#include "base/work.h"
#include "store/record_settle.h"
#include "store/record_window.h"

#define HANDS_MAX     16     /* threads that share a scan, and pieces in the air when they come as they lie */
#define HAND_PIECES   4      /* fewer pieces than twice as many are not worth another thread */
#define SLICE_ROWS    8192u  /* delivered at once, as store.h promises */
#define SLICE_RECORDS 1024u  /* whole ones: each may be a prompt */
#define FETCH_ROWS    65536u /* of a window, fetched at once */
#define SLICES        3      /* narrow windows, before those of whole buckets */
#define SLICE_LEAST   1024u  /* rows hoped for in the first; each is so many times as wide as the last: */
#define SLICE_GROWTH  8

struct found {
    int64_t time_ns;
    uint32_t piece, row;
};

struct scanning {
    struct record_sources x;
    record_sink *sink;
    void *ctx;
    uint64_t delivered;
    uint32_t *rows; /* of a piece */
    struct found *found;
    size_t n_found, cap_found;
    struct value **values; /* columns for one fetch */
    struct record *records;
    int64_t *times;
    size_t room;
    uint64_t *gone; /* rows of a fetch whose block turned out to be damaged; FETCH_ROWS bits */
    size_t n_gone;
    struct arena texts; /* of one fetch */

    struct scanning *to;   /* whose columns a fetch fills: its own, or those of the scan it helps */
    struct scanning *hand; /* those who help, the caller's thread being one of them; HANDS_MAX */
    size_t n_hands;
    size_t n; /* of a hand: rows of the piece that match, those up to `fetched` are in its columns */
    size_t fetched;
    int rc;
    struct err err;
};

/* ---- room for rows ---- */

static void reserve(struct scanning *s, size_t n)
{
    const struct record_scan *scan = s->x.scan;
    if (n <= s->room) return;
    s->room = n;
    s->times = mem_realloc(s->times, n * sizeof s->times[0]);
    if (scan->n_fields == 0) s->records = mem_realloc(s->records, n * sizeof s->records[0]);
    for (size_t f = 0; f < scan->n_fields; f++)
        s->values[f] = mem_realloc(s->values[f], n * sizeof s->values[f][0]);
}

static void release(struct scanning *s)
{
    for (size_t i = 0; i < s->n_hands; i++) release(&s->hand[i]);
    mem_free(s->hand);
    for (size_t f = 0; f < s->x.scan->n_fields; f++) mem_free(s->values[f]);
    mem_free(s->values);
    mem_free(s->records);
    mem_free(s->times);
    mem_free(s->rows);
    mem_free(s->found);
    mem_free(s->gone);
    arena_release(&s->texts);
    record_sources_close(&s->x);
}

static void prepare(struct scanning *s, size_t budget)
{
    s->rows = mem_array(PIECE_ROWS, sizeof s->rows[0]);
    s->values = mem_array(s->x.scan->n_fields, sizeof s->values[0]);
    s->gone = mem_array(FETCH_ROWS / 64, sizeof s->gone[0]);
    s->texts = (struct arena)ARENA_INIT(budget);
    s->to = s;
}

/* How many threads a number of pieces is worth; 1: the caller does it alone. */
static size_t hands_for(struct scanning *s, size_t n_pieces)
{
    struct work_pool *pool = s->x.call->pool;
    size_t n = pool == NULL ? 1 : MIN(2 * work_threads(pool), (size_t)HANDS_MAX);
    n = MIN(n, n_pieces / HAND_PIECES);
    if (n < 2) return 1;
    if (s->hand == NULL) s->hand = mem_array(HANDS_MAX, sizeof *s->hand);
    for (; s->n_hands < n; s->n_hands++) {
        struct scanning *h = &s->hand[s->n_hands];
        record_sources_share(&h->x, &s->x, s->x.arena.budget);
        prepare(h, s->x.arena.budget);
    }
    for (size_t i = 0; i < n; i++) {
        s->hand[i].delivered = s->delivered;
        s->hand[i].n_found = s->hand[i].n_gone = 0;
        s->hand[i].rc = OK;
    }
    return n;
}

/* The first that failed speaks for all. */
static int hands_done(struct scanning *s, size_t n, struct err *e)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->hand[i].rc < 0) {
            if (e) *e = s->hand[i].err;
            return s->hand[i].rc;
        }
        bytes += s->hand[i].texts.used;
    }
    if (bytes > s->texts.budget)
        return err_set(e, ERR_LIMIT,
                       "the rows that are read at once need more memory than the query may use");
    return OK;
}

static size_t rows_left(const struct scanning *s)
{
    size_t limit = s->x.scan->limit;
    return limit == 0 ? SIZE_MAX : limit - MIN(limit, s->delivered);
}

static int check_memory(struct scanning *s, struct err *e)
{
    if (arena_over(&s->texts))
        return err_set(e, ERR_LIMIT,
                       "the rows of one window of time need more memory than the query may use");
    return record_sources_check(&s->x, e);
}

/* ---- delivering ---- */

/* Rows [first, first + n) of what `from` has fetched. */
static int deliver(struct scanning *s, struct scanning *from, size_t first, size_t n, struct err *e)
{
    size_t n_fields = s->x.scan->n_fields;
    const struct value **columns = arena_array(&s->x.scratch, n_fields, sizeof columns[0]);
    for (size_t f = 0; f < n_fields; f++) columns[f] = from->values[f] + first;
    struct record_rows out = { .n = n, .time_ns = from->times + first };
    if (n_fields > 0)
        out.values = columns;
    else
        out.records = from->records + first;
    s->delivered += n;
    int rc = s->sink(s->ctx, &out);
    arena_reset(&s->x.scratch);
    if (rc < 0) return rc;
    return check_memory(s, e);
}

static int deliver_all(struct scanning *s, size_t n, struct err *e)
{
    size_t most = s->x.scan->n_fields > 0 ? SLICE_ROWS : SLICE_RECORDS;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < n; i += most) rc = deliver(s, s, i, MIN(n - i, (size_t)most), e);
    return rc;
}

/* ---- as it lies ---- */

static int fetch_here(struct scanning *s, const struct record_piece *p, const uint32_t *rows, size_t n,
                      struct err *e)
{
    const struct record_scan *scan = s->x.scan;
    reserve(s, n);
    arena_reset(&s->texts);
    int rc = record_piece_times(&s->x, p, rows, n, s->times, e);
    if (rc < 0) return rc;
    if (scan->n_fields > 0)
        return record_piece_values(&s->x, p, scan->fields, scan->n_fields, rows, n, &s->texts, s->values, e);
    return record_piece_records(&s->x, p, rows, n, &s->texts, s->records, e);
}

/* A block that is left out has no time any more, so no later window asks for it. */
static int leave_out(struct scanning *s, const struct record_piece *p, int rc, struct err *e)
{
    rc = record_piece_lost(&s->x, p, rc, e);
    if (rc < 0) return rc;
    s->x.pieces[p - s->x.pieces].min_ns = INT64_MAX;
    s->x.pieces[p - s->x.pieces].max_ns = INT64_MIN;
    return OK;
}

static int match(struct scanning *s, const struct record_piece *p, int64_t from_ns, int64_t to_ns, size_t *n,
                 struct err *e)
{
    int rc = record_piece_match(&s->x, p, from_ns, to_ns, s->rows, n, e);
    if (rc == OK) rc = record_settle(&s->x, p, s->rows, n, e);
    if (rc < 0) {
        *n = 0;
        rc = leave_out(s, p, rc, e);
    }
    return rc == OK ? check_memory(s, e) : rc;
}

/* The next slice of what has matched, into its own columns. */
static int fetch_slice(struct scanning *s, const struct record_piece *p, size_t n, struct err *e)
{
    size_t most = s->x.scan->n_fields > 0 ? SLICE_ROWS : SLICE_RECORDS, stop = MIN(n, s->fetched + most);
    int rc = fetch_here(s, p, s->rows + s->fetched, stop - s->fetched, e);
    if (rc == OK)
        s->fetched = stop;
    else if ((rc = leave_out(s, p, rc, e)) == OK) /* as the rest of the block would be */
        s->n = s->fetched;
    return rc;
}

/* A piece up to its first slice. */
static void begin_piece(struct scanning *s, const struct record_piece *p)
{
    s->fetched = 0;
    s->rc = match(s, p, INT64_MIN, INT64_MAX, &s->n, &s->err);
    if (s->rc == OK) s->n = MIN(s->n, rows_left(s));
    if (s->rc == OK && s->n > 0) s->rc = fetch_slice(s, p, s->n, &s->err);
}

/* The rows of a piece that h has begun. */
static int deliver_piece(struct scanning *s, struct scanning *h, const struct record_piece *p, struct err *e)
{
    size_t n = MIN(h->n, rows_left(s)), sent = 0;
    if (h->rc < 0 && e) *e = h->err;
    int rc = h->rc;
    while (rc == OK && sent < n) {
        size_t there = MIN(h->fetched, n) - sent;
        if (there > 0) rc = deliver(s, h, 0, there, e);
        sent += there;
        if (rc == OK && sent < n) {
            rc = fetch_slice(h, p, n, e);
            n = MIN(n, h->n);
        }
    }
    return rc;
}

struct lot { /* pieces that hands work on side by side */
    struct scanning *s;
    size_t first;
};

static void begin_of_lot(void *ctx, size_t i)
{
    const struct lot *l = ctx;
    begin_piece(&l->s->hand[i], &l->s->x.pieces[l->first + i]);
}

static int scan_any(struct scanning *s, struct err *e)
{
    int rc = OK;
    for (size_t i = 0, n; rc == OK && i < s->x.n_pieces && rows_left(s) > 0; i += n) {
        n = hands_for(s, s->x.n_pieces - i);
        struct lot lot = { s, i };
        if (n > 1)
            work_parallel(s->x.call->pool, n, begin_of_lot, &lot);
        else
            begin_piece(s, &s->x.pieces[i]);
        for (size_t k = 0; rc == OK && k < n && rows_left(s) > 0; k++)
            rc = deliver_piece(s, n > 1 ? &s->hand[k] : s, &s->x.pieces[i + k], e);
    }
    return rc;
}

/* ---- by time: the rows of a window ---- */

static int by_time(const void *va, const void *vb)
{
    const struct found *a = va, *b = vb;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    if (a->piece != b->piece) return a->piece < b->piece ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static int by_time_desc(const void *a, const void *b)
{
    return by_time(b, a);
}

static void sort_found(struct scanning *s)
{
    bool desc = s->x.scan->order == ORDER_TIME_DESC;
    if (s->n_found > 1) qsort(s->found, s->n_found, sizeof s->found[0], desc ? by_time_desc : by_time);
    s->n_found = MIN(s->n_found, rows_left(s));
}

static int note_piece(struct scanning *s, uint32_t piece, int64_t from_ns, int64_t to_ns, struct err *e)
{
    const struct record_piece *p = &s->x.pieces[piece];
    size_t n;
    int rc = match(s, p, from_ns, to_ns, &n, e);
    if (rc < 0 || n == 0) return rc;

    reserve(s, n);
    rc = record_piece_times(&s->x, p, s->rows, n, s->times, e);
    if (rc < 0) return leave_out(s, p, rc, e);
    for (size_t i = 0; i < n; i++) {
        s->found = mem_grow(s->found, s->n_found, &s->cap_found, sizeof s->found[0]);
        s->found[s->n_found++] = (struct found){ s->times[i], piece, s->rows[i] };
    }
    if (s->n_found / 2 >= rows_left(s) && s->n_found >= SLICE_ROWS) sort_found(s); /* and cut */
    if (s->n_found * sizeof s->found[0] > s->x.arena.budget)
        return err_set(e, ERR_LIMIT, "too many rows of one window of time to be put in order");
    return rc;
}

struct wanted;

struct taking { /* pieces, or stretches of a fetch, that hands take one after the other */
    struct scanning *s;
    const struct window *window;
    const uint32_t *piece;     /* of the window */
    const struct wanted *want; /* of a fetch, and where the rows of each piece begin */
    const uint32_t *begin;
    size_t n;
    atomic_size_t next;
};

static void note_taken(void *ctx, size_t i)
{
    struct taking *t = ctx;
    struct scanning *h = &t->s->hand[i];
    for (size_t k; h->rc == OK && (k = atomic_fetch_add(&t->next, 1)) < t->n;)
        h->rc = note_piece(h, t->piece[k], t->window->from_ns, t->window->to_ns, &h->err);
}

static void take_over_found(struct scanning *s, const struct scanning *from)
{
    for (size_t i = 0; i < from->n_found; i++) {
        s->found = mem_grow(s->found, s->n_found, &s->cap_found, sizeof s->found[0]);
        s->found[s->n_found++] = from->found[i];
    }
}

static int note_together(struct scanning *s, struct taking *t, size_t hands, struct err *e)
{
    work_parallel(s->x.call->pool, hands, note_taken, t);
    int rc = hands_done(s, hands, e);
    for (size_t i = 0; rc == OK && i < hands; i++) take_over_found(s, &s->hand[i]);
    return rc;
}

static int note_window(struct scanning *s, const struct window *w, struct err *e)
{
    int rc = OK;
    uint32_t *piece = mem_array(s->x.n_pieces, sizeof *piece);
    struct taking t = { .s = s, .window = w, .piece = piece };
    s->n_found = 0;
    for (uint32_t i = 0; i < s->x.n_pieces; i++)
        if (window_has(&s->x.pieces[i], w)) piece[t.n++] = i;
    size_t hands = hands_for(s, t.n);
    if (hands > 1) rc = note_together(s, &t, hands, e);
    for (size_t i = 0; hands == 1 && rc == OK && i < t.n; i++)
        rc = note_piece(s, piece[i], w->from_ns, w->to_ns, e);
    mem_free(piece);
    sort_found(s);
    return rc;
}

/* ---- by time: fetching ---- */

struct wanted { /* a row of a fetch, and its place in the answer */
    uint32_t piece, row, to;
};

static int by_piece(const void *va, const void *vb)
{
    const struct wanted *a = va, *b = vb;
    if (a->piece != b->piece) return a->piece < b->piece ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static bool has_text(const struct value *v)
{
    return v->type == VALUE_STR || v->type == VALUE_BYTES || v->type == VALUE_JSON;
}

/* A column of the block to its places, texts copied; neighbours that share a text share the copy. */
static void scatter(struct scanning *s, size_t field, const struct value *from, const struct wanted *w,
                    size_t n)
{
    struct str last = { NULL, 0 }, copy = { NULL, 0 };
    for (size_t i = 0; i < n; i++) {
        struct value v = from[i];
        if (has_text(&v)) {
            if (v.text.p != last.p || v.text.n != last.n) copy = arena_str(&s->texts, v.text);
            last = v.text;
            v.text = copy;
        }
        s->to->values[field][w[i].to] = v;
    }
}

static int fetch_values(struct scanning *s, const struct record_piece *p, const struct wanted *w, size_t n,
                        struct err *e)
{
    const struct record_scan *scan = s->x.scan;
    struct arena *a = &s->x.scratch;
    struct value **columns = arena_array(a, scan->n_fields, sizeof columns[0]);
    for (size_t f = 0; f < scan->n_fields; f++) columns[f] = arena_array(a, n, sizeof columns[f][0]);
    int rc = record_piece_values(&s->x, p, scan->fields, scan->n_fields, s->rows, n, a, columns, e);
    for (size_t f = 0; rc == OK && f < scan->n_fields; f++) scatter(s, f, columns[f], w, n);
    return rc;
}

static int fetch_records(struct scanning *s, const struct record_piece *p, const struct wanted *w, size_t n,
                         struct err *e)
{
    struct record *records = arena_array(&s->x.scratch, n, sizeof records[0]);
    int rc = record_piece_records(&s->x, p, s->rows, n, &s->texts, records, e);
    for (size_t i = 0; rc == OK && i < n; i++) s->to->records[w[i].to] = records[i];
    return rc;
}

static int fetch_piece(struct scanning *s, const struct wanted *w, size_t n, struct err *e)
{
    const struct record_piece *p = &s->x.pieces[w->piece];
    for (size_t i = 0; i < n; i++) s->rows[i] = w[i].row;
    int rc = s->x.scan->n_fields > 0 ? fetch_values(s, p, w, n, e) : fetch_records(s, p, w, n, e);
    arena_reset(&s->x.scratch);
    if (rc < 0 && (rc = leave_out(s, p, rc, e)) == OK) {
        for (size_t i = 0; i < n; i++) s->gone[w[i].to / 64] |= UINT64_C(1) << w[i].to % 64;
        s->n_gone += n;
    }
    return rc == OK ? check_memory(s, e) : rc;
}

/* Leaves the rows that are there; returns how many. */
static size_t close_gaps(struct scanning *s, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n && s->n_gone > 0; i++) {
        if (s->gone[i / 64] >> i % 64 & 1) continue;
        s->times[kept] = s->times[i];
        if (s->x.scan->n_fields == 0) s->records[kept] = s->records[i];
        for (size_t f = 0; f < s->x.scan->n_fields; f++) s->values[f][kept] = s->values[f][i];
        kept++;
    }
    return s->n_gone > 0 ? kept : n;
}

static void fetch_taken(void *ctx, size_t i)
{
    struct taking *t = ctx;
    struct scanning *h = &t->s->hand[i];
    h->to = t->s;
    memset(h->gone, 0, FETCH_ROWS / 8);
    arena_reset(&h->texts);
    for (size_t k; h->rc == OK && (k = atomic_fetch_add(&t->next, 1)) < t->n;)
        h->rc = fetch_piece(h, t->want + t->begin[k], t->begin[k + 1] - t->begin[k], &h->err);
    h->to = h;
}

static int fetch_together(struct scanning *s, struct taking *t, size_t hands, struct err *e)
{
    work_parallel(s->x.call->pool, hands, fetch_taken, t);
    for (size_t i = 0; i < hands; i++) {
        s->n_gone += s->hand[i].n_gone;
        for (size_t k = 0; s->hand[i].n_gone > 0 && k < FETCH_ROWS / 64; k++)
            s->gone[k] |= s->hand[i].gone[k];
    }
    return hands_done(s, hands, e);
}

static int fetch_wanted(struct scanning *s, const struct wanted *w, size_t n, struct err *e)
{
    uint32_t *begin = mem_array(n + 1, sizeof *begin);
    struct taking t = { .s = s, .want = w, .begin = begin };
    int rc = OK;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || w[i].piece != w[i - 1].piece) begin[t.n++] = (uint32_t)i;
    begin[t.n] = (uint32_t)n;
    size_t hands = hands_for(s, t.n);
    if (hands > 1) rc = fetch_together(s, &t, hands, e);
    for (size_t k = 0; hands == 1 && rc == OK && k < t.n; k++)
        rc = fetch_piece(s, w + begin[k], begin[k + 1] - begin[k], e);
    mem_free(begin);
    return rc;
}

/* Found rows [first, first + *count) into the columns, in their order; *count: those that could be read. */
static int fetch(struct scanning *s, size_t first, size_t *count, struct err *e)
{
    size_t n = *count;
    struct wanted *w = mem_array(n, sizeof *w);
    memset(s->gone, 0, FETCH_ROWS / 8);
    s->n_gone = 0;
    reserve(s, n);
    arena_reset(&s->texts);
    for (size_t i = 0; i < n; i++) {
        const struct found *f = &s->found[first + i];
        w[i] = (struct wanted){ f->piece, f->row, (uint32_t)i };
        s->times[i] = f->time_ns;
    }
    qsort(w, n, sizeof *w, by_piece);
    int rc = fetch_wanted(s, w, n, e);
    mem_free(w);
    *count = close_gaps(s, n);
    return rc;
}

static int scan_window(struct scanning *s, const struct window *w, struct err *e)
{
    int rc = note_window(s, w, e);
    for (size_t i = 0, n; rc == OK && i < s->n_found; i += n) {
        size_t there = n = MIN(s->n_found - i, (size_t)FETCH_ROWS);
        rc = fetch(s, i, &there, e);
        if (rc == OK && s->n_gone > 0 && i == 0 && s->x.scan->limit > 0)
            return scan_window(s, w, e); /* others may have been cut in their favour */
        if (rc == OK) rc = deliver_all(s, there, e);
    }
    return rc;
}

static int scan_by_time(struct scanning *s, struct err *e)
{
    bool desc = s->x.scan->order == ORDER_TIME_DESC;
    size_t hope = s->x.scan->limit == 0 ? SLICE_LEAST
                                        : MIN(MAX(2 * rows_left(s), (size_t)SLICE_LEAST), (size_t)FETCH_ROWS);
    int64_t edge = desc ? INT64_MAX : INT64_MIN, width = window_slice_ns(&s->x, desc, (double)hope), n = 0;
    struct window w;
    int rc = OK;
    while (rc == OK && rows_left(s) > 0 &&
           (desc ? window_before(&s->x, edge, width, &w) : window_after(&s->x, edge, width, &w))) {
        if (++n > SLICES) window_whole_buckets(&s->x, desc, &w);
        rc = scan_window(s, &w, e);
        if (desc ? w.from_ns == INT64_MIN : w.to_ns == INT64_MAX) break;
        edge = desc ? w.from_ns - 1 : w.to_ns + 1;
        if (n < SLICES)
            width = MIN(width, INT64_MAX / SLICE_GROWTH) * SLICE_GROWTH;
        else if (n == SLICES)
            width = s->x.n_pieces <= WINDOW_FEW ? INT64_MAX : s->x.layout->bucket_ns;
        else
            width = window_next_width(&s->x, &w, width);
    }
    return rc;
}

/* ---- the whole ---- */

static int refuse(const struct record_scan *scan, struct err *e)
{
    if (scan->table != TABLE_LOGS && scan->table != TABLE_SPANS)
        return err_set(e, ERR_RANGE, "records are logs or spans");
    return scan->where ? predicate_check(scan->where, e) : OK;
}

int view_do_records(struct store_view *base, struct call *call, const struct record_scan *scan,
                    record_sink *sink, void *ctx, struct err *e)
{
    struct view *v = view_of(base);
    struct scanning s = { .sink = sink, .ctx = ctx };
    int rc = refuse(scan, e);
    if (rc < 0) return rc;

    rc = record_sources_open(&s.x, v, call, scan, e);
    prepare(&s, s.x.arena.budget);
    if (rc == OK) rc = scan->order == ORDER_ANY ? scan_any(&s, e) : scan_by_time(&s, e);
    stat_add(v->s->stats.scanned, s.delivered);
    release(&s);
    return MIN(rc, 0);
}
