/* demo.c - the demo workload: random requests, counted as an instrumented client would count them; beside
 * them a platform (demo_platform.c) and a few traces and logs (demo_records.c).
 *
 * Names are OpenTelemetry's GenAI conventions after translation to Prometheus. Thread: one of its own. */
#include "receive/demo.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/float.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/demo_platform.h"
#include "receive/demo_random.h"
#include "receive/demo_records.h"

#define TICK_MS    5000
#define HISTORY_MS (60 * 60 * 1000)
#define BUCKETS    14

struct model {
    const char *name, *provider;
    double usd_per_million_in, usd_per_million_out, first_token_s, seconds_per_token, failure;
};

static const struct model models[] = {
    { "large-reasoner", "northwind", 3.0, 15.0, 0.9, 0.018, 0.010 },
    { "swift-small", "northwind", 0.25, 1.25, 0.25, 0.006, 0.004 },
    { "open-70b", "in-house", 0.6, 0.6, 0.5, 0.012, 0.025 },
};

struct agent {
    const char *name;
    double requests_per_s, tokens_in, tokens_out; /* means */
};

static const struct agent agents[] = {
    { "planner", 0.5, 1400, 320 },
    { "researcher", 1.1, 2600, 210 },
    { "coder", 0.7, 2050, 140 },
    { "reviewer", 0.3, 3100, 260 },
};

static const double seconds_bounds[BUCKETS] = { 0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                                1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92 };
static const double token_bounds[BUCKETS] = { 1,     4,     16,     64,      256,     1024,     4096,
                                              16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864 };

struct counted { /* a classic histogram */
    double below[BUCKETS + 1], sum;
};

struct lane { /* what one agent does with one model */
    struct counted duration, first_token, tokens_in, tokens_out;
    double ok, failed, cost_usd;
};

struct demo {
    struct demo_conf conf;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    atomic_bool stopping; /* changed under mu */

    struct demo_random random; /* the rest: the demo's thread only */
    struct lane lanes[COUNT(agents)][COUNT(models)];
    struct demo_platform platform;
    struct demo_records records;
};

static void count(struct counted *h, const double *bounds, double v)
{
    size_t i = 0;
    while (i < BUCKETS && v > bounds[i]) i++;
    h->below[i]++;
    h->sum += v;
}

static void one_request(struct demo *d, struct lane *lane, const struct agent *a, const struct model *m,
                        double busy)
{
    if (random_unit(&d->random) <= m->failure * busy) {
        lane->failed++;
        return;
    }
    double in = random_tokens(&d->random, a->tokens_in), out = random_tokens(&d->random, a->tokens_out);
    double first = m->first_token_s * busy * exp(0.3 * random_normal(&d->random)) + in * 2e-5;
    lane->ok++;
    lane->cost_usd += (in * m->usd_per_million_in + out * m->usd_per_million_out) / 1e6;
    count(&lane->first_token, seconds_bounds, first);
    count(&lane->duration, seconds_bounds, first + out * m->seconds_per_token * busy);
    count(&lane->tokens_in, token_bounds, in);
    count(&lane->tokens_out, token_bounds, out);
}

/* A slow wave over 40 minutes, and a burst of two minutes every 17. */
static double load_at(int64_t t_ms)
{
    double t = (double)t_ms / 1000;
    double burst = fmod(t, 17 * 60) < 120 ? 1.8 : 1;
    return (1 + 0.4 * sin(2 * M_PI * t / 2400)) * burst;
}

static void tick(struct demo *d, int64_t t_ms)
{
    double load = load_at(t_ms), busy = 0.7 + 0.4 * load;
    for (size_t a = 0; a < COUNT(agents); a++) {
        for (size_t m = 0; m < COUNT(models); m++) {
            double share = (a + m) % COUNT(models) == 0 ? 0.6 : 0.2; /* each agent has its favourite model */
            unsigned n = random_poisson(&d->random, agents[a].requests_per_s * load * share * TICK_MS / 1000);
            for (unsigned i = 0; i < n; i++) one_request(d, &d->lanes[a][m], &agents[a], &models[m], busy);
        }
    }
    demo_platform_tick(&d->platform, &d->random, t_ms, TICK_MS, load);
}

struct out { /* where a lane's series go */
    struct batch *batch;
    int64_t t_ms;
    const char *agent, *model, *provider;
};

static void put(struct out *o, const char *name, const char *key, struct str extra, double v)
{
    struct label l[8] = {
        { STR(LABEL_NAME), str_of(name) },
        { STR("gen_ai_agent_name"), str_of(o->agent) },
        { STR("gen_ai_provider_name"), str_of(o->provider) },
        { STR("gen_ai_request_model"), str_of(o->model) },
        { STR("instance"), STR("demo") },
        { STR("job"), STR("demo") },
    };
    size_t n = 6;
    if (key != NULL) l[n++] = (struct label){ str_of(key), extra };
    check(labels_normalise(l, &n, NULL) == OK);
    batch_series_labels(o->batch, (struct labels){ l, n });
    batch_sample(o->batch, o->t_ms, v);
}

