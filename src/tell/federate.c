/* federate.c - GET /federate: the newest sample of every series that match[] selects, for another server to
 * scrape.
 *
 * The newest within the lookback, with its time; a stale marker means none. Families by name, untyped, since
 * the selection may tear them apart; native histograms only in protobuf. External labels are added where a
 * series lacks them. */
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "decode/exposition.h"
#include "tell/api_job.h"
#include "tell/external_labels.h"
#include "tell/handlers.h"
#include "tell/missing.h"

#define LOOKBACK_MS 300000

struct newest {
    struct labels labels;
    bool found;
    int64_t time_ms;
    double value;
    const struct histogram *hist;
};

struct federation {
    const struct prometheus_api *api;
    struct api_call c;
    struct store_view *view;
    struct newest *at;
    size_t n;
    int64_t from_ms, to_ms;
};

/* ---- reading ---- */

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct series_ref *)a)->labels, ((const struct series_ref *)b)->labels);
}

/* The series of all sets, each once. */
static int find_series(struct federation *f, const struct match_sets *sets, struct series_ref **out,
                       size_t *n, struct err *e)
{
    size_t cap = 0, distinct = 0;

    for (size_t i = 0; i < sets->n; i++) {
        struct series_set found;
        int rc = view_series(f->view, &f->c.call, sets->at[i].at, sets->at[i].n, 0, &found, e);
        if (rc < 0) return rc;
        for (size_t k = 0; k < found.n; k++) {
            *out = arena_grow(&f->c.arena, *out, *n, &cap, sizeof **out);
            (*out)[(*n)++] = found.at[k];
        }
    }
    if (sets->n == 1) return OK; /* one set has no doubles, and its order is cheapest to scan */
    if (*n > 1) qsort(*out, *n, sizeof **out, by_labels);
    for (size_t i = 0; i < *n; i++)
        if (i == 0 || !labels_eq((*out)[distinct - 1].labels, (*out)[i].labels))
            (*out)[distinct++] = (*out)[i];
    *n = distinct;
    return OK;
}

static int keep_newest(void *ctx, const struct series_rows *rows)
{
    struct federation *f = ctx;
    struct newest *s = &f->at[rows->series];

    if (rows->n == 0) return OK;
    size_t last = rows->n - 1;
    if (is_stale(rows->value[last])) return OK;
    s->found = true;
    s->time_ms = rows->time_ms[last];
    s->value = rows->value[last];
    if (rows->hist && rows->hist[last]) s->hist = histogram_copy(rows->hist[last], &f->c.arena);
    return OK;
}

static int read_newest(struct federation *f, const struct match_sets *sets, struct err *e)
{
    struct series_ref *refs = NULL;
    int rc;

    if ((rc = store_view_open(f->api->store, f->from_ms, f->to_ms, &f->view, e)) < 0) return rc;
    if ((rc = find_series(f, sets, &refs, &f->n, e)) < 0) return rc;
    f->at = arena_zero(&f->c.arena, (f->n + 1) * sizeof *f->at);
    for (size_t i = 0; i < f->n; i++) f->at[i].labels = refs[i].labels;
    return view_scan(f->view, &f->c.call, refs, f->n, f->from_ms, f->to_ms, keep_newest, f, e);
}

/* ---- writing ---- */

static int by_name(const void *a, const void *b)
{
    const struct newest *x = a, *y = b;
    int c = str_cmp(labels_get(x->labels, LABEL_NAME), labels_get(y->labels, LABEL_NAME));
    return c != 0 ? c : labels_cmp(x->labels, y->labels);
}

static struct str type_of(const struct newest *s)
{
    if (!s->hist) return STR("unknown");
    return s->hist->reset == HIST_GAUGE ? STR("gaugehistogram") : STR("histogram");
}

static void write_page(struct federation *f, const struct exposition_format *format, struct buf *body)
{
    struct str family = { NULL, 0 }, type = { NULL, 0 };
    struct exposition out;

    if (f->n > 1) qsort(f->at, f->n, sizeof *f->at, by_name);
    exposition_begin(&out, format, body);
    for (size_t i = 0; i < f->n && !body->full; i++) {
        const struct newest *s = &f->at[i];
        struct str name = labels_get(s->labels, LABEL_NAME);
        if (!s->found || name.n == 0 || (s->hist && format->form != EXPOSITION_PROTOBUF)) continue;
        if (!family.p || !str_eq(family, name) || !str_eq(type, type_of(s)))
            exposition_family(&out, name, type_of(s), STR(""), STR(""));
        family = name;
        type = type_of(s);
        struct exposition_sample sample = { .labels = external_labels_add(f->api, s->labels, &f->c.arena),
                                            .value = s->value,
                                            .has_time = true,
                                            .time_ms = s->time_ms,
                                            .hist = s->hist };
        exposition_sample(&out, &sample);
    }
    exposition_end(&out);
}

/* Plain text, as scrapers expect of a failed scrape. */
static void refuse(struct http_exchange *x, const struct err *e)
{
    int status = e->code == ERR_PARSE ? 400 : e->code == ERR_TIMEOUT || e->code == ERR_BUSY ? 503 : 500;
    respond_text(x, status, "%s", e->text);
}

static void answer(struct http_exchange *x, struct federation *f)
{
    struct exposition_format format = exposition_negotiate(http_header(x, "Accept"));
    struct buf body = BUF_INIT(ANSWER_MAX_BYTES);
    char type[EXPOSITION_TYPE_MAX];

    write_page(f, &format, &body);
    if (body.full) {
        buf_release(&body);
        respond_text(x, 500, "the answer is larger than %zu MiB; select fewer series",
                     ANSWER_MAX_BYTES >> 20);
        return;
    }
    missing_header(x);
    http_answer_buf(x, 200, exposition_content_type(&format, type), &body);
}

static void run_federate(struct http_exchange *x, const struct prometheus_api *api)
{
    struct federation f = { .api = api, .to_ms = clock_now_ms() };
    struct match_sets sets;
    struct err e = ERR_INIT;

    f.from_ms = f.to_ms - (api->lookback_ms > 0 ? api->lookback_ms : LOOKBACK_MS) + 1; /* left-open */
    api_call_init(&f.c, x, api);
    if (take_matches(x, "match[]", &f.c.arena, &sets, &e) < 0) {
        refuse(x, &e);
    } else {
        if (read_newest(&f, &sets, &e) < 0)
            refuse(x, &e);
        else
            answer(x, &f);
        match_sets_release(&sets);
    }
    store_view_close(f.view);
    api_call_release(&f.c);
}

void handle_federate(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_federate);
}
