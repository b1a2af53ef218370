/* api_tempo_tags.c - which attributes there are, and what values they have: what an editor offers.
 *
 * Values are those of spans that match the unfinished query given as q, as far as it can be understood. */
#include <stdlib.h>

#include "base/check.h"
#include "tell/api_tempo_impl.h"

#define TAGS_MAX   10000
#define VALUES_MAX 1000 /* when no limit is given */

struct look {
    struct api_call c;
    struct store_view *view;
    struct traceql_query salvaged;
    size_t limit;
};

static int look_open(struct look *l, struct http_exchange *x, const struct prometheus_api *api, struct err *e)
{
    struct str q = http_param(x, "q");
    int64_t from_ns, to_ns;
    int rc;

    if ((rc = tempo_take_time(x, "start", 0, &from_ns, e)) < 0) return rc;
    if ((rc = tempo_take_time(x, "end", INT64_MAX, &to_ns, e)) < 0) return rc;
    if ((rc = take_limit(x, "limit", &l->limit, e)) < 0) return rc;
    if (to_ns < from_ns) return err_set(e, ERR_RANGE, "end is before start");
    traceql_salvage(q, &l->c.arena, &l->salvaged);
    return store_view_open(api->store, from_ns / 1000000, to_ns / 1000000, &l->view, e);
}

static void look_close(struct look *l)
{
    store_view_close(l->view);
    traceql_release(&l->salvaged);
    api_call_release(&l->c);
}

/* ---- names ---- */

static const struct {
    const char *name;
    enum field_scope field;
} scopes[] = { { "resource", FIELD_RESOURCE }, { "span", FIELD_ATTR }, { "instrumentation", FIELD_SCOPE } };

static const char *const intrinsics[] = {
    "duration",
    "kind",
    "name",
    "rootName",
    "rootServiceName",
    "status",
    "statusMessage",
    "traceDuration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "link:spanID",
    "link:traceID",
    "span:id",
    "span:parentID",
    "trace:id",
};

struct names {
    struct field_info *at;
    size_t n;
};

static void put_names(struct json_writer *w, const struct names *all, enum field_scope scope, size_t limit)
{
    size_t put = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (all->at[i].field.scope != scope || (limit > 0 && put++ >= limit)) continue;
        json_put_string(w, all->at[i].field.name);
    }
}

static void put_intrinsics(struct json_writer *w)
{
    for (size_t i = 0; i < COUNT(intrinsics); i++) json_put_string(w, str_of(intrinsics[i]));
}

static void begin_scope(struct json_writer *w, const char *name)
{
    json_begin_object(w);
    json_kv_cs(w, "name", name);
    json_put_key(w, STR("tags"));
    json_begin_array(w);
}

static void end_scope(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
}

static bool is_wanted(struct str scope, const char *name)
{
    return scope.n == 0 || str_is(scope, "none") || str_is(scope, name);
}

static void put_scopes(struct json_writer *w, const struct names *all, struct str scope, size_t limit)
{
    json_put_key(w, STR("scopes"));
    json_begin_array(w);
    for (size_t i = 0; i < COUNT(scopes); i++) {
        if (!is_wanted(scope, scopes[i].name)) continue;
        begin_scope(w, scopes[i].name);
        put_names(w, all, scopes[i].field, limit);
        end_scope(w);
    }
    if (is_wanted(scope, "intrinsic")) {
        begin_scope(w, "intrinsic");
        put_intrinsics(w);
        end_scope(w);
    }
    json_end_array(w);
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct field_info *)x)->field.name, ((const struct field_info *)y)->field.name);
}

/* The older form: one list, each name once. */
static void put_flat(struct json_writer *w, struct names *all, struct str scope, size_t limit)
{
    size_t put = 0;
    struct str before = { NULL, 0 };

    if (all->n > 1) qsort(all->at, all->n, sizeof *all->at, by_name);
    json_put_key(w, STR("tagNames"));
    json_begin_array(w);
    if (str_is(scope, "intrinsic")) put_intrinsics(w);
    for (size_t i = 0; i < all->n && !str_is(scope, "intrinsic"); i++) {
        struct str name = all->at[i].field.name;
        bool wanted = false;
        for (size_t s = 0; s < COUNT(scopes); s++)
            wanted |= scopes[s].field == all->at[i].field.scope && is_wanted(scope, scopes[s].name);
        if (!wanted || (put > 0 && str_eq(name, before)) || (limit > 0 && put >= limit)) continue;
        json_put_string(w, name);
        before = name;
        put++;
    }
    json_end_array(w);
}

