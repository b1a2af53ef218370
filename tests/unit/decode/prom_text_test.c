#include "decode/prom_text.h"

#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "model/histogram.h"
#include "unit/test.h"

#define MIB ((size_t)1 << 20)

/* ---- lines ---- */

static struct prom_line one(const char *text, enum prom_text_form form, enum prom_text_kind want)
{
    struct prom_text t;
    struct prom_line l = { 0 };
    prom_text_open(&t, str_of(text), form);
    EXPECT(prom_text_next(&t, &l) == want);
    return l;
}

TEST(prom_text_splits_a_line_into_series_value_and_time)
{
    struct prom_line l = one("http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n",
                             PROM_TEXT_PLAIN, PROM_TEXT_SAMPLE);
    EXPECT(str_is(l.series, "http_requests_total{method=\"post\",code=\"200\"}"));
    EXPECT(l.value == 1027 && l.has_time && l.time_ms == 1395066363000 && l.line == 1 && l.exemplar.n == 0);

    l = one("up 1", PROM_TEXT_PLAIN, PROM_TEXT_SAMPLE); /* no newline at the end */
    EXPECT(str_is(l.series, "up") && l.value == 1 && !l.has_time);
    l = one("  \t up \t 1 \t -5 \r\n", PROM_TEXT_PLAIN, PROM_TEXT_SAMPLE);
    EXPECT(str_is(l.series, "up") && l.value == 1 && l.time_ms == -5);
    l = one("a { b = \"} 5\" } 7", PROM_TEXT_PLAIN, PROM_TEXT_SAMPLE);
    EXPECT(str_is(l.series, "a { b = \"} 5\" }") && l.value == 7);
}

TEST(prom_text_reads_times_of_openmetrics_as_seconds)
{
    struct prom_line l = one("a 1 1520879607.789\n", PROM_TEXT_OPENMETRICS, PROM_TEXT_SAMPLE);
    EXPECT(l.has_time && l.time_ms == 1520879607789);
    l = one("a 1 1e3", PROM_TEXT_OPENMETRICS, PROM_TEXT_SAMPLE);
    EXPECT(l.time_ms == 1000000);
    l = one("a 1 -0.001", PROM_TEXT_OPENMETRICS, PROM_TEXT_SAMPLE);
    EXPECT(l.time_ms == -1);
    one("a 1 NaN", PROM_TEXT_OPENMETRICS, PROM_TEXT_BAD);
    one("a 1 Inf", PROM_TEXT_OPENMETRICS, PROM_TEXT_BAD);
    one("a 1 1e300", PROM_TEXT_OPENMETRICS, PROM_TEXT_BAD);
    one("a 1 1.5", PROM_TEXT_PLAIN, PROM_TEXT_BAD);
}

TEST(prom_text_finds_exemplars_in_openmetrics_only)
{
    const char *text =
        "foo_bucket{le=\"10\",x=\"# {\"} 17 5.5 # {trace_id=\"oHg5SJ#YRHA0\"} 9.8 1520879607.789\n";
    struct prom_line l = one(text, PROM_TEXT_OPENMETRICS, PROM_TEXT_SAMPLE);
    EXPECT(str_is(l.series, "foo_bucket{le=\"10\",x=\"# {\"}") && l.value == 17 && l.time_ms == 5500);
    EXPECT(str_is(l.exemplar, "{trace_id=\"oHg5SJ#YRHA0\"} 9.8 1520879607.789"));
    l = one("foo 17 # {} 9.8", PROM_TEXT_OPENMETRICS, PROM_TEXT_SAMPLE);
    EXPECT(str_is(l.series, "foo") && str_is(l.exemplar, "{} 9.8") && !l.has_time);
    l = one("foo {a=\"#\"} 17", PROM_TEXT_OPENMETRICS, PROM_TEXT_SAMPLE);
    EXPECT(str_is(l.series, "foo {a=\"#\"}") && l.exemplar.n == 0);
    one("foo 17 # 9.8", PROM_TEXT_PLAIN, PROM_TEXT_BAD);
    struct arena a = ARENA_INIT(MIB);
    struct label *pairs;
    size_t n;
    l = one("foo 17 # {} 9.8", PROM_TEXT_PLAIN,
            PROM_TEXT_SAMPLE); /* split in the wrong place, which its series text shows */
    EXPECT(prom_text_series(l.series, 0, &a, &pairs, &n, NULL) == ERR_PARSE);
    arena_release(&a);
    one("foo{a=\"b\"} 17 #", PROM_TEXT_OPENMETRICS, PROM_TEXT_BAD);
}

