/* The scraper's threads with a store that remembers, against a server of a few lines: what is written, and
 * when it ends. */
#include "receive/scrape.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/log.h"
#include "unit/receive/fake_store.h"
#include "unit/test.h"

struct target {
    int fd, port;
    _Atomic(const char *) body; /* NULL: hang up */
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct target *t = arg;
    for (int c; (c = accept(t->fd, NULL, NULL)) >= 0; close(c)) {
        char in[4096], out[4096];
        const char *body = atomic_load(&t->body);
        if (read(c, in, sizeof in) <= 0 || body == NULL) continue;
        int n = snprintf(out, sizeof out,
                         "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: "
                         "close\r\nContent-Length: %zu\r\n\r\n%s",
                         strlen(body), body);
        if (write(c, out, (size_t)n) != n) continue;
    }
    return NULL;
}

static void target_start(struct target *t, const char *body)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(t->fd, (struct sockaddr *)&at, n) == 0 && listen(t->fd, 16) == 0 &&
          getsockname(t->fd, (struct sockaddr *)&at, &n) == 0);
    t->port = ntohs(at.sin_port);
    atomic_init(&t->body, body);
    check(pthread_create(&t->thread, NULL, serve, t) == 0);
}

static void target_stop(struct target *t)
{
    shutdown(t->fd, SHUT_RDWR);
    pthread_join(t->thread, NULL);
    close(t->fd);
}

static struct scrape_conf *conf_of(const char *jobs, int port) /* PORT in the text: the target's */
{
    struct arena a = ARENA_INIT(1 << 20);
    struct buf text = BUF_INIT(1 << 16);
    struct scrape_conf *conf = NULL;
    struct yaml *root;
    struct err e = ERR_INIT;
    buf_cs(&text, "global: {scrape_interval: 50ms}\nscrape_configs:\n");
    for (const char *p = jobs, *hit; *p; p = hit + 4) {
        hit = strstr(p, "PORT");
        buf_add(&text, p, hit ? (size_t)(hit - p) : strlen(p));
        if (hit == NULL) break;
        buf_printf(&text, "%d", port);
    }
    if (yaml_parse(buf_view(&text), "t.yml", &a, &root, &e) < 0 ||
        scrape_conf_parse(root, "t.yml", &conf, &e) < 0)
        fail_msg("%s", e.text);
    buf_release(&text);
    arena_release(&a);
    return conf;
}

/* The last row of the series that starts with this text, within a few seconds: value, or a stale marker. */
static bool becomes(struct fake_store *f, const char *series, bool stale, double value)
{
    for (int i = 0; i < 1000; i++, usleep(5000)) {
        bool hit = false;
        pthread_mutex_lock(&f->mu);
        for (size_t k = f->n; k-- > 0;) {
            if (strncmp(f->rows[k].series, series, strlen(series)) != 0) continue;
            hit = stale ? is_stale(f->rows[k].value) : f->rows[k].value == value;
            break;
        }
        pthread_mutex_unlock(&f->mu);
        if (hit) return true;
    }
    return false;
}

static size_t markers(struct fake_store *f)
{
    size_t n = 0;
    pthread_mutex_lock(&f->mu);
    for (size_t i = 0; i < f->n; i++) n += is_stale(f->rows[i].value);
    pthread_mutex_unlock(&f->mu);
    return n;
}

static const char one_job[] = "- {job_name: j, static_configs: [{targets: ['127.0.0.1:PORT']}]}\n";

struct stage {
    struct fake_store f;
    struct target t;
    struct scrape_manager *m;
};

static void reload(struct stage *s, const char *jobs)
{
    struct scrape_conf *conf = conf_of(jobs, s->t.port);
    if (s->m == NULL)
        s->m = scrape_manager_start(conf, &s->f.store, NULL);
    else
        scrape_manager_reload(s->m, conf);
    scrape_conf_free(conf);
}

static void stage_open(struct stage *s, const char *body, const char *jobs)
{
    log_set_level(LOG_ERROR);
    *s = (struct stage){ 0 };
    fake_init(&s->f);
    target_start(&s->t, body);
    reload(s, jobs);
}

static void stage_close(struct stage *s)
{
    scrape_manager_stop(s->m);
    target_stop(&s->t);
    fake_clear(&s->f);
}

TEST(scraper_writes_samples_and_reports_until_the_target_fails)
{
    struct stage s;
    stage_open(&s, "a 1\nb 2\n", one_job);
    EXPECT(becomes(&s.f, "a{", false, 1) && becomes(&s.f, "b{", false, 2) && becomes(&s.f, "up{", false, 1));
    EXPECT(becomes(&s.f, "scrape_samples_scraped{", false, 2));
    atomic_store(&s.t.body, "a 3\n");
    EXPECT(becomes(&s.f, "b{", true, 0) && becomes(&s.f, "a{", false, 3));
    atomic_store(&s.t.body, NULL);
    EXPECT(becomes(&s.f, "up{", false, 0) && becomes(&s.f, "a{", true, 0));
    atomic_store(&s.t.body, "a 4\n");
    EXPECT(becomes(&s.f, "up{", false, 1) && becomes(&s.f, "a{", false, 4));
    size_t before = markers(&s.f);
    scrape_manager_stop(s.m);
    s.m = NULL;
    EXPECT(markers(&s.f) == before); /* we shall be back */
    stage_close(&s);
}