static void run_names(struct http_exchange *x, const struct prometheus_api *api, bool is_v2)
{
    struct look l = { 0 };
    struct names all;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct err e = ERR_INIT;

    api_call_init(&l.c, x, api);
    if (look_open(&l, x, api, &e) < 0 ||
        view_fields(l.view, &l.c.call, TABLE_SPANS, TAGS_MAX, &all.at, &all.n, &e) < 0) {
        tempo_error(x, &e);
    } else {
        json_writer_init(&w, &out);
        json_begin_object(&w);
        if (is_v2)
            put_scopes(&w, &all, http_param(x, "scope"), l.limit);
        else
            put_flat(&w, &all, http_param(x, "scope"), l.limit);
        json_end_object(&w);
        tempo_answer_json(x, &out);
    }
    look_close(&l);
}

static void run_tags(struct http_exchange *x, const struct prometheus_api *api)
{
    run_names(x, api, false);
}

static void run_tags_v2(struct http_exchange *x, const struct prometheus_api *api)
{
    run_names(x, api, true);
}

void tempo_handle_tags(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_tags);
}

void tempo_handle_tags_v2(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_tags_v2);
}

/* ---- values ---- */

static const char *const statuses[] = { "unset", "ok", "error" };
static const char *const kinds[] = { "unspecified", "internal", "server", "client", "producer", "consumer" };

struct values {
    struct value_count *at;
    size_t n, cap;
};

static int add_values(struct look *l, struct values *v, struct field f, const struct predicate *where,
                      struct err *e)
{
    struct value_count *found;
    size_t n, limit = l->limit > 0 ? l->limit : VALUES_MAX;
    int rc = view_field_values(l->view, &l->c.call, TABLE_SPANS, f, where, limit, &found, &n, e);

    for (size_t i = 0; i < n && rc == OK; i++) {
        bool known = false;
        for (size_t k = 0; k < v->n && !known; k++) known = value_same(v->at[k].value, found[i].value);
        if (known || v->n >= limit) continue;
        v->at = arena_grow(&l->c.arena, v->at, v->n, &v->cap, sizeof *v->at);
        v->at[v->n++] = found[i];
    }
    return rc;
}

static int find_intrinsic(struct look *l, enum span_intrinsic which, const struct predicate *where,
                          struct values *v, struct err *e)
{
    struct arena *a = &l->c.arena;
    const struct predicate *roots = predicate_not(a, predicate_exists(a, field_in(IN_PARENT_ID)));

    switch (which) {
    case SPAN_NAME: return add_values(l, v, field_in(IN_NAME), where, e);
    case SPAN_STATUS_MESSAGE: return add_values(l, v, field_in(IN_STATUS_MESSAGE), where, e);
    case INSTRUMENTATION_NAME: return add_values(l, v, field_in(IN_SCOPE_NAME), where, e);
    case INSTRUMENTATION_VERSION: return add_values(l, v, field_in(IN_SCOPE_VERSION), where, e);
    case TRACE_ROOT_NAME: return add_values(l, v, field_in(IN_NAME), predicate_and(a, where, roots), e);
    case TRACE_ROOT_SERVICE:
        return add_values(l, v, field_attr(FIELD_RESOURCE, STR("service.name")),
                          predicate_and(a, where, roots), e);
    default: return OK; /* ids and durations: too many to offer */
    }
}

static int find_values(struct look *l, const struct attr_ref *a, struct values *v, struct err *e)
{
    const struct spanset_expr *set = l->salvaged.pipeline.first->spanset;
    const struct predicate *where = plan_filter(&l->c.arena, &l->salvaged, set->filter);
    int rc = OK;

    if (a->scope == SCOPE_INTRINSIC) return find_intrinsic(l, a->intrinsic, where, v, e);
    if (a->scope == SCOPE_ANY || a->scope == SCOPE_SPAN)
        rc = add_values(l, v, field_attr(FIELD_ATTR, a->name), where, e);
    if (rc == OK && (a->scope == SCOPE_ANY || a->scope == SCOPE_RESOURCE))
        rc = add_values(l, v, field_attr(FIELD_RESOURCE, a->name), where, e);
    if (rc == OK && (a->scope == SCOPE_ANY || a->scope == SCOPE_INSTRUMENTATION))
        rc = add_values(l, v, field_attr(FIELD_SCOPE, a->name), where, e);
    return rc;
}

