/* OTLP metrics in protobuf. Messages come from the encoder of otlp_rows.h; what they must become is worked
 * out by hand from the OTLP message definitions and the Prometheus compatibility document. */
#include "unit/decode/otlp_rows.h"

#define S 1000000000ull
#define T (1700000000ull * S) /* the time of most points */

static struct rows rows = ROWS_INIT;
static struct enc point, data, metric, scope_metrics, resource_metrics, request;

static void fresh(void)
{
    point.n = data.n = metric.n = scope_metrics.n = resource_metrics.n = request.n = 0;
    rows.options = (struct otlp_options){ .no_scope_labels = true };
    rows.limits = (struct decode_limits)DECODE_LIMITS_DEFAULT;
}

/* data (with `point` as its only one, when there is one) as metric `name`, into request. */
static struct str wrap(const char *name, const char *unit, int kind)
{
    if (point.n > 0) enc_message(&data, 1, &point);
    enc_text(&metric, 1, name);
    enc_text(&metric, 2, "what it is");
    enc_text(&metric, 3, unit);
    enc_message(&metric, kind, &data);
    enc_message(&scope_metrics, 2, &metric);
    enc_message(&resource_metrics, 2, &scope_metrics);
    enc_message(&request, 1, &resource_metrics);
    return enc_str(&request);
}

static const char *decoded(const char *name, const char *unit, int kind)
{
    return rows_decode(&rows, otlp_metrics_proto, wrap(name, unit, kind));
}

static void times(void)
{
    enc_fixed(&point, 2, T - 60 * S);
    enc_fixed(&point, 3, T);
}

TEST(an_empty_request_is_a_success)
{
    fresh();
    EXPECT_STR(rows_decode(&rows, otlp_metrics_proto, STR("")), "");
    EXPECT_INT(rows.rc, OK);
}

TEST(a_gauge_is_a_gauge)
{
    fresh();
    enc_attr(&point, 7, "http.route", "/a");
    times();
    enc_double(&point, 4, 0.5);
    EXPECT_STR(decoded("queue.fill", "1", 5), "queue_fill_ratio{http_route=\"/a\"} 0.5 @1700000000000\n");
    EXPECT_INT(rows.batch.n_metadata, 1);
    EXPECT(str_is(rows.batch.metadata[0].family, "queue_fill_ratio"));
    EXPECT(str_is(rows.batch.metadata[0].type, "gauge"));
    EXPECT(str_is(rows.batch.metadata[0].help, "what it is"));
    EXPECT(str_is(rows.batch.metadata[0].unit, "1"));
}

TEST(a_cumulative_monotonic_sum_is_a_counter_with_its_start)
{
    fresh();
    times();
    enc_fixed(&point, 6, (uint64_t)-7); /* as_int is signed */
    enc_varint(&data, 2, 2);
    enc_varint(&data, 3, 1);
    EXPECT_STR(decoded("jobs", "", 7), "jobs_total -7 @1700000000000 start=1699999940000\n");
    EXPECT(str_is(rows.batch.metadata[0].type, "counter"));
}

TEST(a_sum_that_may_fall_is_a_gauge)
{
    fresh();
    times();
    enc_double(&point, 4, 3);
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("jobs", "1", 7), "jobs 3 @1700000000000 start=1699999940000\n");
    EXPECT(str_is(rows.batch.metadata[0].type, "gauge"));
}

TEST(temporality_must_be_known)
{
    fresh();
    times();
    enc_double(&point, 4, 3);
    EXPECT_STR(decoded("jobs", "", 7), "");
    EXPECT_INT(rows.refused.rejected[REJECT_temporality], 1);
    EXPECT(strstr(rows.refused.why, "\"jobs\"") != NULL);

    fresh();
    times();
    enc_double(&point, 4, 3);
    enc_varint(&data, 2, 1); /* delta, and nobody to cumulate */
    EXPECT_STR(decoded("jobs", "", 7), "");
    EXPECT_INT(rows.refused.rejected_total, 1);
}

static void classic(void)
{
    times();
    enc_fixed(&point, 4, 6);
    enc_double(&point, 5, 12.5);
    uint64_t counts[] = { 1, 2, 3 };
    double bounds[] = { 0.1, 5 };
    enc_bytes(&point, 6, counts, sizeof counts); /* packed: fixed64, little-endian */
    enc_bytes(&point, 7, bounds, sizeof bounds);
}

#define AT " @1700000000000 start=1699999940000\n"

