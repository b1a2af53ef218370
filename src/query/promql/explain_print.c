/* explain_print.c - the explained tree as text and as JSON.
 *
 *     expression                                  time     own   rows  steps  read
 *     sum by (job) (rate(x_total[5m]))          4.2 ms  0.3 ms      3    288
 *     '- rate(x_total[5m])                      3.9 ms  3.9 ms    120    288  window of 300s, moved along
 *        '- x_total[5m]                                                        120 series, 691200 samples */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "base/json.h"
#include "query/promql/explain.h"

#define TEXT_WIDTH_MAX 90 /* a longer expression has its figures on a line of their own */
#define DEPTH_SHOWN    40

static const char *const cache_words[] = { "not used", "not possible", "miss", "partly reused", "hit" };
static const char *const cache_names[] = { "unused", "refused", "miss", "partial", "hit" };

/* ---- text ---- */

static size_t indent_of(size_t depth)
{
    return depth == 0 ? 0 : 3 * MIN(depth, (size_t)DEPTH_SHOWN);
}

static size_t width_of(const struct explain_node *x, size_t depth)
{
    size_t width = indent_of(depth) + x->text.n;
    if (width > TEXT_WIDTH_MAX) width = 0;
    for (size_t i = 0; i < x->n; i++) width = MAX(width, width_of(x->child[i], depth + 1));
    return width;
}

static void pad(struct buf *out, size_t n)
{
    while (n-- > 0) buf_char(out, ' ');
}

static void put_time(struct buf *out, double s)
{
    if (s >= 1)
        buf_printf(out, "%8.2f s ", s);
    else
        buf_printf(out, "%8.2f ms", s * 1e3);
}

static void put_clock(struct buf *out, int64_t ms)
{
    buf_printf(out, "%lld.%03d", (long long)(ms / 1000), (int)llabs(ms % 1000));
}

static void put_words(struct buf *out, const struct explain_node *x)
{
    buf_str(out, x->does);
    if (!x->reads) return;
    if (x->does.n) buf_cs(out, "; ");
    buf_printf(out, "%llu series, %llu samples from ", (unsigned long long)x->series,
               (unsigned long long)x->samples);
    put_clock(out, x->from_ms);
    buf_cs(out, " to ");
    put_clock(out, x->to_ms);
}

static void put_node(struct buf *out, const struct explain_node *x, size_t depth, size_t width)
{
    size_t used = indent_of(depth) + x->text.n;
    if (depth > 0) {
        pad(out, indent_of(depth) - 3);
        buf_cs(out, "'- ");
    }
    buf_str(out, x->text);
    if (used > width) {
        buf_char(out, '\n');
        used = 0;
    }
    pad(out, width - used);
    if (x->was_run) {
        put_time(out, x->seconds);
        put_time(out, x->own_s);
        buf_printf(out, " %8zu %7zu", x->rows, x->steps);
    } else {
        pad(out, 39);
    }
    if (x->does.n || x->reads) buf_cs(out, "  ");
    put_words(out, x);
    while (out->n > 0 && out->p[out->n - 1] == ' ') out->n--;
    buf_char(out, '\n');
    for (size_t i = 0; i < x->n; i++) put_node(out, x->child[i], depth + 1, width);
}

void explain_text(struct buf *out, const struct query_result *r)
{
    const struct query_stats *s = &r->stats;
    if (r->explain == NULL) return;
    size_t width = MAX(width_of(r->explain, 0), sizeof "expression" - 1);
    buf_cs(out, "expression");
    pad(out, width - 10);
    buf_cs(out, "       time        own     rows   steps  what\n");
    put_node(out, r->explain, 0, width);

    buf_printf(out, "\n%zu series in the answer, %llu samples read", r->n,
               (unsigned long long)s->samples_total);
    buf_printf(out, "\nplan    %s, parsed in %.2f ms", s->plan_was_cached ? "kept from before" : "new",
               s->parse_s * 1e3);
    buf_printf(out, "\nanswer  cache %s", cache_words[s->cache]);
    if (s->cache_why) buf_printf(out, ": %s", s->cache_why);
    if (s->steps_reused) buf_printf(out, ": %zu of %zu steps taken from it", s->steps_reused, s->steps);
    buf_printf(out, "\ntime    %.2f ms queued, %.2f ms prepared, %.2f ms evaluated, %.2f ms in all\n",
               s->queue_s * 1e3, s->prepare_s * 1e3, s->eval_s * 1e3, s->total_s * 1e3);
}

/* ---- JSON ---- */

static void put_number(struct buf *out, const char *key, double v)
{
    char text[FLOAT_TEXT_MAX];
    buf_printf(out, ",\"%s\":", key);
    buf_add(out, text, float_text(v, text));
}

static void put_json_node(struct buf *out, const struct explain_node *x)
{
    buf_printf(out, "{\"kind\":\"%s\",\"expression\":", x->kind);
    json_escape(out, x->text);
    if (x->does.n) {
        buf_cs(out, ",\"does\":");
        json_escape(out, x->does);
    }
    if (x->was_run) {
        put_number(out, "seconds", x->seconds);
        put_number(out, "ownSeconds", x->own_s);
        buf_printf(out, ",\"runs\":%llu,\"rows\":%zu,\"steps\":%zu", (unsigned long long)x->runs, x->rows,
                   x->steps);
    }
    if (x->reads) {
        buf_cs(out, ",\"read\":{\"from\":");
        put_clock(out, x->from_ms);
        buf_cs(out, ",\"to\":");
        put_clock(out, x->to_ms);
        buf_printf(out, ",\"series\":%llu,\"samples\":%llu}", (unsigned long long)x->series,
                   (unsigned long long)x->samples);
    }
    buf_cs(out, ",\"children\":[");
    for (size_t i = 0; i < x->n; i++) {
        if (i > 0) buf_char(out, ',');
        put_json_node(out, x->child[i]);
    }
    buf_cs(out, "]}");
}

void explain_json(struct buf *out, const struct query_result *r)
{
    const struct query_stats *s = &r->stats;
    buf_printf(out, "{\"series\":%zu,\"samples\":%llu,\"planCached\":%s,\"cache\":{\"use\":\"%s\"", r->n,
               (unsigned long long)s->samples_total, s->plan_was_cached ? "true" : "false",
               cache_names[s->cache]);
    if (s->cache_why) {
        buf_cs(out, ",\"why\":");
        json_escape(out, str_of(s->cache_why));
    }
    buf_printf(out, ",\"steps\":%zu,\"stepsReused\":%zu}", s->steps, s->steps_reused);
    put_number(out, "queueSeconds", s->queue_s);
    put_number(out, "prepareSeconds", s->prepare_s);
    put_number(out, "evalSeconds", s->eval_s);
    put_number(out, "totalSeconds", s->total_s);
    buf_cs(out, ",\"plan\":");
    if (r->explain)
        put_json_node(out, r->explain);
    else
        buf_cs(out, "null");
    buf_char(out, '}');
}
