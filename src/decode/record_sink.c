/* record_sink.c - from what a decoder read to a packed record: texts put right, ceilings kept, all counted.
 *
 * Memory: arrays of attributes grow in `lists` and are used again; texts that had to be made live in `keep`
 * until the next resource and in `scratch` until the next record. So a request takes memory for its largest
 * resource and its largest record, however many there are. */
#include "decode/record_sink.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "decode/utf8.h"

void record_sink_init(struct record_sink *s, struct records *out, const struct record_options *options,
                      struct record_report *report, const char *(*place)(void *), void *decoder)
{
    *s = (struct record_sink){
        .out = out,
        .options = options,
        .report = report,
        .lists = ARENA_INIT(SIZE_MAX / 2), /* RECORD_ATTRS_MAX is their ceiling */
        .keep = ARENA_INIT(SIZE_MAX / 2),  /* a few times the body */
        .scratch = ARENA_INIT(SIZE_MAX / 2),
        .events = BUF_INIT(RECORD_JSON_MAX),
        .links = BUF_INIT(RECORD_JSON_MAX),
        .place = place,
        .decoder = decoder,
        .most = UINT64_MAX,
    };
    s->at = &s->keep;
}

void record_sink_bound(struct record_sink *s, size_t body_bytes)
{
    s->most = s->report->accepted + RECORDS_FREE + body_bytes / RECORD_BODY_MIN;
}

void record_sink_release(struct record_sink *s)
{
    arena_release(&s->lists);
    arena_release(&s->keep);
    arena_release(&s->scratch);
    buf_release(&s->events);
    buf_release(&s->links);
}

/* ---- the account ---- */

static void describe(struct record_sink *s, enum reject reason, const char *fmt, va_list ap)
{
    struct record_report *report = s->report;
    if (report->n_first == RECORD_FAULTS_MAX) return;
    struct record_fault *f = &report->first[report->n_first++];
    f->reason = reason;
    int n = snprintf(f->text, sizeof f->text, "%s: ", s->place(s->decoder));
    size_t at = MIN((size_t)n, sizeof f->text - 1);
    vsnprintf(f->text + at, sizeof f->text - at, fmt, ap);
}

void record_refuse(struct record_sink *s, enum reject reason, const char *fmt, ...)
{
    va_list ap;
    check((unsigned)reason < REJECT_COUNT);
    s->report->rejected[reason]++;
    s->report->rejected_total++;
    va_start(ap, fmt);
    describe(s, reason, fmt, ap);
    va_end(ap);
}

void record_refuse_more(struct record_sink *s, enum reject reason, uint64_t n)
{
    check((unsigned)reason < REJECT_COUNT);
    s->report->rejected[reason] += n;
    s->report->rejected_total += n;
}

void record_note(struct record_sink *s, const char *fmt, ...)
{
    va_list ap;
    s->altered = true;
    va_start(ap, fmt);
    describe(s, REJECT_COUNT, fmt, ap);
    va_end(ap);
}

/* ---- texts and values ---- */

struct str record_text_slow(struct record_sink *s, struct str t)
{
    if (t.n > RECORD_VALUE_MAX) {
        size_t kept = utf8_floor(t, RECORD_VALUE_MAX);
        s->cut += t.n - kept;
        t.n = kept;
    }
    return utf8_repaired(t, s->at);
}

struct value record_value_text(struct record_sink *s, struct str t)
{
    return value_str(record_text(s, t));
}

struct value record_value_bytes(struct record_sink *s, struct str bytes)
{
    struct value v = { .type = VALUE_BYTES, .text = bytes };
    if (v.text.n > RECORD_VALUE_MAX) {
        s->cut += v.text.n - RECORD_VALUE_MAX;
        v.text.n = RECORD_VALUE_MAX;
    }
    return v;
}

/* JSON that was cut is JSON no more: it is kept as text. */
struct value record_value_json(struct record_sink *s, const struct buf *json)
{
    struct str text = arena_str(s->at, buf_view(json));
    if (json->full) s->cut++; /* what did not fit is not known to the byte */
    if (json->full || text.n > RECORD_VALUE_MAX) return record_value_text(s, text);
    return (struct value){ .type = VALUE_JSON, .text = text };
}