TEST(a_histogram_becomes_cumulated_buckets)
{
    fresh();
    classic();
    enc_attr(&point, 9, "zone", "z");
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("wait", "s", 9),
               "wait_seconds_bucket{le=\"0.1\", zone=\"z\"} 1" AT
               "wait_seconds_bucket{le=\"5\", zone=\"z\"} 3" AT
               "wait_seconds_bucket{le=\"+Inf\", zone=\"z\"} 6" AT "wait_seconds_sum{zone=\"z\"} 12.5" AT
               "wait_seconds_count{zone=\"z\"} 6" AT);
    EXPECT(str_is(rows.batch.metadata[0].family, "wait_seconds"));
    EXPECT(str_is(rows.batch.metadata[0].type, "histogram"));
}

TEST(packed_or_not_is_the_same)
{
    fresh();
    times();
    enc_fixed(&point, 4, 6);
    enc_fixed(&point, 6, 1);
    enc_fixed(&point, 6, 2);
    enc_fixed(&point, 6, 3);
    enc_double(&point, 7, 0.1);
    enc_double(&point, 7, 5);
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("wait", "s", 9),
               "wait_seconds_bucket{le=\"0.1\"} 1" AT "wait_seconds_bucket{le=\"5\"} 3" AT
               "wait_seconds_bucket{le=\"+Inf\"} 6" AT "wait_seconds_count 6" AT);
}

TEST(a_histogram_that_does_not_fit_together_is_refused)
{
    fresh();
    classic();
    enc_double(&point, 7, 4); /* a bound below the last, and one too many */
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("wait", "s", 9), "");
    EXPECT_INT(rows.refused.rejected[REJECT_histogram], 1);
}

/* Scale 1: base is sqrt(2). offset -2 with counts 1 0 0 0 2 3 are OTLP's -2, 2 and 3, so ours -1, 3 and 4. */
static void exponential(int scale)
{
    static struct enc pos, neg;
    pos.n = neg.n = 0;
    times();
    enc_fixed(&point, 4, 11);
    enc_double(&point, 5, 2.5);
    enc_sint(&point, 6, scale);
    enc_fixed(&point, 7, 4);
    enc_sint(&pos, 1, -2);
    const unsigned char counts[] = { 1, 0, 0, 0, 2, 3 };
    enc_bytes(&pos, 2, counts, sizeof counts);
    enc_message(&point, 8, &pos);
    enc_sint(&neg, 1, 5);
    enc_varint(&neg, 2, 1);
    enc_message(&point, 9, &neg);
    enc_varint(&data, 2, 2);
}

TEST(an_exponential_histogram_becomes_a_native_one)
{
    fresh();
    exponential(1);
    EXPECT_STR(decoded("lat", "ms", 10),
               "lat_milliseconds {schema 1 zero 4/1e-128 count 11 sum 2.5 +-1:1 +3:2 +4:3 -6:1}" AT);
}

TEST(a_scale_above_eight_is_halved_down)
{
    /* Scale 10, two halvings: OTLP's -2, 2, 3, 5 >> 2 are -1, 0, 0, 1. */
    fresh();
    exponential(10);
    EXPECT_STR(decoded("lat", "", 10), "lat {schema 8 zero 4/1e-128 count 11 sum 2.5 +0:1 +1:5 -2:1}" AT);
}

TEST(a_scale_below_minus_four_is_refused)
{
    fresh();
    exponential(-5);
    EXPECT_STR(decoded("lat", "", 10), "");
    EXPECT_INT(rows.refused.rejected[REJECT_histogram], 1);
}

TEST(bucket_counts_must_add_up)
{
    fresh();
    exponential(1);
    enc_fixed(&point, 4, 12);
    EXPECT_STR(decoded("lat", "", 10), "");
    EXPECT_INT(rows.refused.rejected[REJECT_histogram], 1);
}

TEST(a_summary_has_quantiles)
{
    static struct enc q;
    fresh();
    times();
    enc_fixed(&point, 4, 9);
    enc_double(&point, 5, 4.5);
    q.n = 0;
    enc_double(&q, 1, 0.99);
    enc_double(&q, 2, 7);
    enc_message(&point, 6, &q);
    EXPECT_STR(decoded("rtt", "s", 11),
               "rtt_seconds_sum 4.5" AT "rtt_seconds_count 9" AT "rtt_seconds{quantile=\"0.99\"} 7" AT);
    EXPECT(str_is(rows.batch.metadata[0].type, "summary"));
}

