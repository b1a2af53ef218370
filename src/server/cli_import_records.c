/* cli_import_records.c - a file of logs or spans, decoded here and sent to the server's OTLP doors.
 *
 * Sent in requests of about REQUEST_BYTES, one after the other, each acknowledged when durable. Spans have
 * the ids of the file (or ids made of its content), so a repeated import replaces each span by itself; log
 * records have none, and are written again. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "decode/otlp_write.h"
#include "server/cli_import.h"

#define REQUEST_BYTES   (2u << 20)
#define REQUEST_RECORDS 2000
#define DECODED_MAX     ((size_t)8 << 30)
#define REQUEST_MAX     (256u << 20) /* one record may have 16 MiB, and JSON is longer */

struct sender {
    const struct import_settings *settings;
    const char *file;
    enum table table;
    struct import_progress progress;
    struct record *batch;
    size_t n_batch, batch_bytes;
    uint64_t sent, refused, of, file_bytes;
    struct map traces; /* by hash of the id */
};

/* ---- what the server says ---- */

static void read_partial(struct json_reader *r, uint64_t *refused, struct str *why)
{
    struct str key, text;
    if (json_peek(r) != JSON_OBJECT || !json_object(r)) return;
    while (json_key(r, &key)) {
        if ((str_is(key, "rejectedSpans") || str_is(key, "rejectedLogRecords")) &&
            json_peek(r) == JSON_STRING && json_string(r, &text))
            str_to_u64(text, refused);
        else if (str_is(key, "errorMessage") && json_peek(r) == JSON_STRING)
            json_string(r, why);
        else
            json_skip(r);
    }
}

static void read_answer(struct sender *s, const struct http_fetched *got)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct json_reader r;
    struct str key, why = STR("");
    uint64_t refused = 0;
    json_open(&r, buf_view(&got->body), &a);
    if (json_peek(&r) == JSON_OBJECT && json_object(&r)) {
        while (json_key(&r, &key)) {
            if (str_is(key, "partialSuccess"))
                read_partial(&r, &refused, &why);
            else if (str_is(key, "message") && json_peek(&r) == JSON_STRING)
                json_string(&r, &why);
            else
                json_skip(&r);
        }
    }
    if (got->status >= 300) refused = s->n_batch;
    s->refused += refused;
    if (why.n > 0 || got->status >= 300) {
        import_progress_clear(&s->progress);
        fprintf(stderr, "%s: the server answered %ld: %.*s\n", s->file, got->status, STR_ARG(why));
    }
    arena_release(&a);
}

/* ---- sending ---- */

static int flush(struct sender *s, struct err *e)
{
    struct http_fetched got = { 0 };
    struct buf body = BUF_INIT(REQUEST_MAX);
    if (s->n_batch == 0) return OK;
    if (s->table == TABLE_SPANS)
        otlp_write_spans_json(s->batch, s->n_batch, "resourceSpans", &body);
    else
        otlp_write_logs_json(s->batch, s->n_batch, &body);
    int rc = body.full ? err_set(e, ERR_LIMIT, "a record is too large to be sent")
                       : import_post(s->settings->server, s->table == TABLE_SPANS ? "/v1/traces" : "/v1/logs",
                                     "application/json", NULL, buf_view(&body), &got, e);
    if (rc == OK) {
        read_answer(s, &got);
        if (got.status >= 300 && got.status != 400)
            rc = err_set(e, ERR_IO, "HTTP %ld after %llu of %llu records", got.status,
                         (unsigned long long)s->sent, (unsigned long long)s->of);
    }
    if (rc == OK) s->sent += s->n_batch;
    if (rc == OK)
        import_progress_show(&s->progress,
                             (uint64_t)((double)s->file_bytes * (double)s->sent / (double)s->of), s->sent);
    s->n_batch = s->batch_bytes = 0;
    buf_release(&got.body);
    buf_release(&body);
    return rc;
}

static void note_trace(struct sender *s, const struct record *r)
{
    uint64_t h = hash64(r->trace_id, sizeof r->trace_id);
    if (map_find(&s->traces, h, NULL, NULL) == NULL) map_add(&s->traces, h, 1);
}