TEST(prom_text_reads_metadata)
{
    struct prom_line l =
        one("# HELP http_requests_total The total number of\\nrequests.\n", PROM_TEXT_PLAIN, PROM_TEXT_HELP);
    EXPECT(str_is(l.family, "http_requests_total") && str_is(l.text, "The total number of\\nrequests."));
    l = one("# TYPE a untyped", PROM_TEXT_PLAIN, PROM_TEXT_TYPE);
    EXPECT(str_is(l.family, "a") && str_is(l.text, "unknown"));
    l = one("#\tTYPE  a  gaugehistogram ", PROM_TEXT_OPENMETRICS, PROM_TEXT_TYPE);
    EXPECT(str_is(l.text, "gaugehistogram"));
    l = one("# UNIT a_seconds seconds", PROM_TEXT_OPENMETRICS, PROM_TEXT_UNIT);
    EXPECT(str_is(l.text, "seconds"));
    l = one("# HELP \"my.odd \\\" name\" text", PROM_TEXT_PLAIN, PROM_TEXT_HELP);
    EXPECT(str_is(l.family, "my.odd \\\" name") && str_is(l.text, "text"));
    l = one("# HELP a", PROM_TEXT_PLAIN, PROM_TEXT_HELP);
    EXPECT(l.text.n == 0);
    one("# TYPE a clock", PROM_TEXT_PLAIN, PROM_TEXT_BAD);
    one("# TYPE 9a gauge", PROM_TEXT_PLAIN, PROM_TEXT_BAD);
    one("# just a remark\n#\n# UNIT x y", PROM_TEXT_PLAIN, PROM_TEXT_END);
}

TEST(prom_text_numbers_lines_and_goes_on_after_bad_ones)
{
    struct prom_text t;
    struct prom_line l;
    struct err e = ERR_INIT;
    prom_text_open(&t, STR("a 1\n\n# remark\nb one\nc\nd 2 x\ne 3 4 5\nf 4\n"), PROM_TEXT_PLAIN);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_SAMPLE && l.line == 1);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_BAD && l.line == 4 && prom_text_bad(&l, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "line 4: value is not a number: \"one\"");
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_BAD && prom_text_bad(&l, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "line 5: no value after the series: \"c\"");
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_BAD && prom_text_bad(&l, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "line 6: timestamp is not valid: \"x\"");
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_BAD && prom_text_bad(&l, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "line 7: unexpected text after the value: \"5\"");
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_SAMPLE && l.line == 8 && l.value == 4);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_END);
}

TEST(prom_text_wants_eof_of_openmetrics_and_nothing_after)
{
    struct prom_text t;
    struct prom_line l;
    prom_text_open(&t, STR("a 1\n# EOF\n"), PROM_TEXT_OPENMETRICS);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_SAMPLE && !t.has_eof);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_END && t.has_eof);
    prom_text_open(&t, STR("# EOF\na 1\n"), PROM_TEXT_OPENMETRICS);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_BAD && l.line == 2);
    prom_text_open(&t, STR("# EOF\na 1\n"), PROM_TEXT_PLAIN);
    EXPECT(prom_text_next(&t, &l) == PROM_TEXT_SAMPLE);
}

/* ---- numbers ---- */

