/* The cache and the parser of scrapes together: what becomes of lines, over several scrapes of one target. */
#include "receive/scrape_parse.h"

#include "base/check.h"
#include "base/mem.h"
#include "unit/test.h"

struct rig {
    struct arena arena;
    struct scrape_conf *conf;
    struct scrape_parse p;
    struct batch b;
    struct err e;
    struct buf gone;
    int64_t now;
    size_t added;
};

static struct label target_labels[] = { { STR("instance"), STR("i") }, { STR("job"), STR("j") } };

static void rig_job(struct rig *r, const char *job)
{
    struct yaml *root;
    struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, "scrape_configs: [{job_name: j%s%s}]", *job ? ", " : "", job);
    scrape_conf_free(r->conf);
    if (yaml_parse(buf_view(&text), "t.yml", &r->arena, &root, &r->e) < 0 ||
        scrape_conf_parse(root, "t.yml", &r->conf, &r->e) < 0)
        fail_msg("%s", r->e.text);
    r->p.job = &r->conf->jobs[0];
    buf_release(&text);
}

static void rig_init(struct rig *r, const char *job)
{
    *r = (struct rig){ .arena = ARENA_INIT(64u << 20), .gone = BUF_INIT(1 << 16), .now = 1000 };
    rig_job(r, job);
    r->p.target = (struct labels){ target_labels, 2 };
    r->p.cache = scrape_cache_new();
    r->p.families = scrape_families_new();
    r->p.out = &r->b;
}

static void rig_release(struct rig *r)
{
    scrape_conf_free(r->conf);
    scrape_cache_free(r->p.cache);
    scrape_families_free(r->p.families);
    buf_release(&r->gone);
    arena_release(&r->arena);
}

static void on_gone(const struct scrape_series *s, void *ctx)
{
    struct rig *r = ctx;
    if (r->gone.n > 0) buf_char(&r->gone, ' ');
    labels_print(&r->gone, labels_unpack(scrape_series_packed(s), &r->arena));
}

static int form_scrape(struct rig *r, const char *text, enum prom_text_form form)
{
    batch_init(&r->b, &r->arena, LABELS_PACKED);
    buf_clear(&r->gone);
    r->p.time_ms = r->now += 1000;
    r->p.timed = false;
    scrape_cache_begin(r->p.cache);
    int rc = text ? scrape_parse(&r->p, str_of(text), form, &r->e) : ERR_IO;
    r->added = scrape_cache_added(r->p.cache);
    scrape_cache_end(r->p.cache, rc == OK, on_gone, r);
    return rc;
}

static int scrape(struct rig *r, const char *text) /* NULL: the fetch failed */
{
    return form_scrape(r, text, PROM_TEXT_PLAIN);
}

static const char *series(struct rig *r, size_t i)
{
    struct buf out = BUF_INIT(1 << 12);
    check(i < r->b.n_series);
    labels_print(&out, labels_unpack(r->b.series[i].raw, &r->arena));
    const char *text = arena_str(&r->arena, buf_view(&out)).p;
    buf_release(&out);
    return text;
}

#define I "instance=\"i\", job=\"j\""

TEST(scrape_adds_the_targets_labels)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a 1\nb{x=\"y\"} 2\n") == OK);
    EXPECT(r.p.scraped == 2 && r.p.kept == 2 && r.added == 2 && r.b.n_rows == 2);
    EXPECT_STR(series(&r, 0), "a{" I "}");
    EXPECT_STR(series(&r, 1), "b{" I ", x=\"y\"}");
    EXPECT(r.b.time_ms[0] == r.now && r.b.value[1] == 2);
    EXPECT(
        hash128_eq(r.b.series[0].key, hash128_seed(r.b.series[0].raw.p, r.b.series[0].raw.n, LABELS_PACKED)));
    rig_release(&r);
}

