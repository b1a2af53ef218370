/* api_traces_params.c - parameters of the APIs over traces, and reading records for them. */
#include <math.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/float.h"
#include "decode/id_text.h"
#include "tell/api_traces_impl.h"
#include "tell/missing.h"

/* ---- a question under way ---- */

bool trace_query_open(struct trace_query *q, struct http_exchange *x, const struct prometheus_api *api)
{
    *q = (struct trace_query){ .x = x };
    api_call_init(&q->c, x, api);
    q->arena = &q->c.arena;
    q->prices = price_book_current();
    if (store_view_open(api->store, 0, INT64_MAX / 1000000, &q->view, &q->err) == OK) return true;
    respond_err(x, &q->err);
    return false;
}

void trace_query_release(struct trace_query *q)
{
    store_view_close(q->view);
    price_book_unref(q->prices);
    api_call_release(&q->c);
}

void trace_answer(struct http_exchange *x, struct buf *json)
{
    missing_json(x, json);
    if (!json->full) {
        http_answer_buf(x, 200, "application/json", json);
        return;
    }
    buf_release(json);
    respond_error(x, API_EXECUTION, "the answer is larger than %zu MiB; ask for fewer traces or spans",
                  ANSWER_MAX_BYTES >> 20);
}

/* ---- times ---- */

static int64_t by_magnitude(double v)
{
    static const struct {
        double below, ns;
    } units[] = { { 1e11, 1e9 }, { 1e14, 1e6 }, { 1e17, 1e3 }, { INFINITY, 1 } };
    size_t i = 0;
    while (v >= units[i].below) i++;
    v *= units[i].ns;
    return v >= 9.2e18 ? INT64_MAX : (int64_t)v;
}

bool trace_time(struct str s, int64_t *ns)
{
    int64_t whole, ms;
    double v;

    if (str_to_i64(s, &whole) && whole >= 0) {
        int64_t unit = whole < 100000000000                  ? 1000000000
                       : whole < 100000000000000             ? 1000000
                       : whole < INT64_C(100000000000000000) ? 1000
                                                             : 1;
        if (__builtin_mul_overflow(whole, unit, ns)) *ns = INT64_MAX;
        return true;
    }
    if (float_parse(s, &v)) {
        if (isnan(v)) return false;
        *ns = v <= 0 ? 0 : by_magnitude(v);
        return true;
    }
    if (!param_time(s, &ms)) return false;
    if (__builtin_mul_overflow(MAX(ms, 0), INT64_C(1000000), ns)) *ns = INT64_MAX;
    return true;
}

static bool take_unit(struct str *s, double *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 },  { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "\xce\xbcs", 1e3 }, { "ms", 1e6 },
                  { "s", 1e9 }, { "m", 6e10 }, { "h", 3.6e12 },      { "d", 8.64e13 } };
    for (size_t i = 0; i < COUNT(units); i++)
        if (str_starts(*s, units[i].name)) {
            size_t n = strlen(units[i].name);
            *s = str_make(s->p + n, s->n - n);
            *ns = units[i].ns;
            return true;
        }
    return false;
}

bool trace_duration(struct str s, int64_t *ns)
{
    double total = 0, v, unit;

    if (float_parse(s, &v) && isfinite(v) && v >= 0) {
        total = v * 1e9;
        s.n = 0;
    } else if (s.n == 0)
        return false;
    while (s.n > 0) {
        size_t n = 0;
        while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.')) n++;
        if (n == 0 || !float_parse(str_make(s.p, n), &v)) return false;
        s = str_make(s.p + n, s.n - n);
        if (!take_unit(&s, &unit)) return false;
        total += v * unit;
    }
    *ns = total >= 9.2e18 ? INT64_MAX : (int64_t)llround(total);
    return true;
}

int take_trace_time(struct http_exchange *x, const char *name, int64_t fallback, int64_t *ns, struct err *e)
{
    struct str s = http_param(x, name);
    *ns = fallback;
    if (s.n == 0 || trace_time(s, ns)) return OK;
    return err_set(e, ERR_PARSE, "%s: %.*s is neither RFC 3339 nor a number of s, ms, us or ns since 1970",
                   name, (int)MIN(s.n, (size_t)60), s.p);
}

