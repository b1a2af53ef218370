/* actions.c - see actions.h. */
#include "tell/notify/actions.h"

#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/command.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "base/work.h"

#define THREADS    2
#define QUEUE      1000
#define OUTPUT_MAX 4096 /* of a command, kept in the audit */
#define DETAIL_MAX (16u << 10)
#define RATES_MAX  1000 /* actions of one name, over reloads */
#define GC_EVERY   100

struct rate { /* when an action of this name ran */
    char *name;
    int64_t at_ms[ACTION_RUNS_MAX];
    size_t n;
};

struct actions {
    struct state *state;
    struct work_pool *pool;
    atomic_bool stopping;
    pthread_mutex_t mu;    /* all below */
    struct notify *notify; /* these two: set once */
    char *external_url;
    struct action_conf *conf; /* NULL: none */
    struct rate *rates;
    size_t n_rates, cap_rates, n_written;
    struct stat *dropped;
};

struct job {
    struct actions *actions;
    struct action_conf *conf;
    const struct action *action;
    struct held *alert;
    bool is_firing;
};

static const char *const steps[] = {
    "CREATE TABLE action_audit (at_ms INTEGER, action TEXT, cause TEXT, outcome TEXT, detail TEXT, took_ms "
    "INTEGER, "
    "fp INTEGER, labels BLOB);"
    "CREATE INDEX action_audit_at ON action_audit (at_ms);",
};

/* ---- life ---- */

int actions_open(struct state *state, struct actions **out, struct err *e)
{
    int rc = state_migrate(state, "actions", steps, COUNT(steps), e);
    if (rc < 0) return rc;
    struct actions *a = mem_alloc_zero(sizeof *a);
    a->state = state;
    pthread_mutex_init(&a->mu, NULL);
    a->pool = work_start("action", THREADS, QUEUE);
    a->dropped =
        stat_counter("vedette_actions_dropped_total", "Actions dropped because too many wait.", NULL);
    *out = a;
    return OK;
}

void actions_load(struct actions *a, struct action_conf *conf)
{
    pthread_mutex_lock(&a->mu);
    struct action_conf *old = a->conf;
    a->conf = conf;
    pthread_mutex_unlock(&a->mu);
    action_conf_unref(old);
}

void actions_attach(struct actions *a, struct notify *n, struct str external_url)
{
    pthread_mutex_lock(&a->mu);
    a->external_url = str_dup(external_url);
    a->notify = n;
    pthread_mutex_unlock(&a->mu);
}

void actions_stop(struct actions *a)
{
    if (a == NULL) return;
    atomic_store(&a->stopping, true);
    work_stop(a->pool);
    a->pool = NULL;
}

void actions_close(struct actions *a)
{
    if (a == NULL) return;
    if (a->pool != NULL) actions_stop(a);
    action_conf_unref(a->conf);
    for (size_t i = 0; i < a->n_rates; i++) mem_free(a->rates[i].name);
    mem_free(a->rates);
    mem_free(a->external_url);
    pthread_mutex_destroy(&a->mu);
    mem_free(a);
}

/* ---- how often ---- */

static struct rate *rate_of(struct actions *a, struct str name)
{
    for (size_t i = 0; i < a->n_rates; i++)
        if (str_is(name, a->rates[i].name)) return &a->rates[i];
    if (a->n_rates == RATES_MAX) return &a->rates[0]; /* a thousand names since the start: they share */
    a->rates = mem_grow(a->rates, a->n_rates, &a->cap_rates, sizeof *a->rates);
    a->rates[a->n_rates] = (struct rate){ .name = str_dup(name) };
    return &a->rates[a->n_rates++];
}

static bool may_run(struct actions *a, const struct action *x, int64_t now_ms)
{
    size_t lately = 0;
    pthread_mutex_lock(&a->mu);
    struct rate *r = rate_of(a, x->name);
    for (size_t i = 0; i < MIN(r->n, (size_t)ACTION_RUNS_MAX); i++)
        lately += r->at_ms[i] > now_ms - x->window_ms;
    bool may = lately < x->runs;
    if (may) r->at_ms[r->n++ % ACTION_RUNS_MAX] = now_ms;
    pthread_mutex_unlock(&a->mu);
    return may;
}

/* ---- the audit ---- */

struct outcome {
    const char *word;
    struct buf detail;
    int64_t took_ms;
};

