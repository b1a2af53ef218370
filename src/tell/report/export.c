/* export.c - see export.h. Counts and money are the exact growth of counters by the hour; the rest are means
 * and quantiles that PromQL gives for each hour. */
#include "tell/report/export.h"

#include <gnutls/crypto.h>
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "judge/budget_counter.h"
#include "model/price.h"
#include "tell/prom_json.h"

#define HOUR 3600000

bool export_format_read(struct str s, enum export_format *f)
{
    *f = str_is(s, "json") ? EXPORT_JSON : EXPORT_CSV;
    return s.n == 0 || str_is(s, "json") || str_is(s, "csv");
}

void export_sha256(struct str s, char out[65])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[32];
    check(gnutls_hash_fast(GNUTLS_DIG_SHA256, s.n > 0 ? s.p : "", s.n, digest) == 0);
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[64] = 0;
}

/* ---- hours by backend ---- */

enum how { COUNTED, MONEY, ASKED };
static const struct column {
    const char *name;
    enum how how;
    const char *text; /* the counter, or PromQL with $f for filters */
} columns[] = {
    { "requests", COUNTED, "load_balancer_requests_total" },
    { "errors", COUNTED, "load_balancer_errors_total" },
    { "total_cost_usd", MONEY, "load_balancer_total_cost_usd" },
    { "response_time_p50_ms", ASKED,
      "1000 * histogram_quantile(0.5, sum by (backend_id, le) "
      "(increase(load_balancer_request_duration_seconds_bucket{$f}[1h])))" },
    { "response_time_p95_ms", ASKED,
      "1000 * histogram_quantile(0.95, sum by (backend_id, le) "
      "(increase(load_balancer_request_duration_seconds_bucket{$f}[1h])))" },
    { "response_time_p99_ms", ASKED,
      "1000 * histogram_quantile(0.99, sum by (backend_id, le) "
      "(increase(load_balancer_request_duration_seconds_bucket{$f}[1h])))" },
    { "error_rate_percent", ASKED,
      "avg by (backend_id) (avg_over_time(load_balancer_error_rate_percent{$f}[1h]))" },
    { "quality_score", ASKED, "avg by (backend_id) (avg_over_time(load_balancer_quality_score{$f}[1h]))" },
    { "accuracy_score", ASKED, "avg by (backend_id) (avg_over_time(load_balancer_accuracy_score{$f}[1h]))" },
    { "user_satisfaction_score", ASKED,
      "avg by (backend_id) (avg_over_time(load_balancer_user_satisfaction_score{$f}[1h]))" },
    { "availability_percent", ASKED,
      "avg by (backend_id) (avg_over_time(load_balancer_backend_availability_percent{$f}[1h]))" },
    { "sla_compliance_percent", ASKED,
      "avg by (backend_id) (avg_over_time(load_balancer_sla_compliance_percent{$f}[1h]))" },
    { "utilization_percent", ASKED,
      "avg by (backend_id) (avg_over_time(load_balancer_backend_utilization_percent{$f}[1h]))" },
};

struct hour_row {
    int64_t hour_ms;
    struct str backend;
    bool known[COUNT(columns)];
    union {
        double d;
        int64_t i;
    } at[COUNT(columns)];
};

struct maker {
    struct engine *engine;
    struct store *store;
    struct call *call;
    const struct export_ask *ask;
    struct err *err;
    struct hour_row *rows;
    size_t n, cap;
    struct map by_key;
    struct buf *out;
    uint64_t written;
};

struct wanted {
    const struct maker *m;
    int64_t hour_ms;
    struct str backend;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted *w = ctx;
    return w->m->rows[i].hour_ms == w->hour_ms && str_eq(w->m->rows[i].backend, w->backend);
}

/* is_new: make it if it is not there. NULL: it is not, or there are too many. */
static struct hour_row *row_of(struct maker *m, int64_t hour_ms, struct str backend, bool is_new)
{
    uint64_t hash = hash64(backend.p, backend.n) ^ ((uint64_t)hour_ms * UINT64_C(0x9e3779b97f4a7c15));
    const uint64_t *known = map_find(&m->by_key, hash, is_wanted, &(struct wanted){ m, hour_ms, backend });
    if (known != NULL) return &m->rows[*known];
    if (!is_new || m->n == EXPORT_ROWS_MAX) return NULL;
    m->rows = arena_grow(m->call->arena, m->rows, m->n, &m->cap, sizeof *m->rows);
    m->rows[m->n] = (struct hour_row){ .hour_ms = hour_ms, .backend = arena_str(m->call->arena, backend) };
    map_add(&m->by_key, hash, m->n);
    return &m->rows[m->n++];
}