int take_trace_duration(struct http_exchange *x, const char *name, int64_t *ns, struct err *e)
{
    struct str s = http_param(x, name);
    *ns = 0;
    if (s.n == 0 || trace_duration(s, ns)) return OK;
    return err_set(e, ERR_PARSE, "%s: %.*s is no duration like 300ms or 1.5s", name,
                   (int)MIN(s.n, (size_t)60), s.p);
}

int take_window(struct http_exchange *x, int64_t back_ns, int64_t *from_ns, int64_t *to_ns, struct err *e)
{
    int64_t now_ns = clock_now_ms() * 1000000;
    int rc = take_trace_time(x, "end", back_ns > 0 ? now_ns : TRACE_TIME_MAX, to_ns, e);
    if (rc < 0) return rc;
    int64_t fallback = back_ns > 0 ? MAX(*to_ns - back_ns, 0) : 0;
    if ((rc = take_trace_time(x, "start", fallback, from_ns, e)) < 0) return rc;
    return *from_ns <= *to_ns ? OK : err_set(e, ERR_PARSE, "end is before start");
}

int take_count(struct http_exchange *x, const char *name, size_t fallback, size_t max, size_t *out,
               struct err *e)
{
    struct str s = http_param(x, name);
    uint64_t v = fallback;
    if (s.n > 0 && !str_to_u64(s, &v))
        return err_set(e, ERR_PARSE, "%s must be a number from 0 to %zu", name, max);
    *out = (size_t)MIN(v, (uint64_t)max);
    return OK;
}

bool trace_id_read(struct str text, uint8_t id[16])
{
    if (!id_from_hex(text, 16, id) && !id_from_text(text, 16, id)) return false;
    uint8_t any = 0;
    for (size_t i = 0; i < 16; i++) any |= id[i];
    return any != 0;
}

int take_parts(struct http_exchange *x, struct record_parts *parts, struct err *e)
{
    struct str rest = http_param(x, "fields"), all = rest;
    *parts = (struct record_parts){ .attributes = true, .events = true, .links = true };
    if (all.n > 0) *parts = (struct record_parts){ 0 };
    while (rest.n > 0) {
        struct str name = str_trim(str_cut(rest, ',', &rest));
        if (str_is(name, "attributes"))
            parts->attributes = true;
        else if (str_is(name, "resource"))
            parts->resource = true;
        else if (str_is(name, "events"))
            parts->events = true;
        else if (str_is(name, "links"))
            parts->links = true;
        else if (str_is(name, "content"))
            parts->content = parts->attributes = parts->events = true;
        else if (!str_is(name, "structure") && name.n > 0)
            return err_set(e, ERR_PARSE,
                           "fields: %.*s is none of structure, attributes, resource, events, links, content",
                           (int)MIN(name.n, (size_t)60), name.p);
    }
    struct str content = http_param(x, "content");
    if (str_is(content, "true") || str_is(content, "1")) parts->content = true;
    return OK;
}

/* ---- conditions on spans ---- */

void filter_and(struct span_filter *f, struct arena *a, const struct predicate *p)
{
    f->where = f->where == NULL ? p : predicate_and(a, f->where, p);
}

/* "resource.x" and "span.x" name their scope; else either. */
static const struct predicate *either_scope(struct arena *a, enum predicate_op op, struct str key,
                                            struct value v, const struct regex *re)
{
    const struct predicate *p = NULL;
    bool resource = !str_starts(key, "span."), attr = !str_starts(key, "resource.");
    if (!resource) key = str_make(key.p + 5, key.n - 5);
    if (!attr) key = str_make(key.p + 9, key.n - 9);
    for (int i = 0; i < 2; i++) {
        struct field f = field_attr(i == 0 ? FIELD_ATTR : FIELD_RESOURCE, key);
        if (!(i == 0 ? attr : resource)) continue;
        const struct predicate *one = op == PRED_EXISTS  ? predicate_exists(a, f)
                                      : op == PRED_REGEX ? predicate_regex(a, f, re)
                                                         : predicate_cmp(a, op, f, v);
        p = p == NULL ? one : predicate_or(a, p, one);
    }
    return p;
}

