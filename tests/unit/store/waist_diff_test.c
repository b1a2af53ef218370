/* The engine against the toy: random logs and spans, random conditions, the same answers. What an answer may
 * leave open (order of equal times, which records a limit without order takes, counts that are "about") is
 * not compared. */
#include "store/embedded.h"
#include "unit/model/record_samples.h"
#include "unit/store/store_model.h"
#include "unit/store/waist_record_kit.h"
#include "unit/toy_store.c"

enum { ROUNDS = 24, QUESTIONS = 10, EXPRESSIONS = 4 };

static const char *const texts[] = { "alpha", "beta", "beta gamma", "Connection refused", "re-connection",
                                     "",      "42",   "a=b;c",      "na\xc3\xafve",       "ALPHA" };
static const char *const names[] = { "k", "user.id", "n", "gen_ai.request.model", "x" };
static const char *const patterns[] = { "beta.*", "(?i)alpha", ".*[0-9].*", "|42" };

struct duel {
    struct waist w; /* the engine's; its arena serves both */
    struct store *toy, *engine;
    struct dice dice;
    struct regex *re[EXPRESSIONS];
    uint64_t span_ids; /* few of them, so that they meet again */
};

static struct store *open_engine(const char *dir)
{
    struct store *s;
    struct err e = ERR_INIT;
    struct embedded_conf conf = {
        .dir = dir, .min_free_bytes = 1, .sync_interval_ms = 20, .wal_segment_bytes = 1 << 20
    };
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

/* ---- what is written ---- */

static struct value any_value(struct duel *d)
{
    static const double doubles[] = { 0, 1, 2.5, -1, 1e300, 9007199254740992.0 };
    struct value v;
    switch (roll_below(&d->dice, 9)) {
    case 0: return value_int((int64_t)roll_below(&d->dice, 4) - 1);
    case 1: return value_int((int64_t)(9007199254740992 + roll_below(&d->dice, 3)));
    case 2: return value_double(doubles[roll_below(&d->dice, COUNT(doubles))]);
    case 3: return value_double(roll_below(&d->dice, 4) ? 1.0 : double_of(NAN_BITS));
    case 4: return value_bool(roll_below(&d->dice, 2));
    case 5:
        v = (struct value){ VALUE_JSON, .text = str_of(roll_below(&d->dice, 2) ? "[\"beta\"]" : "{}") };
        return v;
    case 6: v = (struct value){ VALUE_BYTES, .text = str_of(texts[roll_below(&d->dice, 3)]) }; return v;
    default: return value_str(str_of(texts[roll_below(&d->dice, COUNT(texts))]));
    }
}

static struct attrs any_attrs(struct duel *d, size_t most)
{
    size_t n = roll_below(&d->dice, most + 1), first = roll_below(&d->dice, COUNT(names));
    struct attr *at = arena_array(&d->w.arena, n, sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = (struct attr){ str_of(names[(first + i) % COUNT(names)]), any_value(d) };
    return (struct attrs){ at, n };
}

/* One of six resources, and of three scopes. */
static struct origin any_origin(struct duel *d)
{
    static const char *const resources[] = {
        "",     "service.name=api", "service.name=db k=1", "k=1 service.name=db", "service.name=api k=alpha",
        "k=2.5"
    };
    static const char *const scopes[] = { "", "lib", "other" };
    struct origin o = { .resource =
                            attrs_of(resources[roll_below(&d->dice, COUNT(resources))], &d->w.arena) };
    o.scope_name = str_of(scopes[roll_below(&d->dice, COUNT(scopes))]);
    return o;
}

/* A span's start follows from its id: a span that is told again has not moved. */
static void any_span(struct duel *d, struct record *r)
{
    int id = (int)roll_below(&d->dice, d->span_ids) + 1;
    id_of(r->trace_id, 16, 1 + id % 7);
    id_of(r->span_id, 8, id);
    r->time_ns = T0_NS + (int64_t)(id * 2654435761ull % 100000) * 1500000000ll;
    r->span.duration_ns = roll_below(&d->dice, 3) ? (int64_t)roll_below(&d->dice, 1000) : SPAN_UNFINISHED;
    r->span.kind = (uint8_t)roll_below(&d->dice, 2);
    r->span.status = (uint8_t)roll_below(&d->dice, 3);
    r->span.name = str_of(texts[roll_below(&d->dice, COUNT(texts))]);
    if (roll_below(&d->dice, 2)) id_of(r->span.parent_id, 8, 1 + (int)roll_below(&d->dice, 9));
    if (roll_below(&d->dice, 5) == 0) r->span.events = STR("[{\"name\":\"beta\"}]");
}

static void any_log(struct duel *d, struct record *r)
{
    r->time_ns = T0_NS + (int64_t)roll_below(&d->dice, 200) * 700000000001ll;
    if (roll_below(&d->dice, 2)) id_of(r->trace_id, 16, 1 + (int)roll_below(&d->dice, 7));
    r->log.severity = (uint8_t)roll_below(&d->dice, 25);
    r->log.observed_ns = roll_below(&d->dice, 2) ? r->time_ns + 5 : 0;
    r->log.body = any_value(d);
    if (roll_below(&d->dice, 4) == 0) r->log.event_name = STR("beta");
}

static void write_some(struct duel *d)
{
    struct records r;
    struct batch b;
    struct write_result result;
    struct err e = ERR_INIT;
    size_t n = 1 + roll_below(&d->dice, 120);
    records_init(&r, &d->w.arena, d->w.table);
    for (size_t i = 0; i < n; i++) {
        struct record rec = { 0 };
        struct origin o = any_origin(d);
        if (i == 0 || roll_below(&d->dice, 4) == 0) records_origin(&r, &o);
        (d->w.table == TABLE_SPANS ? any_span : any_log)(d, &rec);
        rec.attrs = any_attrs(d, 4);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    records_end(&r);
    batch_init(&b, &d->w.arena, LABELS_PACKED);
    *(d->w.table == TABLE_SPANS ? &b.spans : &b.logs) = &r;
    EXPECT(store_write(d->toy, &b, ACK_MEMORY, &result, NULL, NULL, &e) == OK);
    d->w.store = d->engine;
    waist_write(&d->w, &b);
    EXPECT(d->w.result.rejected_total == 0 && result.rejected_total == 0);
}

static void move_files(struct duel *d)
{
    d->w.store = d->engine;
    switch (roll_below(&d->dice, 8)) {
    case 0:
    case 1: waist_admin(&d->w, STORE_FLUSH); break;
    case 2: waist_admin(&d->w, STORE_MERGE); break;
    case 3:
        store_close(d->engine);
        d->engine = open_engine(d->w.dir);
        break;
    }
}

/* ---- what is asked ---- */

static struct field any_field(struct duel *d)
{
    static const enum intrinsic common[] = { IN_TRACE_ID, IN_SPAN_ID, IN_SCOPE_NAME, IN_TIME };
    static const enum intrinsic spans[] = {
        IN_NAME, IN_KIND, IN_STATUS, IN_DURATION, IN_PARENT_ID, IN_EVENTS
    };
    static const enum intrinsic logs[] = { IN_BODY, IN_SEVERITY, IN_OBSERVED, IN_EVENT_NAME, IN_NAME };
    struct str name = str_of(names[roll_below(&d->dice, COUNT(names))]);
    switch (roll_below(&d->dice, 8)) {
    case 0: return field_in(common[roll_below(&d->dice, COUNT(common))]);
    case 1:
    case 2:
        if (d->w.table == TABLE_SPANS) return field_in(spans[roll_below(&d->dice, COUNT(spans))]);
        return field_in(logs[roll_below(&d->dice, COUNT(logs))]);
    case 3: return field_attr(FIELD_RESOURCE, roll_below(&d->dice, 2) ? STR("service.name") : STR("k"));
    case 4: return field_attr(FIELD_ATTR, roll_below(&d->dice, 9) ? name : STR("nosuch"));
    default: return field_attr(FIELD_ATTR, name);
    }
}

static struct value asked_value(struct duel *d, struct field f)
{
    if (f.scope == FIELD_INTRINSIC && f.intrinsic == IN_TRACE_ID) {
        uint8_t *id = arena_alloc(&d->w.arena, 16);
        id_of(id, 16, 1 + (int)roll_below(&d->dice, 8));
        return (struct value){ VALUE_BYTES, .text = str_make(id, 16) };
    }
    if (f.scope == FIELD_INTRINSIC && f.intrinsic == IN_TIME)
        return value_int(T0_NS + (int64_t)roll_below(&d->dice, 200) * 700000000001ll);
    if (f.scope == FIELD_INTRINSIC && roll_below(&d->dice, 2))
        return value_int((int64_t)roll_below(&d->dice, 500) - 1);
    return any_value(d);
}

static struct predicate *any_leaf(struct duel *d)
{
    static const enum predicate_op ops[] = { PRED_EXISTS, PRED_EQ, PRED_EQ, PRED_EQ,       PRED_LT,   PRED_LE,
                                             PRED_GT,     PRED_GE, PRED_IN, PRED_CONTAINS, PRED_REGEX };
    struct predicate *p = arena_zero(&d->w.arena, sizeof *p);
    struct value *many = arena_array(&d->w.arena, 3, sizeof *many);
    *p = (struct predicate){ .op = ops[roll_below(&d->dice, COUNT(ops))], .field = any_field(d) };
    for (int i = 0; i < 3; i++) many[i] = asked_value(d, p->field);
    p->value = many[0];
    p->values = many;
    p->n_values = roll_below(&d->dice, 4);
    p->fold = roll_below(&d->dice, 2);
    p->re = d->re[roll_below(&d->dice, EXPRESSIONS)];
    if (p->op == PRED_CONTAINS) {
        struct str whole = str_of(texts[roll_below(&d->dice, COUNT(texts))]);
        size_t from = roll_below(&d->dice, whole.n + 1);
        p->value = value_str(str_make(whole.p + from, roll_below(&d->dice, whole.n - from + 1)));
    }
    return p;
}

static const struct predicate *any_tree(struct duel *d, int depth)
{
    uint64_t dice = roll_below(&d->dice, 10);
    if (depth == 0 || dice < 4) return any_leaf(d);
    if (dice == 4) return tree(&d->w, PRED_ALL, NULL, NULL);
    if (dice < 7) return not_(&d->w, any_tree(d, depth - 1));
    return tree(&d->w, dice < 9 ? PRED_AND : PRED_OR, any_tree(d, depth - 1), any_tree(d, depth - 1));
}

/* ---- answers as lines ---- */

struct lines {
    struct duel *d;
    const struct record_scan *scan;
    struct str *at;
    int64_t *time_ns;
    size_t n, cap, cap_time;
};

static int by_attr_name(const void *a, const void *b)
{
    return str_cmp(((const struct attr *)a)->name, ((const struct attr *)b)->name);
}

static void say_attrs(struct buf *out, const struct attrs *attrs, bool sorted, struct arena *a)
{
    struct attr *at = arena_array(a, attrs->n, sizeof *at);
    for (size_t i = 0; i < attrs->n; i++) at[i] = attrs->at[i];
    if (sorted && attrs->n > 0) qsort(at, attrs->n, sizeof *at, by_attr_name);
    buf_char(out, '{');
    for (size_t i = 0; i < attrs->n; i++) {
        buf_str(out, at[i].name);
        buf_char(out, '=');
        say_value(out, at[i].value);
        buf_char(out, ' ');
    }
    buf_char(out, '}');
}

static void say_record(struct buf *out, const struct record *r, enum table t, struct arena *a)
{
    for (int i = 1; i < INTRINSIC_END; i++) {
        struct value v = record_value(r, t, field_in((enum intrinsic)i));
        if (v.type != VALUE_NONE) buf_printf(out, " %s:", intrinsic_name((enum intrinsic)i));
        if (v.type != VALUE_NONE) say_value(out, v);
    }
    say_attrs(out, &r->attrs, false, a);
    say_attrs(out, &r->origin->resource, true, a);
    say_attrs(out, &r->origin->scope, true, a);
}

static int keep_lines(void *ctx, const struct record_rows *r)
{
    struct lines *l = ctx;
    struct arena *a = &l->d->w.arena;
    for (size_t i = 0; i < r->n; i++, l->n++) {
        struct buf b = BUF_INIT(1 << 20);
        buf_printf(&b, "%lld", (long long)r->time_ns[i]);
        if (l->scan->n_fields == 0) say_record(&b, &r->records[i], l->scan->table, a);
        for (size_t f = 0; f < l->scan->n_fields; f++) {
            buf_char(&b, ' ');
            say_value(&b, r->values[f][i]);
        }
        l->at = arena_grow(a, l->at, l->n, &l->cap, sizeof *l->at);
        l->time_ns = arena_grow(a, l->time_ns, l->n, &l->cap_time, sizeof *l->time_ns);
        l->at[l->n] = arena_str(a, buf_view(&b));
        l->time_ns[l->n] = r->time_ns[i];
        buf_release(&b);
    }
    return OK;
}

static struct lines answer(struct duel *d, struct store *s, const struct record_scan *scan)
{
    struct lines l = { .d = d, .scan = scan };
    struct call call = { .arena = &d->w.arena };
    struct store_view *v;
    struct err e = ERR_INIT;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, &e) == OK);
    int rc = view_records(v, &call, scan, keep_lines, &l, &e);
    if (rc < 0) print_error("records: %s\n", e.text);
    EXPECT(rc == OK);
    store_view_close(v);
    return l;
}

static void sort_lines(struct lines *l)
{
    if (l->n > 0) qsort(l->at, l->n, sizeof *l->at, by_str);
}

static void say_tree(struct buf *out, const struct predicate *p)
{
    static const char *const ops[] = { "all", "and", "or", "not", "exists",   "=",    "<",
                                       "<=",  ">",   ">=", "in",  "contains", "regex" };
    buf_printf(out, "(%s", ops[p->op]);
    for (size_t i = 0; i < p->n_children; i++) say_tree(out, p->child[i]);
    if (p->n_children == 0 && p->op > PRED_NOT) {
        buf_char(out, ' ');
        field_print(out, p->field);
        buf_char(out, ' ');
        if (p->op == PRED_REGEX) buf_str(out, regex_text(p->re));
        for (size_t i = 0; p->op == PRED_IN && i < p->n_values; i++) say_value(out, p->values[i]);
        if (p->op != PRED_REGEX && p->op != PRED_IN && p->op != PRED_EXISTS) say_value(out, p->value);
        if (p->fold) buf_cs(out, " fold");
    }
    buf_char(out, ')');
}

static void tell_difference(const struct record_scan *scan, const struct lines *want, const struct lines *got)
{
    struct buf b = BUF_INIT(1 << 20);
    if (scan->where != NULL) say_tree(&b, scan->where);
    print_error("%s where %s, order %d, limit %zu, [%lld, %lld]: %zu records, not %zu\n",
                table_name(scan->table), buf_cstr(&b), (int)scan->order, scan->limit,
                (long long)scan->from_ns, (long long)scan->to_ns, got->n, want->n);
    for (size_t i = 0; i < want->n && i < got->n; i++)
        if (!str_eq(want->at[i], got->at[i])) {
            print_error("  wanted %.*s\n  got    %.*s\n", STR_ARG(want->at[i]), STR_ARG(got->at[i]));
            break;
        }
    buf_release(&b);
}

static bool same_lines(const struct lines *a, const struct lines *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->at[i], b->at[i])) return false;
    return true;
}