static int too_many(struct maker *m)
{
    return err_set(m->err, ERR_LIMIT, "more than %d rows: ask for a shorter time, or for one backend_id",
                   EXPORT_ROWS_MAX);
}

static int count_hour(struct maker *m, size_t c, int64_t hour_ms)
{
    struct counter_growth g;
    struct counter_ask ask = { .name = columns[c].text,
                               .by = "backend_id",
                               .from_ms = hour_ms,
                               .to_ms = hour_ms + HOUR,
                               .scale = columns[c].how == MONEY ? (double)NANO_USD : 1 };
    if (m->ask->backend.n > 0)
        ask.match[ask.n_match++] = (struct label){ STR("backend_id"), m->ask->backend };
    int rc = counter_growth(m->store, m->call, &ask, &g, m->err);
    for (size_t i = 0; i < g.n && rc == OK; i++) {
        struct hour_row *row = row_of(m, hour_ms, g.at[i].value, g.at[i].grew > 0);
        if (row == NULL && g.at[i].grew > 0) return too_many(m);
        if (row == NULL) continue;
        row->known[c] = true;
        row->at[c].i = g.at[i].grew;
    }
    return rc;
}

static struct str with_filter(struct maker *m, const char *text)
{
    struct buf out = BUF_INIT(65536);
    const char *at = strstr(text, "$f");
    check(at != NULL);
    buf_add(&out, text, (size_t)(at - text));
    if (m->ask->backend.n > 0) {
        buf_cs(&out, "backend_id=");
        json_escape(&out, m->ask->backend);
    }
    buf_cs(&out, at + 2);
    struct str s = arena_str(m->call->arena, buf_view(&out));
    buf_release(&out);
    return s;
}

/* At the end of each hour, for that hour. */
static int ask_hours(struct maker *m, size_t c, int64_t first_ms, int64_t last_ms)
{
    struct query_result got;
    struct query_conf conf = { .text = with_filter(m, columns[c].text),
                               .start_ms = first_ms + HOUR,
                               .end_ms = last_ms + HOUR,
                               .step_ms = HOUR,
                               .cancelled = m->ask->cancelled };
    int rc = engine_query(m->engine, &conf, &got, m->err);
    if (rc < 0) return rc;
    for (size_t s = 0; s < got.n; s++) {
        struct str backend = labels_get(got.series[s].labels, "backend_id");
        for (size_t i = 0; i < got.series[s].n; i++) {
            double v = got.series[s].points[i].value;
            struct hour_row *row =
                isnan(v) ? NULL : row_of(m, got.series[s].points[i].time_ms - HOUR, backend, true);
            if (row == NULL) continue;
            row->known[c] = true;
            row->at[c].d = v;
        }
    }
    query_result_release(&got);
    return rc;
}

static int by_hour(const void *x, const void *y)
{
    const struct hour_row *a = x, *b = y;
    return a->hour_ms != b->hour_ms ? (a->hour_ms < b->hour_ms ? -1 : 1) : str_cmp(a->backend, b->backend);
}

static int read_hours(struct maker *m)
{
    int64_t first = (m->ask->from_ms + HOUR - 1) / HOUR * HOUR, last = (m->ask->to_ms - 1) / HOUR * HOUR;
    int rc = OK;
    if (first > last) return OK;
    for (size_t c = 0; c < COUNT(columns) && rc == OK; c++) {
        if (columns[c].how == ASKED) rc = ask_hours(m, c, first, last);
        for (int64_t h = first; columns[c].how != ASKED && h <= last && rc == OK; h += HOUR) {
            rc = call_check(m->call, m->err);
            if (rc == OK) rc = count_hour(m, c, h);
        }
    }
    if (m->n > 1) qsort(m->rows, m->n, sizeof *m->rows, by_hour);
    return rc;
}

/* ---- cells ---- */

static void put_time(struct json_writer *w, int64_t ms)
{
    struct buf text = BUF_INIT(128);
    prom_put_rfc3339(&text, ms);
    json_put_raw(w, buf_view(&text));
    buf_release(&text);
}

static void put_csv_time(struct buf *out, int64_t ms)
{
    struct buf text = BUF_INIT(128);
    prom_put_rfc3339(&text, ms);
    buf_add(out, text.p + 1, text.n - 2); /* without the quotes */
    buf_release(&text);
}