TEST(no_recorded_value_ends_the_series)
{
    fresh();
    times();
    enc_varint(&point, 8, 1);
    EXPECT_STR(decoded("g", "", 5), "g stale @1700000000000\n");

    fresh();
    times();
    enc_varint(&point, 10, 1);
    enc_double(&point, 7, 1);
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("h", "", 9), "h_bucket{le=\"1\"} stale" AT "h_bucket{le=\"+Inf\"} stale" AT
                                    "h_sum stale" AT "h_count stale" AT);

    fresh();
    times();
    enc_varint(&point, 10, 1);
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("e", "", 10), "e stale histogram" AT);
}

TEST(a_point_without_a_value_is_refused)
{
    fresh();
    times();
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_value], 1);
}

TEST(exemplars_keep_their_trace)
{
    static struct enc x;
    fresh();
    times();
    enc_fixed(&point, 6, 5);
    x.n = 0;
    enc_attr(&x, 7, "user.id", "u1");
    enc_fixed(&x, 2, T - S);
    enc_double(&x, 3, 1.5);
    enc_bytes(&x, 4, "\x00\x01\x02\x03\x04\x05\x06\xff", 8);
    enc_bytes(&x, 5, "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f", 16);
    enc_message(&point, 5, &x);
    enc_varint(&data, 2, 2);
    enc_varint(&data, 3, 1);
    EXPECT_STR(decoded("jobs", "", 7),
               "jobs_total 5" AT
               "  # {span_id=\"00010203040506ff\", trace_id=\"101112131415161718191a1b1c1d1e1f\", "
               "user_id=\"u1\"} 1.5 @1699999999000\n");
}

TEST(exemplars_of_a_histogram_go_to_their_bucket)
{
    static struct enc x;
    fresh();
    classic();
    const double values[] = { 7, 0.1, 5 };
    for (size_t i = 0; i < 3; i++) {
        x.n = 0;
        enc_double(&x, 3, values[i]);
        enc_fixed(&x, 2, T);
        enc_message(&point, 8, &x);
    }
    enc_varint(&data, 2, 2);
    EXPECT_STR(decoded("wait", "", 9), "wait_bucket{le=\"0.1\"} 1" AT "  # {} 0.1 @1700000000000\n"
                                       "wait_bucket{le=\"5\"} 3" AT "  # {} 5 @1700000000000\n"
                                       "wait_bucket{le=\"+Inf\"} 6" AT "  # {} 7 @1700000000000\n"
                                       "wait_sum 12.5" AT "wait_count 6" AT);
}

/* resource and scope around a gauge g{} 1, in the order of the wire or the other way round. */
static struct str with_resource(bool resource_last)
{
    static struct enc resource, scope;
    resource.n = scope.n = 0;
    enc_attr(&resource, 1, "service.name", "api");
    enc_attr(&resource, 1, "service.namespace", "shop");
    enc_attr(&resource, 1, "service.instance.id", "i-1");
    enc_attr(&resource, 1, "host.name", "h");
    enc_text(&scope, 1, "lib");
    enc_text(&scope, 2, "1.2");
    enc_attr(&scope, 3, "team.name", "t");

    times();
    enc_double(&point, 4, 1);
    enc_message(&data, 1, &point);
    enc_message(&metric, 5, &data);
    enc_text(&metric, 1, "g");
    if (!resource_last) enc_message(&scope_metrics, 1, &scope);
    enc_message(&scope_metrics, 2, &metric);
    if (resource_last) enc_message(&scope_metrics, 1, &scope);
    enc_text(&scope_metrics, 3, "http://s");
    if (!resource_last) enc_message(&resource_metrics, 1, &resource);
    enc_message(&resource_metrics, 2, &scope_metrics);
    if (resource_last) enc_message(&resource_metrics, 1, &resource);
    enc_message(&request, 1, &resource_metrics);
    return enc_str(&request);
}

static const char with_resource_rows[] =
    "g{instance=\"i-1\", job=\"shop/api\", otel_scope_name=\"lib\", otel_scope_schema_url=\"http://s\", "
    "otel_scope_team_name=\"t\", "
    "otel_scope_version=\"1.2\"} 1 @1700000000000\n"
    "target_info{host_name=\"h\", instance=\"i-1\", job=\"shop/api\"} 1 @1700000000000\n";

TEST(resource_and_scope_become_labels)
{
    fresh();
    rows.options.no_scope_labels = false;
    EXPECT_STR(rows_decode(&rows, otlp_metrics_proto, with_resource(false)), with_resource_rows);
}