struct value record_body(struct record_sink *s, struct value v)
{
    struct buf text = BUF_INIT(2 * RECORD_VALUE_MAX + 64);
    if (v.type == VALUE_NONE || v.type == VALUE_STR || v.type == VALUE_JSON) return v;
    value_print(&text, v);
    struct str kept = arena_str(s->at, buf_view(&text));
    buf_release(&text);
    bool json = v.type == VALUE_INT || v.type == VALUE_BOOL || (v.type == VALUE_DOUBLE && isfinite(v.d));
    return json ? (struct value){ .type = VALUE_JSON, .text = kept } : value_str(kept);
}

struct attr *record_attr_slow(struct record_sink *s, struct attr_list *l)
{
    if (l->n == RECORD_ATTRS_MAX) {
        s->left_out++;
        return NULL;
    }
    l->at = arena_grow(&s->lists, l->at, l->n, &l->cap, sizeof *l->at);
    l->cap = MIN(l->cap, (size_t)RECORD_ATTRS_MAX);
    return &l->at[l->n++];
}

void record_put(struct record_sink *s, struct attr_list *l, struct str name, struct value v)
{
    struct attr *a = name.n > 0 && v.type != VALUE_NONE ? record_attr_room(s, l) : NULL;
    if (a != NULL) *a = (struct attr){ record_text(s, name), v };
}

void record_put_text(struct record_sink *s, struct attr_list *l, struct str name, struct str text)
{
    record_put(s, l, name, record_value_text(s, text));
}

/* What was lost is said in the record itself, in place of its last attributes when there are too many. */
static void mark_losses(struct record_sink *s, struct attr_list *l)
{
    const size_t marks = 2;
    if (LIKELY((s->cut | s->left_out) == 0)) return;
    s->altered = true;
    if (l->n > RECORD_ATTRS_MAX - marks) {
        s->left_out += l->n - (RECORD_ATTRS_MAX - marks);
        l->n = RECORD_ATTRS_MAX - marks;
    }
    if (s->cut > 0) record_put(s, l, STR("vedette.truncated"), value_int((int64_t)s->cut));
    if (s->left_out > 0) record_put(s, l, STR("vedette.refused"), value_int((int64_t)s->left_out));
    s->cut = s->left_out = 0;
}

/* ---- origins ---- */

void record_origin_begin(struct record_sink *s)
{
    arena_reset(&s->keep);
    s->at = &s->keep;
    s->resource.n = 0;
    s->cut = s->left_out = 0;
    record_scope_begin(s);
}

void record_scope_begin(struct record_sink *s)
{
    s->at = &s->keep;
    s->scope.n = 0;
    s->origin = (struct origin){ .resource = { NULL, 0 } };
}

void record_origin_end(struct record_sink *s)
{
    mark_losses(s, &s->resource);
    s->origin.resource = (struct attrs){ s->resource.at, s->resource.n };
    s->origin.scope = (struct attrs){ s->scope.at, s->scope.n };
    s->origin_due = true;
    s->altered = false;
}

static size_t attrs_bytes(const struct attr_list *l)
{
    size_t n = l->n * sizeof *l->at;
    for (size_t i = 0; i < l->n; i++) {
        struct value v = l->at[i].value;
        bool has_text = v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON;
        n += l->at[i].name.n + (has_text ? v.text.n : 0);
    }
    return n;
}

/* Each scope is packed with its whole resource, so a small body could ask for much work: it has a ceiling. */
static int pack_origin(struct record_sink *s, struct err *e)
{
    const struct record_hooks *hooks = s->options->hooks;
    s->origin_due = false;
    s->origin_bytes += attrs_bytes(&s->resource) + attrs_bytes(&s->scope);
    if (s->origin_bytes > RECORD_ORIGINS_MAX)
        return err_set(e, ERR_LIMIT,
                       "%s: resources and scopes of the request, repeated for each scope, are "
                       "more than %u bytes",
                       s->place(s->decoder), RECORD_ORIGINS_MAX);
    if (hooks != NULL && hooks->origin != NULL) hooks->origin(hooks->ctx, &s->origin, &s->keep);
    records_origin(s->out, &s->origin);
    return OK;
}

