/* range_cached_test.c - an answer continued from an earlier one is the answer, bit for bit.
 *
 * Two engines over one store, one of which keeps answers. Rows are written in order, late, over others;
 * windows slide; every answer of the one is compared with the other's. ROUNDS sets how long. */
#include "unit/test.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "query/promql/engine.h"
#include "query/promql/functions.h"
#include "query/promql/reusable.h"
#include "store/embedded.h"

#define DAY      86400000ll
#define SERIES   24
#define SCRAPE   15000
#define FIRST_MS (20000 * DAY + DAY - 40 * 60000) /* forty minutes before midnight */

static const char *const texts[] = {
    "m",
    "rate(c_total[5m])",
    "rate(c_total[40s])",
    "sum by (job) (rate(c_total[5m]))",
    "sum(sum by (job) (rate(c_total[5m])))",
    "topk(2, avg by (job) (m))",
    "bottomk(1, sum by (job) (m > 3))",
    "avg_over_time(m[10m])",
    "avg_over_time(m[14m])",
    "sum_over_time(m[12m])",
    "stdvar_over_time(m[13m])",
    "deriv(m[15m])",
    "predict_linear(m[20m], 60)",
    "sum_over_time(m[2m])",
    "stddev_over_time(m[3m])",
    "deriv(m[4m])",
    "predict_linear(m[4m], 60)",
    "min_over_time(m[7m])",
    "max by (job) (max_over_time(m[3m]))",
    "ts_of_max_over_time(m[3m])",
    "changes(m[6m])",
    "resets(c_total[6m])",
    "irate(c_total[1m])",
    "m offset 3m",
    "m offset -3m",
    "rate(c_total[2m] offset -1m)",
    "rate(c_total[2m] anchored)",
    "rate(c_total[2m] smoothed)",
    "m smoothed",
    "m @ 1728085300",
    "m - on (i, job) group_left m @ 1728085300",
    "m @ end()",
    "sum(m) / count(m)",
    "m * 2 + on (i, job) group_left () m",
    "m or c_total",
    "c_total unless m > 3",
    "absent(m{i=\"3\"})",
    "absent_over_time(m{i=\"5\"}[2m])",
    "max_over_time(rate(c_total[1m])[5m:30s])",
    "sum(max_over_time(m[5m:30s]))",
    "sum by (job) (max_over_time(sum by (job, i) (m)[5m:30s]))",
    "avg_over_time(m[30m:10s])",
    "label_replace(m, \"x\", \"$1\", \"job\", \"(.).*\")",
    "sum by (x) (label_replace(m, \"x\", \"$1\", \"i\", \".*(.)\"))",
    "sum(label_join(m, \"i\", \"-\", \"job\"))",
    "limitk(2, m)",
    "limit_ratio(0.5, m)",
    "quantile by (job) (0.7, m)",
    "stddev by (job) (m)",
    "count_values(\"v\", floor(m))",
    "sum(count_values by (job) (\"v\", floor(m)))",
    "timestamp(m)",
    "time() - timestamp(m)",
    "scalar(m{i=\"1\"}) + vector(time())",
    "hour(m) + minute()",
    "sum(h)",
    "rate(h[2m])",
    "histogram_quantile(0.9, sum(rate(h[2m])))",
    "histogram_count(sum(h))",
    "histogram_sum(rate(h[2m]))",
    "histogram_quantile(0.5, sum by (le) (rate(b_bucket[3m])))",
    "quantile_over_time(0.5, m[3m])",
    "last_over_time(m[range()])",
    "avg_over_time(m[step() * 3])",
    "double_exponential_smoothing(m[3m], 0.3, 0.4)",
    "-m",
    "clamp(m, 2, 4)",
    "sum(m > bool 3)",
};

/* ---- chance ---- */

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 11) % below;
}

/* ---- rows ---- */

static struct histogram *some_histogram(struct arena *a, uint64_t n)
{
    struct histogram *h = arena_zero(a, sizeof *h);
    static const double counts[] = { 1, 2, 3, 1 };
    double *pos = arena_array(a, 4, sizeof *pos);
    struct hist_span *spans = arena_zero(a, sizeof *spans);
    spans->length = 4;
    for (int i = 0; i < 4; i++) h->count += pos[i] = counts[i] * (double)n;
    h->pos_spans = spans;
    h->n_pos_spans = 1;
    h->pos = pos;
    h->n_pos = 4;
    h->sum = (double)n * 1.1;
    return h;
}

