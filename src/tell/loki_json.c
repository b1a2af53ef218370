/* loki_json.c - see loki_json.h. */
#include "tell/loki_json.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "tell/prom_json.h"

/* ---- streams ---- */

struct line { /* of a stream as it will be written */
    size_t group;
    const struct logql_entry *entry;
};

struct group {
    struct labels labels;
    struct str packed;
    size_t lines;
};

struct grouping {
    struct arena *arena;
    struct line *lines;
    size_t n_lines;
    struct group *at;
    size_t n, cap;
    struct map by_hash;
};

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Of equal names the first set's wins. */
static struct labels all_labels(struct arena *a, struct labels stream, const struct logql_entry *e)
{
    const struct labels sets[] = { stream, e->structured, e->parsed };
    struct label *all = arena_array(a, stream.n + e->structured.n + e->parsed.n + 1, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < COUNT(sets); i++)
        for (size_t k = 0, known = n; k < sets[i].n; k++) {
            bool is_there = false;
            for (size_t j = 0; j < known && !is_there; j++)
                is_there = str_eq(all[j].name, sets[i].at[k].name);
            if (!is_there) all[n++] = sets[i].at[k];
        }
    qsort(all, n, sizeof *all, by_name);
    return (struct labels){ all, n };
}

struct lookup {
    const struct grouping *g;
    struct str packed;
};

static bool same_group(void *ctx, uint64_t i)
{
    const struct lookup *l = ctx;
    return str_eq(l->g->at[i].packed, l->packed);
}

static size_t group_of(struct grouping *g, struct labels l)
{
    struct buf packed = BUF_INIT(64u << 20);
    labels_pack(&packed, l);
    uint64_t hash = hash64(packed.p, packed.n);
    struct lookup look = { g, buf_view(&packed) };
    uint64_t *known = map_find(&g->by_hash, hash, same_group, &look);
    size_t i = known ? *known : g->n;
    if (known == NULL) {
        g->at = arena_grow(g->arena, g->at, g->n, &g->cap, sizeof *g->at);
        g->at[g->n++] = (struct group){ l, arena_str(g->arena, look.packed), 0 };
        map_add(&g->by_hash, hash, i);
    }
    buf_release(&packed);
    return i;
}

static int by_group(const struct line *x, const struct line *y)
{
    return (x->group > y->group) - (x->group < y->group);
}

static int oldest_first(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->group != y->group) return by_group(x, y);
    int64_t s = x->entry->time_ns, t = y->entry->time_ns;
    return s != t ? (s > t) - (s < t) : (x->entry > y->entry) - (x->entry < y->entry);
}

static int newest_first(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->group != y->group) return by_group(x, y);
    int64_t s = x->entry->time_ns, t = y->entry->time_ns;
    return s != t ? (s < t) - (s > t) : (x->entry > y->entry) - (x->entry < y->entry);
}

/* Labels of one entry are mostly those of the one before. */
static bool same_labels(const struct logql_entry *a, const struct logql_entry *b)
{
    return labels_eq(a->structured, b->structured) && labels_eq(a->parsed, b->parsed);
}

static void group_lines(struct grouping *g, const struct logql_stream *s, size_t n, bool categorised)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += s[i].n;
    g->lines = arena_array(g->arena, total + 1, sizeof *g->lines);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s[i].n; k++) {
            const struct logql_entry *e = &s[i].entries[k];
            bool again = k > 0 && (categorised || same_labels(e, e - 1));
            size_t group =
                again ? g->lines[g->n_lines - 1].group
                      : group_of(g, categorised ? s[i].labels : all_labels(g->arena, s[i].labels, e));
            g->at[group].lines++;
            g->lines[g->n_lines++] = (struct line){ group, e };
        }
}