static void gc(struct actions *a, int64_t now_ms)
{
    pthread_mutex_lock(&a->mu);
    bool due = a->n_written++ % GC_EVERY == 0;
    pthread_mutex_unlock(&a->mu);
    if (due)
        state_run(a->state, "DELETE FROM action_audit WHERE at_ms < ?",
                  (struct state_value[]){ STATE_INT(now_ms - ACTIONS_KEPT_MS) }, 1, NULL);
}

static void record(const struct job *j, const struct outcome *o, int64_t now_ms)
{
    struct err e = ERR_INIT;
    struct buf labels = BUF_INIT(1u << 20);
    const char *trigger = j->is_firing ? "firing" : "resolved";
    labels_pack(&labels, j->alert->a.labels);
    int rc = state_run(j->actions->state, "INSERT INTO action_audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                       (struct state_value[]){
                           STATE_INT(now_ms), STATE_STR(j->action->name), STATE_STR(str_of(trigger)),
                           STATE_STR(str_of(o->word)), STATE_STR(buf_view(&o->detail)), STATE_INT(o->took_ms),
                           STATE_INT((int64_t)j->alert->fp), STATE_BYTES(buf_view(&labels)) },
                       8, &e);
    if (rc < 0) log_error("actions", "the audit is not on disk", "error", e.text, NULL);
    log_info("actions", "action", "name", j->action->name.p, "trigger", trigger, "outcome", o->word, NULL);
    buf_release(&labels);
    gc(j->actions, now_ms);
}

struct visit {
    void (*fn)(const struct action_event *, void *);
    void *ctx;
    struct arena arena;
};

static int give_row(const struct state_row *r, void *ctx)
{
    struct visit *v = ctx;
    struct action_event ev = { .at_ms = state_int(r, 0),
                               .took_ms = state_int(r, 5),
                               .action = state_text(r, 1),
                               .trigger = state_text(r, 2),
                               .outcome = state_text(r, 3),
                               .detail = state_text(r, 4),
                               .fp = (uint64_t)state_int(r, 6) };
    arena_reset(&v->arena);
    if (labels_unpack_checked(state_text(r, 7), &v->arena, &ev.labels, NULL) < 0)
        ev.labels = (struct labels){ 0 };
    v->fn(&ev, v->ctx);
    return 0;
}

int actions_audit(struct actions *a, const struct actions_ask *q,
                  void (*fn)(const struct action_event *, void *), void *ctx, struct err *e)
{
    struct visit v = { fn, ctx, ARENA_INIT(4u << 20) };
    int rc = state_each(
        a->state,
        "SELECT at_ms, action, cause, outcome, detail, took_ms, fp, labels FROM action_audit "
        "WHERE at_ms >= ? AND at_ms <= ? AND (? = '' OR action = ?) ORDER BY at_ms DESC, rowid DESC LIMIT ?",
        (struct state_value[]){ STATE_INT(q->from_ms), STATE_INT(q->to_ms), STATE_STR(q->action),
                                STATE_STR(q->action), STATE_INT(q->limit) },
        5, give_row, &v, e);
    arena_release(&v.arena);
    return rc;
}

/* ---- doing it ---- */

static void put_argv(struct buf *out, const char *const *argv)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_array(&w);
    for (; *argv != NULL; argv++) json_put_string(&w, str_of(*argv));
    json_end_array(&w);
}

/* {"argv": [...], "exit": 0, "output": "..."} */
static void put_end(struct buf *out, const char *const *argv, const struct command_result *r,
                    struct str printed)
{
    struct json_writer w;
    buf_cs(out, "{\"argv\":");
    put_argv(out, argv);
    buf_cs(out, ",\"result\":");
    json_writer_init(&w, out);
    json_begin_object(&w);
    if (r->signal == 0) json_kv_i64(&w, "exit", r->exit);
    if (r->signal != 0) json_kv_i64(&w, "signal", r->signal);
    json_kv_string(&w, "output", printed);
    json_end_object(&w);
    buf_char(out, '}');
}

