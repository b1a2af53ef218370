/* api_logs.c - our own search over log records: GET /api/v1/logs and /api/v1/logs/stats.
 *
 * Records come newest first, a page at a time. A cursor says where the next page begins: a time, and how many
 * records of that very time have been told already. */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "decode/severity.h"
#include "tell/api_loki_impl.h"
#include "tell/log_filter.h"
#include "tell/log_json.h"
#include "tell/missing.h"

#define LOGS        100
#define LOGS_MAX    5000
#define EXPORT      100000 /* as JSON lines */
#define EXPORT_MAX  1000000
#define BUCKETS     60
#define BUCKETS_MAX 500
#define SERVICES    100
#define LEVELS      7 /* unknown, trace ... fatal */

static const char *const levels[LEVELS] = { "unknown", "trace", "debug", "info", "warn", "error", "fatal" };

static size_t level_of(int64_t severity)
{
    return severity < 1 || severity > SEVERITY_MAX ? 0 : (size_t)(severity + 3) / 4;
}

/* ---- a question ---- */

struct logs_ask {
    struct log_filter filter;
    struct api_call c;
    struct store_view *view;
    int64_t start_ns, end_ns; /* [start, end) */
};

static int ask_open(struct logs_ask *a, struct http_exchange *x, const struct logs_api *api, struct err *e)
{
    *a = (struct logs_ask){ 0 };
    api_call_init(&a->c, x, api->base);
    int rc = log_filter_take(&a->filter, x, e);
    if (rc == OK) rc = take_loki_window(x, &a->start_ns, &a->end_ns, e);
    if (rc == OK && a->start_ns < 0) a->start_ns = 0;
    if (rc == OK)
        rc = store_view_open(api->base->store, a->start_ns / NS_PER_MS, a->end_ns / NS_PER_MS, &a->view, e);
    return rc;
}

static void ask_close(struct logs_ask *a)
{
    store_view_close(a->view);
    log_filter_release(&a->filter);
    api_call_release(&a->c);
}

/* ---- counting by time and severity ---- */

struct counting {
    int64_t start_ns, step_ns;
    size_t n;
    uint64_t (*at)[LEVELS]; /* by step */
    uint64_t total[LEVELS];
    struct name_set services; /* with their lines; without an arena: not asked for */
};

static int on_counted(void *ctx, const struct record_rows *rows)
{
    struct counting *c = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct value severity = rows->values[0][i];
        size_t level = level_of(severity.type == VALUE_INT ? severity.i : 0);
        size_t step = (size_t)((rows->time_ns[i] - c->start_ns) / c->step_ns);
        if (step < c->n) c->at[step][level]++;
        c->total[level]++;
        if (c->services.arena == NULL) continue;
        struct value service = rows->values[1][i];
        name_set_add(&c->services, service.type == VALUE_STR ? service.text : STR(""), 1);
    }
    return OK;
}

static int count_all(struct logs_ask *a, struct counting *c, struct arena *keep, struct err *e)
{
    const struct field fields[] = { field_in(IN_SEVERITY), field_attr(FIELD_RESOURCE, STR("service.name")) };
    struct record_scan scan = { .table = TABLE_LOGS,
                                .from_ns = a->start_ns,
                                .to_ns = a->end_ns - 1,
                                .where = a->filter.where,
                                .fields = fields,
                                .n_fields = c->services.arena ? 2 : 1 };
    c->start_ns = a->start_ns;
    c->step_ns = MAX((a->end_ns - a->start_ns + (int64_t)c->n - 1) / (int64_t)c->n, 1);
    c->at = arena_zero(keep, c->n * sizeof *c->at);
    return view_records(a->view, &a->c.call, &scan, on_counted, c, e);
}

static void put_levels(struct buf *out, const uint64_t n[LEVELS])
{
    buf_char(out, '{');
    for (size_t i = 0, put = 0; i < LEVELS; i++)
        if (n[i] > 0) buf_printf(out, "%s\"%s\":%llu", put++ ? "," : "", levels[i], (unsigned long long)n[i]);
    buf_char(out, '}');
}

static uint64_t sum_of(const uint64_t n[LEVELS])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < LEVELS; i++) sum += n[i];
    return sum;
}

