/* silence_json.c - see silence_json.h. */
#include "tell/notify/silence_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "decode/time_text.h"
#include "tell/prom_json.h"

#define MATCHERS_MAX 100

bool am_time_read(struct str s, int64_t *ms)
{
    int64_t ns;
    if (str_starts(s, "0001-")) return *ms = 0, true;
    if (!time_from_rfc3339(s, &ns)) return false;
    *ms = ns / 1000000;
    return true;
}

void am_time_put(struct buf *out, int64_t ms)
{
    prom_put_rfc3339(out, ms);
}

/* ---- writing ---- */

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
    struct buf text = BUF_INIT(64);
    am_time_put(&text, ms);
    json_put_key(w, str_of(key));
    json_put_raw(w, buf_view(&text));
    buf_release(&text);
}

static void put_matcher(struct json_writer *w, const struct matcher *m)
{
    json_begin_object(w);
    json_kv_bool(w, "isEqual", m->op == MATCH_EQ || m->op == MATCH_RE);
    json_kv_bool(w, "isRegex", m->op == MATCH_RE || m->op == MATCH_NRE);
    json_kv_string(w, "name", m->name);
    json_kv_string(w, "value", m->value);
    json_end_object(w);
}

void silence_json_put(struct buf *out, const struct silence *s, int64_t now_ms)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_cs(&w, "id", s->id);
    json_put_key(&w, STR("status"));
    json_begin_object(&w);
    json_kv_cs(&w, "state", silence_state_text(silence_state(s, now_ms)));
    json_end_object(&w);
    put_time(&w, "updatedAt", s->updated_ms);
    json_kv_string(&w, "comment", s->comment);
    json_kv_string(&w, "createdBy", s->created_by);
    put_time(&w, "endsAt", s->ends_ms);
    json_put_key(&w, STR("matchers"));
    json_begin_array(&w);
    for (size_t i = 0; i < s->matchers.n; i++) put_matcher(&w, &s->matchers.at[i]);
    json_end_array(&w);
    put_time(&w, "startsAt", s->starts_ms);
    if (s->annotations.n > 0) {
        json_put_key(&w, STR("annotations"));
        json_begin_object(&w);
        for (size_t i = 0; i < s->annotations.n; i++) {
            json_put_key(&w, s->annotations.at[i].name);
            json_put_string(&w, s->annotations.at[i].value);
        }
        json_end_object(&w);
    }
    json_end_object(&w);
}

/* ---- reading ---- */

static void read_matcher(struct json_reader *r, struct arena *a, struct silence *s)
{
    struct str key, name = { NULL, 0 }, value = { NULL, 0 };
    bool is_regex = false, is_equal = true;
    struct err e = ERR_INIT;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (str_is(key, "name"))
            json_string(r, &name);
        else if (str_is(key, "value"))
            json_string(r, &value);
        else if (str_is(key, "isRegex"))
            json_bool(r, &is_regex);
        else if (str_is(key, "isEqual") && json_peek(r) == JSON_BOOL)
            json_bool(r, &is_equal);
        else
            json_skip(r);
    }
    if (r->failed) return;
    if (name.p == NULL || value.p == NULL) {
        json_fail(r, "a matcher needs name and value");
        return;
    }
    enum matcher_op op = is_regex ? (is_equal ? MATCH_RE : MATCH_NRE) : is_equal ? MATCH_EQ : MATCH_NEQ;
    if (s->matchers.n == MATCHERS_MAX)
        json_fail(r, "more than 100 matchers");
    else if (am_matchers_add(&s->matchers, op, name, value, a, &e) < 0)
        json_fail(r, e.text);
}

static void read_time(struct json_reader *r, int64_t *ms)
{
    struct str text;
    if (json_string(r, &text) && !am_time_read(text, ms))
        json_fail(r, "not a time like 2006-01-02T15:04:05Z");
}

static void read_annotations(struct json_reader *r, struct arena *a, struct silence *s)
{
    size_t n = 0, cap = 0;
    struct label *at = NULL;
    struct str key;
    struct err e = ERR_INIT;
    if (!json_object(r)) return;
    while (json_key(r, &key) && n < LABELS_MAX) {
        at = arena_grow(a, at, n, &cap, sizeof *at);
        at[n].name = key;
        if (json_string(r, &at[n].value)) n++;
    }
    if (r->failed || n == 0) return;
    if (labels_normalise(at, &n, &e) < 0) json_fail(r, "annotations are not valid");
    s->annotations = (struct labels){ at, n };
}

static void read_id(struct json_reader *r, struct silence *s)
{
    struct str id;
    if (!json_string(r, &id)) return;
    if (id.n >= SILENCE_ID_MAX)
        json_fail(r, "id is too long");
    else
        snprintf(s->id, sizeof s->id, "%.*s", STR_ARG(id));
}

static void read_matchers(struct json_reader *r, struct arena *a, struct silence *s)
{
    if (!json_array(r)) return;
    while (json_next(r)) read_matcher(r, a, s);
}

int silence_json_read(struct str json, struct arena *a, struct silence *s, struct err *e)
{
    struct json_reader r;
    struct str key;
    *s = (struct silence){ 0 };
    json_open(&r, json, a);
    if (json_object(&r)) {
        while (json_key(&r, &key)) {
            if (json_peek(&r) == JSON_NULL)
                json_skip(&r);
            else if (str_is(key, "id"))
                read_id(&r, s);
            else if (str_is(key, "matchers"))
                read_matchers(&r, a, s);
            else if (str_is(key, "startsAt"))
                read_time(&r, &s->starts_ms);
            else if (str_is(key, "endsAt"))
                read_time(&r, &s->ends_ms);
            else if (str_is(key, "updatedAt"))
                read_time(&r, &s->updated_ms);
            else if (str_is(key, "createdBy"))
                json_string(&r, &s->created_by);
            else if (str_is(key, "comment"))
                json_string(&r, &s->comment);
            else if (str_is(key, "annotations"))
                read_annotations(&r, a, s);
            else
                json_skip(&r);
        }
    }
    return json_close(&r, e);
}