/* As many as the toy has, of the same times when there is an order, and each of them an answer. */
static bool is_limited_answer(struct duel *d, const struct record_scan *scan, const struct lines *want,
                              const struct lines *got)
{
    struct record_scan all = *scan;
    all.limit = 0;
    struct lines whole = answer(d, d->toy, &all);
    sort_lines(&whole);
    if (got->n != want->n) return false;
    for (size_t i = 0; i < got->n; i++) {
        if (scan->order != ORDER_ANY && got->time_ns[i] != want->time_ns[i]) return false;
        if (bsearch(&got->at[i], whole.at, whole.n, sizeof *whole.at, by_str) == NULL) return false;
    }
    return true;
}

static bool is_in_order(const struct record_scan *scan, const struct lines *l)
{
    for (size_t i = 1; i < l->n; i++) {
        if (scan->order == ORDER_TIME && l->time_ns[i - 1] > l->time_ns[i]) return false;
        if (scan->order == ORDER_TIME_DESC && l->time_ns[i - 1] < l->time_ns[i]) return false;
    }
    return true;
}

static void ask_records(struct duel *d)
{
    struct field f[3] = { any_field(d), any_field(d), any_field(d) };
    struct record_scan scan = { .table = d->w.table, .to_ns = INT64_MAX };
    if (roll_below(&d->dice, 6)) scan.where = any_tree(d, 3);
    scan.order = (enum record_order)roll_below(&d->dice, 3);
    scan.limit = roll_below(&d->dice, 3) ? 0 : 1 + roll_below(&d->dice, 40);
    scan.n_fields = roll_below(&d->dice, 4);
    scan.fields = f;
    if (roll_below(&d->dice, 2)) {
        scan.from_ns = T0_NS + (int64_t)roll_below(&d->dice, 150) * 1000000000000ll;
        scan.to_ns = scan.from_ns + (int64_t)roll_below(&d->dice, 60) * 1000000000000ll;
    }
    struct lines want = answer(d, d->toy, &scan), got = answer(d, d->engine, &scan);
    bool is_right = is_in_order(&scan, &got);
    if (scan.limit != 0) {
        is_right &= is_limited_answer(d, &scan, &want, &got);
    } else {
        sort_lines(&want);
        sort_lines(&got);
        is_right &= same_lines(&want, &got);
    }
    if (!is_right) tell_difference(&scan, &want, &got);
    EXPECT(is_right);
}