/* A text that spreadsheets would take for a formula is quoted with an apostrophe, as they do themselves. */
static void put_csv(struct buf *out, struct str s)
{
    bool formula = s.n > 0 && memchr("=+-@\t\r", s.p[0], 6) != NULL;
    bool quoted = formula;
    for (size_t i = 0; i < s.n; i++) quoted = quoted || memchr(",\"\r\n", s.p[i], 4) != NULL;
    if (!quoted) {
        buf_str(out, s);
        return;
    }
    buf_char(out, '"');
    if (formula) buf_char(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') buf_char(out, '"');
        buf_char(out, s.p[i]);
    }
    buf_char(out, '"');
}

static void put_number(struct buf *out, double v)
{
    char text[FLOAT_TEXT_MAX];
    buf_add(out, text, float_text(v, text));
}

static void put_cell(struct buf *out, const struct hour_row *row, size_t c, const char *none)
{
    char text[MONEY_TEXT_MAX];
    if (!row->known[c] || (columns[c].how == ASKED && !isfinite(row->at[c].d)))
        buf_cs(out, none);
    else if (columns[c].how == COUNTED)
        buf_i64(out, row->at[c].i);
    else if (columns[c].how == MONEY)
        buf_add(out, text, money_text(row->at[c].i, text));
    else
        put_number(out, row->at[c].d);
}

static void hour_csv(struct maker *m, const struct hour_row *row)
{
    put_csv_time(m->out, row->hour_ms);
    buf_char(m->out, ',');
    put_csv(m->out, row->backend);
    for (size_t c = 0; c < COUNT(columns); c++) {
        buf_char(m->out, ',');
        put_cell(m->out, row, c, "");
    }
    buf_char(m->out, '\n');
}

static void hour_json(struct maker *m, const struct hour_row *row)
{
    buf_cs(m->out, m->written > 0 ? ",\n{\"hour\":" : "\n{\"hour\":");
    prom_put_rfc3339(m->out, row->hour_ms);
    buf_cs(m->out, ",\"backend_id\":");
    json_escape(m->out, row->backend);
    for (size_t c = 0; c < COUNT(columns); c++) {
        buf_printf(m->out, ",\"%s\":", columns[c].name);
        put_cell(m->out, row, c, "null");
    }
    buf_char(m->out, '}');
}

static int write_hours(struct maker *m)
{
    map_init(&m->by_key, 256);
    int rc = read_hours(m);
    map_release(&m->by_key);
    if (rc < 0) return rc;
    if (m->ask->format == EXPORT_CSV) {
        buf_cs(m->out, "hour,backend_id");
        for (size_t c = 0; c < COUNT(columns); c++) buf_printf(m->out, ",%s", columns[c].name);
        buf_char(m->out, '\n');
    }
    for (size_t i = 0; i < m->n; i++, m->written++)
        if (m->ask->format == EXPORT_CSV)
            hour_csv(m, &m->rows[i]);
        else
            hour_json(m, &m->rows[i]);
    return OK;
}

/* ---- a query ---- */

static void point_csv(struct maker *m, const struct result_series *s, const struct result_point *p)
{
    struct buf labels = BUF_INIT((size_t)1 << 20);
    put_csv_time(m->out, p->time_ms);
    buf_char(m->out, ',');
    labels_print(&labels, s->labels);
    put_csv(m->out, buf_view(&labels));
    buf_char(m->out, ',');
    put_number(m->out, p->value);
    buf_char(m->out, '\n');
    buf_release(&labels);
}

static void point_json(struct maker *m, const struct result_series *s, const struct result_point *p)
{
    struct json_writer w;
    buf_cs(m->out, m->written > 0 ? ",\n" : "\n");
    json_writer_init(&w, m->out);
    json_begin_object(&w);
    json_put_key(&w, STR("time"));
    put_time(&w, p->time_ms);
    json_put_key(&w, STR("labels"));
    json_begin_object(&w);
    for (size_t i = 0; i < s->labels.n; i++) {
        json_put_key(&w, s->labels.at[i].name);
        json_put_string(&w, s->labels.at[i].value);
    }
    json_end_object(&w);
    json_kv_double(&w, "value", p->value);
    json_end_object(&w);
}

