/* Random traces and random queries against an evaluator as plain as can be: it walks up parents one by one.
 */
#include "query/traceql/traceql.h"

#include "base/check.h"
#include "base/clock.h"
#include "unit/model/record_samples.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define TRACES 60
#define SPANS  12
#define MS     1000000

struct plain_span {
    int parent; /* -1: none, -2: one that is not there */
    int name, status, kind, ms;
    int a;       /* -1: absent, 0..3: int, 4: "x", 5: true */
    int svc;     /* of the resource */
    int own_svc; /* -1: absent; of the span, hides that of the resource */
};

struct plain_trace {
    struct plain_span at[SPANS];
    int n;
};

static struct plain_trace traces[TRACES];
static struct store *store;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static struct dice dice = { 7 };

static int below(int n)
{
    return (int)roll_below(&dice, (uint64_t)n);
}

/* ---- the same traces, plain and in the store ---- */

static void make_traces(void)
{
    for (int t = 0; t < TRACES; t++) {
        traces[t].n = 1 + below(SPANS);
        for (int i = 0; i < traces[t].n; i++) {
            struct plain_span *s = &traces[t].at[i];
            s->parent = i == 0 ? -1 : below(12) == 0 ? -2 : below(20) == 0 ? -1 : below(i);
            s->name = below(3);
            s->status = below(3);
            s->kind = 1 + below(5);
            s->ms = below(10);
            s->a = below(7) - 1;
            s->svc = below(2);
            s->own_svc = below(3) == 0 ? below(3) : -1;
        }
    }
}

static struct str text_of(const char *prefix, int n)
{
    return arena_printf(&arena, "%s%d", prefix, n);
}

static void put_id(uint8_t *to, int n)
{
    to[0] = 0xa;
    to[7] = (uint8_t)n;
}

static void add_span(struct records *r, int trace, int i)
{
    const struct plain_span *s = &traces[trace].at[i];
    struct attr resource = { STR("svc"), value_str(text_of("s", s->svc)) }, own[2];
    struct origin origin = { .resource = { &resource, 1 } };
    struct record out = { .time_ns = (int64_t)(1000 + trace) * 1000 * MS + i * MS };
    size_t n = 0;

    if (s->a >= 0)
        own[n++] = (struct attr){ STR("a"), s->a < 4    ? value_int(s->a)
                                            : s->a == 4 ? value_str(STR("x"))
                                                        : value_bool(true) };
    if (s->own_svc >= 0) own[n++] = (struct attr){ STR("svc"), value_str(text_of("s", s->own_svc)) };
    out.attrs = (struct attrs){ own, n };
    out.trace_id[15] = (uint8_t)(trace + 1);
    put_id(out.span_id, i + 1);
    if (s->parent != -1) put_id(out.span.parent_id, s->parent == -2 ? 200 : s->parent + 1);
    out.span.name = text_of("n", s->name);
    out.span.status = (uint8_t)s->status;
    out.span.kind = (uint8_t)s->kind;
    out.span.duration_ns = (int64_t)s->ms * MS;
    records_origin(r, &origin);
    check(records_add(r, &out, NULL) == OK);
}

static int open_store(void **state)
{
    struct records r;
    struct batch b;
    struct write_result result;

    (void)state;
    make_traces();
    store = toy_store_new();
    records_init(&r, &arena, TABLE_SPANS);
    for (int t = 0; t < TRACES; t++)
        for (int i = 0; i < traces[t].n; i++) add_span(&r, t, i);
    records_end(&r);
    batch_init(&b, &arena, (enum labels_spelling)0);
    b.spans = &r;
    check(store_write(store, &b, ACK_MEMORY, &result, NULL, NULL, NULL) == OK);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    store_close(store);
    arena_release(&arena);
    return 0;
}

/* ---- filters, plain ---- */