static int send_chunk(struct sender *s, const struct record_chunk *chunk, struct err *e)
{
    struct arena a = ARENA_INIT(DECODED_MAX);
    struct record_reader reader;
    int rc = record_chunk_open(&reader, chunk->bytes, &a, e);
    size_t each = rc == OK && reader.n > 0 ? chunk->bytes.n / reader.n : 0;
    for (size_t i = 0; rc == OK && i < reader.n; i++) {
        record_chunk_get(&reader, i, &a, &s->batch[s->n_batch]);
        note_trace(s, &s->batch[s->n_batch++]);
        s->batch_bytes += each;
        if (s->n_batch == REQUEST_RECORDS || s->batch_bytes >= REQUEST_BYTES) rc = flush(s, e);
    }
    if (rc == OK) rc = flush(s, e); /* what it points to ends with the chunk */
    arena_release(&a);
    return rc;
}

/* ---- the file ---- */

/* Hook of the decoder: a resource without a name gets one, so that it can be found. */
static void name_service(void *ctx, struct origin *o, struct arena *scratch)
{
    const struct import_settings *settings = ctx;
    struct str name = settings->service ? str_of(settings->service) : STR("unknown_service");
    struct attr *at = arena_array(scratch, o->resource.n + 1, sizeof *at);
    size_t n = o->resource.n;
    for (size_t i = 0; i < n; i++) {
        at[i] = o->resource.at[i];
        if (!str_is(at[i].name, "service.name")) continue;
        if (settings->service == NULL || at[i].value.type != VALUE_STR ||
            !str_is(at[i].value.text, "unknown_service"))
            return;
        at[i].value = value_str(name);
        o->resource.at = at;
        return;
    }
    at[n] = (struct attr){ STR("service.name"), value_str(name) };
    o->resource = (struct attrs){ at, n + 1 };
}

static void show_faults(const char *file, const struct record_report *report)
{
    uint64_t shown = 0;
    for (size_t i = 0; i < report->n_first; i++) {
        if (report->first[i].reason != REJECT_COUNT) shown++;
        fprintf(stderr, "%s: %s\n", file, report->first[i].text);
    }
    if (report->rejected_total > shown)
        fprintf(stderr, "%s: ... and %llu more refused\n", file,
                (unsigned long long)(report->rejected_total - shown));
}

static void show_sum(const struct sender *s, const struct import_format *f, uint64_t refused)
{
    double seconds = (double)(clock_mono_ns() - s->progress.began_ns) / 1e9;
    import_progress_clear(&s->progress);
    fprintf(stderr, "%s: %s: %llu %s", s->file, f->name, (unsigned long long)(s->sent - s->refused),
            s->table == TABLE_SPANS ? "spans" : "log records");
    if (s->table == TABLE_SPANS) fprintf(stderr, " of %zu traces", s->traces.n);
    fprintf(stderr, ", %.1f MB in %.2f s", (double)s->file_bytes / 1e6, seconds);
    if (refused > 0) fprintf(stderr, ", %llu refused", (unsigned long long)refused);
    fprintf(stderr, "\n");
}

static int send_all(struct sender *s, const struct records *out, struct err *e)
{
    int rc = OK;
    s->batch = mem_array(REQUEST_RECORDS, sizeof *s->batch);
    for (size_t i = 0; rc == OK && i < out->n_chunks; i++) rc = send_chunk(s, &out->chunks[i], e);
    mem_free(s->batch);
    return rc;
}

int import_records(const struct import_settings *settings, const char *file, struct str bytes,
                   const struct import_format *format, struct err *e)
{
    const struct record_hooks hooks = { .ctx = (void *)settings, .origin = name_service };
    const struct record_options options = { .now_ns = settings->base_ns, .hooks = &hooks };
    struct sender s = { .settings = settings, .file = file, .table = format->table, .file_bytes = bytes.n };
    struct record_report report = { 0 };
    struct arena arena = ARENA_INIT(DECODED_MAX);
    struct records out;

    import_progress_begin(&s.progress, file, s.table == TABLE_SPANS ? "spans" : "records", bytes.n);
    map_init(&s.traces, 64);
    records_init(&out, &arena, format->table);
    int rc = format->decode(bytes, &options, &out, &report, e);
    records_end(&out);
    s.of = out.n;
    show_faults(file, &report);
    if (rc == OK) rc = send_all(&s, &out, e);
    uint64_t refused = s.refused + report.rejected_total;
    if (rc == OK) {
        show_sum(&s, format, refused);
        if (refused > 0) rc = err_set(e, ERR_RANGE, "some of it was refused, see above");
    }
    map_release(&s.traces);
    arena_release(&arena);
    return rc;
}