static void put_steps(struct buf *out, const struct counting *c)
{
    buf_printf(out, "{\"interval_seconds\":%.9g,\"buckets\":[", (double)c->step_ns / 1e9);
    for (size_t i = 0; i < c->n; i++) {
        buf_cs(out, i > 0 ? ",{\"time\":" : "{\"time\":");
        log_put_time(out, c->start_ns + (int64_t)i * c->step_ns);
        buf_printf(out, ",\"count\":%llu,\"by_severity\":", (unsigned long long)sum_of(c->at[i]));
        put_levels(out, c->at[i]);
        buf_char(out, '}');
    }
    buf_cs(out, "]}");
}

/* ---- stats ---- */

static void put_rates(struct buf *out, const struct counting *c, double seconds)
{
    buf_cs(out, "{");
    for (size_t i = 0, put = 0; i < LEVELS; i++)
        if (c->total[i] > 0)
            buf_printf(out, "%s\"%s\":{\"count\":%llu,\"rate_per_second\":%.6g}", put++ ? "," : "", levels[i],
                       (unsigned long long)c->total[i], (double)c->total[i] / seconds);
    buf_char(out, '}');
}

static int most_first(const void *a, const void *b)
{
    const struct name_count *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : str_cmp(x->name, y->name);
}

static void put_services(struct buf *out, struct name_set *s)
{
    name_set_sort(s);
    if (s->n > 1) qsort(s->at, s->n, sizeof *s->at, most_first);
    buf_char(out, '[');
    for (size_t i = 0; i < MIN(s->n, SERVICES); i++) {
        buf_cs(out, i > 0 ? ",{\"service\":" : "{\"service\":");
        json_escape(out, s->at[i].name);
        buf_printf(out, ",\"count\":%llu}", (unsigned long long)s->at[i].n);
    }
    buf_char(out, ']');
}

static void put_stats(struct buf *out, const struct logs_ask *a, struct counting *c)
{
    double seconds = (double)MAX(a->end_ns - a->start_ns, 1) / 1e9;
    uint64_t total = sum_of(c->total);
    buf_cs(out, "{\"start\":");
    log_put_time(out, a->start_ns);
    buf_cs(out, ",\"end\":");
    log_put_time(out, a->end_ns);
    buf_printf(out, ",\"total\":%llu,\"rate_per_second\":%.6g,\"by_severity\":", (unsigned long long)total,
               (double)total / seconds);
    put_rates(out, c, seconds);
    buf_cs(out, ",\"by_service\":");
    put_services(out, &c->services);
    buf_cs(out, ",\"histogram\":");
    put_steps(out, c);
    buf_char(out, '}');
}

static void run_stats(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct counting c = { 0 };
    struct logs_ask a;
    struct err e = ERR_INIT;

    int rc = ask_open(&a, x, api, &e);
    if (rc == OK) rc = take_loki_limit(x, "buckets", BUCKETS, BUCKETS_MAX, &c.n, &e);
    name_set_init(&c.services, &a.c.arena);
    if (rc == OK) rc = count_all(&a, &c, http_arena(x), &e);
    if (rc < 0) {
        respond_err(x, &e);
    } else {
        put_stats(&out, &a, &c);
        loki_answer(x, &out);
    }
    name_set_release(&c.services);
    ask_close(&a);
}

void handle_logs_stats(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_stats);
}

/* ---- pages ---- */

struct paging {
    struct buf out;
    bool as_lines; /* JSON lines, without a frame */
    size_t limit, skip, skipped, told;
    int64_t skip_ns; /* records of this time are skipped, `skip` of them */
    int64_t last_ns; /* of the record told last */
    size_t of_last;  /* records of that time, told on this page or before */
    bool more;
};

static int take_cursor(struct http_exchange *x, struct logs_ask *a, struct paging *p, struct err *e)
{
    struct str skip, text = http_param(x, "cursor"), time = str_cut(text, '.', &skip);
    int64_t ns;
    uint64_t n;
    p->skip_ns = -1;
    if (text.n == 0) return OK;
    if (!str_to_i64(time, &ns) || !str_to_u64(skip, &n) || ns < 0 || n > EXPORT_MAX)
        return err_set(e, ERR_PARSE, "cursor: \"%.*s\" is none of ours", STR_ARG(text));
    if (ns < a->end_ns) a->end_ns = ns + 1;
    p->skip_ns = ns;
    p->skip = n;
    return OK;
}

static void tell(struct paging *p, const struct record *r)
{
    if (r->time_ns != p->last_ns || p->told == 0) {
        p->of_last = r->time_ns == p->skip_ns ? p->skip : 0;
        p->last_ns = r->time_ns;
    }
    p->of_last++;
    if (!p->as_lines && p->told > 0) buf_char(&p->out, ',');
    log_put_record(&p->out, r, (struct str){ NULL, 0 });
    if (p->as_lines) buf_char(&p->out, '\n');
    p->told++;
}

