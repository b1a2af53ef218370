#include "decode/exposition.h"

#include "base/check.h"
#include "unit/decode/wire.h"
#include "unit/test.h"

/* ---- what the reader wants ---- */

static void negotiated(const char *accept, const char *type)
{
    char text[EXPOSITION_TYPE_MAX];
    struct exposition_format f = exposition_negotiate(str_of(accept));
    EXPECT_STR(exposition_content_type(&f, text), type);
}

#define TEXT        "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
#define PROTOBUF                                                                                             \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

TEST(exposition_negotiates_as_the_reader_asks)
{
    negotiated("", TEXT);
    negotiated("*/*", TEXT);
    negotiated("text/html,application/xhtml+xml,*/*;q=0.8", TEXT);
    negotiated("image/png", TEXT);
    negotiated("text/plain; version=0.0.4", TEXT);
    negotiated("text/plain;escaping=allow-utf-8", TEXT "; escaping=allow-utf-8");
    negotiated("application/openmetrics-text", OPENMETRICS "underscores");
    negotiated("application/openmetrics-text; version=\"1.0.0\"; escaping=dots", OPENMETRICS "dots");
    negotiated("application/openmetrics-text; version=0.0.1",
               "application/openmetrics-text; version=0.0.1; charset=utf-8");
    negotiated("application/openmetrics-text; version=9.9.9,text/plain;q=0.1", TEXT);
    negotiated("application/openmetrics-text;q=0,*/*;q=0.1", TEXT);
    /* Prometheus 2.42 as observed */
    negotiated("application/openmetrics-text;version=1.0.0,application/"
               "openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
               OPENMETRICS "underscores");
    /* Prometheus 3 with protobuf before all */
    negotiated("application/"
               "vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping="
               "allow-utf-8;q=0.6,"
               "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/"
               "plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
               PROTOBUF "; escaping=allow-utf-8");
    negotiated("text/plain;version=1.0.0;escaping=values;q=0.9,*/*;q=0.2",
               "text/plain; version=1.0.0; charset=utf-8; escaping=values");
    negotiated("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", TEXT);
    negotiated(",,;;=;q=x,", TEXT);
}

static void escaped(const char *name, enum exposition_escaping e, const char *want)
{
    struct buf b = BUF_INIT(1000);
    exposition_escape_name(&b, str_of(name), e, true);
    EXPECT_STR(buf_cstr(&b), want);
    buf_release(&b);
}

/* The examples of the escaping scheme's own description and tests. */
TEST(exposition_escapes_names)
{
    escaped("no:escaping_required", ESCAPING_UNDERSCORES, "no:escaping_required");
    escaped("no:escaping_required", ESCAPING_DOTS, "no:escaping__required");
    escaped("no:escaping_required", ESCAPING_VALUES, "no:escaping_required");
    escaped("mysystem.prod.west.cpu.load", ESCAPING_UNDERSCORES, "mysystem_prod_west_cpu_load");
    escaped("mysystem.prod.west.cpu.load", ESCAPING_DOTS, "mysystem_dot_prod_dot_west_dot_cpu_dot_load");
    escaped("mysystem.prod.west.cpu.load", ESCAPING_VALUES, "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load");
    escaped("mysystem.prod.west.cpu.load_total", ESCAPING_VALUES,
            "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total");
    escaped("http.status:sum", ESCAPING_DOTS, "http_dot_status:sum");
    escaped("http.status:sum", ESCAPING_VALUES, "U__http_2e_status:sum");
    escaped("label with \xF0\x9F\x98\xB1", ESCAPING_UNDERSCORES, "label_with__");
    escaped("label with \xF0\x9F\x98\xB1", ESCAPING_DOTS, "label__with____");
    escaped("label with \xF0\x9F\x98\xB1", ESCAPING_VALUES, "U__label_20_with_20__1f631_");
    escaped("\xE8\x8A\xB1\xE7\x81\xAB", ESCAPING_VALUES, "U___82b1__706b_");
    escaped("9lives", ESCAPING_UNDERSCORES, "_lives");
    escaped("a.b", ESCAPING_ALLOW_UTF8, "a.b");
}

/* ---- texts ---- */

static struct exposition_format format(enum exposition_form form, enum exposition_escaping e)
{
    return (struct exposition_format){ .form = form, .escaping = e, .version = "x" };
}

static void put(struct exposition *w, const char *suffix, struct labels l, double v)
{
    exposition_sample(w, &(struct exposition_sample){ .suffix = str_of(suffix), .labels = l, .value = v });
}

