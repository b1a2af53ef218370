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
 * A block that cannot be read is left out, if the call can be told so (damage.h); rows of it that were
 * delivered before that was noticed stay delivered. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"
#include "store/record_settle.h"

#define SLICE_ROWS    8192u  /* delivered at once, as store.h promises */
#define SLICE_RECORDS 1024u  /* whole ones: each may be a prompt */
#define FETCH_ROWS    65536u /* of a window, fetched at once */
#define PIECES_FEW    8      /* a window with fewer of them may be wider */
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

/* Rows [first, first + n) of what was fetched. */
static int deliver(struct scanning *s, size_t first, size_t n, struct err *e)
{
    size_t n_fields = s->x.scan->n_fields;
    const struct value **columns = arena_array(&s->x.scratch, n_fields, sizeof columns[0]);
    for (size_t f = 0; f < n_fields; f++) columns[f] = s->values[f] + first;
    struct record_rows out = { .n = n, .time_ns = s->times + first };
    if (n_fields > 0)
        out.values = columns;
    else
        out.records = s->records + first;
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
    for (size_t i = 0; rc == OK && i < n; i += most) rc = deliver(s, i, MIN(n - i, (size_t)most), e);
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

static int scan_any(struct scanning *s, struct err *e)
{
    size_t most = s->x.scan->n_fields > 0 ? SLICE_ROWS : SLICE_RECORDS, n;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < s->x.n_pieces && rows_left(s) > 0; i++) {
        const struct record_piece *p = &s->x.pieces[i];
        rc = match(s, p, INT64_MIN, INT64_MAX, &n, e);
        n = rc == OK ? MIN(n, rows_left(s)) : 0;
        for (size_t at = 0, stop; rc == OK && at < n; at = stop) {
            stop = MIN(n, at + most);
            rc = fetch_here(s, p, s->rows + at, stop - at, e);
            if (rc < 0) { /* as would the rest of the block be */
                rc = leave_out(s, p, rc, e);
                break;
            }
            rc = deliver(s, 0, stop - at, e);
        }
    }
    return rc;
}

/* ---- by time: windows ---- */

struct window { /* closed */
    int64_t from_ns, to_ns;
};

static int64_t minus(int64_t ns, int64_t width)
{
    return ns < INT64_MIN + width ? INT64_MIN : ns - width;
}

static int64_t plus(int64_t ns, int64_t width)
{
    return ns > INT64_MAX - width ? INT64_MAX : ns + width;
}

/* Newest first: from the last time of any piece that is not beyond `edge`, `width` back. */
static bool window_before(const struct record_sources *x, int64_t edge, int64_t width, struct window *w)
{
    bool any = false;
    w->to_ns = INT64_MIN;
    for (size_t i = 0; i < x->n_pieces; i++) {
        if (x->pieces[i].min_ns > edge) continue;
        w->to_ns = MAX(w->to_ns, MIN(x->pieces[i].max_ns, edge));
        any = true;
    }
    w->from_ns = minus(w->to_ns, width - 1);
    return any;
}

static bool window_after(const struct record_sources *x, int64_t edge, int64_t width, struct window *w)
{
    bool any = false;
    w->from_ns = INT64_MAX;
    for (size_t i = 0; i < x->n_pieces; i++) {
        if (x->pieces[i].max_ns < edge) continue;
        w->from_ns = MIN(w->from_ns, MAX(x->pieces[i].min_ns, edge));
        any = true;
    }
    w->to_ns = plus(w->from_ns, width - 1);
    return any;
}

/* Its far end moves to where a bucket ends: a block lies in one bucket, and is then read in one window. */
static void whole_buckets(const struct record_sources *x, bool desc, struct window *w)
{
    int64_t bucket_ns = x->layout->bucket_ns;
    if (desc)
        w->from_ns = w->from_ns < bucket_ns ? INT64_MIN : w->from_ns - w->from_ns % bucket_ns;
    else
        w->to_ns = plus(MAX(w->to_ns, 0) - MAX(w->to_ns, 0) % bucket_ns, bucket_ns - 1);
}

static bool is_in(const struct record_piece *p, const struct window *w)
{
    return p->min_ns <= w->to_ns && p->max_ns >= w->from_ns;
}

