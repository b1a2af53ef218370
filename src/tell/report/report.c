/* report.c - see report.h. */
#include "tell/report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/duration.h"
#include "judge/budget_counter.h"
#include "tell/missing.h"
#include "tell/prom_json.h"

/* ---- the window ---- */

static int take_hours(struct http_exchange *x, int64_t fallback_ms, int64_t *ms, struct err *e)
{
    struct str hours = http_param(x, "hours"), window = http_param(x, "window");
    *ms = fallback_ms;
    if (hours.n > 0) {
        char text[32], *end;
        snprintf(text, sizeof text, "%.*s", (int)MIN(hours.n, sizeof text - 1), hours.p);
        double h = strtod(text, &end);
        if (*end != 0 || !(h > 0 && h <= (double)REPORT_WINDOW_MAX_MS / HOUR_MS))
            return err_set(e, ERR_PARSE, "hours must be a number above 0 and at most %d",
                           (int)(REPORT_WINDOW_MAX_MS / HOUR_MS));
        *ms = (int64_t)llround(h * (double)HOUR_MS);
    } else if (window.n > 0 && (!param_duration(window, ms) || *ms <= 0 || *ms > REPORT_WINDOW_MAX_MS)) {
        return err_set(e, ERR_PARSE, "window must be a duration such as 24h, at most 400d");
    }
    return OK;
}

static int take_report_window(struct report *r, int64_t fallback_ms)
{
    int64_t ms;
    int rc = take_hours(r->x, fallback_ms, &ms, &r->err);
    if (rc == OK) rc = take_time(r->x, "end", clock_now_ms(), &r->to_ms, &r->err);
    if (rc == OK) rc = take_time(r->x, "start", r->to_ms - ms, &r->from_ms, &r->err);
    if (rc < 0) return rc;
    r->to_ms = MIN(r->to_ms, INT64_MAX / 1000000); /* what records can say of time */
    r->from_ms = MAX(r->from_ms, 0);
    if (r->from_ms >= r->to_ms) return err_set(&r->err, ERR_PARSE, "end must be after start");
    if (r->to_ms - r->from_ms > REPORT_WINDOW_MAX_MS)
        return err_set(&r->err, ERR_PARSE, "at most 400 days can be reported about at once");
    return OK;
}

static void take_filters(struct report *r, const char *names)
{
    for (struct str rest = str_of(names), name; rest.n > 0;) {
        name = str_cut(rest, ' ', &rest);
        const char *text = arena_str(r->arena, name).p;
        struct str value = http_param(r->x, text);
        if (value.n > 0 && r->n_filter < REPORT_FILTERS_MAX)
            r->filter[r->n_filter++] = (struct label){ str_of(text), value };
    }
}

struct str report_filter(const struct report *r, const char *name)
{
    for (size_t i = 0; i < r->n_filter; i++)
        if (str_is(r->filter[i].name, name)) return r->filter[i].value;
    return STR("");
}

static void begin(struct report *r)
{
    json_writer_init(&r->w, &r->out);
    json_begin_object(&r->w);
    json_put_key(&r->w, STR("window"));
    json_begin_object(&r->w);
    json_put_key(&r->w, STR("start"));
    struct buf text = BUF_INIT(128);
    prom_put_rfc3339(&text, r->from_ms);
    json_put_raw(&r->w, buf_view(&text));
    buf_clear(&text);
    prom_put_rfc3339(&text, r->to_ms);
    json_put_key(&r->w, STR("end"));
    json_put_raw(&r->w, buf_view(&text));
    buf_release(&text);
    json_kv_double(&r->w, "hours", (double)(r->to_ms - r->from_ms) / (double)HOUR_MS);
    json_end_object(&r->w);
    for (size_t i = 0; i < r->n_filter; i++) json_kv_string(&r->w, r->filter[i].name.p, r->filter[i].value);
}

bool report_open(struct report *r, struct http_exchange *x, const struct prometheus_api *api,
                 const char *filters, int64_t default_ms)
{
    *r = (struct report){ .x = x, .api = api, .out = BUF_INIT(ANSWER_MAX_BYTES) };
    api_call_init(&r->c, x, api);
    r->arena = &r->c.arena;
    take_filters(r, filters);
    r->rc = take_report_window(r, default_ms);
    if (r->rc == OK) begin(r);
    return r->rc == OK;
}

static void put_missing(struct report *r)
{
    json_put_key(&r->w, STR("missing_series"));
    json_begin_array(&r->w);
    for (size_t i = 0; i < r->n_missing; i++) json_put_string(&r->w, str_of(r->missing[i]));
    json_end_array(&r->w);
}

