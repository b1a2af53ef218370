/* report_glue.c - see report_glue.h. */
#include "server/report_glue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "judge/rule_series.h"
#include "tell/report/export.h"

#define HOUR         INT64_C(3600000)
#define CALL_MS      60000
#define CALL_BYTES   ((size_t)256 << 20)
#define EXPORT_BYTES ((size_t)256 << 20)
#define SETTLE_MS    60000 /* after an interval ended: what comes a little late is in it */

struct report_conf {
    struct arena arena;
    struct budget *budgets;
    size_t n_budgets;
    int64_t interval_ms, export_hours;
    bool csv, json;
    struct str dir;
};

/* ---- configuration ---- */

static void conf_free(struct report_conf *c)
{
    if (c == NULL) return;
    arena_release(&c->arena);
    mem_free(c);
}

static int read_into(struct report_conf *c, struct yaml *file, struct err *e)
{
    int rc;
    c->interval_ms = 15000;
    c->export_hours = 24;
    c->dir = STR("exports");
    if (file == NULL || file->kind != YAML_MAP) return OK;
    if ((rc = budgets_read(yaml_get(file, "budgets"), &c->arena, &c->budgets, &c->n_budgets, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(file, "budget_interval"), &c->interval_ms, e)) < 0 ||
        (rc = yaml_bool(yaml_get(file, "enable_csv_export"), &c->csv, e)) < 0 ||
        (rc = yaml_bool(yaml_get(file, "enable_json_export"), &c->json, e)) < 0 ||
        (rc = yaml_i64(yaml_get(file, "export_interval_hours"), &c->export_hours, e)) < 0 ||
        (rc = yaml_str(yaml_get(file, "export_dir"), &c->dir, e)) < 0)
        return rc;
    c->dir = arena_str(&c->arena, c->dir);
    if (c->interval_ms < 1000) return err_set(e, ERR_RANGE, "budget_interval must be 1s or more");
    if (c->export_hours < 1 || c->export_hours > 24 * 31)
        return err_set(e, ERR_RANGE, "export_interval_hours must be 1 to %d", 24 * 31);
    return OK;
}

static int conf_read(struct yaml *file, struct report_conf **out, struct err *e)
{
    struct report_conf *c = mem_alloc_zero(sizeof *c);
    c->arena = (struct arena)ARENA_INIT(16u << 20);
    int rc = read_into(c, file, e);
    if (rc < 0) {
        conf_free(c);
        c = NULL;
    }
    *out = c;
    return rc;
}

int report_glue_check(struct yaml *file, const char *path, struct err *e)
{
    struct report_conf *c;
    int rc = conf_read(file, &c, e);
    if (rc < 0) err_where(e, "%s", path);
    conf_free(c);
    return rc;
}

/* ---- budgets ---- */

static struct call call_of(struct arena *a)
{
    return (struct call){ .arena = a, .deadline_ns = clock_mono_ns() + (int64_t)CALL_MS * 1000000 };
}

/* A copy, so that a reload need not wait for the store. */
static struct budget *copy_budgets(struct report_glue *g, struct arena *a, size_t *n)
{
    struct report_budgets *all = &g->api.budgets;
    pthread_mutex_lock(&all->mu);
    struct budget *copy = arena_array(a, all->n + 1, sizeof *copy);
    for (*n = 0; *n < all->n; ++*n) {
        copy[*n] = all->at[*n];
        copy[*n].name = arena_str(a, copy[*n].name);
        copy[*n].of = arena_str(a, copy[*n].of);
    }
    pthread_mutex_unlock(&all->mu);
    return copy;
}

static int judge_all(struct report_glue *g, const struct budget *at, size_t n, struct arena *a,
                     int64_t now_ms, struct rule_rows *rows, struct err *e)
{
    struct call call = call_of(a);
    int rc = OK;
    for (size_t i = 0; i < n; i++)
        for (unsigned p = 0; p < BUDGET_PERIODS && rc == OK; p++) {
            struct budget_state s;
            if (at[i].limit_nano[p] == 0) continue;
            rc = budget_now(g->api.base->store, &call, &at[i], (enum budget_period)p, now_ms, &s, e);
            if (rc == OK) budget_rows(&rows->batch, &at[i], (enum budget_period)p, &s, now_ms);
        }
    budget_metadata(&rows->batch);
    return rc;
}