static void run_command(const struct job *j, struct outcome *o)
{
    struct arena arena = ARENA_INIT(1u << 20);
    struct buf printed = BUF_INIT(OUTPUT_MAX);
    struct command_result r;
    struct err e = ERR_INIT;
    const char *const *argv;
    int rc = action_arguments(j->action, j->alert->a.labels, &arena, &argv, &e);
    if (rc < 0) {
        o->word = "refused";
    } else if (j->action->is_dry) {
        o->word = "dry_run";
        put_argv(&o->detail, argv);
    } else {
        struct command c = { argv, j->action->timeout_ms, &j->actions->stopping };
        rc = command_run(&c, &printed, &r, &e);
        o->word = rc < 0            ? "failed"
                  : r.has_timed_out ? "timed_out"
                  : r.is_cancelled  ? "stopped"
                  : r.exit == 0     ? "done"
                                    : "failed";
        if (rc == OK) put_end(&o->detail, argv, &r, buf_view(&printed));
    }
    if (rc < 0) buf_cs(&o->detail, e.text);
    buf_release(&printed);
    arena_release(&arena);
}

static void call_webhook(const struct job *j, struct outcome *o)
{
    struct alert a = j->alert->a;
    struct channel_result r;
    struct notification n = {
        .receiver = j->action->name,
        .group_key = j->action->name,
        .group_labels = a.labels,
        .common_labels = a.labels,
        .common_annotations = a.annotations,
        .alerts = &a,
        .n = 1,
        .n_firing = j->is_firing,
        .now_ms = clock_now_ms(),
        .timeout_ms = j->action->timeout_ms,
        .external_url = str_of(j->actions->external_url),
        .reason = "action",
    };
    if (j->action->is_dry) {
        o->word = "dry_run";
        return;
    }
    channel_kind(STR("webhook_configs"))->send(j->action->webhook, &n, &r);
    o->word = r.outcome == CHANNEL_SENT ? "done" : "failed";
    buf_printf(&o->detail, "status %ld%s%s", r.status, r.error[0] ? ": " : "", r.error);
}

/* Why the alert sets nothing off now; NULL: nothing speaks against it. */
static const char *muted(const struct job *j, int64_t now_ms)
{
    struct mute_reasons why;
    struct dispatch *d = notify_lock(j->actions->notify);
    dispatch_mute_reasons(d, j->alert, now_ms, &why);
    notify_unlock(j->actions->notify);
    return why.is_silenced         ? "silenced"
           : why.is_inhibited      ? "inhibited"
           : why.maintenance.n > 0 ? "in maintenance"
           : why.is_flapping       ? "flapping"
                                   : NULL;
}

static void run(void *arg)
{
    struct job *j = arg;
    int64_t now_ms = clock_now_ms();
    struct outcome o = { .detail = BUF_INIT(DETAIL_MAX) };
    const char *why = atomic_load(&j->actions->stopping) ? NULL : muted(j, now_ms);
    if (atomic_load(&j->actions->stopping)) {
        o.word = "stopped";
    } else if (why != NULL) {
        o.word = "muted";
        buf_cs(&o.detail, why);
    } else if (!may_run(j->actions, j->action, now_ms)) {
        o.word = "rate_limited";
    } else if (j->action->command != NULL) {
        run_command(j, &o);
    } else {
        call_webhook(j, &o);
    }
    o.took_ms = clock_now_ms() - now_ms;
    record(j, &o, now_ms);
    buf_release(&o.detail);
    held_unref(j->alert);
    action_conf_unref(j->conf);
    mem_free(j);
}

static void set_off(struct actions *a, const struct action *x, struct held *h, bool is_firing)
{
    struct job *j = mem_alloc(sizeof *j);
    *j = (struct job){ a, action_conf_ref(a->conf), x, held_ref(h), is_firing };
    if (work_post(a->pool, run, j)) return;
    stat_add(a->dropped, 1);
    log_warn("actions", "too many actions wait: one is dropped", "name", x->name.p, NULL);
    held_unref(h);
    action_conf_unref(j->conf);
    mem_free(j);
}

void actions_see(void *ctx, struct held *h, bool is_firing, int64_t now_ms)
{
    struct actions *a = ctx;
    (void)now_ms;
    pthread_mutex_lock(&a->mu);
    bool is_on = a->conf != NULL && a->conf->is_enabled && a->notify != NULL && !atomic_load(&a->stopping);
    for (size_t i = 0; is_on && i < a->conf->n; i++) {
        const struct action *x = &a->conf->at[i];
        bool wanted = is_firing ? x->on_firing : x->on_resolved;
        if (wanted && am_matchers_match(&x->matchers, h->a.labels)) set_off(a, x, h, is_firing);
    }
    pthread_mutex_unlock(&a->mu);
}
