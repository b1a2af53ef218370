#include "receive/push_events.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"
#include "decode/event_json.h"

#define ANSWER_MAX (1u << 20)

struct push_events_door {
    struct push_events *of;
    const struct event_kind *kind; /* NULL: any */
    char field[64];                /* the {field} of its path; empty: none */
    struct http_route route;
};

/* What a request is to its door; in the exchange's arena. */
struct pushed {
    struct event_json json;
    struct event_ids *ids;
    struct arena *arena;
    uint64_t *claimed;
    size_t n_claimed, cap_claimed;
};

/* ---- ids ---- */

static bool is_new(void *ctx, const struct event_kind *k, struct str id)
{
    struct pushed *p = ctx;
    uint64_t hash = event_id_hash(k->name, id);
    if (p->ids == NULL) return true;
    if (!event_ids_claim(p->ids, hash)) return false;
    if (p->n_claimed == p->cap_claimed)
        p->claimed = arena_grow(p->arena, p->claimed, p->n_claimed, &p->cap_claimed, sizeof *p->claimed);
    p->claimed[p->n_claimed++] = hash;
    return true;
}

static void not_kept(void *ctx, const struct event_kind *k, struct str id)
{
    struct pushed *p = ctx;
    if (p->ids != NULL) event_ids_release(p->ids, event_id_hash(k->name, id));
}

/* Nothing was kept: the sender will come again. */
static void give_back(struct pushed *p)
{
    for (size_t i = 0; i < p->n_claimed; i++) event_ids_release(p->ids, p->claimed[i]);
}

/* ---- answers ---- */

/* "line 7: cost_usd: expected ..." says which line and field. */
static void put_fault(struct json_writer *w, const struct record_fault *f)
{
    struct str rest, text = str_of(f->text);
    unsigned long line = 0;
    json_begin_object(w);
    if (sscanf(f->text, "line %lu", &line) == 1) {
        json_kv_i64(w, "line", (int64_t)line);
        str_cut(text, ':', &rest);
        struct str field = str_trim(str_cut(rest, ':', &text));
        if (text.n > 0 && memchr(field.p, ' ', field.n) == NULL) json_kv_string(w, "field", field);
    }
    json_kv_cs(w, "error", f->text);
    json_end_object(w);
}

static void put_trace(struct json_writer *w, const struct event_told *t)
{
    char hex[33];
    uint8_t any = 0;
    for (size_t i = 0; i < 16; i++) {
        snprintf(hex + 2 * i, 3, "%02x", t->trace_id[i]);
        any |= t->trace_id[i];
    }
    if (any) json_kv_cs(w, "trace_id", hex);
}

static void put_told(struct json_writer *w, const struct event_json *j)
{
    if (j->n_told == 1) put_trace(w, &j->told[0]);
    json_put_key(w, STR("events"));
    json_begin_array(w);
    for (size_t i = 0; i < j->n_told; i++) {
        json_begin_object(w);
        json_kv_string(w, "id", j->told[i].id);
        put_trace(w, &j->told[i]);
        json_kv_bool(w, "duplicate", j->told[i].is_duplicate);
        json_end_object(w);
    }
    json_end_array(w);
}

static void answer(struct ingest_request *q)
{
    struct pushed *p = q->door;
    const uint64_t rejected = ingest_refused(q), accepted = q->kept.logs;
    const bool good = accepted + p->json.duplicates > 0 || rejected == 0;
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct json_writer w;
    if (q->rc < 0) {
        give_back(p);
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
        return;
    }
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_i64(&w, "accepted", (int64_t)accepted);
    json_kv_i64(&w, "duplicates", (int64_t)p->json.duplicates);
    json_kv_i64(&w, "rejected", (int64_t)rejected);
    if (rejected > 0) json_kv_cs(&w, "error", ingest_why(q));
    json_put_key(&w, STR("errors"));
    json_begin_array(&w);
    for (size_t i = 0; i < q->report.n_first; i++) put_fault(&w, &q->report.first[i]);
    json_end_array(&w);
    put_told(&w, &p->json);
    json_end_object(&w);
    ingest_answer(q, rejected == 0 ? 200 : good ? 207 : 400, "application/json", buf_view(&out));
    buf_release(&out);
}