const struct predicate *where_attribute(struct arena *a, struct str key, struct str value)
{
    const struct predicate *p = either_scope(a, PRED_EQ, key, value_str(value), NULL);
    double number;
    if (float_parse(value, &number))
        p = predicate_or(a, p, either_scope(a, PRED_EQ, key, value_double(number), NULL));
    if (str_is(value, "true") || str_is(value, "false"))
        p = predicate_or(a, p, either_scope(a, PRED_EQ, key, value_bool(str_is(value, "true")), NULL));
    return p;
}

static int filter_regex(struct span_filter *f, struct arena *a, struct str key, struct str pattern,
                        struct err *e)
{
    if (f->n_re == COUNT(f->re))
        return err_set(e, ERR_LIMIT, "more than %zu regular expressions", COUNT(f->re));
    int rc = regex_new(pattern, &f->re[f->n_re], e);
    if (rc < 0) return rc;
    filter_and(f, a, either_scope(a, PRED_REGEX, key, value_str(STR("")), f->re[f->n_re++]));
    return OK;
}

int filter_attribute(struct span_filter *f, struct arena *a, struct str text, struct err *e)
{
    size_t n = 0;
    while (n < text.n && strchr("=!<>", text.p[n]) == NULL) n++;
    struct str key = str_trim(str_make(text.p, n)), rest = str_make(text.p + n, text.n - n);
    enum predicate_op op;
    double number;

    if (key.n == 0) return err_set(e, ERR_PARSE, "attribute: a name is missing, as in attribute=key=value");
    if (rest.n == 0) {
        filter_and(f, a, either_scope(a, PRED_EXISTS, key, value_str(STR("")), NULL));
        return OK;
    }
    size_t skip = rest.n > 1 && (rest.p[1] == '=' || (rest.p[0] == '=' && rest.p[1] == '~')) ? 2 : 1;
    struct str value = str_make(rest.p + skip, rest.n - skip);
    if (rest.p[0] == '=' && skip == 2 && rest.p[1] == '~') return filter_regex(f, a, key, value, e);
    if (rest.p[0] == '=' || (rest.p[0] == '!' && skip == 2)) {
        const struct predicate *p = where_attribute(a, key, value);
        filter_and(f, a, rest.p[0] == '=' ? p : predicate_not(a, p));
        return OK;
    }
    op = rest.p[0] == '<' ? (skip == 2 ? PRED_LE : PRED_LT) : (skip == 2 ? PRED_GE : PRED_GT);
    if (rest.p[0] == '!' || !float_parse(value, &number))
        return err_set(e, ERR_PARSE, "attribute: %.*s is no condition like key=value, key=~regex or key>=1",
                       (int)MIN(text.n, (size_t)100), text.p);
    filter_and(f, a, either_scope(a, op, key, value_double(number), NULL));
    return OK;
}

static int take_kind(struct http_exchange *x, struct span_filter *f, struct arena *a, struct err *e)
{
    struct str kind = http_param(x, "kind");
    for (unsigned k = 0; kind.n > 0 && k <= SPAN_CONSUMER; k++)
        if (str_is_nocase(kind, span_kind_name(k))) {
            filter_and(f, a, predicate_cmp(a, PRED_EQ, field_in(IN_KIND), value_int(k)));
            return OK;
        }
    return kind.n == 0 ? OK : err_set(e, ERR_PARSE, "kind: internal, server, client, producer or consumer");
}

