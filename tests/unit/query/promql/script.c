/* script.c - see script.h. Reads commands line by line; a command's own lines follow it.
 *
 * An instant eval is also run as the middle step of a range query, and at other times with every selector
 * pinned to its own by @: both must give the same values. */
#include "script.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/float.h"
#include "query/promql/functions.h"
#include "query/promql/histogram_ops.h"
#include "query/promql/parse.h"
#include "script_value.h"
#include "unit/query/promql/script_value.c"
#include "unit/toy_store.c"

struct line {
    struct str text;
    int number;
};

struct script {
    const char *path;
    struct arena arena; /* lines */
    struct line *lines;
    size_t n, at;
    struct store *store;
    struct engine *engine;
    struct work_pool *pool;
    struct script_result *result;
    bool loud;
};

struct expectation {
    struct labels labels;
    struct script_values values;
};

struct eval_case {
    struct arena arena;
    int line;
    struct str query;
    bool is_range;
    int64_t start_ms, end_ms, step_ms;
    bool fail, warn, info, no_warn, no_info, ordered, is_scalar, is_string, range_vector;
    int64_t rv_start_ms, rv_step_ms;
    struct str messages[2]; /* exact texts of a warning, an info; empty: any */
    double scalar;
    struct str string;
    struct expectation *want;
    size_t n, cap;
    char why[512];
};

static int64_t time_of(struct str s)
{
    double seconds;
    int64_t ms = 0;
    bool minus = s.n && *s.p == '-';
    if (minus) s.p++, s.n--;
    s = str_trim(s);
    if (float_parse(s, &seconds))
        ms = (int64_t)llround(seconds * 1000);
    else if (!duration_parse_ms(s, &ms))
        fprintf(stderr, "not a time: %.*s\n", STR_ARG(s));
    return minus ? -ms : ms;
}

static struct str word(struct str *s)
{
    *s = str_trim(*s);
    size_t n = 0;
    while (n < s->n && !isspace((unsigned char)s->p[n])) n++;
    struct str w = { s->p, n };
    *s = str_trim((struct str){ s->p + n, s->n - n });
    return w;
}

/* ---- load ---- */

struct loaded {
    struct labels labels;
    struct script_values values, starts;
};

static void store_series(struct script *s, const struct loaded *l, int64_t step)
{
    for (size_t i = 0; i < l->values.n; i++) {
        const struct script_value *v = &l->values.at[i];
        int64_t t = (int64_t)i * step, start = 0;
        if (v->omitted) continue;
        if (i < l->starts.n && !l->starts.at[i].omitted) start = t + l->starts.at[i].start_ms;
        toy_store_add(s->store, l->labels, t, v->v, v->h, start);
    }
}

struct bucket_value {
    double le, v;
};

static int by_le(const void *a, const void *b)
{
    double x = ((const struct bucket_value *)a)->le, y = ((const struct bucket_value *)b)->le;
    return (x > y) - (x < y);
}

static bool value_at(const struct loaded *l, size_t i, double *v)
{
    if (i >= l->values.n || l->values.at[i].omitted || l->values.at[i].h) return false;
    *v = l->values.at[i].v;
    return true;
}

static struct labels base_labels(struct labels l, struct str base, struct arena *a)
{
    struct label *at = arena_array(a, l.n, sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) {
        if (str_is(l.at[i].name, "le")) continue;
        at[n] = l.at[i];
        if (str_is(at[n].name, LABEL_NAME)) at[n].value = base;
        n++;
    }
    return (struct labels){ at, n };
}

static struct str without_suffix(struct str name, const char *suffix)
{
    return str_ends(name, suffix) ? (struct str){ name.p, name.n - strlen(suffix) } : STR("");
}

