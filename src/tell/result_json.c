/* result_json.c - {"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],...]},...]}. */
#include "tell/result_json.h"

#include "base/check.h"
#include "base/float.h"
#include "base/json.h"
#include "tell/prom_json.h"

#define ROOM_POINTS 256 /* how many points' room is asked for at once */

/* The floats from point i on, until `most` are written or none is left; *i moves on. Never past the room
 * given. */
static size_t put_block(char *p, const struct result_series *s, size_t *i, size_t most, bool *any)
{
    char *begin = p;
    for (size_t k = 0; *i < s->n && k < most; ++*i) {
        const struct result_point *pt = &s->points[*i];
        if (pt->hist) continue;
        if (*any) *p++ = ',';
        *any = true;
        p += prom_point_text(pt->time_ms, pt->value, p);
        k++;
    }
    return (size_t)(p - begin);
}

static void put_floats(struct buf *out, const struct result_series *s)
{
    bool any = false;

    for (size_t i = 0; i < s->n;) {
        char *p = buf_room(out, ROOM_POINTS * PROM_POINT_MAX);
        if (!p) return;
        buf_added(out, put_block(p, s, &i, ROOM_POINTS, &any));
    }
}

static void put_histograms(struct buf *out, const struct result_series *s)
{
    bool any = false;

    for (size_t i = 0; i < s->n; i++) {
        const struct result_point *pt = &s->points[i];
        if (!pt->hist) continue;
        buf_cs(out, any ? ",[" : "[");
        any = true;
        prom_put_time(out, pt->time_ms);
        buf_char(out, ',');
        prom_put_histogram(out, pt->hist);
        buf_char(out, ']');
    }
}

static void put_matrix_series(struct buf *out, const struct result_series *s)
{
    size_t histograms = 0;

    for (size_t i = 0; i < s->n; i++) histograms += s->points[i].hist != NULL;
    buf_cs(out, "{\"metric\":");
    prom_put_labels(out, s->labels);
    if (histograms < s->n) {
        buf_cs(out, ",\"values\":[");
        put_floats(out, s);
        buf_char(out, ']');
    }
    if (histograms > 0) {
        buf_cs(out, ",\"histograms\":[");
        put_histograms(out, s);
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

static void put_vector_series(struct buf *out, const struct result_series *s)
{
    const struct result_point *pt = s->points;

    check(s->n == 1);
    buf_cs(out, "{\"metric\":");
    prom_put_labels(out, s->labels);
    if (!pt->hist) {
        buf_cs(out, ",\"value\":");
        prom_put_point(out, pt->time_ms, pt->value);
    } else {
        buf_cs(out, ",\"histogram\":[");
        prom_put_time(out, pt->time_ms);
        buf_char(out, ',');
        prom_put_histogram(out, pt->hist);
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

static bool put_list(struct buf *out, const struct query_result *r, size_t limit)
{
    bool truncated = limit > 0 && r->n > limit;
    size_t n = truncated ? limit : r->n;

    buf_char(out, '[');
    for (size_t i = 0; i < n && !out->full; i++) {
        if (i > 0) buf_char(out, ',');
        if (r->type == PROMQL_MATRIX)
            put_matrix_series(out, &r->series[i]);
        else
            put_vector_series(out, &r->series[i]);
    }
    buf_char(out, ']');
    return truncated;
}

static void put_text(struct buf *out, struct str text, int64_t time_ms)
{
    buf_char(out, '[');
    prom_put_time(out, time_ms);
    buf_char(out, ',');
    json_escape(out, text);
    buf_char(out, ']');
}

static void put_seconds(struct buf *out, const char *key, double v, char after)
{
    char text[FLOAT_TEXT_MAX];

    buf_printf(out, "\"%s\":", key);
    buf_add(out, text, float_text(v, text));
    buf_char(out, after);
}

/* [[time, samples], ...]: what stats=all adds. */
static void put_steps(struct buf *out, const struct query_result *r)
{
    const struct query_stats *s = &r->stats;
    buf_cs(out, "\"totalQueryableSamplesPerStep\":[");
    for (size_t i = 0; i < s->steps && !out->full; i++) {
        buf_cs(out, i > 0 ? ",[" : "[");
        prom_put_time(out, s->start_ms + (int64_t)i * s->step_ms);
        buf_printf(out, ",%llu]", (unsigned long long)s->samples_per_step[i]);
    }
    buf_cs(out, "],");
}

static void put_cache(struct buf *out, const struct query_stats *s)
{
    static const char *const uses[] = { "unused", "refused", "miss", "partial", "hit" };
    buf_printf(out, ",\"cache\":{\"plan\":\"%s\",\"result\":\"%s\"", s->plan_was_cached ? "hit" : "miss",
               uses[s->cache]);
    if (s->cache_why) {
        buf_cs(out, ",\"why\":");
        json_escape(out, str_of(s->cache_why));
    }
    buf_printf(out, ",\"steps\":%zu,\"stepsReused\":%zu}", s->steps, s->steps_reused);
}

static void put_stats(struct buf *out, const struct query_result *r)
{
    const struct query_stats *s = &r->stats;
    buf_cs(out, ",\"stats\":{\"timings\":{");
    put_seconds(out, "evalTotalTime", s->parse_s + s->prepare_s + s->eval_s, ',');
    put_seconds(out, "resultSortTime", 0, ',');
    put_seconds(out, "queryPreparationTime", s->prepare_s, ',');
    put_seconds(out, "innerEvalTime", s->eval_s, ',');
    put_seconds(out, "execQueueTime", s->queue_s, ',');
    put_seconds(out, "execTotalTime", s->total_s, '}');
    buf_cs(out, ",\"samples\":{");
    if (s->samples_per_step) put_steps(out, r);
    buf_printf(out, "\"totalQueryableSamples\":%llu,\"samplesRead\":%llu,\"peakSamples\":%llu}",
               (unsigned long long)s->samples_total, (unsigned long long)s->samples_total,
               (unsigned long long)s->samples_peak);
    if (s->samples_per_step) put_cache(out, s);
    buf_char(out, '}');
}

bool result_json(struct buf *out, const struct query_result *r, size_t limit, bool stats, int64_t time_ms)
{
    static const char *const types[] = { "none", "scalar", "vector", "matrix", "string" };
    bool truncated = false;

    buf_printf(out, "{\"resultType\":\"%s\",\"result\":", types[r->type]);
    switch (r->type) {
    case PROMQL_SCALAR:
        check(r->n == 1 && r->series[0].n == 1);
        prom_put_point(out, r->series[0].points[0].time_ms, r->series[0].points[0].value);
        break;
    case PROMQL_STRING: put_text(out, r->text, time_ms); break;
    default: truncated = put_list(out, r, limit);
    }
    if (stats) put_stats(out, r);
    buf_char(out, '}');
    return truncated;
}