void report_close(struct report *r)
{
    if (r->rc == OK) {
        put_missing(r);
        json_end_object(&r->w);
        if (r->out.full) r->rc = err_set(&r->err, ERR_LIMIT, "the report is larger than an answer may be");
    }
    if (r->rc < 0) {
        respond_err(r->x, &r->err);
    } else {
        missing_json(r->x, &r->out);
        http_answer_buf(r->x, 200, "application/json", &r->out);
    }
    buf_release(&r->out);
    api_call_release(&r->c);
}

/* ---- asking ---- */

void report_miss(struct report *r, const char *series)
{
    for (size_t i = 0; i < r->n_missing; i++)
        if (strcmp(r->missing[i], series) == 0) return;
    if (r->n_missing < REPORT_MISSING_MAX) r->missing[r->n_missing++] = series;
}

static void put_filters(const struct report *r, struct buf *out)
{
    for (size_t i = 0; i < r->n_filter; i++) {
        if (i > 0) buf_char(out, ',');
        buf_str(out, r->filter[i].name);
        buf_char(out, '=');
        json_escape(out, r->filter[i].value); /* PromQL reads the escapes that this writes */
    }
}

static struct str fill(struct report *r, const char *expr)
{
    struct buf out = BUF_INIT((size_t)1 << 20);
    for (const char *p = expr; *p != 0; p++) {
        if (p[0] == '$' && p[1] == 'f')
            put_filters(r, &out), p++;
        else if (p[0] == '$' && p[1] == 'w')
            buf_printf(&out, "%lldms", (long long)(r->to_ms - r->from_ms)), p++;
        else
            buf_char(&out, *p);
    }
    struct str text = arena_str(r->arena, buf_view(&out));
    buf_release(&out);
    return text;
}

/* NULL on an error, which sticks. */
static struct query_result *ask(struct report *r, const char *expr)
{
    if (r->rc < 0) return NULL;
    struct query_result *result = arena_zero(r->arena, sizeof *result);
    struct query_conf conf = {
        .text = fill(r, expr), .start_ms = r->to_ms, .end_ms = r->to_ms, .cancelled = http_gone(r->x)
    };
    r->rc = engine_query(r->api->engine, &conf, result, &r->err);
    if (r->rc < 0) err_where(&r->err, "%s", expr);
    return r->rc < 0 ? NULL : result;
}

bool report_number(struct report *r, const char *expr, double *out)
{
    struct query_result *got = ask(r, expr);
    bool any = false;
    *out = 0;
    if (got == NULL) return false;
    for (size_t i = 0; i < got->n; i++)
        if (got->series[i].n > 0 && !isnan(got->series[i].points[0].value)) {
            *out += got->series[i].points[0].value;
            any = true;
        }
    query_result_release(got);
    return any;
}

void report_kv(struct report *r, const char *key, const char *expr, const char *series)
{
    double v;
    bool any = report_number(r, expr, &v);
    if (!any && series != NULL) report_miss(r, series);
    json_kv_double(&r->w, key, any ? v : (double)NAN);
}

bool report_growth(struct report *r, const char *series, const char *by, double scale,
                   struct counter_growth *out)
{
    struct counter_ask ask_for = {
        .name = series, .by = by, .from_ms = r->from_ms, .to_ms = r->to_ms, .scale = scale
    };
    *out = (struct counter_growth){ 0 };
    if (r->rc < 0) return false;
    for (size_t i = 0; i < r->n_filter; i++) ask_for.match[ask_for.n_match++] = r->filter[i];
    r->rc = counter_growth(r->api->store, &r->c.call, &ask_for, out, &r->err);
    if (r->rc == OK && !out->is_known) report_miss(r, series);
    return r->rc == OK && out->is_known;
}

/* ---- tables ---- */

static struct report_row *row_of(struct report *r, struct report_table *t, size_t *cap, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->at[i].name, name)) return &t->at[i];
    if (t->n == REPORT_ROWS_MAX) {
        t->truncated = true;
        return NULL;
    }
    t->at = arena_grow(r->arena, t->at, t->n, cap, sizeof *t->at);
    t->at[t->n] = (struct report_row){ .name = arena_str(r->arena, name) };
    return &t->at[t->n++];
}