int take_span_filter(struct http_exchange *x, struct span_filter *f, struct arena *a, struct err *e)
{
    struct str service = http_param(x, "service"), operation = http_param(x, "operation");
    struct str agent = http_param(x, "agent"), *attributes;
    size_t n = http_params(x, "attribute", &attributes);

    if (service.n > 0) filter_and(f, a, where_service(a, service));
    if (operation.n > 0) filter_and(f, a, predicate_cmp(a, PRED_EQ, field_in(IN_NAME), value_str(operation)));
    if (agent.n > 0) filter_and(f, a, where_agent(a, agent));
    int rc = take_kind(x, f, a, e);
    for (size_t i = 0; i < n && rc == OK; i++) rc = filter_attribute(f, a, attributes[i], e);
    return rc;
}

void span_filter_release(struct span_filter *f)
{
    for (size_t i = 0; i < f->n_re; i++) regex_free(f->re[i]);
}

/* ---- records ---- */

struct loading {
    struct record_list *list;
    struct trace_query *q;
    enum table table;
    size_t limit;
    const struct origin **origins; /* each once, however many records it has */
    size_t n_origins, cap_origins;
    struct map by_hash;
};

struct wanted_origin {
    const struct loading *in;
    const struct origin *origin;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_origin *w = ctx;
    const struct origin *a = w->in->origins[i], *b = w->origin;
    if (!hash128_eq(a->id, b->id) || !str_eq(a->scope_name, b->scope_name)) return false;
    if (!str_eq(a->scope_version, b->scope_version) || a->scope.n != b->scope.n) return false;
    for (size_t k = 0; k < a->scope.n; k++)
        if (!str_eq(a->scope.at[k].name, b->scope.at[k].name) ||
            !value_same(a->scope.at[k].value, b->scope.at[k].value))
            return false;
    return true;
}

static const struct origin *keep_origin(struct loading *l, const struct record *r)
{
    uint64_t hash = r->origin->id.lo ^ hash64(r->origin->scope_name.p, r->origin->scope_name.n);
    const uint64_t *known = map_find(&l->by_hash, hash, is_wanted, &(struct wanted_origin){ l, r->origin });
    if (known != NULL) return l->origins[*known];

    struct record copy, only = { .origin = r->origin };
    record_copy(&copy, &only, TABLE_SPANS, l->q->arena);
    l->origins = arena_grow(l->q->arena, l->origins, l->n_origins, &l->cap_origins, sizeof *l->origins);
    l->origins[l->n_origins] = copy.origin;
    map_add(&l->by_hash, hash, l->n_origins);
    return l->origins[l->n_origins++];
}

static void keep_record(struct loading *l, struct record *to, const struct record *from)
{
    static const struct origin none;
    struct record r = *from;
    r.origin = &none;
    record_copy(to, &r, l->table, l->q->arena);
    to->origin = keep_origin(l, from);
}

static int take_records(void *ctx, const struct record_rows *rows)
{
    struct loading *l = ctx;
    struct record_list *list = l->list;
    for (size_t i = 0; i < rows->n; i++) {
        if (l->limit > 0 && list->n == l->limit) {
            list->truncated = true;
            return OK;
        }
        list->at = arena_grow(l->q->arena, list->at, list->n, &list->cap, sizeof *list->at);
        keep_record(l, &list->at[list->n++], &rows->records[i]);
    }
    if (arena_over(l->q->arena))
        return err_set(&l->q->err, ERR_LIMIT, "the records need more memory than a query may take");
    return OK;
}

int records_load(struct trace_query *q, enum table table, int64_t from_ns, int64_t to_ns,
                 const struct predicate *where, enum record_order order, size_t limit,
                 struct record_list *list)
{
    struct record_scan scan = { .table = table,
                                .from_ns = from_ns,
                                .to_ns = to_ns,
                                .where = where,
                                .order = order,
                                .limit = limit > 0 ? limit + 1 : 0 };
    struct loading l = { .list = list, .q = q, .table = table, .limit = limit };
    *list = (struct record_list){ 0 };
    map_init(&l.by_hash, 16);
    int rc = view_records(q->view, &q->c.call, &scan, take_records, &l, &q->err);
    map_release(&l.by_hash);
    return rc;
}