static void handle(struct http_exchange *x, void *ctx)
{
    const struct push_events_door *door = ctx;
    struct ingest_request *q = ingest_begin(&door->of->in, x);
    struct pushed *p = arena_zero(http_arena(x), sizeof *p);
    struct err e = ERR_INIT;
    struct str body = STR("");
    *p = (struct pushed){ .ids = door->of->ids, .arena = http_arena(x) };
    p->json = (struct event_json){ .kind = door->kind, .is_new = is_new, .not_kept = not_kept, .ctx = p };
    p->json.kept = p->arena;
    if (door->field[0] != 0) {
        p->json.path_field = str_of(door->field);
        p->json.path_value = http_path_param(x, door->field);
    }
    q->door = p;
    int rc = ingest_body(q, UNPACK_IDENTITY, &body, &e);
    if (rc == OK && body.n == 0 && door->field[0] != 0) body = STR("{}"); /* the path says it all */
    if (rc == OK)
        rc = event_json(&p->json, body, ingest_options(q, TABLE_LOGS), ingest_records(q, TABLE_LOGS),
                        &q->report, &e);
    if (rc < 0) {
        give_back(p);
        ingest_refuse(q, &e);
        return;
    }
    ingest_decoded(q, STR("")); /* repetitions are known by their ids */
    ingest_write(q);
    ingest_finish(q, answer);
}

/* ---- what there is ---- */

static void put_field(struct json_writer *w, const struct event_field *f)
{
    json_begin_object(w);
    json_kv_cs(w, "name", f->name);
    json_kv_cs(w, "type", event_type_name(f->type));
    json_kv_bool(w, "required", f->need == EVENT_REQUIRED);
    if (f->min != 0 || f->max != 0) {
        json_kv_double(w, "min", f->min);
        if (!isinf(f->max)) json_kv_double(w, "max", f->max);
    }
    if (f->unit != NULL) json_kv_cs(w, "unit", f->unit);
    if (f->words != NULL) {
        struct str rest = str_of(f->words);
        json_put_key(w, STR("words"));
        json_begin_array(w);
        while (rest.n > 0) json_put_string(w, str_cut(rest, '|', &rest));
        json_end_array(w);
    }
    json_kv_cs(w, "help", f->help != NULL ? f->help : "");
    json_end_object(w);
}

static void put_kind(struct json_writer *w, const struct event_kind *k)
{
    json_begin_object(w);
    json_kv_cs(w, "event_name", k->name);
    if (k->path != NULL) json_kv_cs(w, "path", k->path);
    if (k->id != NULL) json_kv_cs(w, "id", k->id);
    json_kv_cs(w, "help", k->help);
    json_put_key(w, STR("fields"));
    json_begin_array(w);
    for (size_t i = 0; i < k->n_fields; i++)
        if (k->fields[i].need != EVENT_DERIVED) put_field(w, &k->fields[i]);
    json_end_array(w);
    json_end_object(w);
}

static void handle_kinds(struct http_exchange *x, void *ctx)
{
    const struct event_kind *k;
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct json_writer w;
    (void)ctx;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("kinds"));
    json_begin_array(&w);
    for (size_t i = 0; (k = event_kind_at(i)) != NULL; i++) put_kind(&w, k);
    json_end_array(&w);
    json_end_object(&w);
    http_answer(x, 200, "application/json", buf_view(&out));
    buf_release(&out);
}

/* ---- life ---- */

static void door_init(struct push_events_door *d, struct push_events *of, const struct event_kind *k)
{
    *d = (struct push_events_door){ .of = of, .kind = k };
    d->route = (struct http_route){ "POST", k != NULL ? k->path : "/api/v1/events", handle };
    const char *from = strchr(d->route.path, '{');
    if (from != NULL) snprintf(d->field, sizeof d->field, "%.*s", (int)strcspn(from + 1, "}"), from + 1);
}

void push_events_init(struct push_events *p, struct store *store, const struct limit *limit)
{
    const struct event_kind *k;
    size_t n = 0;
    *p = (struct push_events){ .ids = NULL };
    ingest_init(&p->in, "events", store, limit);
    while (event_kind_at(n) != NULL) n++;
    p->doors = mem_array(n + 1, sizeof *p->doors);
    door_init(&p->doors[p->n_doors++], p, NULL);
    for (size_t i = 0; (k = event_kind_at(i)) != NULL; i++)
        if (k->path != NULL) door_init(&p->doors[p->n_doors++], p, k);
}

void push_events_ids(struct push_events *p, struct event_ids *ids)
{
    if (ids != NULL) p->ids = event_ids_ref(ids);
}

void push_events_routes(struct push_events *p, struct http_server *http)
{
    static const struct http_route kinds[] = { { "GET", "/api/v1/events/kinds", handle_kinds } };
    http_server_routes(http, kinds, COUNT(kinds), NULL);
    for (size_t i = 0; i < p->n_doors; i++) http_server_routes(http, &p->doors[i].route, 1, &p->doors[i]);
}

void push_events_release(struct push_events *p)
{
    event_ids_unref(p->ids);
    mem_free(p->doors);
    *p = (struct push_events){ .ids = NULL };
}