static void put_line(struct buf *out, const struct logql_entry *e, bool categorised)
{
    buf_cs(out, "[\"");
    buf_i64(out, e->time_ns);
    buf_cs(out, "\",");
    json_escape(out, e->line);
    if (categorised) {
        buf_cs(out, ",{\"structuredMetadata\":");
        prom_put_labels(out, e->structured);
        buf_cs(out, ",\"parsed\":");
        prom_put_labels(out, e->parsed);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

void loki_put_streams(struct buf *out, const struct logql_stream *s, size_t n, bool categorised, bool forward,
                      struct arena *a)
{
    struct grouping g = { .arena = a };
    group_lines(&g, s, n, categorised);
    if (g.n_lines > 1) qsort(g.lines, g.n_lines, sizeof *g.lines, forward ? oldest_first : newest_first);
    buf_char(out, '[');
    for (size_t i = 0, at = 0; i < g.n; i++) {
        buf_cs(out, i > 0 ? ",{\"stream\":" : "{\"stream\":");
        prom_put_labels(out, g.at[i].labels);
        buf_cs(out, ",\"values\":[");
        for (size_t k = 0; k < g.at[i].lines; k++, at++) {
            if (k > 0) buf_char(out, ',');
            put_line(out, g.lines[at].entry, categorised);
        }
        buf_cs(out, "]}");
    }
    buf_char(out, ']');
    map_release(&g.by_hash);
}

/* ---- series ---- */

void loki_put_sample(struct buf *out, struct labels metric, int64_t time_ms, double value)
{
    buf_cs(out, "{\"metric\":");
    prom_put_labels(out, metric);
    buf_cs(out, ",\"value\":");
    prom_put_point(out, time_ms, value);
    buf_char(out, '}');
}

static void put_series(struct buf *out, const struct result_series *s)
{
    buf_cs(out, "{\"metric\":");
    prom_put_labels(out, s->labels);
    buf_cs(out, ",\"values\":[");
    for (size_t i = 0; i < s->n; i++) {
        if (i > 0) buf_char(out, ',');
        prom_put_point(out, s->points[i].time_ms, s->points[i].value);
    }
    buf_cs(out, "]}");
}

static void put_all_series(struct buf *out, const struct logql_result *r)
{
    const struct result_series *s = r->series;
    if (r->type == LOGQL_SCALAR) {
        bool has = r->n_series > 0 && s[0].n > 0;
        prom_put_point(out, has ? s[0].points[0].time_ms : 0, has ? s[0].points[0].value : 0);
        return;
    }
    buf_char(out, '[');
    for (size_t i = 0, put = 0; i < r->n_series; i++) {
        if (s[i].n == 0) continue;
        if (put++ > 0) buf_char(out, ',');
        if (r->type == LOGQL_MATRIX)
            put_series(out, &s[i]);
        else
            loki_put_sample(out, s[i].labels, s[i].points[0].time_ms, s[i].points[0].value);
    }
    buf_char(out, ']');
}

/* ---- the whole ---- */

static void put_stats(struct buf *out, const struct logql_result *r)
{
    const struct logql_stats *s = &r->stats;
    uint64_t entries = 0;
    for (size_t i = 0; r->type == LOGQL_STREAMS && i < r->n_streams; i++) entries += r->streams[i].n;
    double seconds = s->total_s > 0 ? s->total_s : 1e-9;
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_put_key(&w, STR("summary"));
    json_begin_object(&w);
    json_kv_i64(&w, "bytesProcessedPerSecond", (int64_t)((double)s->bytes / seconds));
    json_kv_i64(&w, "linesProcessedPerSecond", (int64_t)((double)s->lines / seconds));
    json_kv_i64(&w, "totalBytesProcessed", (int64_t)s->bytes);
    json_kv_i64(&w, "totalLinesProcessed", (int64_t)s->lines);
    json_kv_double(&w, "execTime", s->total_s);
    json_kv_double(&w, "queueTime", 0);
    json_kv_i64(&w, "subqueries", 0);
    json_kv_i64(&w, "totalEntriesReturned", (int64_t)entries);
    json_kv_i64(&w, "splits", 0);
    json_kv_i64(&w, "shards", 0);
    json_kv_i64(&w, "totalPostFilterLines", (int64_t)s->matched);
    json_kv_i64(&w, "totalStructuredMetadataBytesProcessed", 0);
    json_end_object(&w);
    static const char *const parts[] = { "querier", "ingester", "cache", "index" };
    for (size_t i = 0; i < COUNT(parts); i++) {
        json_put_key(&w, str_of(parts[i]));
        json_begin_object(&w);
        json_end_object(&w);
    }
    json_end_object(&w);
}

static const char *const type_names[] = { [LOGQL_STREAMS] = "streams",
                                          [LOGQL_SCALAR] = "scalar",
                                          [LOGQL_VECTOR] = "vector",
                                          [LOGQL_MATRIX] = "matrix" };

static void put_warnings(struct buf *out, const struct logql_result *r)
{
    if (r->n_warnings == 0) return;
    buf_cs(out, ",\"warnings\":[");
    for (size_t i = 0; i < r->n_warnings; i++) {
        if (i > 0) buf_char(out, ',');
        json_escape(out, r->warnings[i]);
    }
    buf_char(out, ']');
}

void loki_put_result(struct buf *out, struct logql_result *r, bool categorised, bool forward)
{
    buf_printf(out,
               "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":", type_names[r->type]);
    if (r->type == LOGQL_STREAMS)
        loki_put_streams(out, r->streams, r->n_streams, categorised, forward, &r->arena);
    else
        put_all_series(out, r);
    if (categorised) buf_cs(out, ",\"encodingFlags\":[\"categorize-labels\"]");
    buf_cs(out, ",\"stats\":");
    put_stats(out, r);
    buf_char(out, '}');
    put_warnings(out, r);
    buf_char(out, '}');
}