/* The custom-bucket histogram of one classic histogram at step i. */
static struct histogram *nhcb_at(struct loaded *all, size_t n, struct labels base, size_t i, struct arena *a)
{
    struct bucket_value b[64];
    size_t nb = 0;
    double sum = 0, count = NAN, v;
    for (size_t k = 0; k < n; k++) {
        struct str name = labels_get(all[k].labels, LABEL_NAME);
        static const char *const suffixes[] = { "_bucket", "_sum", "_count" };
        for (size_t x = 0; x < 3; x++) {
            struct str of = without_suffix(name, suffixes[x]);
            if (of.n == 0 || !labels_eq(base_labels(all[k].labels, of, a), base) || !value_at(&all[k], i, &v))
                continue;
            if (x == 1) sum = v;
            if (x == 2) count = v;
            double le;
            bool seen = false;
            if (x != 0 || !float_parse(labels_get(all[k].labels, "le"), &le)) continue;
            for (size_t y = 0; y < nb; y++) seen |= b[y].le == le;
            if (!seen) b[nb++] = (struct bucket_value){ le, v };
        }
    }
    if (nb == 0) return NULL;
    qsort(b, nb, sizeof *b, by_le);
    if (isnan(count)) count = b[nb - 1].v;
    if (!isinf(b[nb - 1].le)) b[nb++] = (struct bucket_value){ INFINITY, count };
    struct histogram *h = arena_zero(a, sizeof *h);
    double *pos = arena_array(a, nb, sizeof *pos);
    h->schema = HISTOGRAM_CUSTOM;
    h->count = count;
    h->sum = sum;
    h->custom = arena_array(a, nb, sizeof *h->custom);
    for (size_t y = 0; y < nb; y++) {
        pos[y] = b[y].v - (y ? b[y - 1].v : 0);
        if (y + 1 < nb) h->custom[h->n_custom++] = b[y].le;
    }
    set_side(a, &h->pos_spans, &h->n_pos_spans, &h->pos, &h->n_pos, 0, pos, nb);
    return h;
}

static void store_nhcb(struct script *s, struct loaded *all, size_t n, int64_t step, struct arena *a)
{
    for (size_t k = 0; k < n; k++) {
        struct str base = without_suffix(labels_get(all[k].labels, LABEL_NAME), "_bucket");
        if (base.n == 0) continue;
        struct labels l = base_labels(all[k].labels, base, a);
        for (size_t i = 0; i < all[k].values.n; i++) {
            struct histogram *h = nhcb_at(all, n, l, i, a);
            if (h) toy_store_add(s->store, l, (int64_t)i * step, 0, h, 0);
        }
    }
}

static bool is_body(struct str raw)
{
    return raw.n && (raw.p[0] == ' ' || raw.p[0] == '\t') && str_trim(raw).n;
}

static void run_load(struct script *s, struct str rest)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    bool nhcb = str_starts(rest, "_with_nhcb");
    if (nhcb) word(&rest);
    int64_t step = time_of(str_trim(rest));
    struct loaded *all = NULL;
    size_t n = 0, cap = 0;

    for (; s->at < s->n && is_body(s->lines[s->at].text); s->at++) {
        struct str line = str_trim(s->lines[s->at].text);
        struct loaded l = { 0 };
        if (line.n == 0 || *line.p == '#') continue;
        check(script_labels(&line, &a, &l.labels));
        bool starts = str_starts(line, "@st");
        if (starts) {
            struct str skip = line;
            skip.p += 3, skip.n -= 3;
            all = arena_grow(&a, all, n, &cap, sizeof *all);
            script_starts(skip, &a, &l.starts);
            all[n++] = l;
            continue;
        }
        if (!script_values(line, &a, &l.values))
            fprintf(stderr, "%s:%d: cannot read values\n", s->path, s->lines[s->at].number);
        size_t k = 0;
        while (k < n && !labels_eq(all[k].labels, l.labels)) k++;
        if (k < n && all[k].values.n == 0) {
            all[k].values = l.values;
            continue;
        }
        if (k < n) { /* the last line of a series counts */
            all[k] = l;
            continue;
        }
        all = arena_grow(&a, all, n, &cap, sizeof *all);
        all[n++] = l;
    }
    for (size_t k = 0; k < n; k++) store_series(s, &all[k], step);
    if (nhcb) store_nhcb(s, all, n, step, &a);
    arena_release(&a);
}