static void write_budgets(struct report_glue *g, struct rule_series *last)
{
    struct arena a = ARENA_INIT(CALL_BYTES);
    struct rule_rows rows;
    struct err e = ERR_INIT;
    int64_t now_ms = clock_now_ms();
    size_t n;
    const struct budget *at = copy_budgets(g, &a, &n);
    rule_rows_init(&rows, &a, now_ms);
    int rc = n > 0 ? judge_all(g, at, n, &a, now_ms, &rows, &e) : OK;
    if (rc == OK && (n > 0 || last->n > 0)) rc = rule_rows_write(&rows, last, g->api.base->store, &e);
    if (rc < 0) log_warn("report", "budgets not judged", "error", e.text, NULL);
    arena_release(&a);
}

/* ---- scheduled exports ---- */

struct plan { /* of the configuration, copied */
    bool csv, json;
    int64_t every_ms;
    char dir[1024];
};

static struct plan plan_of(struct report_glue *g)
{
    struct plan p = { 0 };
    pthread_mutex_lock(&g->api.budgets.mu);
    const struct report_conf *c = g->conf;
    p.csv = c->csv;
    p.json = c->json;
    p.every_ms = c->export_hours * HOUR;
    if (c->dir.n > 0 && c->dir.p[0] == '/')
        snprintf(p.dir, sizeof p.dir, "%.*s", STR_ARG(c->dir));
    else
        snprintf(p.dir, sizeof p.dir, "%s/%.*s", g->data_dir, STR_ARG(c->dir));
    pthread_mutex_unlock(&g->api.budgets.mu);
    return p;
}

static void name_of(const struct plan *p, int64_t from_ms, enum export_format f, char *out, size_t cap)
{
    time_t at = (time_t)(from_ms / 1000);
    struct tm t;
    char when[32] = "";
    if (gmtime_r(&at, &t) != NULL) strftime(when, sizeof when, "%Y%m%dT%H", &t);
    snprintf(out, cap, "%s/hours-%s.%s", p->dir, when, f == EXPORT_JSON ? "json" : "csv");
}

static int write_whole(const char *path, struct str bytes, struct err *e)
{
    char fresh[1200];
    snprintf(fresh, sizeof fresh, "%s.tmp", path);
    FILE *f = fopen(fresh, "wb");
    if (f == NULL) return err_errno(e, ERR_IO, "%s", fresh);
    bool ok = fwrite(bytes.p, 1, bytes.n, f) == bytes.n && fflush(f) == 0 && fsync(fileno(f)) == 0;
    ok = fclose(f) == 0 && ok;
    if (ok && rename(fresh, path) == 0) return OK;
    err_errno(e, ERR_IO, "%s", path);
    unlink(fresh);
    return ERR_IO;
}

static int export_interval(struct report_glue *g, const struct plan *p, int64_t from_ms, enum export_format f,
                           struct err *e)
{
    char path[1100];
    struct arena a = ARENA_INIT(CALL_BYTES);
    struct call call = call_of(&a);
    struct buf out = BUF_INIT(EXPORT_BYTES);
    struct export_made made;
    struct export_ask ask = {
        .format = f, .from_ms = from_ms, .to_ms = from_ms + p->every_ms, .version = g->api.base->version
    };
    name_of(p, from_ms, f, path, sizeof path);
    int rc = OK;
    if (access(path, F_OK) != 0) {
        rc = export_write(g->api.base->engine, g->api.base->store, &call, &ask, &out, &made, e);
        if (rc == OK) rc = write_whole(path, buf_view(&out), e);
        if (rc == OK) log_info("report", "history exported", "file", path, "sha256", made.sha256, NULL);
    }
    buf_release(&out);
    arena_release(&a);
    return rc;
}

static bool is_stopping(struct report_glue *g)
{
    pthread_mutex_lock(&g->mu);
    bool stopping = g->stopping;
    pthread_mutex_unlock(&g->mu);
    return stopping;
}

