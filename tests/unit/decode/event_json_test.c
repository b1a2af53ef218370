#include "decode/event_json.h"

#include "unit/test.h"

#define NOW_NS INT64_C(1790000000000000000)

struct bench {
    struct arena arena;
    struct records records;
    struct record_report report;
    struct event_json json;
    const char *was_here; /* an id */
};

static bool is_new(void *ctx, const struct event_kind *k, struct str id)
{
    const struct bench *b = ctx;
    (void)k;
    return b->was_here == NULL || !str_is(id, b->was_here);
}

static void read_kind(struct bench *b, const char *kind, const char *body)
{
    struct record_options options = { .now_ns = NOW_NS, .latest_ns = NOW_NS + 3600 * INT64_C(1000000000) };
    const char *was_here = b->was_here;
    *b = (struct bench){ .arena = ARENA_INIT(64 << 20), .was_here = was_here };
    b->json = (struct event_json){ .is_new = is_new, .ctx = b, .kept = &b->arena };
    if (kind != NULL) b->json.kind = event_kind_find(str_of(kind));
    records_init(&b->records, &b->arena, TABLE_LOGS);
    EXPECT(event_json(&b->json, str_of(body), &options, &b->records, &b->report, NULL) == OK);
    records_end(&b->records);
}

static struct record first(struct bench *b)
{
    struct record_reader reader;
    struct record r;
    EXPECT(b->records.n_chunks == 1);
    EXPECT(record_chunk_open(&reader, b->records.chunks[0].bytes, &b->arena, NULL) == OK);
    record_chunk_get(&reader, 0, &b->arena, &r);
    return r;
}

static struct value attr(const struct record *r, const char *name)
{
    return record_value(r, TABLE_LOGS, field_attr(FIELD_ATTR, str_of(name)));
}

#define REQUEST "vedette.lb.request"

TEST(a_record_becomes_a_log_record_with_a_name_and_attributes)
{
    struct bench b = { .was_here = NULL };
    read_kind(&b, REQUEST,
              "{\"request_id\":\"r\",\"backend_id\":\"b\",\"status\":\"ok\",\"cost_usd\":0.000001,\"end_"
              "time\":\"2026-01-01T00:00:10Z\","
              "\"start_time\":1767225600,\"mine\":{\"a\":1}}");
    struct record r = first(&b);
    EXPECT(b.report.accepted == 1 && b.report.rejected_total == 0);
    EXPECT(str_is(r.log.event_name, REQUEST));
    EXPECT(r.time_ns == INT64_C(1767225610000000000)); /* when it ended */
    EXPECT(attr(&r, "cost_usd").d == 0.000001);
    EXPECT(str_is(attr(&r, "mine").text, "{\"a\":1}"));
    EXPECT(str_is(record_value(&r, TABLE_LOGS, field_attr(FIELD_RESOURCE, STR("service.name"))).text,
                  "load_balancer"));
    arena_release(&b.arena);
}

static void refuses(const char *kind, const char *body, const char *why)
{
    struct bench b = { .was_here = NULL };
    read_kind(&b, kind, body);
    EXPECT(b.records.n == 0 && b.report.rejected_total == 1);
    EXPECT_STR(b.report.first[0].text, why);
    arena_release(&b.arena);
}

TEST(what_is_wrong_is_refused_by_the_name_of_the_field)
{
    refuses(REQUEST, "{\"backend_id\":\"b\"}", "line 1: status: missing");
    refuses(REQUEST, "{\"backend_id\":\"\",\"status\":\"ok\"}", "line 1: backend_id: empty");
    refuses(REQUEST, "{\"backend_id\":null,\"status\":\"ok\"}", "line 1: backend_id: missing");
    refuses(REQUEST, "\n{\"backend_id\":\"b\",\"status\":\"ok\",\"cost_usd\":-0.5}",
            "line 2: cost_usd: expected 0 or more, got -0.5");
    refuses(REQUEST, "{\"backend_id\":\"b\",\"status\":\"ok\",\"quality_score\":1.5}",
            "line 1: quality_score: expected 0 to 1, got 1.5");
    refuses(REQUEST, "{\"backend_id\":\"b\",\"status\":\"ok\",\"quality_score\":\"1\"}",
            "line 1: quality_score: expected number");
    refuses(REQUEST, "{\"backend_id\":\"b\",\"status\":\"ok\",\"request_size_bytes\":1.5}",
            "line 1: request_size_bytes: expected integer");
    refuses(REQUEST, "{\"backend_id\":\"b\",\"status\":\"ok\",\"cost_usd\":1e999}",
            "line 1: cost_usd: expected number");
    refuses(REQUEST, "{\"backend_id\":\"b\",\"status\":\"ok\",\"start_time\":\"noon\"}",
            "line 1: start_time: expected RFC 3339 or a number since 1970");
    refuses(REQUEST, "{\"backend_id\":\"b\",\"status\":\"ok\",\"event_name\":\"vedette.lb.pool\"}",
            "line 1: event_name: this door takes vedette.lb.request");
    refuses("vedette.lb.breaker", "{\"backend_id\":\"b\",\"state\":\"ajar\"}",
            "line 1: state: expected one of closed|open|half_open, got \"ajar\"");
    refuses(NULL, "{\"a\":1}", "line 1: event_name: missing");
    refuses(NULL, "{\"event_name\":\"vedette.nothing\"}",
            "line 1: event_name: no kind of event is called \"vedette.nothing\"");
    refuses(REQUEST, "7", "line 1: expected an object");
}