static void read_value(struct report *r, const struct report_section *s, size_t col, struct report_table *t,
                       size_t *cap)
{
    const struct report_column *c = &s->columns[col];
    struct query_result *got = ask(r, c->expr);
    bool any = false;
    if (got == NULL) return;
    for (size_t i = 0; i < got->n; i++) {
        double v = got->series[i].n > 0 ? got->series[i].points[0].value : (double)NAN;
        struct str name = s->by != NULL ? labels_get(got->series[i].labels, s->by) : STR("");
        struct report_row *row = isnan(v) ? NULL : row_of(r, t, cap, name);
        if (row == NULL) continue;
        any = true;
        row->cell[col].value += v * (c->scale != 0 ? c->scale : 1);
        row->cell[col].is_known = true;
    }
    query_result_release(got);
    if (!any && c->series != NULL) report_miss(r, c->series);
}

static void read_counter(struct report *r, const struct report_section *s, size_t col, struct report_table *t,
                         size_t *cap)
{
    const struct report_column *c = &s->columns[col];
    struct counter_growth g;
    if (!report_growth(r, c->series, s->by, c->kind == COLUMN_USD ? (double)NANO_USD : 1, &g)) return;
    for (size_t i = 0; i < g.n; i++) {
        struct report_row *row = row_of(r, t, cap, g.at[i].value);
        if (row == NULL) return;
        row->cell[col] = (struct report_cell){ .is_known = true,
                                               .is_usd = c->kind == COLUMN_USD,
                                               .is_count = c->kind == COLUMN_COUNT,
                                               .whole = g.at[i].grew,
                                               .value = c->kind == COLUMN_USD ? money_double(g.at[i].grew)
                                                                              : (double)g.at[i].grew };
    }
}

static size_t column_at(const struct report_section *s, struct str key)
{
    size_t i = 0;
    while (i < s->n && !str_is(key, s->columns[i].key)) i++;
    check(i < s->n);
    return i;
}

static void work_out(const struct report_section *s, size_t col, struct report_table *t)
{
    const struct report_column *c = &s->columns[col];
    struct str below, above = str_cut(str_of(c->expr), '/', &below);
    size_t a = column_at(s, above), b = column_at(s, below);
    for (size_t i = 0; i < t->n; i++) {
        const struct report_cell *x = &t->at[i].cell[a], *y = &t->at[i].cell[b];
        if (!y->is_known || y->value == 0) continue;
        double share = (x->is_known ? x->value : 0) / y->value; /* no failures: no series of failures */
        t->at[i].cell[col].is_known = true;
        t->at[i].cell[col].value =
            c->scale < 0 ? -c->scale * (1 - share) : share * (c->scale != 0 ? c->scale : 1);
    }
}

void report_table_read(struct report *r, const struct report_section *s, struct report_table *t)
{
    size_t cap = 0;
    *t = (struct report_table){ 0 };
    check(s->n <= REPORT_COLUMNS_MAX);
    for (size_t i = 0; i < s->n && r->rc == OK; i++) {
        if (s->columns[i].kind == COLUMN_VALUE)
            read_value(r, s, i, t, &cap);
        else if (s->columns[i].kind == COLUMN_RATIO)
            work_out(s, i, t);
        else
            read_counter(r, s, i, t, &cap);
    }
}

static void put_usd(struct json_writer *w, int64_t nano)
{
    char text[MONEY_TEXT_MAX];
    json_put_raw(w, str_make(text, money_text(nano, text)));
}

static void put_cells(struct json_writer *w, const struct report_section *s, const struct report_row *row)
{
    for (size_t c = 0; c < s->n; c++) {
        const struct report_cell *cell = row != NULL ? &row->cell[c] : NULL;
        json_put_key(w, str_of(s->columns[c].key));
        if (cell == NULL || !cell->is_known)
            json_put_null(w);
        else if (cell->is_usd)
            put_usd(w, cell->whole);
        else if (cell->is_count)
            json_put_i64(w, cell->whole);
        else
            json_put_double(w, cell->value);
    }
}

void report_table_json(struct report *r, const struct report_section *s, const struct report_table *t)
{
    struct json_writer *w = &r->w;
    json_put_key(w, str_of(s->key));
    if (s->by == NULL) {
        json_begin_object(w);
        put_cells(w, s, t->n > 0 ? &t->at[0] : NULL);
        json_end_object(w);
        return;
    }
    json_begin_array(w);
    for (size_t i = 0; i < t->n; i++) {
        json_begin_object(w);
        json_kv_string(w, s->by, t->at[i].name);
        put_cells(w, s, &t->at[i]);
        json_end_object(w);
    }
    json_end_array(w);
    if (t->truncated) json_kv_bool(w, arena_printf(r->arena, "%s_truncated", s->key).p, true);
}

void report_section(struct report *r, const struct report_section *s)
{
    struct report_table t;
    report_table_read(r, s, &t);
    if (r->rc == OK) report_table_json(r, s, &t);
}
