/* waist_kit.h - what the conformance suite of the waist is written with: short ways to write to a store and
 * to read from it as text.
 *
 * A case is a function that gets a fresh store. The same case is run in several states: what it writes may
 * lie in memory, in files, in merged files, in both, or be read after the store was opened again. A case
 * writes with put(), put_records()..., and every reading helper first brings the store into the state asked
 * for. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/float.h"
#include "base/mem.h"
#include "model/store.h"
#include "unit/test.h"

/* A kind of store under test. */
struct waist_kind {
    const char *name;
    struct store *(*open)(const char *dir); /* of an empty or a left directory */
    char *(*dir_new)(void);                 /* yours */
    void (*dir_remove)(char *dir);
    bool has_files; /* flush, merge and reopening mean something */
};

enum waist_state { IN_MEMORY, FLUSHED, MERGED, HALF_FLUSHED, REOPENED, WAIST_STATES };

struct waist {
    const struct waist_kind *kind;
    enum waist_state state;
    enum table table; /* of record cases */
    struct store *store;
    char *dir;
    struct arena arena; /* of what the case reads and builds */
    unsigned writes, ids;
    struct write_result result; /* of the last write */
};

struct waist_case {
    const char *name;
    void (*run)(struct waist *);
};

#define WAIST(function) .name = #function, .run = function

#define WAIST_DAY_MS 86400000ll
#define T0           1700000000000ll /* ms: 2023-11-14T22:13:20Z */
#define T0_NS        (T0 * 1000000)

/* ---- life ---- */

static inline void waist_begin(struct waist *w, const struct waist_kind *kind, enum waist_state state)
{
    *w =
        (struct waist){ .kind = kind, .state = state, .arena = ARENA_INIT(SIZE_MAX), .dir = kind->dir_new() };
    w->store = kind->open(w->dir);
}

static inline void waist_end(struct waist *w)
{
    store_close(w->store);
    w->kind->dir_remove(w->dir);
    arena_release(&w->arena);
}

static inline void waist_admin(struct waist *w, enum store_admin op)
{
    struct err e = ERR_INIT;
    int rc = store_admin(w->store, op, NULL, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}

static inline void waist_wrote(struct waist *w)
{
    w->writes++;
    if (w->state == MERGED || (w->state == HALF_FLUSHED && w->writes % 2 == 1)) waist_admin(w, STORE_FLUSH);
}

/* Before anything is read. */
static inline void settle(struct waist *w)
{
    if (w->state == FLUSHED || w->state == MERGED) waist_admin(w, STORE_FLUSH);
    if (w->state == MERGED) waist_admin(w, STORE_MERGE);
    if (w->state != REOPENED) return;
    store_close(w->store);
    w->store = w->kind->open(w->dir);
}

static inline struct store_view *waist_view(struct waist *w, int64_t from_ms, int64_t to_ms)
{
    struct store_view *v;
    struct err e = ERR_INIT;
    EXPECT(store_view_open(w->store, from_ms, to_ms, &v, &e) == OK);
    return v;
}

static inline struct call waist_call(struct waist *w)
{
    return (struct call){ .arena = &w->arena };
}

/* ---- text that grows ---- */

struct said {
    struct buf text;
};

static inline struct said said_new(void)
{
    return (struct said){ BUF_INIT(64u << 20) };
}

static inline const char *said_end(struct said *s, struct waist *w)
{
    struct str copy = arena_str(&w->arena, buf_view(&s->text));
    buf_release(&s->text);
    return copy.p;
}

static inline void said_double(struct buf *b, double v)
{
    char text[FLOAT_TEXT_MAX];
    if (is_stale(v))
        buf_cs(b, "stale");
    else
        buf_add(b, text, float_text(v, text));
}

/* Words of a text, parted by spaces. */
static inline bool next_word(struct str *rest, struct str *word)
{
    *rest = str_trim(*rest);
    if (rest->n == 0) return false;
    *word = str_cut(*rest, ' ', rest);
    return true;
}

/* ---- writing samples ---- */

/* "up job=a host=b": a metric and its labels. */
static inline struct labels labels_of(const char *text, struct arena *a)
{
    struct str rest = str_of(text), word;
    struct label *at = arena_array(a, 64, sizeof *at);
    struct err e = ERR_INIT;
    size_t n = 0;
    EXPECT(next_word(&rest, &word));
    at[n++] = (struct label){ STR("__name__"), word };
    while (n < 64 && next_word(&rest, &word)) {
        struct str value, name = str_cut(word, '=', &value);
        at[n++] = (struct label){ name, value };
    }
    EXPECT(labels_normalise(at, &n, &e) == OK);
    return (struct labels){ at, n };
}

static inline int waist_write(struct waist *w, const struct batch *b)
{
    struct err e = ERR_INIT;
    int rc;
    while ((rc = store_write(w->store, b, ACK_MEMORY, &w->result, NULL, NULL, &e)) == ERR_BUSY)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    if (rc < 0) print_error("write: %s\n", e.text);
    EXPECT(rc == OK);
    waist_wrote(w);
    return rc;
}

/* One sample, in a batch of its own. */
static inline void put(struct waist *w, const char *series, int64_t time_ms, double v)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of(series, &w->arena));
    batch_sample(&b, time_ms, v);
    waist_write(w, &b);
}