static void families(struct exposition *w)
{
    const struct label code[] = { { STR(LABEL_NAME), STR("not written") },
                                  { STR("code"), STR("2\"0\\0\n") },
                                  { STR("m"), STR("get") } };
    const struct label le1[] = { { STR("le"), STR("0.5") } }, le2[] = { { STR("le"), STR("+Inf") } };
    const struct label trace[] = { { STR("trace_id"), STR("abc") } };
    const struct exposition_exemplar x = { { trace, 1 }, 0.25, 1700000000123 };

    exposition_family(w, STR("http_requests_total"), STR("counter"), STR("Requests \"served\"\\\nso far."),
                      STR(""));
    put(w, "", (struct labels){ code, 3 }, 17);
    exposition_family(w, STR("empty"), STR("gauge"), STR("never written"), STR(""));
    exposition_family(w, STR("lat_seconds"), STR("histogram"), STR("Latency."), STR("seconds"));
    exposition_sample(w, &(struct exposition_sample){
                             .suffix = STR("_bucket"), .labels = { le1, 1 }, .value = 1, .exemplar = &x });
    put(w, "_bucket", (struct labels){ le2, 1 }, 2);
    put(w, "_sum", (struct labels){ NULL, 0 }, 1.5);
    put(w, "_count", (struct labels){ NULL, 0 }, 2);
    exposition_family(w, STR("plain"), STR(""), STR(""), STR("bytes"));
    exposition_sample(
        w, &(struct exposition_sample){ .value = -0.001, .has_time = true, .time_ms = 1700000000007 });
}

TEST(exposition_writes_text)
{
    struct buf b = BUF_INIT(10000);
    struct exposition w;
    struct exposition_format f = format(EXPOSITION_TEXT, ESCAPING_UNDERSCORES);
    exposition_begin(&w, &f, &b);
    families(&w);
    exposition_end(&w);
    EXPECT_STR(buf_cstr(&b), "# HELP http_requests_total Requests \"served\"\\\\\\nso far.\n"
                             "# TYPE http_requests_total counter\n"
                             "http_requests_total{code=\"2\\\"0\\\\0\\n\",m=\"get\"} 17\n"
                             "# HELP lat_seconds Latency.\n"
                             "# TYPE lat_seconds histogram\n"
                             "lat_seconds_bucket{le=\"0.5\"} 1\n"
                             "lat_seconds_bucket{le=\"+Inf\"} 2\n"
                             "lat_seconds_sum 1.5\n"
                             "lat_seconds_count 2\n"
                             "# TYPE plain untyped\n"
                             "plain -0.001 1700000000007\n");
    buf_release(&b);
}

TEST(exposition_writes_openmetrics)
{
    struct buf b = BUF_INIT(10000);
    struct exposition w;
    struct exposition_format f = format(EXPOSITION_OPENMETRICS, ESCAPING_UNDERSCORES);
    exposition_begin(&w, &f, &b);
    families(&w);
    exposition_family(&w, STR("jobs"), STR("counter"), STR(""),
                      STR("")); /* a counter that lacks its suffix */
    put(&w, "", (struct labels){ NULL, 0 }, 3);
    exposition_family(&w, STR("build_info"), STR("info"), STR(""), STR(""));
    put(&w, "", (struct labels){ NULL, 0 }, 1);
    exposition_end(&w);
    EXPECT_STR(buf_cstr(&b), "# HELP http_requests Requests \\\"served\\\"\\\\\\nso far.\n"
                             "# TYPE http_requests counter\n"
                             "http_requests_total{code=\"2\\\"0\\\\0\\n\",m=\"get\"} 17\n"
                             "# HELP lat_seconds Latency.\n"
                             "# TYPE lat_seconds histogram\n"
                             "# UNIT lat_seconds seconds\n"
                             "lat_seconds_bucket{le=\"0.5\"} 1 # {trace_id=\"abc\"} 0.25 1700000000.123\n"
                             "lat_seconds_bucket{le=\"+Inf\"} 2\n"
                             "lat_seconds_sum 1.5\n"
                             "lat_seconds_count 2\n"
                             "# TYPE plain unknown\n"
                             "plain -0.001 1700000000.007\n"
                             "# TYPE jobs counter\n"
                             "jobs_total 3\n"
                             "# TYPE build info\n"
                             "build_info 1\n"
                             "# EOF\n");
    buf_release(&b);
}

