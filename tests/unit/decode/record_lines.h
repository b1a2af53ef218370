/* record_lines.h - a decoder of logs or spans run on a body, and what came out as lines of text, in which
 * tests state what they expect. Texts as "text", ints as 12i, doubles as 1.5d, truths as true, bytes as
 * x:00ff, JSON as it is. Absent fields are not printed.
 *
 *     span 0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331 "GET /" server 10+5 attrs{a="b"} resource{...}
 *     log 10 sev=17 "body" attrs{...} resource{...} */
#pragma once
#include "decode/record_sink.h"
#include "unit/test.h"

struct lines {
    struct arena arena;
    struct buf text;
    struct record_report report;
    struct record_options options;
    struct err err;
    int rc;
};

#define LINES_NOW 1700000000000000000

static inline void lines_value(struct buf *b, struct value v)
{
    struct buf text = BUF_INIT(64 << 20);
    if (v.type != VALUE_NONE) value_print(&text, v);
    const char *before = v.type == VALUE_STR ? "\"" : v.type == VALUE_BYTES ? "x:" : "";
    const char *after = v.type == VALUE_STR      ? "\""
                        : v.type == VALUE_INT    ? "i"
                        : v.type == VALUE_DOUBLE ? "d"
                                                 : "";
    buf_cs(b, before);
    buf_str(b, buf_view(&text));
    buf_cs(b, after);
    buf_release(&text);
}

static inline void lines_attrs(struct buf *b, const char *name, struct attrs l)
{
    if (l.n == 0) return;
    buf_printf(b, " %s{", name);
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0) buf_char(b, ',');
        buf_str(b, l.at[i].name);
        buf_char(b, '=');
        lines_value(b, l.at[i].value);
    }
    buf_char(b, '}');
}

static inline void lines_text(struct buf *b, const char *name, struct str s)
{
    if (s.n > 0) buf_printf(b, " %s=%.*s", name, STR_ARG(s));
}

static inline bool lines_id(struct buf *b, const char *before, const uint8_t *id, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= id[i];
    if (any == 0) return false;
    buf_cs(b, before);
    for (size_t i = 0; i < n; i++) buf_printf(b, "%02x", id[i]);
    return true;
}

static inline void lines_span(struct buf *b, const struct record *r)
{
    static const char *const kinds[] = {
        "unspecified", "internal", "server", "client", "producer", "consumer"
    };
    static const char *const statuses[] = { "", " ok", " error" };
    buf_cs(b, "span");
    lines_id(b, " ", r->trace_id, 16);
    lines_id(b, "/", r->span_id, 8);
    lines_id(b, " parent=", r->span.parent_id, 8);
    buf_printf(b, " \"%.*s\" %s %lld", STR_ARG(r->span.name), kinds[r->span.kind], (long long)r->time_ns);
    if (r->span.duration_ns == SPAN_UNFINISHED)
        buf_cs(b, " unfinished");
    else
        buf_printf(b, "+%lld", (long long)r->span.duration_ns);
    buf_cs(b, statuses[r->span.status]);
    lines_text(b, "message", r->span.status_message);
    lines_text(b, "state", r->span.trace_state);
    lines_text(b, "events", r->span.events);
    lines_text(b, "links", r->span.links);
}

static inline void lines_log(struct buf *b, const struct record *r)
{
    buf_printf(b, "log %lld", (long long)r->time_ns);
    if (r->log.observed_ns != 0) buf_printf(b, " observed=%lld", (long long)r->log.observed_ns);
    if (r->log.severity != 0) buf_printf(b, " sev=%d", r->log.severity);
    lines_text(b, "sevtext", r->log.severity_text);
    lines_text(b, "event", r->log.event_name);
    if (r->log.body.type != VALUE_NONE) buf_char(b, ' ');
    lines_value(b, r->log.body);
    lines_id(b, " trace=", r->trace_id, 16);
    lines_id(b, " span=", r->span_id, 8);
}

static inline void lines_record(struct buf *b, const struct record *r, enum table t)
{
    t == TABLE_SPANS ? lines_span(b, r) : lines_log(b, r);
    if (r->flags) buf_printf(b, " flags=%u", r->flags);
    if (r->dropped) buf_printf(b, " dropped=%u", r->dropped);
    lines_attrs(b, "attrs", r->attrs);
    lines_attrs(b, "resource", r->origin->resource);
    lines_text(b, "scope", r->origin->scope_name);
    lines_text(b, "version", r->origin->scope_version);
    lines_attrs(b, "scopeattrs", r->origin->scope);
    buf_char(b, '\n');
}

/* The lines; when the body was refused as a whole: "ERR_...: text". Valid until the next call. */
static inline const char *lines_decode(struct lines *l, record_decoder *decode, enum table t, struct str body)
{
    struct records out;
    arena_release(&l->arena);
    l->arena.budget = 256 << 20;
    l->text.max = 64 << 20;
    buf_clear(&l->text);
    l->report = (struct record_report){ 0 };
    l->err = (struct err){ 0 };
    if (l->options.now_ns == 0) l->options.now_ns = LINES_NOW;
    records_init(&out, &l->arena, t);
    l->rc = decode(body, &l->options, &out, &l->report, &l->err);
    records_end(&out);
    if (l->rc < 0) {
        buf_printf(&l->text, "%s: %s", err_name(l->rc), l->err.text);
        return buf_cstr(&l->text);
    }
    EXPECT(out.n == l->report.accepted);
    for (size_t c = 0; c < out.n_chunks; c++) {
        struct record_reader reader;
        EXPECT(record_chunk_open(&reader, out.chunks[c].bytes, &l->arena, &l->err) == OK);
        for (size_t i = 0; i < reader.n; i++) {
            struct record r;
            record_chunk_get(&reader, i, &l->arena, &r);
            lines_record(&l->text, &r, t);
        }
    }
    return buf_cstr(&l->text);
}

static inline void lines_release(struct lines *l)
{
    arena_release(&l->arena);
    buf_release(&l->text);
}

static inline const char *lines_fault(const struct lines *l, size_t i)
{
    return i < l->report.n_first ? l->report.first[i].text : "";
}

/* A file, by its path from the root of the project; the caller frees s.p. */
static inline struct str lines_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct str s = { NULL, 0 };
    if (f == NULL) return s;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *p = malloc((size_t)n + 1);
    if (fread(p, 1, (size_t)n, f) == (size_t)n) s = str_make(p, (size_t)n);
    fclose(f);
    return s;
}