/* ---- expectations ---- */

static struct str message_of(struct str rest)
{
    rest = str_trim(rest);
    if (!str_starts(rest, "msg:")) return STR("");
    return str_trim((struct str){ rest.p + 4, rest.n - 4 });
}

static void read_expect(struct eval_case *c, struct str rest)
{
    struct str what = word(&rest);
    if (str_is(what, "ordered"))
        c->ordered = true;
    else if (str_is(what, "fail"))
        c->fail = true;
    else if (str_is(what, "warn"))
        c->warn = true, c->messages[0] = message_of(rest);
    else if (str_is(what, "info"))
        c->info = true, c->messages[1] = message_of(rest);
    else if (str_is(what, "no_warn"))
        c->no_warn = true;
    else if (str_is(what, "no_info"))
        c->no_info = true;
    else if (str_is(what, "string")) {
        c->is_string = true;
        c->string = rest.n >= 2 ? (struct str){ rest.p + 1, rest.n - 2 } : rest;
    } else if (str_is(what, "range")) { /* vector from A to B step C */
        c->range_vector = true;
        word(&rest);
        word(&rest);
        c->rv_start_ms = time_of(word(&rest));
        word(&rest);
        word(&rest);
        word(&rest);
        c->rv_step_ms = time_of(word(&rest));
    }
}

static void read_expectation(struct eval_case *c, struct str line)
{
    struct expectation w = { 0 };
    double v;
    if (c->n == 0 && !c->is_range && float_parse(line, &v)) {
        c->is_scalar = true;
        c->scalar = v;
        return;
    }
    check(script_labels(&line, &c->arena, &w.labels));
    check(script_values(line, &c->arena, &w.values));
    c->want = arena_grow(&c->arena, c->want, c->n, &c->cap, sizeof *c->want);
    c->want[c->n++] = w;
}

/* ---- comparing ---- */

static bool near(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (a == b) return true;
    if (isinf(a) || isinf(b) || a == 0 || b == 0) return false;
    return fabs(a - b) / (fabs(a) + fabs(b)) < 1e-6;
}

static bool same_hist(const struct histogram *a, const struct histogram *b)
{
    struct arena s = ARENA_INIT(SIZE_MAX);
    struct hbucket *x, *y;
    size_t n = hist_buckets(a, &s, &x), m = hist_buckets(b, &s, &y);
    bool same = n == m && near(a->count, b->count) && near(a->sum, b->sum);
    for (size_t i = 0; same && i < n; i++)
        same = near(x[i].lower, y[i].lower) && near(x[i].upper, y[i].upper) && near(x[i].count, y[i].count);
    arena_release(&s);
    return same;
}

static bool same_value(const struct script_value *w, const struct result_point *p)
{
    if ((w->h != NULL) != (p->hist != NULL)) return false;
    return w->h ? same_hist(w->h, p->hist) : near(w->v, p->value);
}

static bool said(struct eval_case *c, const char *what, struct labels l)
{
    struct buf b = BUF_INIT(400);
    labels_print(&b, l);
    snprintf(c->why, sizeof c->why, "%s %s", what, buf_cstr(&b));
    buf_release(&b);
    return false;
}

static bool value_said(struct eval_case *c, struct labels l, const struct script_value *w,
                       const struct result_point *p)
{
    said(c, "value of", l);
    size_t n = strlen(c->why);
    struct arena a = ARENA_INIT(SIZE_MAX);
    if (p == NULL)
        snprintf(c->why + n, sizeof c->why - n, ": missing");
    else if (p->hist)
        snprintf(c->why + n, sizeof c->why - n, " at %ld: got %.*s", (long)p->time_ms,
                 STR_ARG(hist_text(p->hist, &a, &a)));
    else
        snprintf(c->why + n, sizeof c->why - n, " at %ld: got %.17g wanted %.17g%s", (long)p->time_ms,
                 p->value, w ? w->v : 0,
                 w && w->h ? " (histogram)"
                 : w       ? ""
                           : " (nothing)");
    arena_release(&a);
    return false;
}