TEST(prom_text_reads_numbers_as_strtod_does)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "1",
        "-1",
        "123456789",
        "1.5",
        ".5",
        "5.",
        "0.1",
        "0.3",
        "1e5",
        "1E+05",
        "1.7179869184e+10",
        "2.5e-08",
        "1e22",
        "1e23",
        "9007199254740993",
        "123456789012345678",
        "1234567890123456789012",
        "0.000001",
        "1e-300",
        "4.9e-324",
        "1.7976931348623157e308",
        "0.1234567890123456789",
        "100000000000000000000000",
        "1e-22",
        "1e-23",
        "8.5e-22",
        "3.14159265358979",
        "1e0",
        "00012",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        double got, want = strtod(texts[i], NULL);
        EXPECT(prom_text_number(str_of(texts[i]), &got));
        EXPECT(double_bits(got) == double_bits(want));
    }
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 200000; i++) { /* all kinds of doubles in several spellings */
        static const char *const forms[] = { "%.17g", "%.6g", "%.3f", "%.15e" };
        char text[400];
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        double v = i % 2 ? double_of(x) : (double)(int64_t)(x >> (x & 63)) / 1024, got;
        if (!isfinite(v) || (i % 4 == 2 && fabs(v) > 1e30)) continue;
        int n = snprintf(text, sizeof text, forms[i / 2 % 4], v);
        EXPECT(prom_text_number(str_make(text, (size_t)n), &got) &&
               double_bits(got) == double_bits(strtod(text, NULL)));
    }
}

TEST(prom_text_reads_what_is_not_finite_and_refuses_what_is_no_number)
{
    double v;
    EXPECT(prom_text_number(STR("NaN"), &v) && double_bits(v) == NAN_BITS);
    EXPECT(prom_text_number(STR("nan"), &v) && double_bits(v) == NAN_BITS);
    EXPECT(prom_text_number(STR("+Inf"), &v) && isinf(v) && v > 0);
    EXPECT(prom_text_number(STR("-Inf"), &v) && isinf(v) && v < 0);
    EXPECT(prom_text_number(STR("Inf"), &v) && isinf(v));
    static const char *const bad[] = { "",      "-",  ".",     "e5",  "1e",    "1e+", "1e5x", "--1",
                                       "1_000", "0x", "1.2.3", "one", "1e5.5", "1 2", "-e1" };
    for (size_t i = 0; i < COUNT(bad); i++) EXPECT(!prom_text_number(str_of(bad[i]), &v));
}

/* ---- series ---- */

static void expect_series(const char *text, const char *printed)
{
    struct arena a = ARENA_INIT(MIB);
    struct buf out = BUF_INIT(MIB);
    struct label *pairs;
    size_t n;
    struct err e = ERR_INIT;
    EXPECT(prom_text_series(str_of(text), 2, &a, &pairs, &n, &e) == OK);
    EXPECT(labels_normalise(pairs, &n, &e) == OK);
    for (size_t i = 0; i < n; i++) {
        buf_str(&out, pairs[i].name);
        buf_char(&out, '=');
        buf_str(&out, pairs[i].value);
        buf_char(&out, ';');
    }
    EXPECT_STR(buf_cstr(&out), printed);
    buf_release(&out);
    arena_release(&a);
}

TEST(prom_text_reads_series_in_every_spelling)
{
    expect_series("up", "__name__=up;");
    expect_series("up{}", "__name__=up;");
    expect_series("up{job=\"a\"}", "__name__=up;job=a;");
    expect_series("up{z=\"1\",job=\"a\",}", "__name__=up;job=a;z=1;");
    expect_series(" up { job = \"a\" , z=\"1\" } ", "__name__=up;job=a;z=1;");
    expect_series("a{b=\"x\\\\y\\\"z\\nw\\q\"}", "__name__=a;b=x\\y\"z\nw\\q;");
    expect_series("{\"my.metric\"}", "__name__=my.metric;");
    expect_series("{\"my.metric\",\"odd.label\"=\"v\",b=\"c\"}", "__name__=my.metric;b=c;odd.label=v;");
    expect_series("up{\"odd.label\"=\"v\"}", "__name__=up;odd.label=v;");
    expect_series("job:rate:sum{a=\"\"}", "__name__=job:rate:sum;");
    expect_series("a{b=\"} 1 # {\"}", "__name__=a;b=} 1 # {;");
}

