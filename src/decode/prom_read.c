#include "decode/prom_read.h"

#include <snappy-c.h>

#include "base/check.h"
#include "base/clock.h"
#include "decode/prom_histogram.h"
#include "decode/protobuf.h"

/* ---- the request ---- */

static const enum matcher_op ops[] = { MATCH_EQ, MATCH_NEQ, MATCH_RE,
                                       MATCH_NRE }; /* by their number on the wire */

/* Compiling is the one thing here whose cost cannot be told from the bytes; so it has a budget of time. */
static int matcher_compile(struct prom_read *out, struct matcher *m, enum matcher_op op, struct str name,
                           struct str value, struct err *e)
{
    if (op == MATCH_EQ || op == MATCH_NEQ) return matcher_init(m, op, name, value, e);
    if (out->regex_ns > PROM_READ_REGEX_CPU_MS * INT64_C(1000000))
        return err_set(e, ERR_LIMIT,
                       "the regular expressions before this one took more than %d ms to compile",
                       PROM_READ_REGEX_CPU_MS);
    int64_t begin = clock_cpu_ns();
    int rc = matcher_init(m, op, name, value, e);
    out->regex_ns += clock_cpu_ns() - begin;
    return rc;
}

static int matcher_read(struct prom_read *out, struct prom_read_query *q, const struct pb *query,
                        struct str message, struct err *e)
{
    struct pb r = pb_sub(query, message);
    struct str name = STR(""), value = STR("");
    uint64_t type = 0;
    struct pb_field f;

    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): type = f.u; break;
        case PB_LEN(2): name = f.bytes; break;
        case PB_LEN(3): value = f.bytes; break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    if (r.why != NULL) return pb_error(&r, e);
    if (type >= COUNT(ops))
        return err_set(e, ERR_PARSE, "matcher type %llu is not known", (unsigned long long)type);
    int rc = matcher_compile(out, &q->matchers[q->n_matchers], ops[type], name, value, e);
    if (rc == OK) q->n_matchers++;
    return rc;
}

static size_t count_fields(struct pb r, uint32_t tag)
{
    struct pb_field f;
    size_t n = 0;
    while (pb_next(&r, &f)) n += f.tag == tag;
    return n;
}

static int query_read(struct prom_read *out, struct prom_read_query *q, const struct pb *request,
                      struct str message, struct arena *a, struct err *e)
{
    struct pb r = pb_sub(request, message);
    struct pb_field f;
    int rc = OK;

    size_t n = count_fields(r, PB_LEN(3));
    if (n > PROM_READ_MATCHERS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d matchers in one query", PROM_READ_MATCHERS_MAX);
    q->matchers = arena_array(a, n, sizeof *q->matchers);
    while (rc == OK && pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): q->start_ms = (int64_t)f.u; break;
        case PB_VARINT(2): q->end_ms = (int64_t)f.u; break;
        case PB_LEN(3): rc = matcher_read(out, q, &r, f.bytes, e); break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    return rc < 0 ? rc : pb_error(&r, e);
}

/* Types are a repeated enum: packed, or one by one. SAMPLES is 0. */
static void types_read(struct prom_read *out, struct pb *r, const struct pb_field *f, bool *named)
{
    struct pb sub = pb_sub(r, f->bytes);
    uint64_t type;
    while (pb_more(&sub) && pb_varint(&sub, &type)) {
        *named = true;
        out->accepts_samples |= type == 0;
    }
    pb_join(r, &sub);
}

int prom_read_decode(struct str body, struct arena *a, struct prom_read *out, struct err *e)
{
    struct pb r = pb_open(body);
    struct pb_field f;
    bool types_named = false;
    int rc = OK;

    *out = (struct prom_read){ .n = 0 };
    size_t n = count_fields(r, PB_LEN(1));
    if (n > PROM_READ_QUERIES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d queries in one request", PROM_READ_QUERIES_MAX);
    out->queries = arena_zero(a, n * sizeof *out->queries);
    while (rc == OK && pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1):
            rc = query_read(out, &out->queries[out->n], &r, f.bytes, a, e);
            if (rc < 0) err_where(e, "queries[%zu]", out->n);
            out->n++; /* counted also when it failed: its matchers are to be released */
            break;
        case PB_LEN(2): types_read(out, &r, &f, &types_named); break;
        case PB_VARINT(2): types_named = true, out->accepts_samples |= f.u == 0; break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    if (!types_named) out->accepts_samples = true;
    return rc < 0 ? rc : pb_error(&r, e);
}

void prom_read_release(struct prom_read *r)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < r->queries[i].n_matchers; k++) matcher_release(&r->queries[i].matchers[k]);
    r->n = 0;
}

/* ---- the answer ---- */

size_t prom_read_result(struct buf *b)
{
    return pb_put_begin(b, 1);
}

void prom_read_result_end(struct buf *b, size_t result)
{
    pb_put_end(b, result);
}

static void put_float(struct buf *b, int64_t time_ms, double value)
{
    size_t at = pb_put_begin(b, 2);
    pb_put_double(b, 1, value);
    pb_put_varint(b, 2, (uint64_t)time_ms);
    pb_put_end(b, at);
}

static void put_histogram(struct buf *b, int64_t time_ms, const struct histogram *h)
{
    size_t at = pb_put_begin(b, 4);
    prom_histogram_write(b, h, time_ms);
    pb_put_end(b, at);
}

void prom_read_series(struct buf *b, struct labels l, size_t n, const int64_t *time_ms, const double *value,
                      struct histogram *const *hist)
{
    if (n == 0) return;
    size_t series = pb_put_begin(b, 1);
    for (size_t i = 0; i < l.n; i++) {
        size_t at = pb_put_begin(b, 1);
        pb_put_bytes(b, 1, l.at[i].name);
        pb_put_bytes(b, 2, l.at[i].value);
        pb_put_end(b, at);
    }
    for (size_t i = 0; i < n && !b->full; i++) {
        if (hist != NULL && hist[i] != NULL)
            put_histogram(b, time_ms[i], hist[i]);
        else
            put_float(b, time_ms[i], value[i]);
    }
    pb_put_end(b, series);
}

int prom_read_pack(struct str text, struct buf *out, struct err *e)
{
    size_t n = snappy_max_compressed_length(text.n);
    char *to = buf_room(out, n);
    if (to == NULL)
        return err_set(e, ERR_LIMIT, "the answer is larger than the limit of %zu bytes", out->max);
    check(snappy_compress(text.n ? text.p : "", text.n, to, &n) == SNAPPY_OK);
    buf_added(out, n);
    return OK;
}