TEST(exposition_quotes_or_escapes_odd_names)
{
    const struct label l[] = { { STR("odd.label"), STR("v") } };
    static const struct {
        enum exposition_escaping e;
        const char *text;
    } cases[] = {
        { ESCAPING_ALLOW_UTF8,
          "# TYPE \"my.metric\" gauge\n{\"my.metric\",\"odd.label\"=\"v\"} 1\n{\"my.metric\"} 2\n" },
        { ESCAPING_UNDERSCORES, "# TYPE my_metric gauge\nmy_metric{odd_label=\"v\"} 1\nmy_metric 2\n" },
        { ESCAPING_VALUES,
          "# TYPE U__my_2e_metric gauge\nU__my_2e_metric{U__odd_2e_label=\"v\"} 1\nU__my_2e_metric 2\n" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = BUF_INIT(10000);
        struct exposition w;
        struct exposition_format f = format(EXPOSITION_TEXT, cases[i].e);
        exposition_begin(&w, &f, &b);
        exposition_family(&w, STR("my.metric"), STR("gauge"), STR(""), STR(""));
        put(&w, "", (struct labels){ l, 1 }, 1);
        put(&w, "", (struct labels){ NULL, 0 }, 2);
        exposition_end(&w);
        EXPECT_STR(buf_cstr(&b), cases[i].text);
        buf_release(&b);
    }
}

/* ---- protobuf ---- */

static void pair(struct wire *m, const char *name, const char *value)
{
    struct wire l = { 0 };
    wire_text(&l, 1, name);
    wire_text(&l, 2, value);
    wire_message(m, 1, &l);
}

static void delimited(struct wire *out, struct wire *family)
{
    wire_num(out, family->n);
    wire_raw(out, family->p, family->n);
    wire_free(family);
}

TEST(exposition_writes_protobuf)
{
    struct buf b = BUF_INIT(10000);
    struct exposition w;
    struct exposition_format f = format(EXPOSITION_PROTOBUF, ESCAPING_UNDERSCORES);
    exposition_begin(&w, &f, &b);
    families(&w);
    exposition_end(&w);

    struct wire want = { 0 }, mf = { 0 }, m = { 0 }, v = { 0 }, bucket = { 0 }, x = { 0 }, t = { 0 };
    wire_text(&mf, 1, "http_requests_total");
    wire_text(&mf, 2, "Requests \"served\"\\\nso far.");
    wire_varint(&mf, 3, 0);
    pair(&m, "code", "2\"0\\0\n");
    pair(&m, "m", "get");
    wire_double(&v, 1, 17);
    wire_message(&m, 3, &v);
    wire_message(&mf, 4, &m);
    delimited(&want, &mf);

    wire_text(&mf, 1, "lat_seconds");
    wire_text(&mf, 2, "Latency.");
    wire_varint(&mf, 3, 4);
    wire_text(&mf, 5, "seconds");
    wire_varint(&v, 1, 2);
    wire_double(&v, 2, 1.5);
    wire_varint(&bucket, 1, 1);
    wire_double(&bucket, 2, 0.5);
    pair(&x, "trace_id", "abc");
    wire_double(&x, 2, 0.25);
    wire_varint(&t, 1, 1700000000);
    wire_varint(&t, 2, 123000000);
    wire_message(&x, 3, &t);
    wire_message(&bucket, 3, &x);
    wire_message(&v, 3, &bucket);
    wire_varint(&bucket, 1, 2);
    wire_double(&bucket, 2, INFINITY);
    wire_message(&v, 3, &bucket);
    wire_message(&m, 7, &v);
    wire_message(&mf, 4, &m);
    delimited(&want, &mf);

    wire_text(&mf, 1, "plain");
    wire_varint(&mf, 3, 3);
    wire_text(&mf, 5, "bytes");
    wire_double(&v, 1, -0.001);
    wire_message(&m, 5, &v);
    wire_varint(&m, 6, 1700000000007);
    wire_message(&mf, 4, &m);
    delimited(&want, &mf);

    EXPECT(str_eq(buf_view(&b), wire_str(&want)));
    wire_free(&want);
    buf_release(&b);
}

TEST(exposition_tells_histograms_with_other_labels_apart)
{
    const struct label a1[] = { { STR("h"), STR("a") }, { STR("le"), STR("+Inf") } },
                       a[] = { { STR("h"), STR("a") } };
    const struct label b1[] = { { STR("h"), STR("b") }, { STR("le"), STR("+Inf") } },
                       b0[] = { { STR("h"), STR("b") } };
    struct buf b = BUF_INIT(10000);
    struct exposition w;
    struct exposition_format f = format(EXPOSITION_PROTOBUF, ESCAPING_UNDERSCORES);
    exposition_begin(&w, &f, &b);
    exposition_family(&w, STR("x"), STR("histogram"), STR(""), STR(""));
    put(&w, "_bucket", (struct labels){ a1, 2 }, 1);
    put(&w, "_count", (struct labels){ a, 1 }, 1);
    put(&w, "_bucket", (struct labels){ b1, 2 }, 2);
    put(&w, "_count", (struct labels){ b0, 1 }, 2);
    exposition_end(&w);

    struct wire want = { 0 }, mf = { 0 }, m = { 0 }, v = { 0 }, bucket = { 0 };
    wire_text(&mf, 1, "x");
    wire_varint(&mf, 3, 4);
    for (int i = 1; i <= 2; i++) {
        pair(&m, "h", i == 1 ? "a" : "b");
        wire_varint(&v, 1, (uint64_t)i);
        wire_double(&v, 2, 0);
        wire_varint(&bucket, 1, (uint64_t)i);
        wire_double(&bucket, 2, INFINITY);
        wire_message(&v, 3, &bucket);
        wire_message(&m, 7, &v);
        wire_message(&mf, 4, &m);
    }
    delimited(&want, &mf);
    EXPECT(str_eq(buf_view(&b), wire_str(&want)));
    wire_free(&want);
    buf_release(&b);
}

TEST(exposition_writes_native_histograms_in_protobuf_only)
{
    struct hist_span span = { 2, 2 };
    double counts[] = { 1, 2.5 };
    struct histogram h = { .schema = 3,
                           .zero_threshold = 0.001,
                           .zero_count = 1,
                           .count = 4.5,
                           .sum = 9,
                           .n_pos_spans = 1,
                           .pos_spans = &span,
                           .n_pos = 2,
                           .pos = counts };
    for (int form = EXPOSITION_TEXT; form <= EXPOSITION_PROTOBUF; form++) {
        struct buf b = BUF_INIT(10000);
        struct exposition w;
        struct exposition_format f = format((enum exposition_form)form, ESCAPING_UNDERSCORES);
        exposition_begin(&w, &f, &b);
        exposition_family(&w, STR("n"), STR("histogram"), STR(""), STR(""));
        exposition_sample(&w, &(struct exposition_sample){ .hist = &h });
        exposition_end(&w);
        if (form == EXPOSITION_TEXT) EXPECT(b.n == 0);
        if (form == EXPOSITION_OPENMETRICS) EXPECT_STR(buf_cstr(&b), "# EOF\n");
        if (form == EXPOSITION_PROTOBUF) {
            struct wire want = { 0 }, mf = { 0 }, m = { 0 }, v = { 0 }, s = { 0 };
            wire_text(&mf, 1, "n");
            wire_varint(&mf, 3, 4);
            wire_double(&v, 4, 4.5);
            wire_double(&v, 2, 9);
            wire_sint(&v, 5, 3);
            wire_double(&v, 6, 0.001);
            wire_double(&v, 8, 1);
            wire_sint(&s, 1, 2);
            wire_varint(&s, 2, 2);
            wire_message(&v, 12, &s);
            wire_double(&v, 14, 1);
            wire_double(&v, 14, 2.5);
            wire_message(&m, 7, &v);
            wire_message(&mf, 4, &m);
            delimited(&want, &mf);
            EXPECT(str_eq(buf_view(&b), wire_str(&want)));
            wire_free(&want);
        }
        buf_release(&b);
    }
}

TEST(exposition_says_when_its_buffer_is_full)
{
    for (int form = EXPOSITION_TEXT; form <= EXPOSITION_PROTOBUF; form++) {
        struct buf b = BUF_INIT(50);
        struct exposition w;
        struct exposition_format f = format((enum exposition_form)form, ESCAPING_UNDERSCORES);
        exposition_begin(&w, &f, &b);
        families(&w);
        exposition_end(&w);
        EXPECT(b.full && b.n <= 50);
        buf_release(&b);
    }
}

TESTS(CASE(exposition_negotiates_as_the_reader_asks), CASE(exposition_escapes_names),
      CASE(exposition_writes_text), CASE(exposition_writes_openmetrics),
      CASE(exposition_quotes_or_escapes_odd_names), CASE(exposition_writes_protobuf),
      CASE(exposition_tells_histograms_with_other_labels_apart),
      CASE(exposition_writes_native_histograms_in_protobuf_only),
      CASE(exposition_says_when_its_buffer_is_full))