TEST(prom_text_refuses_series_that_are_none)
{
    static const char *const bad[] = {
        "",
        "{}",
        "{a=\"b\"}",
        "9a",
        "a-b",
        "a{",
        "a{b",
        "a{b=",
        "a{b=\"",
        "a{b=\"c",
        "a{b=\"c\"",
        "a{b=\"c\\\"}",
        "a{b=c}",
        "a{b=\"c\"d=\"e\"}",
        "a{,}",
        "a{b=\"c\",,}",
        "a{b:c=\"d\"}",
        "a{9=\"d\"}",
        "a{\"b\"}",
        "{\"a\",\"b\"}",
        "a{b=\"c\"}}",
        "a{b=\"c\"} d",
        "a}",
        "a b",
        "{\"a}",
    };
    struct arena a = ARENA_INIT(MIB);
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *exact = malloc(strlen(bad[i]) + 1); /* no byte to spare, for the sanitizer */
        memcpy(exact, bad[i], strlen(bad[i]));
        struct label *pairs;
        size_t n;
        struct err e = ERR_INIT;
        EXPECT(prom_text_series(str_make(exact, strlen(bad[i])), 0, &a, &pairs, &n, &e) == ERR_PARSE);
        EXPECT(e.text[0] != 0);
        free(exact);
    }
    arena_release(&a);
}

TEST(prom_text_leaves_spare_places_after_any_number_of_labels)
{
    for (int count = 0; count <= LABELS_MAX; count++) { /* with the name one more */
        struct arena a = ARENA_INIT(MIB);
        struct buf text = BUF_INIT(MIB);
        struct label *pairs;
        size_t n;
        buf_cs(&text, "m{");
        for (int i = 0; i < count; i++) buf_printf(&text, "l%d=\"v\",", i);
        buf_cs(&text, "}");
        int rc = prom_text_series(buf_view(&text), 3, &a, &pairs, &n, NULL);
        EXPECT(rc == (count < LABELS_MAX ? OK : ERR_LIMIT));
        if (rc == OK) {
            EXPECT(n == (size_t)count + 1);
            for (size_t i = 0; i < 3; i++) pairs[n + i] = (struct label){ STR("x"), STR("y") };
        }
        buf_release(&text);
        arena_release(&a);
    }
}

TEST(prom_text_reads_exemplars)
{
    struct arena a = ARENA_INIT(MIB);
    struct prom_text_exemplar x;
    struct err e = ERR_INIT;
    EXPECT(prom_text_exemplar(STR("{trace_id=\"KOO5S4vxi0o\",a=\"\"} 0.67 1520879607.789"), &a, &x, &e) ==
           OK);
    EXPECT(x.value == 0.67 && x.has_time && x.time_ms == 1520879607789 && x.labels.n == 1);
    EXPECT(prom_text_exemplar(STR("{} 1"), &a, &x, &e) == OK && x.labels.n == 0 && !x.has_time);
    static const char *const bad[] = { "",
                                       "{",
                                       "{}",
                                       "1",
                                       "{} x",
                                       "{} 1 x",
                                       "{} 1 2 3",
                                       "{a=\"b\",a=\"c\"} 1",
                                       "{\"name\"} 1",
                                       "{} 1 NaN",
                                       "{a=\"\xff\"} 1" };
    for (size_t i = 0; i < COUNT(bad); i++) EXPECT(prom_text_exemplar(str_of(bad[i]), &a, &x, &e) < 0);
    arena_release(&a);
}

TEST(prom_text_tells_the_form_by_content_type)
{
    enum prom_text_form f;
    EXPECT(prom_text_form(STR(""), &f) && f == PROM_TEXT_PLAIN);
    EXPECT(prom_text_form(STR("text/plain; version=0.0.4; charset=utf-8"), &f) && f == PROM_TEXT_PLAIN);
    EXPECT(prom_text_form(STR("Application/OpenMetrics-Text ; version=1.0.0"), &f) &&
           f == PROM_TEXT_OPENMETRICS);
    EXPECT(!prom_text_form(STR("application/json"), &f));
}

/* ---- import ---- */

struct got {
    struct arena arena;
    struct batch batch;
    struct write_result refused;
    struct prom_text_faults faults;
    struct err err;
    int rc;
};

static struct got *import(const char *text, struct prom_text_import how)
{
    static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct got *g = calloc(1, sizeof *g);
    g->arena = (struct arena)ARENA_INIT(8 * MIB);
    if (how.limits == NULL) how.limits = &limits;
    g->rc = prom_text_import(str_of(text), &how, &g->arena, &g->batch, &g->refused, &g->faults, &g->err);
    return g;
}

static void done(struct got *g)
{
    arena_release(&g->arena);
    free(g);
}

