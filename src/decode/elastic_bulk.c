#include "decode/elastic_bulk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "decode/log_document.h"
#include "decode/utf8.h"

#define DEPTH 8 /* names of an attribute: kubernetes.pod.labels.app */

struct bulk {
    struct record_sink sink;
    struct elastic_items *items;
    struct str rest;
    size_t line_no; /* of the line taken last, from 1 */
    struct err *err;
    char place[32];
};

static const char *place(void *reader)
{
    struct bulk *b = reader;
    snprintf(b->place, sizeof b->place, "line %zu", b->line_no);
    return b->place;
}

static bool take_line(struct bulk *b, struct str *out)
{
    if (b->rest.n == 0) return false;
    *out = str_trim(str_cut(b->rest, '\n', &b->rest));
    b->line_no++;
    return true;
}

/* ---- actions ---- */

static void action_field(struct json_reader *r, struct str key, struct elastic_item *item, struct arena *a)
{
    struct str text = STR("");
    if (!str_is(key, "_index") && !str_is(key, "_id")) {
        json_skip(r);
        return;
    }
    if (json_peek(r) == JSON_STRING)
        json_string(r, &text);
    else if (json_peek(r) == JSON_NUMBER)
        json_number_text(r, &text);
    else
        json_skip(r);
    if (text.n > 512) text.n = utf8_floor(text, 512);
    *(str_is(key, "_index") ? &item->index : &item->id) = arena_str(a, text);
}

static int action(struct bulk *b, struct str line, struct elastic_item *item)
{
    struct json_reader r;
    struct str name, key;
    *item = (struct elastic_item){ .index = b->items->index, .status = 201 };
    json_open_liberal(&r, line, &b->sink.scratch);
    if (json_object(&r) && json_key(&r, &name)) {
        item->action = arena_str(b->items->arena, name);
        if (json_object(&r))
            while (json_key(&r, &key)) action_field(&r, key, item, b->items->arena);
        if (json_key(&r, &key)) json_fail(&r, "more than one action in a line");
    }
    int rc = json_close(&r, b->err);
    if (rc == OK && !str_is(item->action, "create") && !str_is(item->action, "index") &&
        !str_is(item->action, "update") && !str_is(item->action, "delete"))
        rc = err_set(b->err, ERR_PARSE, "expected create, index, update or delete");
    if (rc < 0) err_where(b->err, "action in line %zu", b->line_no);
    return rc;
}

/* ---- sources ---- */

static void refuse(struct bulk *b, struct elastic_item *item, enum reject reason, const char *why)
{
    item->status = 400;
    item->why = arena_str(b->items->arena, str_of(why));
    record_refuse(&b->sink, reason, "%s", why);
}

static int source(struct bulk *b, struct str line, struct elastic_item *item)
{
    struct record_sink *s = &b->sink;
    const uint64_t accepted = s->report->accepted, future = s->report->rejected[REJECT_future];
    struct json_reader r;
    struct log_document d;
    record_begin(s);
    json_open_liberal(&r, line, s->at);
    log_document_read(&r, s, DEPTH, &d);
    struct err e = ERR_INIT;
    if (json_close(&r, &e) < 0) {
        refuse(b, item, REJECT_record_field, r.why);
        return OK;
    }
    if (d.reason != REJECT_COUNT) {
        refuse(b, item, d.reason, d.why);
        return OK;
    }
    int rc = log_document_add(s, &d, item->index, b->err);
    item->time_ns = s->record.time_ns;
    if (s->report->accepted == accepted) {
        item->status = 400;
        item->why = str_of(
            reject_text(s->report->rejected[REJECT_future] > future ? REJECT_future : REJECT_record_size));
    }
    return rc;
}

static int item_read(struct bulk *b, struct str line)
{
    struct elastic_items *items = b->items;
    struct elastic_item item;
    int rc = action(b, line, &item);
    if (rc < 0) return rc;

    bool brings = str_is(item.action, "create") || str_is(item.action, "index");
    if (!str_is(item.action, "delete") && !take_line(b, &line))
        return err_set(b->err, ERR_PARSE, "line %zu: the source of the last action is missing", b->line_no);
    if (brings)
        rc = source(b, line, &item);
    else
        refuse(b, &item, REJECT_record_field, "records can neither be changed nor deleted");
    items->at = arena_grow(items->arena, items->at, items->n, &items->cap, sizeof *items->at);
    items->at[items->n++] = item;
    return rc;
}

int elastic_bulk(struct str body, const struct record_options *options, struct elastic_items *items,
                 struct records *out, struct record_report *report, struct err *e)
{
    struct bulk b = { .items = items, .rest = body, .err = e };
    struct str line;
    int rc = OK;

    check(out->table == TABLE_LOGS);
    record_sink_init(&b.sink, out, options, report, place, &b);
    record_sink_bound(&b.sink, body.n);
    while (rc == OK && take_line(&b, &line))
        if (line.n > 0) rc = item_read(&b, line);
    record_sink_release(&b.sink);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const struct elastic_item *x = *(struct elastic_item *const *)a, *y = *(struct elastic_item *const *)b;
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

void elastic_items_too_old(struct elastic_items *items, uint64_t n)
{
    struct elastic_item **kept = arena_array(items->arena, items->n + 1, sizeof(struct elastic_item *));
    size_t n_kept = 0;
    for (size_t i = 0; i < items->n; i++)
        if (items->at[i].status < 300) kept[n_kept++] = &items->at[i];
    qsort(kept, n_kept, sizeof(struct elastic_item *), by_time);
    for (size_t i = 0; i < n_kept && i < n; i++) {
        kept[i]->status = 400;
        kept[i]->why = str_of(reject_text(REJECT_too_old));
    }
}

/* ---- the answer ---- */

static void put_item(struct json_writer *w, const struct elastic_item *item)
{
    json_begin_object(w);
    json_put_key(w, item->action);
    json_begin_object(w);
    json_kv_string(w, "_index", item->index);
    if (item->id.n > 0) json_kv_string(w, "_id", item->id);
    json_kv_i64(w, "status", item->status);
    if (item->status < 300) {
        json_kv_cs(w, "result", "created");
        json_kv_i64(w, "_version", 1);
    } else {
        json_put_key(w, STR("error"));
        json_begin_object(w);
        json_kv_cs(w, "type", "document_parsing_exception");
        json_kv_string(w, "reason", item->why);
        json_end_object(w);
    }
    json_end_object(w);
    json_end_object(w);
}

void elastic_answer(const struct elastic_items *items, int64_t took_ms, struct buf *out)
{
    struct json_writer w;
    bool errors = false;
    for (size_t i = 0; i < items->n; i++) errors |= items->at[i].status >= 300;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_i64(&w, "took", took_ms);
    json_kv_bool(&w, "errors", errors);
    json_put_key(&w, STR("items"));
    json_begin_array(&w);
    for (size_t i = 0; i < items->n; i++) put_item(&w, &items->at[i]);
    json_end_array(&w);
    json_end_object(&w);
}