enum leaf {
    L_NAME,
    L_NOT_NAME,
    L_NAME_RE,
    L_A,
    L_A_NIL,
    L_A_NOT_NIL,
    L_SVC,
    L_NOT_SVC,
    L_RES_SVC,
    L_STATUS,
    L_NOT_STATUS,
    L_KIND,
    L_DURATION,
    L_ROOT,
    L_PARENT_NAME,
    L_SUM,
    L_ROOT_NAME,
    L_CHILDREN,
    L_LEAVES
};
enum { F_LEAF, F_AND, F_OR, F_NOT };

struct filter {
    int kind, leaf, op, k;
    struct filter *left, *right;
};

static const char *const ops[] = { "=", "!=", "<", "<=", ">", ">=" };

static bool holds(int op, int a, int b)
{
    switch (op) {
    case 0: return a == b;
    case 1: return a != b;
    case 2: return a < b;
    case 3: return a <= b;
    case 4: return a > b;
    default: return a >= b;
    }
}

static struct filter *random_filter(int depth)
{
    struct filter *f = arena_zero(&arena, sizeof *f);
    f->kind = depth == 0 ? F_LEAF : below(4);
    f->leaf = below(L_LEAVES);
    f->op = below(6);
    f->k = below(3);
    if (f->kind != F_LEAF) f->left = random_filter(depth - 1);
    if (f->kind == F_AND || f->kind == F_OR) f->right = random_filter(depth - 1);
    return f;
}

static void print_leaf(struct buf *b, const struct filter *f)
{
    static const char *const statuses[] = { "unset", "ok", "error" };
    static const char *const kinds[] = { "internal", "server", "client" };
    switch (f->leaf) {
    case L_NAME: buf_printf(b, "name = \"n%d\"", f->k); break;
    case L_NOT_NAME: buf_printf(b, "span:name != \"n%d\"", f->k); break;
    case L_NAME_RE: buf_printf(b, "name =~ \"n[1%d]\"", f->k); break;
    case L_A: buf_printf(b, "span.a %s %d", ops[f->op], f->k); break;
    case L_A_NIL: buf_cs(b, ".a = nil"); break;
    case L_A_NOT_NIL: buf_cs(b, "span.a != nil"); break;
    case L_SVC: buf_printf(b, ".svc = \"s%d\"", f->k); break;
    case L_NOT_SVC: buf_printf(b, ".svc != \"s%d\"", f->k); break;
    case L_RES_SVC: buf_printf(b, "resource.svc = \"s%d\"", f->k); break;
    case L_STATUS: buf_printf(b, "status = %s", statuses[f->k]); break;
    case L_NOT_STATUS: buf_printf(b, "%s != span:status", statuses[f->k]); break;
    case L_KIND: buf_printf(b, "kind = %s", kinds[f->k]); break;
    case L_DURATION: buf_printf(b, "duration %s %dms", ops[f->op], f->k * 3); break;
    case L_ROOT: buf_cs(b, "nestedSetParent < 0"); break;
    case L_PARENT_NAME: buf_printf(b, "parent.name = \"n%d\"", f->k); break;
    case L_SUM: buf_printf(b, "span.a + 1 %s %d", ops[f->op], f->k); break;
    case L_ROOT_NAME: buf_printf(b, "rootName = \"n%d\"", f->k); break;
    case L_CHILDREN: buf_printf(b, "childCount %s %d", ops[f->op], f->k); break;
    }
}

static void print_filter(struct buf *b, const struct filter *f)
{
    if (f->kind == F_NOT) buf_char(b, '!');
    buf_char(b, '(');
    if (f->kind == F_LEAF) {
        print_leaf(b, f);
    } else {
        print_filter(b, f->left);
        if (f->right != NULL) {
            buf_cs(b, f->kind == F_AND ? " && " : " || ");
            print_filter(b, f->right);
        }
    }
    buf_char(b, ')');
}