static inline struct histogram *waist_histogram(struct waist *w, double sum, double count)
{
    struct histogram *h = arena_zero(&w->arena, sizeof *h);
    *h = (struct histogram){ .schema = 3, .zero_threshold = 0.001, .zero_count = 1, .sum = sum };
    h->n_pos_spans = 2;
    h->n_pos = 3;
    h->pos_spans = arena_zero(&w->arena, 2 * sizeof *h->pos_spans);
    h->pos_spans[0] = (struct hist_span){ -2, 2 };
    h->pos_spans[1] = (struct hist_span){ 5, 1 };
    h->pos = arena_zero(&w->arena, 3 * sizeof *h->pos);
    for (int i = 0; i < 3; i++) h->pos[i] = i + 1;
    h->count = count;
    return h;
}

static inline void put_histogram(struct waist *w, const char *series, int64_t time_ms, struct histogram *h)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of(series, &w->arena));
    batch_histogram(&b, time_ms, h);
    waist_write(w, &b);
}

/* ---- reading samples ---- */

/* "job=a host!=b zone=~x.* dc!~": matchers; an empty text has none. */
struct matcher_list {
    struct matcher at[8];
    size_t n;
};

static inline struct matcher_list matchers_of(const char *text)
{
    static const struct {
        const char *text;
        enum matcher_op op;
    } ops[] = { { "!=", MATCH_NEQ }, { "=~", MATCH_RE }, { "!~", MATCH_NRE }, { "=", MATCH_EQ } };
    struct matcher_list m = { .n = 0 };
    struct str rest = str_of(text), word;
    struct err e = ERR_INIT;
    while (m.n < COUNT(m.at) && next_word(&rest, &word)) {
        size_t at = 0, k = 0;
        while (at < word.n && word.p[at] != '=' && word.p[at] != '!') at++;
        while (!str_starts(str_make(word.p + at, word.n - at), ops[k].text)) EXPECT(++k < COUNT(ops));
        size_t after = at + strlen(ops[k].text);
        EXPECT(matcher_init(&m.at[m.n++], ops[k].op, str_make(word.p, at),
                            str_make(word.p + after, word.n - after), &e) == OK);
    }
    return m;
}

static inline void matchers_release(struct matcher_list *m)
{
    for (size_t i = 0; i < m->n; i++) matcher_release(&m->at[i]);
}

static inline int by_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct series_ref *)a)->labels, ((const struct series_ref *)b)->labels);
}

struct series_text {
    const struct series_set *set;
    struct buf *out;
    size_t delivered;
    int64_t last_ms;
};

static inline int say_rows(void *ctx, const struct series_rows *r)
{
    struct series_text *x = ctx;
    EXPECT(r->series == x->delivered++);
    labels_print(x->out, x->set->at[r->series].labels);
    buf_char(x->out, ':');
    for (size_t i = 0; i < r->n; i++) {
        EXPECT(i == 0 || r->time_ms[i - 1] < r->time_ms[i]);
        buf_printf(x->out, " %lld=", (long long)(r->time_ms[i] - T0));
        bool is_histogram = r->hist != NULL && r->hist[i] != NULL;
        if (is_histogram) buf_char(x->out, 'H');
        said_double(x->out, is_histogram ? r->hist[i]->sum : r->value[i]);
        if (r->start_ms != NULL && r->start_ms[i] != 0)
            buf_printf(x->out, "@%lld", (long long)(r->start_ms[i] - T0));
    }
    buf_char(x->out, '\n');
    return OK;
}