static const struct result_series *find_series(const struct query_result *r, struct labels l)
{
    for (size_t i = 0; i < r->n; i++)
        if (labels_eq(r->series[i].labels, l)) return &r->series[i];
    return NULL;
}

static bool same_steps(struct eval_case *c, const struct result_series *s, const struct expectation *w,
                       int64_t start, int64_t step)
{
    size_t p = 0;
    for (size_t i = 0; i < w->values.n; i++) {
        int64_t t = start + (int64_t)i * step;
        bool there = p < s->n && s->points[p].time_ms == t;
        if (w->values.at[i].omitted) {
            if (there) return value_said(c, s->labels, NULL, &s->points[p]);
            continue;
        }
        if (!there || !same_value(&w->values.at[i], &s->points[p]))
            return value_said(c, s->labels, &w->values.at[i], there ? &s->points[p] : NULL);
        p++;
    }
    return p == s->n ? true : said(c, "more points than wanted:", s->labels);
}

static bool same_series(struct eval_case *c, const struct query_result *r, int64_t start, int64_t step)
{
    size_t wanted = 0;
    for (size_t i = 0; i < c->n; i++) {
        bool any = false;
        for (size_t k = 0; k < c->want[i].values.n; k++) any |= !c->want[i].values.at[k].omitted;
        if (!any) continue;
        const struct result_series *s = find_series(r, c->want[i].labels);
        if (s == NULL) return said(c, "missing", c->want[i].labels);
        if (!same_steps(c, s, &c->want[i], start, step)) return false;
        if (c->ordered && s != &r->series[wanted]) return said(c, "not in its place:", s->labels);
        wanted++;
    }
    for (size_t i = 0; i < r->n; i++) {
        size_t k = 0;
        while (k < c->n && !labels_eq(c->want[k].labels, r->series[i].labels)) k++;
        if (k == c->n) return said(c, "not wanted:", r->series[i].labels);
    }
    return true;
}

static bool has_text(const struct str *all, size_t n, struct str wanted)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i], wanted)) return true;
    return false;
}

static bool same_notes(struct eval_case *c, const struct annotations *a)
{
    const char *why = c->warn && !a->n_warnings     ? "no warning"
                      : c->info && !a->n_infos      ? "no info"
                      : c->no_warn && a->n_warnings ? "a warning"
                      : c->no_info && a->n_infos    ? "an info"
                                                    : NULL;
    struct str first = a->n_warnings ? a->warnings[0] : a->n_infos ? a->infos[0] : STR("");
    if (!why && c->messages[0].n && !has_text(a->warnings, a->n_warnings, c->messages[0]))
        why = "another warning";
    if (!why && c->messages[1].n && !has_text(a->infos, a->n_infos, c->messages[1])) why = "another info";
    if (why) snprintf(c->why, sizeof c->why, "%s: %.*s", why, STR_ARG(first));
    return why == NULL;
}

static bool same_answer(struct eval_case *c, const struct query_result *r)
{
    if (c->is_string) return r->type == PROMQL_STRING && str_eq(r->text, c->string);
    if (c->is_scalar) {
        bool same = r->type == PROMQL_SCALAR && r->n == 1 && near(r->series[0].points[0].value, c->scalar);
        if (!same)
            snprintf(c->why, sizeof c->why, "scalar: got %.17g", r->n ? r->series[0].points[0].value : NAN);
        return same;
    }
    if (c->range_vector) return same_series(c, r, c->rv_start_ms, c->rv_step_ms);
    return same_series(c, r, c->start_ms, c->step_ms);
}

/* ---- eval ---- */

static bool run_query(struct script *s, struct eval_case *c, const struct query_conf *conf,
                      struct query_result *r)
{
    struct err e = ERR_INIT;
    int rc = engine_query(s->engine, conf, r, &e);
    if (c->fail) {
        if (rc == OK) snprintf(c->why, sizeof c->why, "did not fail");
        if (rc == OK) query_result_release(r);
        return rc < 0;
    }
    if (rc < 0) snprintf(c->why, sizeof c->why, "error: %.400s", e.text);
    return rc == OK;
}