TEST(prom_text_imports_the_example_of_the_format)
{
    struct got *g = import("# HELP http_requests_total The total number of HTTP requests.\n"
                           "# TYPE http_requests_total counter\n"
                           "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
                           "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n"
                           "\n"
                           "# Escaping in label values:\n"
                           "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot "
                           "find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n"
                           "metric_without_timestamp_and_labels 12.47\n"
                           "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
                           "# HELP rpc_duration_seconds A summary of the RPC duration in seconds.\n"
                           "# TYPE rpc_duration_seconds summary\n"
                           "rpc_duration_seconds{quantile=\"0.01\"} 3102\n",
                           (struct prom_text_import){ .default_time_ms = 77 });
    const struct batch *b = &g->batch;
    EXPECT(g->rc == OK && g->faults.total == 0 && b->spelling == LABELS_PACKED && b->n_series == 6 &&
           b->n_rows == 6);
    EXPECT(b->value[0] == 1027 && b->time_ms[0] == 1395066363000 && b->time_ms[3] == 77 &&
           b->time_ms[4] == -3982045);
    struct labels l = labels_unpack(b->series[2].raw, &g->arena);
    EXPECT(str_is(labels_get(l, "path"), "C:\\DIR\\FILE.TXT") &&
           str_is(labels_get(l, "error"), "Cannot find file:\n\"FILE.TXT\""));
    EXPECT(b->n_metadata == 2 && str_is(b->metadata[0].family, "http_requests_total") &&
           str_is(b->metadata[0].type, "counter"));
    EXPECT(str_is(b->metadata[0].help, "The total number of HTTP requests.") &&
           str_is(b->metadata[1].type, "summary"));
    done(g);
}

TEST(prom_text_imports_lines_of_one_series_as_one_series)
{
    struct got *g =
        import("a{b=\"c\"} 1 1\na{b=\"c\"} 2 2\na{b=\"c\"} 3 3\nd 4 4\n", (struct prom_text_import){ 0 });
    EXPECT(g->rc == OK && g->batch.n_series == 2 && g->batch.series[0].n_rows == 3 &&
           g->batch.series[1].n_rows == 1);
    done(g);
}

TEST(prom_text_imports_with_labels_and_time_of_the_caller)
{
    const struct label extra[] = { { STR("job"), STR("push") }, { STR("zone"), STR("eu") } };
    struct got *g = import("a{job=\"mine\",b=\"c\"} 1 5\n",
                           (struct prom_text_import){
                               .default_time_ms = 9, .ignore_times = true, .extra = extra, .n_extra = 2 });
    struct labels l = labels_unpack(g->batch.series[0].raw, &g->arena);
    EXPECT(g->rc == OK && l.n == 4 && str_is(labels_get(l, "job"), "push") &&
           str_is(labels_get(l, "zone"), "eu"));
    EXPECT(g->batch.time_ms[0] == 9);
    done(g);
}

TEST(prom_text_imports_openmetrics_with_exemplars_and_created)
{
    struct got *g = import("# TYPE foo counter\n# UNIT foo seconds\n# HELP foo A \\\"quoted\\\" help\n"
                           "foo_total 17.0 1520879607.789 # {trace_id=\"KOO5S4vxi0o\"} 0.67\n"
                           "foo_created 1520872607.123\n# EOF\n",
                           (struct prom_text_import){ .form = PROM_TEXT_OPENMETRICS, .default_time_ms = 5 });
    EXPECT(g->rc == OK && g->faults.total == 0 && g->batch.n_rows == 2 && g->batch.n_exemplars == 1 &&
           g->batch.n_metadata == 1);
    EXPECT(g->batch.exemplars[0].time_ms == 1520879607789 && g->batch.exemplars[0].value == 0.67);
    EXPECT(str_eq(g->batch.exemplars[0].labels, STR("\010trace_id\013KOO5S4vxi0o")));
    EXPECT(str_is(g->batch.metadata[0].unit, "seconds") &&
           str_is(g->batch.metadata[0].help, "A \"quoted\" help"));
    EXPECT(g->batch.time_ms[1] == 5 && g->batch.value[1] == 1520872607.123);
    done(g);
}

