/* push_prom.c - remote write and text import over HTTP.
 *
 * What senders do differently from one another, and how we take it:
 *   - the version is said by the proto parameter of Content-Type; without it, 1.0;
 *   - no Content-Encoding means snappy for remote write (its older form), but some senders mean plain
 *     protobuf: what does not unpack as snappy is tried as it is;
 *   - a 2.0 sender takes an answer without the X-Prometheus-Remote-Write-*-Written headers for a 1.0
 *     receiver's, and stops speaking 2.0: they are on every answer to 2.0, good or bad. */
#include "receive/push_prom.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "decode/prom_text.h"
#include "decode/prom_write.h"

enum { EXTRA_LABELS_MAX = 32 };

void push_prom_init(struct push_prom *p, struct store *store, const struct limit *limit)
{
    ingest_init(&p->write_v1, "remote_write_v1", store, limit);
    ingest_init(&p->write_v2, "remote_write_v2", store, limit);
    ingest_init(&p->import, "prometheus_text", store, limit);
}

/* ---- remote write ---- */

enum write_version { WRITE_V1, WRITE_V2 };

static struct str unquoted(struct str s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') return (struct str){ s.p + 1, s.n - 2 };
    return s;
}

static int write_version(struct str content_type, enum write_version *out, struct err *e)
{
    struct str rest, type = str_trim(str_cut(content_type, ';', &rest));
    if (type.n > 0 && !str_is_nocase(type, "application/x-protobuf") &&
        !str_is_nocase(type, "application/protobuf"))
        return err_set(e, ERR_UNSUPPORTED,
                       "Content-Type \"%.*s\" is not supported: use application/x-protobuf",
                       (int)MIN(type.n, (size_t)64), type.p);

    *out = WRITE_V1;
    while (rest.n > 0) {
        struct str value, name = str_trim(str_cut(str_cut(rest, ';', &rest), '=', &value));
        if (!str_is_nocase(name, "proto")) continue;
        value = unquoted(str_trim(value));
        if (str_is(value, "io.prometheus.write.v2.Request"))
            *out = WRITE_V2;
        else if (!str_is(value, "prometheus.WriteRequest"))
            return err_set(e, ERR_UNSUPPORTED,
                           "proto \"%.*s\" is not supported: use prometheus.WriteRequest or "
                           "io.prometheus.write.v2.Request",
                           (int)MIN(value.n, (size_t)64), value.p);
    }
    return OK;
}

static void written_header(struct ingest_request *q, const char *name, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    http_answer_header(q->x, name, str_make(digits, (size_t)len));
}

static void written_headers(struct ingest_request *q)
{
    if (q->form != WRITE_V2) return;
    written_header(q, "X-Prometheus-Remote-Write-Samples-Written", q->kept.samples);
    written_header(q, "X-Prometheus-Remote-Write-Histograms-Written", q->kept.histograms);
    written_header(q, "X-Prometheus-Remote-Write-Exemplars-Written", q->kept.exemplars);
}

static void write_answer(struct ingest_request *q)
{
    if (q->rc < 0) q->kept = (struct write_result){ 0 };
    written_headers(q);
    if (q->rc < 0) {
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
    } else if (ingest_refused(q) > 0) {
        char text[400];
        snprintf(text, sizeof text, "%llu of the rows refused, the others kept; first: %s",
                 (unsigned long long)ingest_refused(q), ingest_why(q));
        ingest_answer_text(q, 400, text);
    } else {
        ingest_answer(q, 204, "text/plain; charset=utf-8", STR(""));
    }
}

static int write_body(struct ingest_request *q, struct str *body, struct err *e)
{
    struct str coding = http_header(q->x, "Content-Encoding");
    if (str_is_nocase(coding, "none"))
        return unpack(UNPACK_IDENTITY, http_body(q->x), q->in->limit.body_bytes, &q->arena, body, e);
    int rc = ingest_body(q, UNPACK_SNAPPY, body, e);
    if (rc == ERR_PARSE && coding.n == 0)
        rc = unpack(UNPACK_IDENTITY, http_body(q->x), q->in->limit.body_bytes, &q->arena, body, e);
    return rc;
}