TEST(fields_may_come_in_any_order)
{
    fresh();
    rows.options.no_scope_labels = false;
    EXPECT_STR(rows_decode(&rows, otlp_metrics_proto, with_resource(true)), with_resource_rows);
}

TEST(resource_attributes_are_promoted_when_asked)
{
    const struct str promote[] = { STR("host.name"), STR("absent") };
    fresh();
    rows.options.promote = promote;
    rows.options.n_promote = 2;
    rows.options.keep_identifying = true;
    EXPECT_STR(rows_decode(&rows, otlp_metrics_proto, with_resource(false)),
               "g{host_name=\"h\", instance=\"i-1\", job=\"shop/api\"} 1 @1700000000000\n"
               "target_info{host_name=\"h\", instance=\"i-1\", job=\"shop/api\", "
               "service_instance_id=\"i-1\", service_name=\"api\", "
               "service_namespace=\"shop\"} 1 @1700000000000\n");
}

TEST(target_info_covers_the_time_of_its_points)
{
    static struct enc resource;
    fresh();
    resource.n = 0;
    enc_attr(&resource, 1, "service.name", "api");
    enc_attr(&resource, 1, "x", "y");
    enc_message(&resource_metrics, 1, &resource);
    for (int i = 0; i < 2; i++) {
        point.n = 0;
        enc_fixed(&point, 3, T + (uint64_t)i * 400 * S);
        enc_double(&point, 4, i);
        enc_message(&data, 1, &point);
    }
    point.n = 0;
    EXPECT_STR(decoded("g", "", 5), "g{job=\"api\"} 0 @1700000000000\ng{job=\"api\"} 1 @1700000400000\n"
                                    "target_info{job=\"api\", x=\"y\"} 1 "
                                    "@1700000000000\ntarget_info{job=\"api\", x=\"y\"} 1 @1700000150000\n"
                                    "target_info{job=\"api\", x=\"y\"} 1 "
                                    "@1700000300000\ntarget_info{job=\"api\", x=\"y\"} 1 @1700000400000\n");
}

TEST(attributes_that_collide_are_joined_in_key_order)
{
    fresh();
    times();
    enc_attr(&point, 7, "a_b", "under");
    enc_attr(&point, 7, "a.b", "dot");
    enc_attr(&point, 7, "empty", "");
    enc_double(&point, 4, 1);
    EXPECT_STR(decoded("g", "", 5), "g{a_b=\"dot;under\"} 1 @1700000000000\n");
}

TEST(values_of_all_kinds_become_text)
{
    static struct enc v, kv, inner, list, item;
    fresh();
    times();
#define ATTR(key_, build)                                                                                    \
    v.n = kv.n = inner.n = list.n = item.n = 0;                                                              \
    build;                                                                                                   \
    enc_text(&kv, 1, key_);                                                                                  \
    enc_message(&kv, 2, &v);                                                                                 \
    enc_message(&point, 7, &kv)
    ATTR("b", enc_varint(&v, 2, 1));
    ATTR("i", enc_varint(&v, 3, (uint64_t)INT64_MIN));
    ATTR("d", enc_double(&v, 4, 2.5));
    ATTR("y", enc_bytes(&v, 7, "\xff\x00\x01\x02", 4));
    ATTR("l", (enc_text(&item, 1, "q\""), enc_message(&list, 1, &item), item.n = 0, enc_varint(&item, 3, 5),
               enc_message(&list, 1, &item), enc_message(&v, 5, &list)));
    ATTR("m", (enc_varint(&item, 2, 0), enc_text(&inner, 1, "k"), enc_message(&inner, 2, &item),
               enc_message(&list, 1, &inner), enc_message(&v, 6, &list)));
    enc_double(&point, 4, 1);
    EXPECT_STR(decoded("g", "", 5), "g{b=\"true\", d=\"2.5\", i=\"-9223372036854775808\", "
                                    "l=\"[\\\"q\\\\\\\"\\\",5]\", m=\"{\\\"k\\\":false}\", "
                                    "y=\"/wABAg==\"} 1 @1700000000000\n");
}

TEST(times_are_checked)
{
    fresh();
    rows.options.latest_ms = 1700000000000;
    enc_fixed(&point, 3, T + S);
    enc_double(&point, 4, 1);
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_future], 1);

    fresh();
    enc_double(&point, 4, 1);
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_value], 1);

    fresh();
    rows.options.now_ms = 1234;
    enc_double(&point, 4, 1);
    EXPECT_STR(decoded("g", "", 5), "g 1 @1234\n");
}

