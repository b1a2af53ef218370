/* api_tempo_search.c - /api/search: TraceQL, or the older tags and durations, which are turned into it. */
#include "base/check.h"
#include "base/float.h"
#include "tell/api_tempo_impl.h"

#define LIMIT_MAX 10000

/* ---- tags=service.name=a error=true ---- */

static void put_tag(struct buf *q, struct str key, struct str value)
{
    double number;
    if (str_is(key, "error") && str_is(value, "true")) {
        buf_cs(q, "status = error");
        return;
    }
    if (str_is(key, "name")) {
        buf_cs(q, "name = ");
        json_escape(q, value);
        return;
    }
    buf_cs(q, "(.");
    json_escape(q, key);
    buf_cs(q, " = ");
    json_escape(q, value);
    if (float_parse(value, &number) || str_is(value, "true") || str_is(value, "false")) {
        buf_cs(q, " || .");
        json_escape(q, key);
        buf_printf(q, " = %.*s", STR_ARG(value));
    }
    buf_char(q, ')');
}

static struct str next_word(struct str *rest)
{
    size_t n = 0;
    bool quoted = false;
    *rest = str_trim(*rest);
    while (n < rest->n && (quoted || rest->p[n] != ' ')) quoted ^= rest->p[n++] == '"';
    struct str word = { rest->p, n };
    *rest = (struct str){ rest->p + n, rest->n - n };
    return word;
}

static void tags_to_query(struct str tags, struct buf *q)
{
    bool is_first = true;
    buf_cs(q, "{ ");
    for (struct str word = next_word(&tags), value; word.n > 0; word = next_word(&tags)) {
        struct str key = str_cut(word, '=', &value);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct str){ value.p + 1, value.n - 2 };
        if (!is_first) buf_cs(q, " && ");
        put_tag(q, key, value);
        is_first = false;
    }
    buf_cs(q, " }");
}

static struct str query_text(struct http_exchange *x)
{
    struct str q = http_param(x, "q");
    if (str_trim(q).n > 0) return q;
    struct buf b = BUF_INIT(TRACEQL_TEXT_MAX);
    tags_to_query(http_param(x, "tags"), &b);
    q = arena_str(http_arena(x), buf_view(&b));
    buf_release(&b);
    return q;
}

/* ---- parameters ---- */

static int take_count(struct http_exchange *x, const char *name, size_t fallback, size_t *out, struct err *e)
{
    struct str text = http_param(x, name);
    int64_t n = (int64_t)fallback;
    if (text.n > 0 && (!str_to_i64(text, &n) || n < 0))
        return err_set(e, ERR_PARSE, "invalid %s: a number is expected", name);
    if (n > LIMIT_MAX) return err_set(e, ERR_RANGE, "%s is above %d", name, LIMIT_MAX);
    *out = n == 0 ? fallback : (size_t)n;
    return OK;
}

static int take_duration_ns(struct http_exchange *x, const char *name, int64_t *ns, struct err *e)
{
    struct str text = http_param(x, name);
    if (text.n == 0 || tempo_read_duration(text, ns)) return OK;
    return err_set(e, ERR_PARSE, "invalid %s: a duration like 100ms is expected", name);
}

static int take_ask(struct http_exchange *x, struct search_ask *a, struct err *e)
{
    int rc;
    *a = (struct search_ask){ 0 };
    if ((rc = tempo_take_time(x, "start", 0, &a->from_ns, e)) < 0) return rc;
    if ((rc = tempo_take_time(x, "end", INT64_MAX, &a->to_ns, e)) < 0) return rc;
    if (a->to_ns < a->from_ns) return err_set(e, ERR_RANGE, "end is before start");
    if ((rc = take_count(x, "limit", 20, &a->limit, e)) < 0) return rc;
    if ((rc = take_count(x, "spss", 3, &a->spans_per_set, e)) < 0) return rc;
    if ((rc = take_duration_ns(x, "minDuration", &a->min_ns, e)) < 0) return rc;
    return take_duration_ns(x, "maxDuration", &a->max_ns, e);
}

/* ---- the answer ---- */

static void put_attrs(struct json_writer *w, const struct traceql_attr *at, size_t n)
{
    json_put_key(w, STR("attributes"));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) tempo_put_key_value(w, at[i].name, at[i].value);
    json_end_array(w);
}