static int write_points(struct maker *m, const struct query_result *got)
{
    if (m->ask->format == EXPORT_CSV) buf_cs(m->out, "time,series,value\n");
    for (size_t s = 0; s < got->n; s++)
        for (size_t i = 0; i < got->series[s].n; i++) {
            if (got->series[s].points[i].hist != NULL) continue;
            if (m->written == EXPORT_ROWS_MAX) return too_many(m);
            if (m->ask->format == EXPORT_CSV)
                point_csv(m, &got->series[s], &got->series[s].points[i]);
            else
                point_json(m, &got->series[s], &got->series[s].points[i]);
            m->written++;
        }
    return OK;
}

static int write_query(struct maker *m)
{
    struct query_result got;
    int64_t step = m->ask->step_ms > 0 ? m->ask->step_ms : HOUR;
    struct query_conf conf = { .text = m->ask->query,
                               .start_ms = m->ask->from_ms,
                               .end_ms = m->ask->to_ms - 1,
                               .step_ms = step,
                               .cancelled = m->ask->cancelled };
    if ((m->ask->to_ms - m->ask->from_ms) / step > EXPORT_ROWS_MAX) return too_many(m);
    int rc = engine_query(m->engine, &conf, &got, m->err);
    if (rc < 0) return rc;
    rc = write_points(m, &got);
    query_result_release(&got);
    return rc;
}

/* ---- the whole ---- */

static void put_line(struct buf *out, const char *key, struct str value)
{
    buf_printf(out, "# %s: ", key);
    for (size_t i = 0; i < value.n; i++)
        buf_char(out, value.p[i] == '\n' || value.p[i] == '\r' ? ' ' : value.p[i]);
    buf_char(out, '\n');
}

static struct str what(const struct export_ask *ask)
{
    return ask->query.n > 0 ? ask->query : STR("hours by backend");
}

static void wrap_csv(const struct export_ask *ask, const struct export_made *made, struct str rows,
                     struct buf *out)
{
    put_line(out, "source", STR("vedette"));
    put_line(out, "version", str_of(ask->version));
    put_line(out, "query", what(ask));
    if (ask->backend.n > 0) put_line(out, "backend_id", ask->backend);
    buf_cs(out, "# range: ");
    put_csv_time(out, ask->from_ms);
    buf_char(out, ' ');
    put_csv_time(out, ask->to_ms);
    buf_char(out, '\n');
    buf_printf(out, "# rows: %llu\n", (unsigned long long)made->rows);
    put_line(out, "sha256", str_of(made->sha256));
    buf_str(out, rows);
}

static void wrap_json(const struct export_ask *ask, const struct export_made *made, struct str rows,
                      struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_put_key(&w, STR("lineage"));
    json_begin_object(&w);
    json_kv_cs(&w, "source", "vedette");
    json_kv_cs(&w, "version", ask->version);
    json_kv_string(&w, "query", what(ask));
    if (ask->backend.n > 0) json_kv_string(&w, "backend_id", ask->backend);
    json_put_key(&w, STR("range"));
    json_begin_array(&w);
    put_time(&w, ask->from_ms);
    put_time(&w, ask->to_ms);
    json_end_array(&w);
    json_kv_i64(&w, "rows", (int64_t)made->rows);
    json_kv_cs(&w, "sha256", made->sha256);
    json_end_object(&w);
    json_put_key(&w, STR("rows"));
    json_put_raw(&w, rows);
    json_end_object(&w);
    buf_char(out, '\n');
}

int export_write(struct engine *engine, struct store *store, struct call *call, const struct export_ask *ask,
                 struct buf *out, struct export_made *made, struct err *e)
{
    struct buf rows = BUF_INIT(out->max);
    struct maker m = { .engine = engine, .store = store, .call = call, .ask = ask, .err = e, .out = &rows };
    if (ask->format == EXPORT_JSON) buf_char(&rows, '[');
    int rc = ask->query.n > 0 ? write_query(&m) : write_hours(&m);
    if (ask->format == EXPORT_JSON) buf_cs(&rows, "\n]");
    if (rc == OK && rows.full)
        rc = err_set(e, ERR_LIMIT, "the export is larger than an answer may be: ask for a shorter time");
    if (rc == OK) {
        made->rows = m.written;
        export_sha256(buf_view(&rows), made->sha256);
        if (ask->format == EXPORT_CSV)
            wrap_csv(ask, made, buf_view(&rows), out);
        else
            wrap_json(ask, made, buf_view(&rows), out);
    }
    buf_release(&rows);
    return rc;
}