TEST(what_was_here_is_left_out_and_told)
{
    struct bench b = { .was_here = "old" };
    read_kind(&b, REQUEST,
              "[{\"request_id\":\"old\",\"backend_id\":\"b\",\"status\":\"ok\"},{\"request_id\":\"new\","
              "\"backend_id\":\"b\",\"status\":\"ok\"}]");
    EXPECT(b.report.accepted == 1 && b.json.duplicates == 1 && b.json.n_told == 2);
    EXPECT(b.json.told[0].is_duplicate && !b.json.told[1].is_duplicate && str_is(b.json.told[1].id, "new"));
    arena_release(&b.arena);
}

/* S3-031, S3-045: start and end of one thing have one trace, which follows from its id. */
TEST(start_and_end_have_one_trace)
{
    struct bench b = { .was_here = NULL }, c = { .was_here = NULL };
    read_kind(&b, "vedette.workflow.start", "{\"workflow_id\":\"w1\"}");
    read_kind(&c, "vedette.workflow.complete", "{\"workflow_id\":\"w1\",\"status\":\"failed\"}");
    struct record r = first(&b), s = first(&c);
    static const uint8_t none[16];
    EXPECT(memcmp(r.trace_id, s.trace_id, 16) == 0 && memcmp(r.trace_id, none, 16) != 0);
    EXPECT(memcmp(b.json.told[0].trace_id, r.trace_id, 16) == 0);
    arena_release(&b.arena);
    read_kind(&b, "vedette.workflow.start",
              "{\"workflow_id\":\"w2\",\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\"}");
    r = first(&b);
    EXPECT(r.trace_id[0] == 1 && r.trace_id[15] == 16);
    arena_release(&b.arena);
    arena_release(&c.arena);
}

TEST(the_good_rest_of_a_batch_is_kept)
{
    struct bench b = { .was_here = NULL };
    read_kind(&b, REQUEST,
              "{\"backend_id\":\"b\",\"status\":\"ok\"}\n{\"broken\n{\"backend_id\":\"b\"}\n{\"backend_id\":"
              "\"b\",\"status\":\"ok\"}\n");
    EXPECT(b.report.accepted == 2 && b.report.rejected_total == 2);
    arena_release(&b.arena);
}

/* Every table is sound: names differ, ids and times are fields, words and ranges go with their types. */
TEST(the_tables_of_kinds_are_sound)
{
    const struct event_kind *k;
    for (size_t i = 0; (k = event_kind_at(i)) != NULL; i++) {
        EXPECT(event_kind_find(str_of(k->name)) == k && k->help != NULL && k->service != NULL);
        EXPECT(k->n_fields <= EVENT_FIELDS_MAX);
        if (k->id != NULL) EXPECT(event_field_at(k, str_of(k->id)) != SIZE_MAX);
        if (k->trace != NULL) EXPECT(event_field_at(k, str_of(k->trace)) != SIZE_MAX);
        for (size_t f = 0; f < k->n_fields; f++) {
            const struct event_field *d = &k->fields[f];
            EXPECT(d->name != NULL && event_field_at(k, str_of(d->name)) == f);
            EXPECT((d->name[0] == '@') == (d->need == EVENT_DERIVED));
            EXPECT(d->need == EVENT_DERIVED || d->help != NULL);
            EXPECT(d->words == NULL || d->type == EVENT_TEXT);
            EXPECT(d->min <= d->max);
        }
        for (size_t j = 0; j < i; j++) {
            EXPECT(strcmp(event_kind_at(j)->name, k->name) != 0);
            EXPECT(k->path == NULL || event_kind_at(j)->path == NULL ||
                   strcmp(event_kind_at(j)->path, k->path) != 0);
        }
    }
    EXPECT(event_kind_find(STR("vedette.")) == NULL && event_kind_find(STR("")) == NULL);
}

TESTS(CASE(a_record_becomes_a_log_record_with_a_name_and_attributes),
      CASE(what_is_wrong_is_refused_by_the_name_of_the_field), CASE(what_was_here_is_left_out_and_told),
      CASE(start_and_end_have_one_trace), CASE(the_good_rest_of_a_batch_is_kept),
      CASE(the_tables_of_kinds_are_sound))