TEST(scrape_moves_clashing_labels_aside_unless_told_to_honor_them)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a{job=\"own\"} 1\nb{job=\"own\",exported_job=\"x\"} 1\n") == OK);
    EXPECT_STR(series(&r, 0), "a{exported_job=\"own\", " I "}");
    EXPECT_STR(series(&r, 1), "b{exported_exported_job=\"own\", exported_job=\"x\", " I "}");
    rig_release(&r);
    rig_init(&r, "honor_labels: true");
    EXPECT(scrape(&r, "a{job=\"own\"} 1\nb{job=\"\"} 1\n") == OK);
    EXPECT_STR(series(&r, 0), "a{instance=\"i\", job=\"own\"}");
    EXPECT_STR(series(&r, 1), "b{instance=\"i\"}"); /* an empty label takes the target's away */
    rig_release(&r);
}

TEST(scrape_writes_bounds_one_way)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(
        scrape(&r,
               "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_bucket{le=\"0.50\"} 1\n"
               "# TYPE s summary\ns{quantile=\"1\"} 1\n# TYPE g gauge\ng{le=\"1\"} 1\n") == OK);
    EXPECT_STR(series(&r, 0), "h_bucket{" I ", le=\"1.0\"}");
    EXPECT_STR(series(&r, 1), "h_bucket{" I ", le=\"+Inf\"}");
    EXPECT_STR(series(&r, 2), "h_bucket{" I ", le=\"0.5\"}");
    EXPECT_STR(series(&r, 3), "s{" I ", quantile=\"1.0\"}");
    EXPECT_STR(series(&r, 4), "g{" I ", le=\"1\"}");
    rig_release(&r);
}

TEST(scrape_relabels_metrics)
{
    struct rig r;
    rig_init(&r, "metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}, "
                 "{regex: x, action: labeldrop}]");
    for (int i = 0; i < 3; i++) {
        EXPECT(scrape(&r, "go_a 1\nb{x=\"y\"} 2\n") == OK);
        EXPECT(r.p.scraped == 2 && r.p.kept == 1 && r.b.n_rows == 1 && r.added == (i == 0));
        EXPECT_STR(series(&r, 0), "b{" I "}");
    }
    rig_release(&r);
}

TEST(scrape_marks_series_that_vanish_once)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a 1\nb 2\nc 3\n") == OK && r.gone.n == 0);
    EXPECT(scrape(&r, "a 1\nc 3\n") == OK);
    EXPECT_STR(buf_cstr(&r.gone), "b{" I "}");
    EXPECT(scrape(&r, "a 1\nc 3\n") == OK && r.gone.n == 0);
    EXPECT(scrape(&r, "a 1\nb 2\nc 3\n") == OK && r.gone.n == 0 && r.added == 1);
    EXPECT(scrape_cache_size(r.p.cache) == 3);
    rig_release(&r);
}

TEST(scrape_that_fails_ends_what_was_there_and_nothing_else)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a 1\nb 2\n") == OK);
    EXPECT(scrape(&r, "a 1\nnew 1\nbad line here\n") == ERR_PARSE);
    EXPECT(strstr(r.e.text, "line 3") != NULL);
    EXPECT_STR(buf_cstr(&r.gone), "a{" I "} b{" I "}"); /* new was never stored */
    EXPECT(scrape(&r, NULL) < 0 && r.gone.n == 0);      /* already ended */
    EXPECT(scrape(&r, "a 1\nb 2\n") == OK && r.gone.n == 0 && r.added == 0);
    EXPECT(scrape(&r, NULL) < 0);
    EXPECT_STR(buf_cstr(&r.gone), "a{" I "} b{" I "}");
    rig_release(&r);
}