static void put_span(struct json_writer *w, const struct found_span *s)
{
    json_begin_object(w);
    tempo_put_hex(w, "spanID", s->id, 8);
    json_kv_string(w, "name", s->name);
    tempo_put_int_text(w, "startTimeUnixNano", s->start_ns);
    tempo_put_int_text(w, "durationNanos", MAX(s->duration_ns, 0));
    put_attrs(w, s->attrs, s->n_attrs);
    json_end_object(w);
}

static void put_set(struct json_writer *w, const struct found_set *s)
{
    json_begin_object(w);
    json_put_key(w, STR("spans"));
    json_begin_array(w);
    for (size_t i = 0; i < s->n; i++) put_span(w, &s->spans[i]);
    json_end_array(w);
    json_put_key(w, STR("matched"));
    json_put_u64(w, s->matched);
    if (s->n_attrs > 0) put_attrs(w, s->attrs, s->n_attrs);
    json_end_object(w);
}

static void put_services(struct json_writer *w, const struct found_trace *t)
{
    json_put_key(w, STR("serviceStats"));
    json_begin_object(w);
    for (size_t i = 0; i < t->n_services; i++) {
        json_put_key(w, t->services[i].service);
        json_begin_object(w);
        json_kv_i64(w, "spanCount", t->services[i].spans);
        if (t->services[i].errors > 0) json_kv_i64(w, "errorCount", t->services[i].errors);
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_trace(struct json_writer *w, const struct found_trace *t)
{
    json_begin_object(w);
    tempo_put_hex(w, "traceID", t->id, 16);
    json_kv_string(w, "rootServiceName", t->root_service);
    json_kv_string(w, "rootTraceName", t->root_name);
    tempo_put_int_text(w, "startTimeUnixNano", t->start_ns);
    json_kv_i64(w, "durationMs", t->duration_ns / 1000000);
    if (t->n_sets > 0) {
        json_put_key(w, STR("spanSet")); /* what clients before spanSets read */
        put_set(w, &t->sets[0]);
    }
    json_put_key(w, STR("spanSets"));
    json_begin_array(w);
    for (size_t i = 0; i < t->n_sets; i++) put_set(w, &t->sets[i]);
    json_end_array(w);
    put_services(w, t);
    json_end_object(w);
}

static void answer(struct http_exchange *x, const struct search_found *f)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("traces"));
    json_begin_array(&w);
    for (size_t i = 0; i < f->n; i++) put_trace(&w, &f->at[i]);
    json_end_array(&w);
    json_put_key(&w, STR("metrics"));
    json_begin_object(&w);
    json_kv_i64(&w, "inspectedTraces", (int64_t)f->stats.traces);
    tempo_put_int_text(&w, "inspectedSpans", (int64_t)f->stats.spans);
    json_kv_i64(&w, "completedJobs", 1);
    json_kv_i64(&w, "totalJobs", 1);
    json_end_object(&w);
    json_end_object(&w);
    tempo_answer_json(x, &out);
}

static int search(const struct prometheus_api *api, struct call *call, const struct search_ask *ask,
                  struct search_found *f, struct err *e)
{
    struct store_view *view = NULL;
    int64_t from_ms, to_ms;

    run_view_times(ask->from_ns, ask->to_ns, &from_ms, &to_ms);
    int rc = store_view_open(api->store, from_ms, to_ms, &view, e);
    if (rc == OK) rc = traceql_search(view, call, ask, f, e);
    store_view_close(view);
    return rc;
}

static void run_search(struct http_exchange *x, const struct prometheus_api *api)
{
    struct api_call c;
    struct search_ask ask;
    struct search_found found;
    struct traceql_query q = { 0 };
    struct err e = ERR_INIT;

    api_call_init(&c, x, api);
    if (take_ask(x, &ask, &e) < 0 || traceql_parse(query_text(x), &c.arena, &q, &e) < 0 ||
        (ask.query = &q, search(api, &c.call, &ask, &found, &e)) < 0)
        tempo_error(x, &e);
    else
        answer(x, &found);
    traceql_release(&q);
    api_call_release(&c);
}

void tempo_handle_search(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_search);
}