static void handle_write(struct http_exchange *x, void *ctx)
{
    struct push_prom *p = ctx;
    enum write_version version = WRITE_V1;
    struct str body;
    struct err e = ERR_INIT;
    int rc = write_version(http_header(x, "Content-Type"), &version, &e);
    struct ingest_request *q = ingest_begin(version == WRITE_V2 ? &p->write_v2 : &p->write_v1, x);
    q->form = version;

    if (rc == OK) rc = write_body(q, &body, &e);
    if (rc == OK)
        rc = (version == WRITE_V2 ? prom_write_v2 : prom_write_v1)(body, &q->in->limit.decode, &q->arena,
                                                                   &q->batch, &q->refused, &e);
    if (rc < 0) {
        written_headers(q);
        ingest_refuse(q, &e);
        return;
    }
    ingest_write(q);
    ingest_finish(q, write_answer);
}

/* ---- text import ---- */

static int extra_labels(struct http_exchange *x, struct label *out, size_t *n, struct err *e)
{
    struct str *given;
    size_t n_given = http_params(x, "extra_label", &given);
    if (n_given > EXTRA_LABELS_MAX)
        return err_set(e, ERR_RANGE, "more than %d extra_label parameters", EXTRA_LABELS_MAX);
    for (*n = 0; *n < n_given; ++*n) {
        struct str value, name = str_cut(given[*n], '=', &value);
        if (name.n == 0 || name.n == given[*n].n)
            return err_set(e, ERR_RANGE, "extra_label \"%.*s\" is not name=value",
                           (int)MIN(given[*n].n, (size_t)64), given[*n].p);
        out[*n] = (struct label){ name, value };
    }
    return OK;
}

static int import_time(struct http_exchange *x, int64_t *out, struct err *e)
{
    struct str given = http_param(x, "timestamp");
    *out = clock_now_ms();
    if (given.n == 0 || str_to_i64(given, out)) return OK;
    return err_set(e, ERR_RANGE, "timestamp \"%.*s\" is not a number of milliseconds",
                   (int)MIN(given.n, (size_t)64), given.p);
}

/* The faults of the text, kept in the exchange's arena until the answer. */
static void import_refusal(struct ingest_request *q, struct buf *out)
{
    const struct prom_text_faults *faults = q->door;
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_cs(&w, "status", "error");
    json_kv_cs(&w, "errorType", "bad_data");
    json_kv_cs(&w, "error", ingest_why(q));
    json_kv_i64(&w, "accepted", (int64_t)(q->kept.samples + q->kept.histograms));
    json_kv_i64(&w, "rejected", (int64_t)ingest_refused(q));
    json_put_key(&w, STR("lines"));
    json_begin_array(&w);
    for (size_t i = 0; i < MIN(faults->total, (uint64_t)PROM_TEXT_FAULTS_MAX); i++) {
        json_begin_object(&w);
        json_kv_i64(&w, "line", (int64_t)faults->first[i].line);
        json_kv_cs(&w, "error", faults->first[i].text);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
}

static void import_answer(struct ingest_request *q)
{
    struct buf json = BUF_INIT(64 << 10);
    if (q->rc < 0) {
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
    } else if (ingest_refused(q) > 0) {
        import_refusal(q, &json);
        ingest_answer(q, 400, "application/json", buf_view(&json));
    } else {
        ingest_answer(q, 204, "text/plain; charset=utf-8", STR(""));
    }
    buf_release(&json);
}

static int import_decode(struct ingest_request *q, struct err *e)
{
    struct label extra[EXTRA_LABELS_MAX];
    struct prom_text_import how = { .limits = &q->in->limit.decode, .extra = extra };
    struct str body;
    int rc;

    if (!prom_text_form(http_header(q->x, "Content-Type"), &how.form))
        how.form = PROM_TEXT_PLAIN; /* curl says it is a form */
    if ((rc = import_time(q->x, &how.default_time_ms, e)) < 0) return rc;
    if ((rc = extra_labels(q->x, extra, &how.n_extra, e)) < 0) return rc;
    if ((rc = ingest_body(q, UNPACK_IDENTITY, &body, e)) < 0) return rc;
    q->door = arena_zero(http_arena(q->x), sizeof(struct prom_text_faults));
    return prom_text_import(body, &how, &q->arena, &q->batch, &q->refused, q->door, e);
}

static void handle_import(struct http_exchange *x, void *ctx)
{
    struct push_prom *p = ctx;
    struct ingest_request *q = ingest_begin(&p->import, x);
    struct err e = ERR_INIT;
    if (import_decode(q, &e) < 0) {
        ingest_refuse(q, &e);
        return;
    }
    ingest_write(q);
    ingest_finish(q, import_answer);
}

const struct http_route push_prom_routes[] = {
    { "POST", "/api/v1/write", handle_write },
    { "POST", "/api/v1/push", handle_write },
    { "POST", "/api/v1/import/prometheus", handle_import },
};
const size_t push_prom_n_routes = COUNT(push_prom_routes);