TEST(one_bad_point_leaves_the_others)
{
    fresh();
    times();
    enc_double(&point, 4, 1);
    enc_attr(&point, 7, "k", "\xff\xfe");
    enc_message(&data, 1, &point);
    point.n = 0;
    times();
    enc_double(&point, 4, 2);
    EXPECT_STR(decoded("g", "", 5), "g 2 @1700000000000\n");
    EXPECT_INT(rows.refused.rejected[REJECT_utf8], 1);
    EXPECT(strstr(rows.refused.why, "\"k\"") != NULL);
}

TEST(limits_on_labels)
{
    fresh();
    rows.limits.labels = 3;
    times();
    enc_double(&point, 4, 1);
    enc_attr(&point, 7, "a", "1");
    enc_attr(&point, 7, "b", "1");
    EXPECT_STR(decoded("g", "", 5), "g{a=\"1\", b=\"1\"} 1 @1700000000000\n"); /* and __name__ */

    fresh();
    rows.limits.labels = 3;
    times();
    enc_double(&point, 4, 1);
    for (int i = 0; i < 1000; i++) enc_attr(&point, 7, "a", "1");
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_label_limit], 1);

    fresh();
    rows.limits.value_bytes = 3;
    times();
    enc_double(&point, 4, 1);
    enc_attr(&point, 7, "a", "1234");
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_label_limit], 1);

    fresh();
    rows.limits.rows = 1;
    enc_message(&data, 1, &point);
    times();
    enc_double(&point, 4, 1);
    enc_message(&data, 1, &point);
    decoded("g", "", 5);
    EXPECT_INT(rows.rc, ERR_LIMIT);
}

TEST(keys_of_alternating_points_do_not_mix)
{
    char want[4096] = "", line[128];
    fresh();
    for (int i = 0; i < 12; i++) {
        point.n = 0;
        times();
        enc_attr(&point, 7, i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", "x");
        enc_attr(&point, 7, "z", "y");
        enc_double(&point, 4, i);
        enc_message(&data, 1, &point);
        snprintf(line, sizeof line, "g{%c=\"x\", z=\"y\"} %d @1700000000000\n", "abc"[i % 3], i);
        strcat(want, line);
    }
    point.n = 0;
    EXPECT_STR(decoded("g", "", 5), want);
}

TEST(a_message_cut_off_anywhere_is_an_error_or_less)
{
    fresh();
    classic();
    enc_attr(&point, 9, "zone", "z");
    enc_varint(&data, 2, 2);
    struct str whole = wrap("wait", "s", 9);
    int broken = 0;
    for (size_t n = 0; n < whole.n; n++) {
        char *copy = malloc(n + 1); /* of its own, so that the sanitizers see a read beyond it */
        memcpy(copy, whole.p, n);
        rows_decode(&rows, otlp_metrics_proto, str_make(copy, n));
        if (rows.rc < 0) {
            EXPECT_INT(rows.rc, ERR_PARSE);
            EXPECT(strstr(rows.err.text, "byte ") != NULL);
            broken++;
        }
        free(copy);
    }
    EXPECT_INT(broken, (int)whole.n - 1); /* only nothing at all is whole */
}

TEST(every_byte_may_be_wrong)
{
    fresh();
    exponential(3);
    struct str whole = wrap("lat", "s", 10);
    for (size_t i = 0; i < whole.n; i++)
        for (int v = 0; v < 256; v += 5) {
            char was = ((char *)request.at)[i];
            ((char *)request.at)[i] = (char)v;
            rows_decode(&rows, otlp_metrics_proto, whole);
            ((char *)request.at)[i] = was;
        }
}

TEST(values_nested_without_end_are_an_error)
{
    static struct enc v, list, kv;
    fresh();
    v.n = 0;
    enc_varint(&v, 2, 1);
    for (int depth = 0; depth < 200; depth++) {
        list.n = 0;
        enc_message(&list, 1, &v);
        v.n = 0;
        enc_message(&v, 5, &list);
    }
    kv.n = 0;
    enc_text(&kv, 1, "k");
    enc_message(&kv, 2, &v);
    enc_message(&point, 7, &kv);
    times();
    enc_double(&point, 4, 1);
    decoded("g", "", 5);
    EXPECT_INT(rows.rc, ERR_PARSE);
    EXPECT(strstr(rows.err.text, "nested too deeply") != NULL);
}

/* Found by the fuzzer: two keys collide, a third makes no label at all. */
TEST(a_bad_key_among_colliding_ones_refuses_the_point)
{
    fresh();
    times();
    enc_double(&point, 4, 1);
    enc_attr(&point, 7, "z.z", "3");
    enc_attr(&point, 7, "a.b", "1");
    enc_attr(&point, 7, "a_b", "2");
    enc_attr(&point, 7, "b.", "x");
    enc_attr(&point, 7, "...", "x");
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_labels], 1);
    EXPECT(strstr(rows.refused.why, "\"...\"") != NULL);
}

