/* record_items.c - events and links of a span, written as the JSON a record keeps them in. */
#include <stdio.h>

#include "decode/record_sink.h"

/* Each item has a writer of its own; the commas between them are ours. */
static void item_begin(struct buf *json, size_t *n, struct json_writer *w)
{
    buf_char(json, (*n)++ == 0 ? '[' : ',');
    json_writer_init(w, json);
    json_begin_object(w);
}

void record_event_begin(struct record_sink *s, struct json_writer *w, struct str name, uint64_t time_ns)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)time_ns);
    item_begin(&s->events, &s->n_events, w);
    json_kv_string(w, "name", name);
    json_kv_string(w, "time_ns", str_make(digits, (size_t)n));
}

static void put_hex(struct json_writer *w, const char *key, struct str bytes)
{
    static const char digit[] = "0123456789abcdef";
    char hex[64];
    size_t n = 0;
    for (size_t i = 0; i < bytes.n && n < sizeof hex; i++) {
        hex[n++] = digit[(uint8_t)bytes.p[i] >> 4];
        hex[n++] = digit[(uint8_t)bytes.p[i] & 15];
    }
    json_kv_string(w, key, str_make(hex, n));
}

void record_link_begin(struct record_sink *s, struct json_writer *w, struct str trace_id, struct str span_id)
{
    item_begin(&s->links, &s->n_links, w);
    put_hex(w, "trace_id", trace_id);
    put_hex(w, "span_id", span_id);
}

void record_item_end(struct json_writer *w)
{
    json_end_object(w);
}