TEST(scrape_times_of_the_target_are_kept_and_never_end)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a 1 500\nb 2\n") == OK);
    EXPECT(r.p.timed && r.b.time_ms[0] == 500 && r.b.time_ms[1] == r.now);
    EXPECT(scrape(&r, "b 2\n") == OK && r.gone.n == 0);
    EXPECT(scrape(&r, "a 1 600\n") == OK);
    EXPECT_STR(buf_cstr(&r.gone), "b{" I "}");
    rig_release(&r);
    rig_init(&r, "track_timestamps_staleness: true");
    EXPECT(scrape(&r, "a 1 500\n") == OK && scrape(&r, "b 2\n") == OK);
    EXPECT_STR(buf_cstr(&r.gone), "a{" I "}");
    rig_release(&r);
    rig_init(&r, "honor_timestamps: false");
    EXPECT(scrape(&r, "a 1 500\n") == OK && r.b.time_ms[0] == r.now && !r.p.timed);
    rig_release(&r);
}

TEST(scrape_keeps_the_first_of_doubled_series)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a 1\na 2\nb{x=\"1\",y=\"2\"} 3\nb{y=\"2\",x=\"1\"} 4\n") == OK);
    EXPECT(r.b.n_rows == 2 && r.p.duplicates == 2 && r.b.value[0] == 1 && r.b.value[1] == 3);
    EXPECT(scrape(&r, "b{y=\"2\",x=\"1\"} 4\n") == OK); /* the other spelling alone: still the same series */
    EXPECT_STR(buf_cstr(&r.gone), "a{" I "}");
    EXPECT(r.b.n_rows == 1 && r.added == 0);
    EXPECT(scrape(&r, "c 1\n") == OK);
    EXPECT_STR(buf_cstr(&r.gone), "b{" I ", x=\"1\", y=\"2\"}");
    rig_release(&r);
}

TEST(scrape_finds_series_in_any_order)
{
    enum { N = 50, ROUNDS = 40 };
    struct rig r;
    uint32_t seed = 1;
    bool there[N] = { false };
    rig_init(&r, "");
    for (int round = 0; round < ROUNDS; round++) { /* random subsets in random order against a plain model */
        struct buf text = BUF_INIT(1 << 16);
        bool now[N];
        int order[N], shown = 0, ended = 0;
        for (int i = 0; i < N; i++) {
            order[i] = i;
            seed = seed * 1664525 + 1013904223;
            int k = (int)(seed >> 8) % (i + 1), other = order[k];
            order[k] = order[i];
            order[i] = other;
        }
        for (int i = 0; i < N; i++) {
            seed = seed * 1664525 + 1013904223;
            now[order[i]] = seed >> 30 != 0;
            if (now[order[i]]) buf_printf(&text, "m%d %d\n", order[i], round);
        }
        EXPECT(scrape(&r, buf_cstr(&text)) == OK);
        for (int i = 0; i < N; i++) {
            char name[32];
            snprintf(name, sizeof name, "m%d{", i);
            shown += now[i];
            ended += there[i] && !now[i];
            const char *marker = strstr(buf_cstr(&r.gone), name);
            EXPECT((marker != NULL) == (there[i] && !now[i]));
            there[i] = now[i];
        }
        EXPECT((int)r.b.n_rows == shown && (int)scrape_cache_size(r.p.cache) == shown);
        buf_release(&text);
    }
    rig_release(&r);
}

TEST(scrape_after_a_change_of_rules_ends_what_the_old_ones_made)
{
    struct rig r;
    rig_init(&r, "");
    EXPECT(scrape(&r, "a 1\nb{x=\"1\"} 2\n") == OK);
    rig_job(&r, "metric_relabel_configs: [{regex: x, action: labeldrop}]");
    scrape_cache_forget_texts(r.p.cache);
    EXPECT(scrape(&r, "a 1\nb{x=\"1\"} 2\n") == OK);
    EXPECT_STR(buf_cstr(&r.gone), "b{" I ", x=\"1\"}"); /* a goes on, b{x} does not */
    EXPECT(r.b.n_rows == 2 && scrape_cache_size(r.p.cache) == 2);
    EXPECT(scrape(&r, "a 1\nb{x=\"1\"} 2\n") == OK && r.gone.n == 0);
    rig_release(&r);
}