TEST(collisions_have_a_limit_too)
{
    fresh();
    rows.limits.value_bytes = 4;
    times();
    enc_double(&point, 4, 1);
    enc_attr(&point, 7, "a.b", "12");
    enc_attr(&point, 7, "a_b", "34");
    EXPECT_STR(decoded("g", "", 5), "");
    EXPECT_INT(rows.refused.rejected[REJECT_label_limit], 1);
}

TEST(one_point_cannot_be_blown_up)
{
    static char long_value[4001];
    fresh();
    memset(long_value, 'x', 4000);
    times();
    for (int i = 0; i < 3; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i % 10);
        enc_attr(&point, 9, key, long_value);
    }
    for (int i = 0; i < 2000; i++) {
        enc_fixed(&point, 6, 1);
        enc_double(&point, 7, i);
    }
    enc_fixed(&point, 6, 1);
    enc_varint(&data, 2, 2);
    rows.arena.budget = 8 << 20; /* 12 KB of labels, 2000 times over, would be 24 MB */
    decoded("h", "", 9);
    EXPECT_INT(rows.rc, ERR_LIMIT);
    EXPECT(rows.arena.used < 10 << 20);
    rows.arena.budget = 64 << 20;
}

/* Found by the fuzzer: KeyValueList { { "x", a value cut off } }. */
TEST(a_broken_value_in_a_list_is_an_error)
{
    static struct enc v, kv, inner, list;
    fresh();
    v.n = kv.n = inner.n = list.n = 0;
    enc_text(&inner, 1, "x");
    enc_bytes(&inner, 2, "\x0a\x05", 2);
    enc_message(&list, 1, &inner);
    enc_message(&v, 6, &list);
    enc_text(&kv, 1, "k");
    enc_message(&kv, 2, &v);
    enc_message(&point, 7, &kv);
    times();
    enc_double(&point, 4, 1);
    decoded("g", "", 5);
    EXPECT_INT(rows.rc, ERR_PARSE);
}

TESTS(CASE(one_point_cannot_be_blown_up), CASE(a_bad_key_among_colliding_ones_refuses_the_point),
      CASE(collisions_have_a_limit_too), CASE(a_broken_value_in_a_list_is_an_error),
      CASE(an_empty_request_is_a_success), CASE(a_gauge_is_a_gauge),
      CASE(a_cumulative_monotonic_sum_is_a_counter_with_its_start), CASE(a_sum_that_may_fall_is_a_gauge),
      CASE(temporality_must_be_known), CASE(a_histogram_becomes_cumulated_buckets),
      CASE(packed_or_not_is_the_same), CASE(a_histogram_that_does_not_fit_together_is_refused),
      CASE(an_exponential_histogram_becomes_a_native_one), CASE(a_scale_above_eight_is_halved_down),
      CASE(a_scale_below_minus_four_is_refused), CASE(bucket_counts_must_add_up),
      CASE(a_summary_has_quantiles), CASE(no_recorded_value_ends_the_series),
      CASE(a_point_without_a_value_is_refused), CASE(exemplars_keep_their_trace),
      CASE(exemplars_of_a_histogram_go_to_their_bucket), CASE(resource_and_scope_become_labels),
      CASE(fields_may_come_in_any_order), CASE(resource_attributes_are_promoted_when_asked),
      CASE(target_info_covers_the_time_of_its_points), CASE(attributes_that_collide_are_joined_in_key_order),
      CASE(values_of_all_kinds_become_text), CASE(times_are_checked), CASE(one_bad_point_leaves_the_others),
      CASE(limits_on_labels), CASE(keys_of_alternating_points_do_not_mix),
      CASE(a_message_cut_off_anywhere_is_an_error_or_less), CASE(every_byte_may_be_wrong),
      CASE(values_nested_without_end_are_an_error))