static double some_value(int64_t t, int i, bool counter)
{
    static const double odd[] = { 0, -0.0, NAN, INFINITY, -INFINITY, 1e16, 1e-9 };
    if (chance(60) == 0) return counter ? 0 : odd[chance(COUNT(odd))];
    if (chance(80) == 0) return double_of(STALE_BITS);
    if (counter) return (double)((t - FIRST_MS) / 1000 % 700) * 1.1 + i; /* falls every 700 s */
    return (double)chance(7) + (chance(4) ? 0.1 * (double)i : 0);
}

static void add_rows(struct batch *b, int i, int64_t t)
{
    struct arena *a = b->arena;
    static const char *const jobs[] = { "api", "db", "web" };
    struct label l[] = { { STR("__name__"), STR("m") },
                         { STR("i"), arena_printf(a, "%d", i) },
                         { STR("job"), str_of(jobs[i % 3]) } };
    struct label le[] = { l[0], { STR("le"), i % 3 == 0 ? STR("1") : i % 3 == 1 ? STR("2") : STR("+Inf") } };
    batch_series_labels(b, (struct labels){ l, 3 });
    batch_sample(b, t, some_value(t, i, false));
    l[0].value = STR("c_total");
    batch_series_labels(b, (struct labels){ l, 3 });
    batch_sample(b, t, some_value(t, i, true));
    if (i % 4 == 0) batch_start(b, chance(300) ? FIRST_MS - 1000 : t - 20000); /* seldom: a warning */
    if (i % 8 == 0 && (i == 0 || t / SCRAPE % 13 == 0)) { /* some stand alone in their lookback */
        l[0].value = STR("h");
        batch_series_labels(b, (struct labels){ l, 3 });
        batch_histogram(b, t,
                        some_histogram(a, (uint64_t)(t - FIRST_MS) / 1000 % (300 + 10 * (uint64_t)i) + 1));
    }
    if (i < 6) {
        le[0].value = STR("b_bucket");
        batch_series_labels(b, (struct labels){ le, 2 });
        batch_sample(b, t, some_value(t, i, true) * (i % 3 + 1));
    }
}

static void write_at(struct store *s, int64_t t, int from, int to)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct write_result r;
    struct batch b;
    batch_init(&b, &a, LABELS_PACKED);
    for (int i = from; i < to; i++) add_rows(&b, i, t);
    EXPECT_INT(store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, NULL), OK);
    arena_release(&a);
}

/* In order mostly; now and then late rows, or others over those that are there. Series come and go. */
static void write_some(struct store *s, int64_t *now)
{
    int alive = (int)(*now / 300000 % 4) * 5;
    for (uint64_t n = chance(4); n > 0; n--) {
        *now += SCRAPE;
        write_at(s, *now, alive / 3, alive + 9);
    }
    if (chance(9) == 0) {
        int64_t late = *now - (int64_t)chance(60) * SCRAPE - (int64_t)chance(SCRAPE);
        int i = (int)chance(SERIES);
        write_at(s, MAX(late, (int64_t)0), i, i + 1);
    }
}

/* ---- the same? ---- */

static void same_points(const char *text, const struct result_series *a, const struct result_series *b)
{
    if (a->n != b->n) fail_msg("%s: %zu points and %zu", text, a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct result_point *p = &a->points[i], *q = &b->points[i];
        if (p->time_ms != q->time_ms || double_bits(p->value) != double_bits(q->value) ||
            (p->hist != NULL) != (q->hist != NULL))
            fail_msg("%s: at %lld %.17g and at %lld %.17g", text, (long long)p->time_ms, p->value,
                     (long long)q->time_ms, q->value);
        if (p->hist == NULL) continue;
        EXPECT(p->hist->count == q->hist->count && p->hist->schema == q->hist->schema);
        EXPECT(p->hist->n_pos == q->hist->n_pos && p->hist->reset == q->hist->reset);
        EXPECT(p->hist->n_pos == 0 ||
               memcmp(p->hist->pos, q->hist->pos, p->hist->n_pos * sizeof(double)) == 0);
    }
}