static bool leaf_holds(const struct filter *f, const struct plain_trace *t, int i)
{
    const struct plain_span *s = &t->at[i];
    int svc = s->own_svc >= 0 ? s->own_svc : s->svc, children = 0;
    bool is_number = s->a >= 0 && s->a < 4;
    for (int k = 0; k < t->n; k++) children += t->at[k].parent == i;
    switch (f->leaf) {
    case L_NAME: return s->name == f->k;
    case L_NOT_NAME: return s->name != f->k;
    case L_NAME_RE: return s->name == 1 || s->name == f->k;
    case L_A: return is_number && holds(f->op, s->a, f->k);
    case L_A_NIL: return s->a < 0;
    case L_A_NOT_NIL: return s->a >= 0;
    case L_SVC: return svc == f->k;
    case L_NOT_SVC: return svc != f->k;
    case L_RES_SVC: return s->svc == f->k;
    case L_STATUS: return s->status == f->k;
    case L_NOT_STATUS: return s->status != f->k;
    case L_KIND: return s->kind == f->k + 1;
    case L_DURATION: return holds(f->op, s->ms, f->k * 3);
    case L_ROOT: return s->parent == -1;
    case L_PARENT_NAME: return s->parent >= 0 && t->at[s->parent].name == f->k;
    case L_SUM: return is_number && holds(f->op, s->a + 1, f->k);
    case L_ROOT_NAME: return t->at[0].name == f->k;
    default: return holds(f->op, children, f->k);
    }
}

static bool filter_holds(const struct filter *f, const struct plain_trace *t, int i)
{
    switch (f->kind) {
    case F_LEAF: return leaf_holds(f, t, i);
    case F_AND: return filter_holds(f->left, t, i) && filter_holds(f->right, t, i);
    case F_OR: return filter_holds(f->left, t, i) || filter_holds(f->right, t, i);
    default: return !filter_holds(f->left, t, i);
    }
}

/* ---- relations, plain ---- */

static const char *const relations[] = { "&&",  "||",  ">",  "<",  ">>", "<<",  "~",   "!>", "!<",
                                         "!>>", "!<<", "!~", "&>", "&<", "&>>", "&<<", "&~" };

struct set {
    struct filter *filter; /* a leaf, else: */
    int relation;
    struct set *left, *right;
};

static struct set *random_set(int depth)
{
    struct set *s = arena_zero(&arena, sizeof *s);
    if (depth == 0 || below(3) == 0) {
        s->filter = random_filter(below(3));
        return s;
    }
    s->relation = below(17);
    s->left = random_set(depth - 1);
    s->right = random_set(depth - 1);
    return s;
}

static void print_set(struct buf *b, const struct set *s)
{
    buf_cs(b, s->filter != NULL ? "{ " : "(");
    if (s->filter != NULL) {
        print_filter(b, s->filter);
    } else {
        print_set(b, s->left);
        buf_printf(b, " %s ", relations[s->relation]);
        print_set(b, s->right);
    }
    buf_cs(b, s->filter != NULL ? " }" : ")");
}

static bool is_above(const struct plain_trace *t, int above, int i)
{
    for (i = t->at[i].parent; i >= 0; i = t->at[i].parent)
        if (i == above) return true;
    return false;
}

/* Is r related to l, as in l > r: the parent of r is l? */
static bool is_related(const char *how, const struct plain_trace *t, int l, int r)
{
    if (strcmp(how, ">") == 0) return t->at[r].parent == l;
    if (strcmp(how, "<") == 0) return t->at[l].parent == r;
    if (strcmp(how, ">>") == 0) return is_above(t, l, r);
    if (strcmp(how, "<<") == 0) return is_above(t, r, l);
    return l != r && t->at[l].parent >= 0 && t->at[l].parent == t->at[r].parent;
}