static bool is_origin(const struct record_sink *s, const struct attr *resource, size_t n, struct str name,
                      struct str version)
{
    if (!s->has_origin || s->resource.n != n) return false;
    if (!str_eq(s->origin.scope_name, name) || !str_eq(s->origin.scope_version, version)) return false;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(s->resource.at[i].name, resource[i].name) ||
            !value_same(s->resource.at[i].value, resource[i].value))
            return false;
    return true;
}

static struct value kept_value(struct record_sink *s, struct value v)
{
    if (v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON)
        v.text = arena_str(&s->keep, v.text);
    return v;
}

void record_origin_of(struct record_sink *s, const struct attr *resource, size_t n, struct str name,
                      struct str version)
{
    const uint64_t cut = s->cut, left_out = s->left_out;
    const bool altered = s->altered;
    if (LIKELY(is_origin(s, resource, n, name, version))) return;

    record_origin_begin(s);
    for (size_t i = 0; i < n; i++)
        record_put(s, &s->resource, arena_str(&s->keep, resource[i].name), kept_value(s, resource[i].value));
    s->origin.scope_name = arena_str(&s->keep, name);
    s->origin.scope_version = arena_str(&s->keep, version);
    record_origin_end(s);
    s->has_origin = true;
    s->at = &s->scratch;
    s->cut = cut;
    s->left_out = left_out;
    s->altered = altered;
}

/* ---- records ---- */

void record_begin(struct record_sink *s)
{
    arena_reset(&s->scratch);
    s->at = &s->scratch;
    memset(&s->record, 0, sizeof s->record);
    s->attrs.n = s->events.n = s->links.n = s->n_events = s->n_links = 0;
    s->events.full = s->links.full = false;
    s->cut = s->left_out = 0;
    s->altered = false;
}

/* "[{...},{...}]" is written item by item; too much of it is left out as a whole. */
static struct str list_end(struct record_sink *s, struct buf *json, size_t n)
{
    if (LIKELY(n == 0)) return (struct str){ NULL, 0 };
    buf_char(json, ']');
    if (!json->full) return buf_view(json);
    s->left_out += n;
    return (struct str){ NULL, 0 };
}

static bool is_future(struct record_sink *s)
{
    const int64_t latest_ns = s->options->latest_ns;
    if (LIKELY(latest_ns == 0 || s->record.time_ns <= latest_ns)) return false;
    record_refuse(s, REJECT_future, "%s", reject_text(REJECT_future));
    return true;
}

static bool is_too_many(struct record_sink *s)
{
    if (LIKELY(s->report->accepted < s->most)) return false;
    record_refuse(s, REJECT_record_count, "%s: %llu", reject_text(REJECT_record_count),
                  (unsigned long long)s->most);
    return true;
}

int record_add(struct record_sink *s, struct err *e)
{
    const struct record_hooks *hooks = s->options->hooks;
    struct record *r = &s->record;
    struct err why = ERR_INIT;

    if (is_too_many(s) || is_future(s)) return OK;
    if (UNLIKELY(s->origin_due) && pack_origin(s, e) < 0) return ERR_LIMIT;
    if (s->out->table == TABLE_SPANS) {
        r->span.events = list_end(s, &s->events, s->n_events);
        r->span.links = list_end(s, &s->links, s->n_links);
    }
    mark_losses(s, &s->attrs);
    r->attrs = (struct attrs){ s->attrs.at, s->attrs.n };
    if (hooks != NULL && hooks->record != NULL && !hooks->record(hooks->ctx, &s->origin, r, &s->scratch)) {
        s->report->dropped++;
        return OK;
    }
    if (UNLIKELY(records_add(s->out, r, &why) < 0)) {
        record_refuse(s, REJECT_record_size, "%s", why.text);
        return OK;
    }
    s->report->accepted++;
    s->report->altered += s->altered;
    if (UNLIKELY(arena_over(s->out->arena)))
        return err_set(e, ERR_LIMIT, "%s: the request needs more than the %zu bytes of memory it may take",
                       s->place(s->decoder), s->out->arena->budget);
    return OK;
}