static void same_texts(const char *text, const struct str *a, size_t n, const struct str *b, size_t m)
{
    if (n != m) fail_msg("%s: %zu notes and %zu", text, n, m);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(a[i], b[i])) fail_msg("%s: %.*s and %.*s", text, STR_ARG(a[i]), STR_ARG(b[i]));
}

static void same_answers(const char *text, const struct query_result *a, const struct query_result *b)
{
    if (a->n != b->n) fail_msg("%s: %zu series and %zu", text, a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        EXPECT_INT(labels_cmp(a->series[i].labels, b->series[i].labels), 0);
        same_points(text, &a->series[i], &b->series[i]);
    }
    same_texts(text, a->notes.warnings, a->notes.n_warnings, b->notes.warnings, b->notes.n_warnings);
    same_texts(text, a->notes.infos, a->notes.n_infos, b->notes.infos, b->notes.n_infos);
}

static size_t uses[CACHE_HIT + 1];

static void compare(struct engine *keeping, struct engine *plain, const struct query_conf *c)
{
    struct query_result a, b;
    struct err e = ERR_INIT, f = ERR_INIT;
    int rc = engine_query(keeping, c, &a, &e), plain_rc = engine_query(plain, c, &b, &f);
    if (rc != plain_rc) fail_msg("%.*s: %s and %s", STR_ARG(c->text), e.text, f.text);
    if (rc < 0) {
        EXPECT_STR(e.text, f.text);
        return;
    }
    same_answers(c->text.p, &a, &b);
    uses[a.stats.cache]++;
    query_result_release(&a);
    query_result_release(&b);
}

/* ---- rounds ---- */

static size_t rounds(void)
{
    const char *n = getenv("ROUNDS");
    return n ? (size_t)atoll(n) : 1500;
}

static void ask_something(struct engine *keeping, struct engine *plain, int64_t now)
{
    static const int64_t steps[] = { 15000, 30000, 60000 };
    const char *text = texts[chance(COUNT(texts))];
    int64_t step = steps[chance(8) ? 0 : 1 + chance(2)], end = now / step * step + (chance(9) ? 0 : 7000);
    if (chance(5) == 0) end -= (int64_t)chance(20) * step;
    int64_t length = chance(3) ? 20 * 60000 : (int64_t)chance(70) * 60000;
    compare(keeping, plain,
            &(struct query_conf){ .text = str_of(text),
                                  .start_ms = end - length,
                                  .end_ms = end + (int64_t)chance(3) * 1000,
                                  .step_ms = step,
                                  .lookback_ms = chance(20) ? 0 : 60000 });
}

static void play(struct store *s, size_t n, bool flushes)
{
    struct engine *plain = engine_new(s, NULL, &(struct engine_conf){ .no_result_cache = true });
    struct engine *keeping =
        engine_new(s, NULL, &(struct engine_conf){ .result_cache_bytes = (size_t)4 << 20 });
    int64_t now = FIRST_MS;
    memset(uses, 0, sizeof uses);
    for (size_t i = 0; i < n; i++) {
        write_some(s, &now);
        for (int k = 0; k < 6; k++) ask_something(keeping, plain, now);
        if (flushes && chance(100) == 0) EXPECT_INT(store_admin(s, STORE_FLUSH, NULL, NULL), OK);
        if (flushes && chance(200) == 0) EXPECT_INT(store_admin(s, STORE_MERGE, NULL, NULL), OK);
    }
    printf("answers: %zu without the cache, %zu missed, %zu partly reused, %zu reused\n",
           uses[CACHE_UNUSED] + uses[CACHE_REFUSED], uses[CACHE_MISS], uses[CACHE_PARTIAL], uses[CACHE_HIT]);
    EXPECT(uses[CACHE_PARTIAL] > n / 4); /* or nothing has been tried */
    EXPECT(uses[CACHE_HIT] > n / 100);
    engine_free(keeping);
    engine_free(plain);
}

static void plant(uint64_t fallback)
{
    const char *given = getenv("SEED");
    seed = (given ? (uint64_t)atoll(given) : fallback) * 2654435761u + 1;
    printf("SEED=%s%llu ROUNDS=%zu\n", given ? "given, else " : "", (unsigned long long)fallback, rounds());
}