static unsigned plain_set(const struct set *s, const struct plain_trace *t)
{
    unsigned out = 0;
    if (s->filter != NULL) {
        for (int i = 0; i < t->n; i++) out |= (unsigned)filter_holds(s->filter, t, i) << i;
        return out;
    }
    unsigned left = plain_set(s->left, t), right = plain_set(s->right, t);
    if (s->relation == 0) return left && right ? left | right : 0;
    if (s->relation == 1) return left | right;
    bool is_not = s->relation >= 7 && s->relation < 12, is_union = s->relation >= 12;
    const char *how = relations[s->relation] + (is_not || is_union);
    for (int r = 0; r < t->n; r++) {
        bool any = false;
        for (int l = 0; l < t->n; l++) {
            if (!(left >> l & 1) || !(right >> r & 1) || !is_related(how, t, l, r)) continue;
            any = true;
            if (is_union) out |= 1u << l;
        }
        if ((right >> r & 1) && any != is_not) out |= 1u << r;
    }
    return out;
}

/* ---- both ---- */

static int search(struct str text, struct arena *a, size_t limit, struct search_found *f, struct err *e)
{
    struct traceql_query q;
    struct store_view *view;
    struct call call = { .arena = a };
    struct search_ask ask = { .query = &q, .to_ns = INT64_MAX, .limit = limit, .spans_per_set = 100 };

    check(store_view_open(store, 0, INT64_MAX / MS, &view, e) == OK);
    int rc = traceql_parse(text, a, &q, e);
    if (rc == OK) rc = traceql_search(view, &call, &ask, f, e);
    traceql_release(&q);
    store_view_close(view);
    return rc;
}

static unsigned found_spans(const struct found_set *s)
{
    unsigned out = 0;
    for (size_t i = 0; i < s->n; i++) out |= 1u << (s->spans[i].id[7] - 1);
    return out;
}

static void expect_same(const struct set *s, struct str text, const struct search_found *f)
{
    size_t k = 0;
    for (int t = TRACES; t-- > 0;) { /* newest first */
        unsigned want = plain_set(s, &traces[t]);
        if (want == 0) continue;
        if (k == f->n || f->at[k].id[15] != t + 1)
            fail_msg("%.*s: trace %d is missing", STR_ARG(text), t + 1);
        if (f->at[k].n_sets != 1 || found_spans(&f->at[k].sets[0]) != want)
            fail_msg("%.*s: trace %d: %x, not %x", STR_ARG(text), t + 1, found_spans(&f->at[k].sets[0]),
                     want);
        EXPECT_INT(f->at[k].sets[0].matched, __builtin_popcount(want));
        k++;
    }
    if (k != f->n) fail_msg("%.*s: %zu traces too many", STR_ARG(text), f->n - k);
}

static void compare_random(int depth, int times)
{
    for (int i = 0; i < times; i++) {
        struct set *s = random_set(depth);
        struct buf text = BUF_INIT(1 << 20);
        struct arena own = ARENA_INIT((size_t)64 << 20);
        struct search_found f;
        struct err e = ERR_INIT;
        print_set(&text, s);
        if (search(buf_view(&text), &own, 1000, &f, &e) < 0) fail_msg("%s: %s", buf_cstr(&text), e.text);
        expect_same(s, buf_view(&text), &f);
        arena_release(&own);
        buf_release(&text);
    }
}

TEST(filters_find_what_a_plain_evaluator_finds)
{
    compare_random(0, 1500);
}

TEST(relations_find_what_a_plain_evaluator_finds)
{
    compare_random(3, 1500);
}

static size_t count_of(const char *text, size_t limit, struct search_found *f, struct arena *a)
{
    struct err e = ERR_INIT;
    if (search(str_of(text), a, limit, f, &e) < 0) fail_msg("%s: %s", text, e.text);
    return f->n;
}

TEST(a_limit_keeps_the_newest)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct search_found f;
    EXPECT_INT(count_of("{}", 3, &f, &a), 3);
    for (int i = 0; i < 3; i++) EXPECT_INT(f.at[i].id[15], TRACES - i);
    arena_release(&a);
}