static size_t pieces_in(const struct record_sources *x, const struct window *w)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n_pieces; i++) n += is_in(&x->pieces[i], w);
    return n;
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

static int note_window(struct scanning *s, const struct window *w, struct err *e)
{
    int rc = OK;
    s->n_found = 0;
    for (uint32_t i = 0; rc == OK && i < s->x.n_pieces; i++)
        if (is_in(&s->x.pieces[i], w)) rc = note_piece(s, i, w->from_ns, w->to_ns, e);
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
        s->values[field][w[i].to] = v;
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
    for (size_t i = 0; rc == OK && i < n; i++) s->records[w[i].to] = records[i];
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

/* Found rows [first, first + *count) into the columns, in their order; *count: those that could be read. */
static int fetch(struct scanning *s, size_t first, size_t *count, struct err *e)
{
    size_t n = *count;
    struct wanted *w = mem_array(n, sizeof *w);
    int rc = OK;
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
    for (size_t i = 0, end; rc == OK && i < n; i = end) {
        for (end = i + 1; end < n && w[end].piece == w[i].piece;) end++;
        rc = fetch_piece(s, w + i, end - i, e);
    }
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

/* So wide that about `rows` rows lie in it, if time is as full as it is around the edge. */
static int64_t slice_ns(const struct record_sources *x, bool desc, double rows)
{
    struct window edge;
    double a_ns = 0;
    bool any = desc ? window_before(x, INT64_MAX, 1, &edge) : window_after(x, INT64_MIN, 1, &edge);
    for (size_t i = 0; any && i < x->n_pieces; i++) {
        const struct record_piece *p = &x->pieces[i];
        if (is_in(p, &edge)) a_ns += (double)p->rows / ((double)p->max_ns - (double)p->min_ns + 1);
    }
    double ns = a_ns > 0 ? rows / a_ns : 0;
    return ns < 1 ? 1 : ns < 0x1p61 ? (int64_t)ns : INT64_C(1) << 61;
}

/* Windows of few pieces may be wider. */
static int64_t next_width(const struct scanning *s, const struct window *w, int64_t width)
{
    if (pieces_in(&s->x, w) < PIECES_FEW) return width > INT64_MAX / 2 ? INT64_MAX : 2 * width;
    return MAX(width / 2, s->x.layout->bucket_ns);
}

static int scan_by_time(struct scanning *s, struct err *e)
{
    bool desc = s->x.scan->order == ORDER_TIME_DESC;
    size_t hope = s->x.scan->limit == 0 ? SLICE_LEAST
                                        : MIN(MAX(2 * rows_left(s), (size_t)SLICE_LEAST), (size_t)FETCH_ROWS);
    int64_t edge = desc ? INT64_MAX : INT64_MIN, width = slice_ns(&s->x, desc, (double)hope), n = 0;
    struct window w;
    int rc = OK;
    while (rc == OK && rows_left(s) > 0 &&
           (desc ? window_before(&s->x, edge, width, &w) : window_after(&s->x, edge, width, &w))) {
        if (++n > SLICES) whole_buckets(&s->x, desc, &w);
        rc = scan_window(s, &w, e);
        if (desc ? w.from_ns == INT64_MIN : w.to_ns == INT64_MAX) break;
        edge = desc ? w.from_ns - 1 : w.to_ns + 1;
        if (n < SLICES)
            width = MIN(width, INT64_MAX / SLICE_GROWTH) * SLICE_GROWTH;
        else if (n == SLICES)
            width = s->x.n_pieces <= PIECES_FEW ? INT64_MAX : s->x.layout->bucket_ns;
        else
            width = next_width(s, &w, width);
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
    s.rows = mem_array(PIECE_ROWS, sizeof s.rows[0]);
    s.values = mem_array(scan->n_fields, sizeof s.values[0]);
    s.gone = mem_array(FETCH_ROWS / 64, sizeof s.gone[0]);
    s.texts = (struct arena)ARENA_INIT(s.x.arena.budget);
    if (rc == OK) rc = scan->order == ORDER_ANY ? scan_any(&s, e) : scan_by_time(&s, e);
    stat_add(v->s->stats.scanned, s.delivered);
    release(&s);
    return MIN(rc, 0);
}