static void put_histogram(struct out *o, const char *name, const double *bounds, const struct counted *h)
{
    struct arena *a = o->batch->arena;
    double total = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        char le[FLOAT_TEXT_MAX];
        total += h->below[i];
        struct str text = i < BUCKETS ? str_make(le, float_text(bounds[i], le)) : STR("+Inf");
        put(o, arena_printf(a, "%s_bucket", name).p, "le", arena_str(a, text), total);
    }
    put(o, arena_printf(a, "%s_count", name).p, NULL, STR(""), total);
    put(o, arena_printf(a, "%s_sum", name).p, NULL, STR(""), h->sum);
}

static void put_tokens(struct out *o, const struct lane *l)
{
    put(o, "gen_ai_client_tokens_total", "gen_ai_token_type", STR("input"), l->tokens_in.sum);
    put(o, "gen_ai_client_tokens_total", "gen_ai_token_type", STR("output"), l->tokens_out.sum);
}

static void describe(struct batch *b)
{
    batch_metadata(b, STR("gen_ai_client_operation_duration_seconds"), STR("histogram"),
                   STR("Demo: duration of model calls."), STR("seconds"));
    batch_metadata(b, STR("gen_ai_server_time_to_first_token_seconds"), STR("histogram"),
                   STR("Demo: time to the first token."), STR("seconds"));
    batch_metadata(b, STR("gen_ai_client_input_token_usage"), STR("histogram"),
                   STR("Demo: input tokens a call."), STR(""));
    batch_metadata(b, STR("gen_ai_client_requests_total"), STR("counter"),
                   STR("Demo: model calls by outcome."), STR(""));
    batch_metadata(b, STR("gen_ai_client_tokens_total"), STR("counter"), STR("Demo: tokens by direction."),
                   STR(""));
    batch_metadata(b, STR("gen_ai_client_cost_usd_total"), STR("counter"), STR("Demo: money spent."),
                   STR(""));
}

static void write_at(struct demo *d, int64_t t_ms)
{
    struct arena arena = ARENA_INIT(64u << 20);
    struct batch b;
    batch_init(&b, &arena, LABELS_PACKED);
    for (size_t a = 0; a < COUNT(agents); a++) {
        for (size_t m = 0; m < COUNT(models); m++) {
            const struct lane *l = &d->lanes[a][m];
            struct out o = { &b, t_ms, agents[a].name, models[m].name, models[m].provider };
            put(&o, "gen_ai_client_requests_total", "status", STR("ok"), l->ok);
            put(&o, "gen_ai_client_requests_total", "status", STR("error"), l->failed);
            put(&o, "gen_ai_client_cost_usd_total", NULL, STR(""), l->cost_usd);
            put_tokens(&o, l);
            put_histogram(&o, "gen_ai_client_operation_duration_seconds", seconds_bounds, &l->duration);
            put_histogram(&o, "gen_ai_server_time_to_first_token_seconds", seconds_bounds, &l->first_token);
            put_histogram(&o, "gen_ai_client_input_token_usage", token_bounds, &l->tokens_in);
        }
    }
    demo_platform_put(&d->platform, &b, t_ms);
    describe(&b);
    struct write_result result;
    struct err e = ERR_INIT;
    if (store_write(d->conf.store, &b, ACK_MEMORY, &result, NULL, NULL, &e) < 0)
        log_warn("demo", "tick not stored", "error", e.text, NULL);
    arena_release(&arena);
}

/* False when it is time to end. */
static bool wait_until(struct demo *d, int64_t t_ms)
{
    struct timespec until = { t_ms / 1000, t_ms % 1000 * 1000000 };
    pthread_mutex_lock(&d->mu);
    while (!d->stopping && clock_now_ms() < t_ms) pthread_cond_timedwait(&d->wake, &d->mu, &until);
    bool on = !d->stopping;
    pthread_mutex_unlock(&d->mu);
    return on;
}

static void *demo_main(void *arg)
{
    struct demo *d = arg;
    int64_t now = clock_now_ms() / TICK_MS * TICK_MS;
    demo_platform_init(&d->platform, now - HISTORY_MS);
    for (int64_t t = now - HISTORY_MS; t < now && !d->stopping; t += TICK_MS) {
        tick(d, t);
        write_at(d, t);
    }
    demo_records_past(&d->records, &d->random, now, HISTORY_MS, &d->stopping);
    for (int64_t t = now; wait_until(d, t); t += TICK_MS) {
        if (d->conf.real_arrived(d->conf.ctx, d->records.sent)) {
            log_info("demo", "real telemetry has arrived, the demo workload ends", NULL);
            break;
        }
        tick(d, t);
        write_at(d, t);
        demo_records_tick(&d->records, &d->random, t, load_at(t), &d->stopping);
    }
    return NULL;
}

struct demo *demo_start(const struct demo_conf *conf)
{
    struct demo *d = mem_alloc_zero(sizeof *d);
    d->conf = *conf;
    d->random.state = (uint64_t)clock_now_ms();
    demo_records_init(&d->records, conf);
    pthread_mutex_init(&d->mu, NULL);
    pthread_cond_init(&d->wake, NULL);
    check(pthread_create(&d->thread, NULL, demo_main, d) == 0);
    return d;
}

void demo_stop(struct demo *d)
{
    if (d == NULL) return;
    pthread_mutex_lock(&d->mu);
    d->stopping = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->mu);
    pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->mu);
    pthread_cond_destroy(&d->wake);
    mem_free(d);
}