TEST(scrape_limits_fail_the_whole_scrape)
{
    static const struct {
        const char *job, *says;
    } limits[] = { { "sample_limit: 1", "sample limit exceeded" },
                   { "label_limit: 3", "label_limit exceeded" },
                   { "label_name_length_limit: 8", "label_name_length_limit exceeded" },
                   { "label_value_length_limit: 2", "label_value_length_limit exceeded" } };
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct rig r;
        rig_init(&r, limits[i].job);
        EXPECT(scrape(&r, "a 1\nb{l=\"long\",averylongname=\"1\"} 1\n") == ERR_LIMIT);
        if (strstr(r.e.text, limits[i].says) == NULL) fail_msg("%s", r.e.text);
        rig_release(&r);
    }
}

TEST(scrape_sends_metadata_when_it_changes)
{
    struct rig r;
    rig_init(&r, "");
    const char *text = "# HELP a Some \\\\ help.\n# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n";
    EXPECT(scrape(&r, text) == OK && r.b.n_metadata == 2);
    EXPECT(str_is(r.b.metadata[0].help, "Some \\ help.") && str_is(r.b.metadata[0].type, "counter"));
    EXPECT(scrape(&r, text) == OK && r.b.n_metadata == 0);
    EXPECT(scrape(&r, "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n") == OK && r.b.n_metadata == 1);
    EXPECT(scrape(&r, "# TYPE c gauge\nc bad\n") < 0 && scrape(&r, "# TYPE c gauge\nc 1\n") == OK &&
           r.b.n_metadata == 1);
    rig_release(&r);
}

TEST(scrape_reads_openmetrics_with_exemplars)
{
    struct rig r;
    rig_init(&r, "");
    const char *text =
        "# TYPE c counter\n# UNIT c_seconds seconds\nc_total 3 # {trace_id=\"abc\"} 0.5 1.5\n# EOF\n";
    EXPECT(form_scrape(&r, text, PROM_TEXT_OPENMETRICS) == OK && r.b.n_exemplars == 1);
    EXPECT(r.b.exemplars[0].time_ms == 1500 && r.b.exemplars[0].value == 0.5);
    EXPECT(form_scrape(&r, text, PROM_TEXT_OPENMETRICS) == OK &&
           r.b.n_exemplars == 0); /* the same one again */
    EXPECT(form_scrape(&r, "c_total 3\n", PROM_TEXT_OPENMETRICS) == ERR_PARSE);
    EXPECT(strstr(r.e.text, "# EOF") != NULL);
    rig_release(&r);
}

TEST(scrape_cache_stays_bounded_over_failing_scrapes)
{
    struct rig r;
    rig_init(&r, "");
    for (int i = 0; i < 5000; i++) {
        char text[64];
        snprintf(text, sizeof text, "m%d 1\nbad line here\n", i);
        EXPECT(scrape(&r, text) < 0);
    }
    EXPECT(scrape_cache_size(r.p.cache) <= 1001);
    rig_release(&r);
}

TESTS(CASE(scrape_adds_the_targets_labels),
      CASE(scrape_moves_clashing_labels_aside_unless_told_to_honor_them), CASE(scrape_writes_bounds_one_way),
      CASE(scrape_relabels_metrics), CASE(scrape_marks_series_that_vanish_once),
      CASE(scrape_that_fails_ends_what_was_there_and_nothing_else),
      CASE(scrape_times_of_the_target_are_kept_and_never_end), CASE(scrape_keeps_the_first_of_doubled_series),
      CASE(scrape_finds_series_in_any_order),
      CASE(scrape_after_a_change_of_rules_ends_what_the_old_ones_made),
      CASE(scrape_limits_fail_the_whole_scrape), CASE(scrape_sends_metadata_when_it_changes),
      CASE(scrape_reads_openmetrics_with_exemplars), CASE(scrape_cache_stays_bounded_over_failing_scrapes))