static bool run_once(struct script *s, struct eval_case *c)
{
    struct query_conf conf = { .text = c->query,
                               .start_ms = c->start_ms,
                               .end_ms = c->end_ms,
                               .step_ms = c->is_range ? c->step_ms : 0 };
    struct query_result r;
    if (!run_query(s, c, &conf, &r)) return false;
    if (c->fail) return true;
    bool same = same_answer(c, &r) && same_notes(c, &r.notes);
    query_result_release(&r);
    return same;
}

static bool names_time(struct str q)
{
    static const char *const words[] = { "start(", "end(", "step(", "range(", "STEP(" };
    for (size_t i = 0; i < COUNT(words); i++)
        if (memmem(q.p, q.n, words[i], strlen(words[i]))) return true;
    return false;
}

static bool run_in_range(struct script *s, struct eval_case *c)
{
    struct query_conf conf = {
        .text = c->query, .start_ms = c->start_ms - 60000, .end_ms = c->start_ms + 60000, .step_ms = 60000
    };
    struct query_result r;
    if (c->is_range || c->fail || c->is_string || c->range_vector || c->ordered || names_time(c->query))
        return true;
    if (!run_query(s, c, &conf, &r)) return false;
    size_t kept = 0;
    for (size_t i = 0; i < r.n; i++) { /* only the middle */
        struct result_series *x = &r.series[i];
        size_t p = 0;
        while (p < x->n && x->points[p].time_ms != c->start_ms) p++;
        if (p == x->n) continue;
        x->points += p;
        x->n = 1;
        r.series[kept++] = *x;
    }
    r.n = kept;
    if (c->is_scalar) r.type = PROMQL_SCALAR;
    bool same = same_answer(c, &r);
    if (!same) memmove(c->why + 10, c->why, sizeof c->why - 11), memcpy(c->why, "in range: ", 10);
    query_result_release(&r);
    return same;
}

/* ---- the same with @ on every selector, at other times ---- */

static void pin(struct node *n, int64_t at_ms, bool *depends)
{
    if (n->kind == NODE_SELECTOR || n->kind == NODE_SUBQUERY) {
        if (n->at_kind == AT_NONE) n->at_kind = AT_TIME, n->at_ms = at_ms;
        return; /* what a subquery holds is left alone */
    }
    if (n->kind == NODE_CALL && n->fn->uses_time && strcmp(n->fn->name, "start_timestamp")) *depends = true;
    struct node *fixed[] = { n->child, n->left, n->right, n->param };
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (fixed[i]) pin(fixed[i], at_ms, depends);
    for (size_t i = 0; i < n->n_args; i++) pin(n->args[i], at_ms, depends);
}

static bool run_pinned_at(struct script *s, struct eval_case *c, struct str text, int64_t at)
{
    struct query_conf conf = { .text = text, .start_ms = at, .end_ms = at };
    struct query_result r;
    int64_t was = c->start_ms;
    if (!run_query(s, c, &conf, &r)) return false;
    c->start_ms = at;
    bool same = same_answer(c, &r);
    c->start_ms = was;
    query_result_release(&r);
    return same;
}

static bool run_pinned(struct script *s, struct eval_case *c)
{
    int64_t t = c->start_ms;
    const int64_t times[] = { -10 * t, 0, t / 5, t, 10 * t }, zero_times[] = { -1000, 0, 1000 };
    struct buf text = BUF_INIT(1u << 20);
    struct node *root;
    bool depends = false, ok = true;

    if (c->is_range || c->fail || c->is_string || c->range_vector || names_time(c->query)) return true;
    if (promql_parse(c->query, &c->arena, &root, NULL) < 0) return true;
    pin(root, t, &depends);
    promql_print(&text, root);
    promql_release(root);
    for (size_t i = 0; ok && !depends && i < (t ? COUNT(times) : COUNT(zero_times)); i++)
        ok = run_pinned_at(s, c, buf_view(&text), t ? times[i] : zero_times[i]);
    if (!ok) {
        char why[sizeof c->why];
        snprintf(why, sizeof why, "pinned: %.200s: %.200s", buf_cstr(&text), c->why);
        memcpy(c->why, why, sizeof why);
    }
    buf_release(&text);
    return ok;
}