static int on_page(void *ctx, const struct record_rows *rows)
{
    struct paging *p = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        const struct record *r = &rows->records[i];
        if (r->time_ns == p->skip_ns && p->skipped < p->skip) {
            p->skipped++;
            continue;
        }
        if (p->told == p->limit) {
            p->more = true;
            return ERR_FIND; /* enough */
        }
        tell(p, r);
    }
    return p->out.full ? ERR_LIMIT : OK;
}

static int read_page(struct logs_ask *a, struct paging *p, struct err *e)
{
    struct record_scan scan = { .table = TABLE_LOGS,
                                .from_ns = a->start_ns,
                                .to_ns = a->end_ns - 1,
                                .where = a->filter.where,
                                .order = ORDER_TIME_DESC,
                                .limit = p->limit + p->skip + 1 };
    if (a->end_ns <= a->start_ns) return OK;
    int rc = view_records(a->view, &a->c.call, &scan, on_page, p, e);
    return p->more ? OK : rc;
}

static void answer_lines(struct http_exchange *x, struct paging *p)
{
    if (p->more)
        http_answer_header(x, "X-Next-Cursor",
                           arena_printf(http_arena(x), "%lld.%zu", (long long)p->last_ns, p->of_last));
    missing_header(x);
    http_answer_buf(x, 200, "application/x-ndjson", &p->out);
}

static void answer_page(struct http_exchange *x, struct paging *p, const struct counting *c)
{
    buf_printf(&p->out, "],\"count\":%zu", p->told);
    if (p->more) buf_printf(&p->out, ",\"next_cursor\":\"%lld.%zu\"", (long long)p->last_ns, p->of_last);
    if (c->n > 0) {
        buf_printf(&p->out, ",\"total\":%llu,\"histogram\":", (unsigned long long)sum_of(c->total));
        put_steps(&p->out, c);
    }
    buf_char(&p->out, '}');
    loki_answer(x, &p->out);
}

static bool wants_lines(struct http_exchange *x)
{
    return str_is(http_param(x, "format"), "jsonl") ||
           str_is(http_header(x, "accept"), "application/x-ndjson");
}

static int take_page(struct http_exchange *x, struct paging *p, struct counting *c, struct err *e)
{
    int rc = p->as_lines ? take_loki_limit(x, "limit", EXPORT, EXPORT_MAX, &p->limit, e)
                         : take_loki_limit(x, "limit", LOGS, LOGS_MAX, &p->limit, e);
    return rc < 0 ? rc : take_loki_limit(x, "histogram", 0, BUCKETS_MAX, &c->n, e);
}

static void run_logs(struct http_exchange *x, const struct logs_api *api)
{
    struct paging p = { .out = BUF_INIT(ANSWER_MAX_BYTES), .as_lines = wants_lines(x) };
    struct counting c = { 0 };
    struct logs_ask a;
    struct err e = ERR_INIT;

    int rc = ask_open(&a, x, api, &e);
    if (rc == OK) rc = take_page(x, &p, &c, &e);
    if (rc == OK && c.n > 0)
        rc = count_all(&a, &c, http_arena(x), &e); /* of the whole, whichever page it is */
    if (rc == OK) rc = take_cursor(x, &a, &p, &e);
    if (!p.as_lines) buf_cs(&p.out, "{\"logs\":[");
    if (rc == OK) rc = read_page(&a, &p, &e);
    if (rc == ERR_LIMIT && p.out.full)
        err_set(&e, ERR_LIMIT, "the answer is larger than %zu MiB; ask for fewer records",
                ANSWER_MAX_BYTES >> 20);
    ask_close(&a);
    if (rc < 0) {
        buf_release(&p.out);
        respond_err(x, &e);
    } else if (p.as_lines) {
        answer_lines(x, &p);
    } else {
        answer_page(x, &p, &c);
    }
}

void handle_logs(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_logs);
}

const struct http_route logs_routes[] = {
    { "GET", "/api/v1/logs", handle_logs },
    { "GET", "/api/v1/logs/stats", handle_logs_stats },
    { "GET", "/api/v1/logs/patterns", handle_logs_patterns },
    { "GET", "/api/v1/logs/tail", handle_logs_tail },
};
const size_t logs_n_routes = COUNT(logs_routes);