TEST(aggregates_and_groups_are_counted_by_hand)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct search_found f;
    size_t many = 0, longer = 0, groups = 0, names[3];

    for (int t = 0; t < TRACES; t++) {
        int total = 0;
        memset(names, 0, sizeof names);
        many += traces[t].n > 6;
        for (int i = 0; i < traces[t].n; i++) total += traces[t].at[i].ms, names[traces[t].at[i].name]++;
        longer += total >= 20;
        for (int k = 0; k < 3; k++) groups += names[k] > 2;
    }
    EXPECT_INT(count_of("{} | count() > 6", 1000, &f, &a), many);
    EXPECT_INT(count_of("{} | sum(duration) >= 20ms", 1000, &f, &a), longer);
    EXPECT_INT(count_of("({} | count() > 6) && ({} | sum(duration) >= 0ms)", 1000, &f, &a), many);
    count_of("{} | by(name) | count() > 2", 1000, &f, &a);
    size_t sets = 0;
    for (size_t i = 0; i < f.n; i++) sets += f.at[i].n_sets;
    EXPECT_INT(sets, groups);
    EXPECT_INT(count_of("{} | by(name) | coalesce() | count() > 6", 1000, &f, &a), many);
    count_of("{ span.a = 2 } | select(resource.svc)", 1000, &f, &a);
    EXPECT_INT(f.at[0].sets[0].spans[0].n_attrs, 2);
    arena_release(&a);
}

/* ---- series ---- */

static void make(const char *text, int64_t from_ns, int64_t to_ns, int64_t step_ns, struct arena *a,
                 struct metrics_made *m)
{
    struct traceql_query q;
    struct store_view *view;
    struct call call = { .arena = a };
    struct metrics_ask ask = { &q, from_ns, to_ns, step_ns, 10 };
    struct err e = ERR_INIT;

    check(store_view_open(store, 0, INT64_MAX / MS, &view, &e) == OK);
    if (traceql_parse(str_of(text), a, &q, &e) < 0 || traceql_metrics(view, &call, &ask, m, &e) < 0)
        fail_msg("%s: %s", text, e.text);
    traceql_release(&q);
    store_view_close(view);
}

TEST(series_of_spans_are_counted_by_hand)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct metrics_made m;
    int64_t second = 1000 * MS,
            from = 999 * second + second / 2; /* a step is a trace: none begins at the edge */
    double total[3] = { 0 };

    make("{} | count_over_time() by (name)", from, from + TRACES * second, second, &a, &m);
    EXPECT_INT(m.n, 3);
    EXPECT_INT(m.steps, TRACES);
    for (size_t s = 0; s < m.n; s++) {
        int name = m.series[s].labels[0].value.s.p[1] - '0';
        for (int t = 0; t < TRACES; t++) {
            int want = 0;
            for (int i = 0; i < traces[t].n; i++) want += traces[t].at[i].name == name;
            EXPECT(m.series[s].values[t] == want);
            total[name] += want;
        }
    }
    make("{ name = \"n1\" } | rate()", from, from + TRACES * second, TRACES * second, &a, &m);
    EXPECT_INT(m.n, 1);
    EXPECT(m.series[0].values[0] == total[1] / TRACES);
    make("{ name = \"n1\" && rootName != \"\" } | rate()", from, from + TRACES * second, TRACES * second, &a,
         &m);
    EXPECT(m.series[0].values[0] == total[1] / TRACES); /* the same by whole traces */
    arena_release(&a);
}