/* A line for each series that matches, by labels: "up{job="a"}: 0=1 1000=2". Times count from T0; H: sum of a
 * histogram, @: start time. */
static inline const char *view_rows_text(struct waist *w, struct store_view *v, const char *matchers,
                                         int64_t from_ms, int64_t to_ms)
{
    struct matcher_list m = matchers_of(matchers);
    struct call call = waist_call(w);
    struct series_set set;
    struct said said = said_new();
    struct series_text x = { .set = &set, .out = &said.text };
    struct err e = ERR_INIT;
    EXPECT(view_series(v, &call, m.at, m.n, 0, &set, &e) == OK);
    if (set.n > 0) qsort(set.at, set.n, sizeof *set.at, by_labels);
    int rc = view_scan(v, &call, set.at, set.n, from_ms, to_ms, say_rows, &x, &e);
    if (rc < 0) print_error("scan: %s\n", e.text);
    EXPECT(rc == OK && x.delivered == set.n);
    matchers_release(&m);
    return said_end(&said, w);
}

static inline const char *rows_between(struct waist *w, const char *matchers, int64_t from_ms, int64_t to_ms)
{
    settle(w);
    struct store_view *v = waist_view(w, from_ms, to_ms);
    const char *text = view_rows_text(w, v, matchers, from_ms, to_ms);
    store_view_close(v);
    return text;
}

static inline const char *rows(struct waist *w, const char *matchers)
{
    return rows_between(w, matchers, 0, INT64_MAX);
}

static inline const char *words_text(struct waist *w, const struct str *at, size_t n)
{
    struct said said = said_new();
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(&said.text, ' ');
        buf_str(&said.text, at[i]);
    }
    return said_end(&said, w);
}

static inline const char *label_names(struct waist *w, const char *matchers, size_t limit)
{
    struct matcher_list m = matchers_of(matchers);
    struct call call = waist_call(w);
    struct str *at;
    size_t n;
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_label_names(v, &call, m.at, m.n, limit, &at, &n, NULL) == OK);
    const char *text = words_text(w, at, n);
    store_view_close(v);
    matchers_release(&m);
    return text;
}

static inline const char *label_values_between(struct waist *w, const char *name, const char *matchers,
                                               size_t limit, int64_t from_ms, int64_t to_ms)
{
    struct matcher_list m = matchers_of(matchers);
    struct call call = waist_call(w);
    struct str *at;
    size_t n;
    settle(w);
    struct store_view *v = waist_view(w, from_ms, to_ms);
    EXPECT(view_label_values(v, &call, str_of(name), m.at, m.n, limit, &at, &n, NULL) == OK);
    const char *text = words_text(w, at, n);
    store_view_close(v);
    matchers_release(&m);
    return text;
}

static inline const char *label_values(struct waist *w, const char *name, const char *matchers, size_t limit)
{
    return label_values_between(w, name, matchers, limit, 0, INT64_MAX);
}

/* ---- threads that look at one view while the store changes ---- */

struct onlooker {
    struct waist w; /* its arena is its own */
    struct store_view *view;
    const char *(*look)(struct waist *, struct store_view *);
    const char *want;
    atomic_bool stop;
    atomic_int looks, wrong;
    pthread_t thread;
};

static inline void *onlooker_run(void *ctx)
{
    struct onlooker *o = ctx;
    while (!atomic_load(&o->stop)) {
        if (strcmp(o->look(&o->w, o->view), o->want) != 0) atomic_fetch_add(&o->wrong, 1);
        atomic_fetch_add(&o->looks, 1);
        arena_reset(&o->w.arena);
    }
    return NULL;
}

static inline void onlooker_start(struct onlooker *o, const struct waist *w, struct store_view *v,
                                  const char *want, const char *(*look)(struct waist *, struct store_view *))
{
    *o = (struct onlooker){ .w = *w, .view = v, .look = look, .want = want };
    o->w.arena = (struct arena)ARENA_INIT(SIZE_MAX);
    EXPECT(pthread_create(&o->thread, NULL, onlooker_run, o) == 0);
}

static inline void onlooker_stop(struct onlooker *o)
{
    while (atomic_load(&o->looks) < 3) nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    atomic_store(&o->stop, true);
    pthread_join(o->thread, NULL);
    arena_release(&o->w.arena);
    int wrong = atomic_load(&o->wrong);
    EXPECT_INT(wrong, 0);
}