static void eval_header(struct eval_case *c, struct str rest)
{
    struct str kind = word(&rest);
    c->is_range = str_is(kind, "range");
    if (!c->is_range) {
        if (str_starts(rest, "at ")) {
            word(&rest);
            c->start_ms = c->end_ms = time_of(word(&rest));
        }
        c->query = rest;
        return;
    }
    word(&rest);
    c->start_ms = time_of(word(&rest));
    word(&rest);
    c->end_ms = time_of(word(&rest));
    word(&rest);
    c->step_ms = time_of(word(&rest));
    c->query = rest;
}

static void run_eval(struct script *s, struct str first, struct str rest, int line)
{
    struct eval_case c = { .arena = ARENA_INIT(SIZE_MAX), .line = line };
    c.fail = str_is(first, "eval_fail");
    c.warn = str_is(first, "eval_warn");
    c.info = str_is(first, "eval_info");
    c.ordered = str_is(first, "eval_ordered");
    eval_header(&c, rest);
    for (; s->at < s->n && is_body(s->lines[s->at].text); s->at++) {
        struct str text = str_trim(s->lines[s->at].text), after = text;
        if (*text.p == '#') continue;
        if (str_is(word(&after), "expect"))
            read_expect(&c, after);
        else
            read_expectation(&c, text);
    }
    bool ok = run_once(s, &c) && run_in_range(s, &c) && run_pinned(s, &c);
    s->result->passed += ok;
    s->result->failed += !ok;
    if (!ok && s->loud) fprintf(stderr, "%s:%d: %.*s\n    %s\n", s->path, c.line, STR_ARG(c.query), c.why);
    arena_release(&c.arena);
}

static void run_lines(struct script *s)
{
    while (s->at < s->n) {
        struct line l = s->lines[s->at++];
        struct str rest = str_trim(l.text), first = rest;
        if (rest.n == 0 || *rest.p == '#') continue;
        first = word(&rest);
        if (str_is(first, "clear"))
            toy_store_clear(s->store);
        else if (str_is(first, "load"))
            run_load(s, rest);
        else if (str_is(first, "load_with_nhcb"))
            run_load(s, (struct str){ first.p + 4, (size_t)(rest.p + rest.n - first.p) - 4 });
        else if (str_starts(first, "eval"))
            run_eval(s, first, rest, l.number);
        else
            fprintf(stderr, "%s:%d: not a command: %.*s\n", s->path, l.number, STR_ARG(first));
    }
}

static void split_lines(struct script *s, struct str text)
{
    size_t cap = 0;
    int number = 0;
    while (text.n) {
        struct str line = str_cut(text, '\n', &text);
        s->lines = arena_grow(&s->arena, s->lines, s->n, &cap, sizeof *s->lines);
        s->lines[s->n++] = (struct line){ line, ++number };
    }
}

int script_run(const char *path, bool loud, struct script_result *out, struct err *e)
{
    struct script s = { .path = path, .arena = ARENA_INIT(SIZE_MAX), .loud = loud, .result = out };
    struct buf text = BUF_INIT(16u << 20);
    int rc = file_slurp(path, &text, e);

    *out = (struct script_result){ 0, 0 };
    if (rc == OK) {
        s.store = toy_store_new();
        s.pool = work_start("test", 2, 100);
        s.engine = engine_new(s.store, s.pool, NULL);
        split_lines(&s, buf_view(&text));
        run_lines(&s);
        engine_free(s.engine);
        work_stop(s.pool);
        store_close(s.store);
    }
    arena_release(&s.arena);
    buf_release(&text);
    return rc;
}