/* The distinct values of a field, as lines. */
static struct lines value_lines(struct duel *d, struct store *s, struct field f,
                                const struct predicate *where)
{
    struct lines l = { .d = d };
    struct call call = { .arena = &d->w.arena };
    struct value_count *at;
    struct store_view *v;
    size_t n;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_field_values(v, &call, d->w.table, f, where, 0, &at, &n, NULL) == OK);
    for (size_t i = 0; i < n; i++) {
        struct buf b = BUF_INIT(1 << 20);
        say_value(&b, at[i].value);
        l.at = arena_grow(&d->w.arena, l.at, l.n, &l.cap, sizeof *l.at);
        l.at[l.n++] = arena_str(&d->w.arena, buf_view(&b));
        buf_release(&b);
    }
    store_view_close(v);
    sort_lines(&l);
    return l;
}

static void ask_values(struct duel *d)
{
    struct field f = any_field(d);
    const struct predicate *where = any_tree(d, 2);
    struct record_scan scan = { .table = d->w.table, .where = where };
    struct lines want = value_lines(d, d->toy, f, where), got = value_lines(d, d->engine, f, where);
    if (!same_lines(&want, &got)) {
        struct buf b = BUF_INIT(4096);
        field_print(&b, f);
        print_error("values of %s\n", buf_cstr(&b));
        buf_release(&b);
        tell_difference(&scan, &want, &got);
    }
    EXPECT(same_lines(&want, &got));
}