TEST(prom_text_keeps_the_good_lines_and_tells_the_bad)
{
    struct got *g = import("a 1\nb{ 2\nc x\nd{e=\"f\",e=\"g\"} 4\nh{i=\"\xff\"} 5\nj 6\n",
                           (struct prom_text_import){ 0 });
    EXPECT(g->rc == OK && g->batch.n_series == 2 && g->batch.value[0] == 1 && g->batch.value[1] == 6);
    EXPECT(g->faults.total == 4 && g->refused.rejected_total == 4);
    EXPECT(g->faults.first[0].line == 2 && g->faults.first[1].line == 3 && g->faults.first[2].line == 4 &&
           g->faults.first[3].line == 5);
    EXPECT_STR(g->faults.first[1].text, "value is not a number: \"x\"");
    EXPECT(strncmp(g->refused.why, "line 2: ", 8) == 0);
    done(g);

    g = import("a 1\n",
               (struct prom_text_import){ .form = PROM_TEXT_OPENMETRICS }); /* cut off, by its own rules */
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && g->faults.total == 1 &&
           strstr(g->faults.first[0].text, "EOF") != NULL);
    done(g);
}

TEST(prom_text_import_keeps_to_its_ceilings)
{
    struct decode_limits few = DECODE_LIMITS_DEFAULT;
    few.rows = 2;
    struct got *g = import("a 1\na 2\n", (struct prom_text_import){ .limits = &few });
    EXPECT(g->rc == OK);
    done(g);
    g = import("a 1\na 2\na 3\n", (struct prom_text_import){ .limits = &few });
    EXPECT(g->rc == ERR_LIMIT);
    done(g);

    few.rows = 1000, few.value_bytes = 10, few.labels = 2;
    g = import("a{b=\"0123456789\"} 1\na{b=\"0123456789x\"} 2\na{b=\"c\",d=\"e\"} 3\n",
               (struct prom_text_import){ .limits = &few });
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && g->refused.rejected[REJECT_label_limit] == 2);
    done(g);

    struct buf text = BUF_INIT(64 * MIB);
    for (int i = 0; i < 400000; i++) buf_printf(&text, "m%d 1\n", i);
    g = import(buf_cstr(&text), (struct prom_text_import){ 0 });
    EXPECT(g->rc == ERR_LIMIT && g->arena.used < 32 * MIB);
    done(g);
    buf_release(&text);
}

TEST(prom_text_comes_back_from_every_cut)
{
    const char *text = "# TYPE foo counter\n# HELP \"foo\\\"\" x\nfoo_total{a=\"b\\\\\",\"c d\"=\"e}\"} "
                       "1.5e3 1520879607.789 # {t=\"u\"} 0.67 5\n{\"x y\"} 2\n# EOF\n";
    for (size_t n = 0; n <= strlen(text); n++) {
        for (int form = 0; form < 2; form++) {
            char *exact = malloc(n + 1);
            memcpy(exact, text, n);
            exact[n] = 0;
            struct got *g = import(exact, (struct prom_text_import){ .form = (enum prom_text_form)form });
            EXPECT(g->rc == OK && g->batch.n_rows <= 2);
            done(g);
            free(exact);
        }
    }
}

TESTS(CASE(prom_text_splits_a_line_into_series_value_and_time),
      CASE(prom_text_reads_times_of_openmetrics_as_seconds),
      CASE(prom_text_finds_exemplars_in_openmetrics_only), CASE(prom_text_reads_metadata),
      CASE(prom_text_numbers_lines_and_goes_on_after_bad_ones),
      CASE(prom_text_wants_eof_of_openmetrics_and_nothing_after),
      CASE(prom_text_reads_numbers_as_strtod_does),
      CASE(prom_text_reads_what_is_not_finite_and_refuses_what_is_no_number),
      CASE(prom_text_reads_series_in_every_spelling), CASE(prom_text_refuses_series_that_are_none),
      CASE(prom_text_leaves_spare_places_after_any_number_of_labels), CASE(prom_text_reads_exemplars),
      CASE(prom_text_tells_the_form_by_content_type), CASE(prom_text_imports_the_example_of_the_format),
      CASE(prom_text_imports_lines_of_one_series_as_one_series),
      CASE(prom_text_imports_with_labels_and_time_of_the_caller),
      CASE(prom_text_imports_openmetrics_with_exemplars_and_created),
      CASE(prom_text_keeps_the_good_lines_and_tells_the_bad), CASE(prom_text_import_keeps_to_its_ceilings),
      CASE(prom_text_comes_back_from_every_cut))