static void export_due(struct report_glue *g)
{
    struct plan p = plan_of(g);
    struct err e = ERR_INIT;
    int64_t end = (clock_now_ms() - SETTLE_MS) / p.every_ms * p.every_ms;
    if ((!p.csv && !p.json) || is_stopping(g)) return;
    if (mkdir(p.dir, 0700) < 0 && errno != EEXIST) {
        log_warn("report", "no folder for exports", "folder", p.dir, "error", strerror(errno), NULL);
        return;
    }
    int rc = OK;
    for (int i = EXPORT_CATCH_UP; i > 0 && rc == OK && !is_stopping(g); i--) {
        int64_t from = end - i * p.every_ms;
        if (from < 0) continue;
        if (p.csv) rc = export_interval(g, &p, from, EXPORT_CSV, &e);
        if (p.json && rc == OK) rc = export_interval(g, &p, from, EXPORT_JSON, &e);
    }
    if (rc < 0) log_warn("report", "history not exported", "error", e.text, NULL);
}

/* ---- the thread ---- */

static bool wait_ms(struct report_glue *g, int64_t ms)
{
    int64_t until_ms = clock_now_ms() + ms;
    struct timespec until = { until_ms / 1000, until_ms % 1000 * 1000000 };
    pthread_mutex_lock(&g->mu);
    if (!g->stopping) pthread_cond_timedwait(&g->wake, &g->mu, &until);
    bool on = !g->stopping;
    pthread_mutex_unlock(&g->mu);
    return on;
}

static int64_t interval_of(struct report_glue *g)
{
    pthread_mutex_lock(&g->api.budgets.mu);
    int64_t ms = g->conf->interval_ms;
    pthread_mutex_unlock(&g->api.budgets.mu);
    return ms;
}

static void *glue_main(void *arg)
{
    struct report_glue *g = arg;
    struct rule_series last = { 0 };
    int64_t exported_ms = 0;
    while (wait_ms(g, interval_of(g))) {
        write_budgets(g, &last);
        if (clock_now_ms() - exported_ms < SETTLE_MS && clock_now_ms() >= exported_ms) continue;
        exported_ms = clock_now_ms();
        export_due(g);
    }
    rule_series_release(&last);
    return NULL;
}

/* ---- life ---- */

static void put_in_force(struct report_glue *g, struct report_conf *c)
{
    pthread_mutex_lock(&g->api.budgets.mu);
    struct report_conf *old = g->conf;
    g->conf = c;
    g->api.budgets.at = c->budgets;
    g->api.budgets.n = c->n_budgets;
    pthread_mutex_unlock(&g->api.budgets.mu);
    conf_free(old);
}

int report_glue_open(struct report_glue *g, struct yaml *file, struct prometheus_api *base,
                     const char *data_dir, struct err *e)
{
    struct report_conf *c;
    int rc = conf_read(file, &c, e);
    if (rc < 0) return rc;
    *g = (struct report_glue){ .api = { .base = base }, .data_dir = data_dir, .is_open = true };
    pthread_mutex_init(&g->api.budgets.mu, NULL);
    pthread_mutex_init(&g->mu, NULL);
    pthread_cond_init(&g->wake, NULL);
    put_in_force(g, c);
    check(pthread_create(&g->thread, NULL, glue_main, g) == 0);
    return OK;
}

int report_glue_reload(struct report_glue *g, struct yaml *file, struct err *e)
{
    struct report_conf *c;
    int rc = conf_read(file, &c, e);
    if (rc == OK) put_in_force(g, c);
    return rc;
}

void report_glue_close(struct report_glue *g)
{
    if (!g->is_open) return;
    pthread_mutex_lock(&g->mu);
    g->stopping = true;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->mu);
    pthread_join(g->thread, NULL);
    conf_free(g->conf);
    pthread_mutex_destroy(&g->api.budgets.mu);
    pthread_mutex_destroy(&g->mu);
    pthread_cond_destroy(&g->wake);
    *g = (struct report_glue){ 0 };
}
