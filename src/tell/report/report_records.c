/* report_records.c - see report_records.h. */
#include "tell/report/report_records.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "query/traces/latency.h"

/* ---- records ---- */

struct scan {
    event_sink *sink;
    void *ctx;
    size_t n;
};

static int take_rows(void *ctx, const struct record_rows *rows)
{
    const struct scan *s = ctx;
    struct value v[EVENT_FIELDS_ASKED_MAX];
    for (size_t i = 0; i < rows->n; i++) {
        for (size_t f = 0; f < s->n; f++) v[f] = rows->values[f][i];
        s->sink(s->ctx, rows->time_ns[i], v);
    }
    return OK;
}

static const struct predicate *where_events(struct arena *a, const char *events)
{
    const struct predicate *p = NULL;
    for (struct str rest = str_of(events), name; rest.n > 0;) {
        name = str_cut(rest, ' ', &rest);
        const struct predicate *is = predicate_cmp(a, PRED_EQ, field_in(IN_EVENT_NAME), value_str(name));
        p = p == NULL ? is : predicate_or(a, p, is);
    }
    return p;
}

void report_events(struct report *r, const char *events, const char *const *attributes, size_t n,
                   event_sink *sink, void *ctx)
{
    struct field fields[EVENT_FIELDS_ASKED_MAX];
    struct scan s = { sink, ctx, n };
    struct store_view *view;
    check(n <= EVENT_FIELDS_ASKED_MAX);
    if (r->rc < 0) return;
    for (size_t i = 0; i < n; i++) fields[i] = field_attr(FIELD_ATTR, str_of(attributes[i]));
    struct record_scan scan = { .table = TABLE_LOGS,
                                .from_ns = r->from_ms * 1000000 + 1,
                                .to_ns = r->to_ms * 1000000,
                                .where = where_events(r->arena, events),
                                .fields = fields,
                                .n_fields = n };
    for (size_t i = 0; i < r->n_filter; i++)
        scan.where = predicate_and(r->arena, scan.where,
                                   predicate_cmp(r->arena, PRED_EQ, field_attr(FIELD_ATTR, r->filter[i].name),
                                                 value_str(r->filter[i].value)));
    r->rc = store_view_open(r->api->store, r->from_ms, r->to_ms, &view, &r->err);
    if (r->rc < 0) return;
    r->rc = view_records(view, &r->c.call, &scan, take_rows, &s, &r->err);
    store_view_close(view);
}

double event_double(struct value v, double fallback)
{
    char text[64], *end;
    if (v.type == VALUE_DOUBLE) return v.d;
    if (v.type == VALUE_INT || v.type == VALUE_BOOL) return (double)v.i;
    if (v.type != VALUE_STR || v.text.n == 0 || v.text.n >= sizeof text) return fallback;
    snprintf(text, sizeof text, "%.*s", STR_ARG(v.text));
    double d = strtod(text, &end);
    return *end == 0 ? d : fallback;
}

struct str event_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_JSON ? v.text : STR("");
}

/* ---- groups ---- */

void tally_init(struct tally *t, struct arena *a)
{
    *t = (struct tally){ .arena = a };
    map_init(&t->by_name, 64);
}

void tally_release(struct tally *t)
{
    map_release(&t->by_name);
}

struct wanted {
    const struct tally *t;
    struct str name;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted *w = ctx;
    return str_eq(w->t->at[i].name, w->name);
}

struct tally_row *tally_row(struct tally *t, struct str name)
{
    if (t->n >= REPORT_ROWS_MAX) {
        uint64_t *known =
            map_find(&t->by_name, hash64(name.p, name.n), is_wanted, &(struct wanted){ t, name });
        if (known != NULL) return &t->at[*known];
        t->truncated = true;
        name = STR("other");
    }
    uint64_t hash = hash64(name.p, name.n);
    uint64_t *known = map_find(&t->by_name, hash, is_wanted, &(struct wanted){ t, name });
    if (known != NULL) return &t->at[*known];
    t->at = arena_grow(t->arena, t->at, t->n, &t->cap, sizeof *t->at);
    t->at[t->n] = (struct tally_row){ .name = arena_str(t->arena, name) };
    map_add(&t->by_name, hash, t->n);
    return &t->at[t->n++];
}

void tally_took(struct tally *t, struct tally_row *row, double ms)
{
    if (!(ms >= 0 && ms < 1e12)) return;
    if (row->took == NULL) row->took = arena_zero(t->arena, sizeof *row->took);
    latency_add(row->took, (int64_t)(ms * 1e6));
}

void tally_hour(struct tally *t, struct tally_row *row, int64_t time_ns)
{
    int64_t hour = time_ns / (HOUR_MS * 1000000);
    for (size_t i = row->n_hours; i > 0; i--)
        if (row->hours[i - 1].hour == hour) {
            row->hours[i - 1].n++;
            return;
        }
    row->hours = arena_grow(t->arena, row->hours, row->n_hours, &row->cap_hours, sizeof *row->hours);
    row->hours[row->n_hours++] = (struct tally_hours){ hour, 1 };
}

static int most_first(const void *x, const void *y)
{
    const struct tally_row *a = x, *b = y;
    return a->n != b->n ? (a->n < b->n ? 1 : -1) : str_cmp(a->name, b->name);
}

static int dearest_first(const void *x, const void *y)
{
    const struct tally_row *a = x, *b = y;
    return a->usd_nano != b->usd_nano ? (a->usd_nano < b->usd_nano ? 1 : -1) : most_first(x, y);
}

void tally_sort(struct tally *t)
{
    if (t->n > 1) qsort(t->at, t->n, sizeof *t->at, most_first);
}

void tally_sort_money(struct tally *t)
{
    if (t->n > 1) qsort(t->at, t->n, sizeof *t->at, dearest_first);
}

void tally_took_json(struct json_writer *w, const struct tally_row *row)
{
    static const struct {
        const char *key;
        double q;
    } quantiles[] = { { "p50_ms", 0.5 }, { "p95_ms", 0.95 }, { "p99_ms", 0.99 } };
    const struct latency *l = row->took;
    json_kv_double(w, "mean_ms", l != NULL ? l->sum_ns / (double)l->n / 1e6 : (double)NAN);
    for (size_t i = 0; i < COUNT(quantiles); i++)
        json_kv_double(w, quantiles[i].key,
                       l != NULL ? latency_quantile(l, quantiles[i].q) / 1e6 : (double)NAN);
    json_kv_double(w, "max_ms", l != NULL ? (double)l->max_ns / 1e6 : (double)NAN);
}