static struct store *opened(char dir[64])
{
    struct embedded_conf conf;
    struct store *s;
    strcpy(dir, "/tmp/vedette-cached-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
    conf = (struct embedded_conf){ .dir = dir };
    EXPECT_INT(embedded_open(&conf, &s, NULL), OK);
    return s;
}

static void closed(struct store *s, const char *dir)
{
    char command[96];
    store_close(s);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    EXPECT_INT(system(command), 0);
}

TEST(a_continued_answer_is_the_answer)
{
    char dir[64];
    struct store *s = opened(dir);
    plant(1);
    play(s, rounds(), false);
    closed(s, dir);
}

TEST(so_it_is_while_rows_go_to_files)
{
    char dir[64];
    struct store *s = opened(dir);
    plant(2);
    play(s, rounds(), true);
    closed(s, dir);
}

/* ---- many threads ---- */

struct crowd {
    struct store *store;
    struct engine *en;
    atomic_bool stop;
    _Atomic int64_t now;
    atomic_size_t asked;
};

static const char *const crowd_texts[] = { "sum(m)", "rate(c_total[1m])", "m offset -30s",
                                           "max by (job) (m)" };

static struct query_conf crowd_query(size_t which, int64_t now)
{
    int64_t end = now / SCRAPE * SCRAPE;
    return (struct query_conf){
        .text = str_of(crowd_texts[which]), .start_ms = end - 600000, .end_ms = end, .step_ms = SCRAPE
    };
}

static void *crowd_asks(void *ctx)
{
    struct crowd *c = ctx;
    for (size_t i = 0; !atomic_load(&c->stop); i++) {
        struct query_conf q = crowd_query(i % COUNT(crowd_texts), atomic_load(&c->now));
        struct query_result r;
        if (engine_query(c->en, &q, &r, NULL) == OK) query_result_release(&r);
        atomic_fetch_add(&c->asked, 1);
    }
    return NULL;
}

/* Rows are written while answers are computed, kept and continued. Whatever is kept in the end must be what
 * is stored. */
TEST(what_is_kept_while_rows_are_written_is_true)
{
    char dir[64];
    struct store *s = opened(dir);
    struct engine *en = engine_new(s, NULL, NULL),
                  *plain = engine_new(s, NULL, &(struct engine_conf){ .no_result_cache = true });
    seed = 5;
    for (int round = 0; round < 12; round++) {
        struct crowd c = { .store = s, .en = en, .now = FIRST_MS + round * 300000 };
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, crowd_asks, &c);
        for (int i = 0; i < 40 || atomic_load(&c.asked) < 40; i++) {
            if (i < 20) atomic_fetch_add(&c.now, SCRAPE);
            int64_t late = chance(2) ? 0 : (int64_t)chance(40) * SCRAPE;
            int from = (int)chance(SERIES - 3);
            write_at(s, atomic_load(&c.now) - late, from, from + 3);
        }
        atomic_store(&c.stop, true);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        for (size_t i = 0; i < COUNT(crowd_texts); i++) {
            struct query_conf q = crowd_query(i, c.now);
            compare(en, plain, &q);
        }
    }
    engine_free(en);
    engine_free(plain);
    closed(s, dir);
}

/* ---- what is said of functions ---- */

TEST(the_table_has_a_word_on_every_function)
{
    size_t n;
    const struct promql_function *all = promql_functions(&n);
    for (size_t i = 0; i < n; i++)
        if (!reuse_knows(all[i].name)) fail_msg("reusable.c does not know %s", all[i].name);
}

/* ---- plain cases ---- */

static void put(struct store *s, int64_t t, double v)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct label l = { STR("__name__"), STR("m") };
    struct write_result r;
    struct batch b;
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ &l, 1 });
    batch_sample(&b, t, v);
    l.value = STR("c_total");
    batch_series_labels(&b, (struct labels){ &l, 1 });
    batch_sample(&b, t, v);
    EXPECT_INT(store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, NULL), OK);
    arena_release(&a);
}