TEST(scraper_ends_the_series_of_targets_that_go)
{
    struct stage s;
    stage_open(&s, "a 1\n", one_job);
    EXPECT(becomes(&s.f, "a{", false, 1));
    reload(&s, "- {job_name: other, static_configs: [{targets: ['127.0.0.1:PORT']}]}\n");
    EXPECT(becomes(&s.f, "a{instance=\"127.0.0.1", false, 1));
    for (int i = 0; i < 1000 && markers(&s.f) < 6; i++) usleep(5000); /* a, up, and four more */
    EXPECT(markers(&s.f) == 6);
    stage_close(&s);
}

TEST(scraper_keeps_going_when_the_store_refuses)
{
    struct stage s;
    stage_open(&s, "# TYPE a gauge\na 1\n", one_job);
    EXPECT(becomes(&s.f, "a{", false, 1));
    pthread_mutex_lock(&s.f.mu);
    s.f.refuse_with = ERR_BUSY;
    size_t metadata = s.f.n_metadata, writes = s.f.writes;
    pthread_mutex_unlock(&s.f.mu);
    for (int i = 0; i < 1000; i++, usleep(5000)) {
        pthread_mutex_lock(&s.f.mu);
        bool tried = s.f.writes > writes + 1;
        s.f.refuse_with = tried ? 0 : ERR_BUSY;
        pthread_mutex_unlock(&s.f.mu);
        if (tried) break;
    }
    atomic_store(&s.t.body, "# TYPE a gauge\na 2\n");
    EXPECT(becomes(&s.f, "a{", false, 2));
    pthread_mutex_lock(&s.f.mu);
    EXPECT(s.f.n_metadata > metadata); /* it was lost with the refused write, so it comes again */
    pthread_mutex_unlock(&s.f.mu);
    stage_close(&s);
}

TEST(scraper_survives_reloads_under_load)
{
    struct stage s;
    static const char *const confs[] = {
        "- {job_name: a, static_configs: [{targets: ['127.0.0.1:PORT', 'localhost:PORT']}]}\n- {job_name: b, "
        "static_configs: [{targets: ['127.0.0.1:PORT']}]}\n",
        "- {job_name: b, sample_limit: 5, static_configs: [{targets: ['127.0.0.1:PORT']}]}\n",
        "- {job_name: a, metric_relabel_configs: [{regex: x, action: labeldrop}], static_configs: [{targets: "
        "['127.0.0.1:PORT']}]}\n",
        "- {job_name: b, scrape_interval: 20ms, static_configs: [{targets: ['127.0.0.1:PORT', "
        "'127.0.0.1:1']}]}\n",
    };
    stage_open(&s, "a{x=\"1\"} 1\n", confs[0]);
    for (int i = 0; i < 20; i++) {
        usleep(30000);
        reload(&s, confs[i % COUNT(confs)]);
    }
    reload(&s, one_job);
    EXPECT(becomes(&s.f, "a{instance=\"127.0.0.1", false, 1));
    stage_close(&s);
}

static void count(const struct scrape_target_view *v, void *arg)
{
    int *n = arg;
    n[0] += !v->dropped;
    n[1] += v->dropped;
    n[2] += strcmp(v->health, "up") == 0;
}

TEST(scraper_shows_its_targets)
{
    struct stage s;
    stage_open(
        &s, "a 1\n",
        "- {job_name: j, relabel_configs: [{source_labels: [__address__], regex: 'x.*', action: drop}], "
        "static_configs: [{targets: ['127.0.0.1:PORT', 'x:1', '127.0.0.1:PORT']}]}\n");
    EXPECT(becomes(&s.f, "up{", false, 1));
    int n[3] = { 0 };
    for (int i = 0; i < 1000 && n[2] == 0; i++, usleep(5000)) {
        memset(n, 0, sizeof n);
        scrape_manager_targets(s.m, count, n);
    }
    EXPECT(n[0] == 1 && n[1] == 1 && n[2] == 1); /* the same target twice is one */
    stage_close(&s);
}

TESTS(CASE(scraper_writes_samples_and_reports_until_the_target_fails),
      CASE(scraper_ends_the_series_of_targets_that_go), CASE(scraper_keeps_going_when_the_store_refuses),
      CASE(scraper_survives_reloads_under_load), CASE(scraper_shows_its_targets))