/* ---- the duel ---- */

static void duel(enum table table, uint64_t seed)
{
    struct duel *d = mem_alloc_zero(sizeof *d);
    *d = (struct duel){ .dice = { seed }, .span_ids = 20 + seed % 3 * 400 };
    d->w = (struct waist){ .arena = ARENA_INIT(SIZE_MAX), .table = table, .dir = test_dir() };
    d->toy = toy_store_new();
    d->engine = open_engine(d->w.dir);
    for (int i = 0; i < EXPRESSIONS; i++) EXPECT(regex_new(str_of(patterns[i]), &d->re[i], NULL) == OK);
    for (int round = 0; round < ROUNDS; round++) {
        write_some(d);
        move_files(d);
        for (int i = 0; i < QUESTIONS; i++) ask_records(d);
        ask_values(d);
    }
    for (int i = 0; i < EXPRESSIONS; i++) regex_free(d->re[i]);
    store_close(d->toy);
    store_close(d->engine);
    test_dir_remove(d->w.dir);
    arena_release(&d->w.arena);
    mem_free(d);
}

static bool engine_has_records(void)
{
    char *dir = test_dir();
    struct store *s = open_engine(dir);
    bool has = s->ops->records != NULL;
    store_close(s);
    test_dir_remove(dir);
    if (!has) print_error("SKIPPED: the engine against the toy: it has no logs and spans\n");
    return has;
}

TEST(the_engine_answers_about_spans_as_the_toy_does)
{
    for (uint64_t seed = 1; engine_has_records() && seed <= 6; seed++) duel(TABLE_SPANS, seed);
}

TEST(the_engine_answers_about_logs_as_the_toy_does)
{
    for (uint64_t seed = 1; engine_has_records() && seed <= 6; seed++) duel(TABLE_LOGS, seed);
}

TESTS(CASE(the_engine_answers_about_spans_as_the_toy_does),
      CASE(the_engine_answers_about_logs_as_the_toy_does))