static const char *type_of(enum value_type t)
{
    switch (t) {
    case VALUE_INT: return "int";
    case VALUE_DOUBLE: return "float";
    case VALUE_BOOL: return "bool";
    default: return "string";
    }
}

static void put_value(struct json_writer *w, const char *type, struct str text, bool is_v2)
{
    if (!is_v2) {
        json_put_string(w, text);
        return;
    }
    json_begin_object(w);
    json_kv_cs(w, "type", type);
    json_kv_string(w, "value", text);
    json_end_object(w);
}

static void put_values(struct json_writer *w, const struct attr_ref *a, const struct values *v, bool is_v2)
{
    bool is_status = a->scope == SCOPE_INTRINSIC && a->intrinsic == SPAN_STATUS;
    bool is_kind = a->scope == SCOPE_INTRINSIC && a->intrinsic == SPAN_KIND;

    json_put_key(w, STR("tagValues"));
    json_begin_array(w);
    for (size_t i = 0; is_status && i < COUNT(statuses); i++)
        put_value(w, "keyword", str_of(statuses[i]), is_v2);
    for (size_t i = 0; is_kind && i < COUNT(kinds); i++) put_value(w, "keyword", str_of(kinds[i]), is_v2);
    for (size_t i = 0; i < v->n; i++) {
        struct buf text = BUF_INIT((size_t)16 << 20);
        value_print(&text, v->at[i].value);
        put_value(w, type_of(v->at[i].value.type), buf_view(&text), is_v2);
        buf_release(&text);
    }
    json_end_array(w);
}

/* Some clients percent-encode the tag twice. */
static struct str decode_again(struct str s, struct arena *a)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char hex[3] = { i + 2 < s.n ? s.p[i + 1] : '\0', i + 2 < s.n ? s.p[i + 2] : '\0', '\0' };
        char *end = hex;
        long c = s.p[i] == '%' && i + 2 < s.n ? strtol(hex, &end, 16) : 0;
        bool is_escape = end == hex + 2 && hex[0] != '-' && hex[0] != '+' && hex[0] != ' ';
        out[n++] = is_escape ? (char)c : s.p[i];
        i += is_escape ? 2 : 0;
    }
    return (struct str){ out, n };
}

/* span.http.method, .http.method, name; and of the older form http.method. */
static int read_tag(struct http_exchange *x, bool is_v2, struct arena *a, struct attr_ref *out, struct err *e)
{
    struct str tag = http_path_param(x, "tag");
    if (memchr(tag.p, '%', tag.n) != NULL) tag = decode_again(tag, a);
    if (traceql_parse_attr(tag, a, out, e) == OK) return OK;
    if (is_v2 || tag.n == 0)
        return err_set(e, ERR_PARSE, "this is no attribute: a scope is missing, as in span.name");
    *out = (struct attr_ref){ .scope = SCOPE_ANY, .name = tag };
    return OK;
}

static void run_values(struct http_exchange *x, const struct prometheus_api *api, bool is_v2)
{
    struct look l = { 0 };
    struct values v = { 0 };
    struct attr_ref tag;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct err e = ERR_INIT;

    api_call_init(&l.c, x, api);
    if (read_tag(x, is_v2, &l.c.arena, &tag, &e) < 0 || look_open(&l, x, api, &e) < 0 ||
        find_values(&l, &tag, &v, &e) < 0) {
        tempo_error(x, &e);
    } else {
        json_writer_init(&w, &out);
        json_begin_object(&w);
        put_values(&w, &tag, &v, is_v2);
        json_end_object(&w);
        tempo_answer_json(x, &out);
    }
    look_close(&l);
}

static void run_values_v1(struct http_exchange *x, const struct prometheus_api *api)
{
    run_values(x, api, false);
}

static void run_values_v2(struct http_exchange *x, const struct prometheus_api *api)
{
    run_values(x, api, true);
}

void tempo_handle_values(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_values_v1);
}

void tempo_handle_values_v2(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_values_v2);
}