TEST(quantiles_and_extremes_are_near_or_exact)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct metrics_made m;
    int64_t second = 1000 * MS, from = 999 * second + second / 2, all = TRACES * second;
    int counts[10] = { 0 }, n = 0, seen = 0, median = 0;

    for (int t = 0; t < TRACES; t++)
        for (int i = 0; i < traces[t].n; i++) counts[traces[t].at[i].ms]++, n++;
    for (int ms = 0; ms < 10; ms++) {
        if (seen * 2 < n) median = ms;
        seen += counts[ms];
    }
    make("{} | max_over_time(duration)", from, from + all, all, &a, &m);
    EXPECT(m.series[0].values[0] == 0.009);
    make("{} | quantile_over_time(duration, .5, 1)", from, from + all, all, &a, &m);
    EXPECT_INT(m.n, 2);
    EXPECT(m.series[0].values[0] > median / 1000.0 * 0.955 &&
           m.series[0].values[0] < median / 1000.0 * 1.045);
    EXPECT(m.series[1].values[0] > 0.009 * 0.955 && m.series[1].values[0] < 0.009 * 1.045);
    make("{} | histogram_over_time(duration)", from, from + all, all, &a, &m);
    double sum = 0;
    for (size_t s = 0; s < m.n; s++) {
        sum += m.series[s].values[0];
        if (m.series[s].labels[0].value.d == 0x1p-9)
            EXPECT(m.series[s].values[0] == counts[1]); /* (0.98, 1.95] ms */
    }
    EXPECT(sum == n);
    arena_release(&a);
}

TEST(the_best_series_are_kept_step_by_step)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct metrics_made m, all;
    int64_t second = 1000 * MS, from = 999 * second + second / 2;

    make("{} | count_over_time() by (name)", from, from + TRACES * second, second, &a, &all);
    make("{} | count_over_time() by (name) | topk(1)", from, from + TRACES * second, second, &a, &m);
    for (size_t step = 0; step < m.steps; step++) {
        double best = 0, got = -1;
        int n = 0;
        for (size_t s = 0; s < all.n; s++) best = MAX(best, all.series[s].values[step]);
        for (size_t s = 0; s < m.n; s++)
            if (m.series[s].values[step] == m.series[s].values[step]) got = m.series[s].values[step], n++;
        EXPECT_INT(n, 1);
        EXPECT(got == best);
    }
    make("{} | compare({ status = error })", from, from + TRACES * second, TRACES * second, &a, &m);
    EXPECT(m.n > 10);
    arena_release(&a);
}

TEST(limits_are_told_by_name)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct search_found f;
    struct err e = ERR_INIT;
    struct traceql_query q;
    struct store_view *view;
    struct metrics_made m;
    struct call late = { .arena = &a, .deadline_ns = 1 };
    struct search_ask ask = { .query = &q, .to_ns = INT64_MAX };

    EXPECT(search(STR("{} | rate()"), &a, 1, &f, &e) == ERR_EXEC);
    check(store_view_open(store, 0, INT64_MAX / MS, &view, &e) == OK);
    EXPECT(traceql_parse(STR("{} >> {}"), &a, &q, &e) == OK);
    EXPECT(traceql_search(view, &late, &ask, &f, &e) == ERR_TIMEOUT);
    traceql_release(&q);
    EXPECT(traceql_parse(STR("{} | rate()"), &a, &q, &e) == OK);
    struct call call = { .arena = &a };
    struct metrics_ask many = { &q, 0, 1000000 * (int64_t)MS, MS, 0 };
    EXPECT(traceql_metrics(view, &call, &many, &m, &e) == ERR_RANGE);
    EXPECT(strstr(e.text, "steps") != NULL);
    traceql_release(&q);
    store_view_close(view);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(filters_find_what_a_plain_evaluator_finds),
        CASE(relations_find_what_a_plain_evaluator_finds),
        CASE(a_limit_keeps_the_newest),
        CASE(aggregates_and_groups_are_counted_by_hand),
        CASE(series_of_spans_are_counted_by_hand),
        CASE(quantiles_and_extremes_are_near_or_exact),
        CASE(the_best_series_are_kept_step_by_step),
        CASE(limits_are_told_by_name),
    };
    return cmocka_run_group_tests(all, open_store, close_store);
}