static enum cache_use ask(struct engine *en, const char *text, int64_t start, int64_t end, bool nocache)
{
    struct query_result r;
    struct query_conf c = { .text = str_of(text),
                            .start_ms = 3600000 + start,
                            .end_ms = 3600000 + end,
                            .step_ms = 15000,
                            .nocache = nocache };
    EXPECT_INT(engine_query(en, &c, &r, NULL), OK);
    enum cache_use use = r.stats.cache;
    query_result_release(&r);
    return use;
}

TEST(what_cannot_be_kept_is_not)
{
    char dir[64];
    struct store *s = opened(dir);
    struct engine *en = engine_new(s, NULL, NULL);
    for (int64_t t = 3600000; t < 4200000; t += SCRAPE) put(s, t, (double)t);
    static const char *const kept[] = { "m", "sum(m)", "rate(c_total[1m])" };
    static const char *const refused[] = { "m @ end()", "m offset (range() / 2)", "limitk(1, m)",
                                           "m + start()", "sort(m)" };
    for (size_t i = 0; i < COUNT(kept); i++) {
        EXPECT(ask(en, kept[i], 300000, 600000, true) == CACHE_UNUSED);
        EXPECT(ask(en, kept[i], 300000, 600000, false) == CACHE_MISS);
        EXPECT(ask(en, kept[i], 300000, 600000, true) == CACHE_UNUSED);
        EXPECT(ask(en, kept[i], 300000, 600000, false) == CACHE_HIT);
        EXPECT(ask(en, kept[i], 360000, 660000, false) == CACHE_PARTIAL);
        EXPECT(ask(en, kept[i], 360000, 540000, false) == CACHE_HIT);
        EXPECT(ask(en, kept[i], 361000, 541000, false) == CACHE_MISS); /* other steps */
    }
    for (size_t i = 0; i < COUNT(refused); i++)
        for (int k = 0; k < 2; k++) EXPECT(ask(en, refused[i], 300000, 600000, false) == CACHE_REFUSED);
    for (int k = 0; k < 2; k++)
        EXPECT(ask(en, "rate(m[1m])", 300000, 600000, false) == CACHE_MISS); /* an info */
    engine_free(en);
    closed(s, dir);
}

TEST(a_change_of_what_a_step_saw_is_seen)
{
    char dir[64];
    struct store *s = opened(dir);
    struct engine *en = engine_new(s, NULL, NULL);
    static const struct {
        const char *text;
        int64_t sees_ms; /* the newest row that the step at 300 s sees */
    } cases[] = { { "m", 300000 },
                  { "m offset 1m", 240000 },
                  { "m offset -1m", 360000 },
                  { "m smoothed", 600000 },
                  { "m @ 3900", 300000 },
                  { "sum(m @ 3900 offset -1m)", 360000 },
                  { "max_over_time(m[2m:15s] @ 3900)", 300000 },
                  { "max_over_time(m[2m])", 300000 },
                  { "max_over_time(m[2m] offset -30s)", 330000 },
                  { "max_over_time((m offset -1m)[2m:15s] offset -1m)", 420000 },
                  { "increase(m[2m] smoothed)", 600000 } };
    for (int64_t t = 3600000; t < 4500000; t += SCRAPE) put(s, t, (double)t);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t sees = 3600000 + cases[i].sees_ms;
        ask(en, cases[i].text, 300000, 300000, false);
        bool keeps = ask(en, cases[i].text, 300000, 300000, false) == CACHE_HIT;
        EXPECT(keeps == (i != COUNT(cases) - 1)); /* an increase of what is no counter has an info */
        put(s, sees + 1, 1);
        EXPECT(!keeps || ask(en, cases[i].text, 300000, 300000, false) == CACHE_HIT);
        put(s, sees, 2);
        EXPECT(ask(en, cases[i].text, 300000, 300000, false) == CACHE_MISS);
    }
    engine_free(en);
    closed(s, dir);
}

TESTS(CASE(a_change_of_what_a_step_saw_is_seen), CASE(the_table_has_a_word_on_every_function),
      CASE(what_cannot_be_kept_is_not), CASE(a_continued_answer_is_the_answer),
      CASE(so_it_is_while_rows_go_to_files), CASE(what_is_kept_while_rows_are_written_is_true))
