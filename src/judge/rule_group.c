/* rule_group.c - see rule_group.h. Rule by rule: ask, judge, tell, write. */
#include "judge/rule_group.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "judge/rule_alert.h"
#include "judge/rule_reads.h"
#include "judge/rule_stats.h"

#define SCRATCH_MAX ((size_t)512 << 20)
#define WAITING_MAX ((size_t)16 << 20) /* bytes of rows and what they were made with */

struct rule_group *rule_group_new(struct rule_file *f, size_t index, const struct rule_env *env,
                                  bool is_restored)
{
    struct rule_group *g = mem_alloc_zero(sizeof *g);
    *g = (struct rule_group){
        .file = rule_file_ref(f), .spec = &f->groups[index], .env = env, .scratch = ARENA_INIT(SCRATCH_MAX)
    };
    pthread_mutex_init(&g->mu, NULL);
    g->interval_ms = g->spec->interval_ms > 0 ? g->spec->interval_ms
                     : env->interval_ms > 0   ? env->interval_ms
                                              : 60000;
    g->rules = mem_array(g->spec->n_rules + 1, sizeof *g->rules);
    for (size_t i = 0; i < g->spec->n_rules; i++)
        g->rules[i] = (struct rule){ .spec = &g->spec->rules[i], .is_restored = is_restored };
    bool *reads = mem_array(g->spec->n_rules + 1, sizeof *reads);
    rule_reads_earlier(g->spec, reads);
    for (size_t i = 0; i < g->spec->n_rules; i++) g->rules[i].reads_earlier = reads[i];
    mem_free(reads);
    return g;
}

void rule_group_free(struct rule_group *g)
{
    if (g == NULL) return;
    for (size_t i = 0; i < g->spec->n_rules; i++) {
        alert_states_release(&g->rules[i].alerts);
        rule_series_release(&g->rules[i].written);
        mem_free(g->rules[i].error);
    }
    rule_series_release(&g->gone);
    arena_release(&g->scratch);
    mem_free(g->rules);
    pthread_mutex_destroy(&g->mu);
    rule_file_free(g->file);
    mem_free(g);
}

/* ---- recording ---- */

/* The series' labels with another name and the rule's own, sorted. */
static int recorded_labels(const struct rule_spec *spec, struct labels of, struct arena *a,
                           struct labels *out, struct err *e)
{
    struct label *at = arena_array(a, of.n + spec->labels.n + 1, sizeof *at);
    size_t n = 0;
    at[n++] = (struct label){ STR(LABEL_NAME), spec->name };
    for (size_t i = 0; i < spec->labels.n; i++)
        at[n++] = (struct label){ spec->labels.at[i].name, spec->labels.at[i].text };
    size_t own = n;
    for (size_t i = 0; i < of.n; i++) {
        size_t k = 0;
        while (k < own && !str_eq(at[k].name, of.at[i].name)) k++;
        if (k == own) at[n++] = of.at[i];
    }
    int rc = labels_normalise(at, &n, e);
    *out = (struct labels){ at, n };
    return rc;
}

static int record(struct rule_group *g, struct rule *r, const struct rule_answer *a, int64_t at_ms,
                  struct err *e)
{
    struct rule_rows rows;
    struct labels labels;
    rule_rows_init(&rows, &g->scratch, at_ms);
    for (size_t i = 0; i < a->n; i++) {
        int rc = recorded_labels(r->spec, a->series[i].labels, &g->scratch, &labels, e);
        if (rc < 0) return rc;
        if (arena_over(&g->scratch)) return err_set(e, ERR_LIMIT, "too many series for one rule");
        rule_rows_add(&rows, labels, a->series[i].points[0].value, a->series[i].points[0].hist);
    }
    if (!rule_rows_are_distinct(&rows))
        return err_set(e, ERR_EXEC,
                       "vector contains metrics with the same labelset after applying rule labels");
    if (g->spec->limit > 0 && a->n > g->spec->limit)
        return err_set(e, ERR_LIMIT, "exceeded limit of %llu with %zu series",
                       (unsigned long long)g->spec->limit, a->n);
    g->samples += rows.batch.n_series;
    r->rows = rows;
    r->is_waiting = true;
    return OK;
}

/* ---- one rule ---- */

static int64_t query_offset(const struct rule_group *g)
{
    return g->spec->has_offset ? g->spec->offset_ms : g->env->offset_ms;
}

static int judge(struct rule_group *g, struct rule *r, int64_t at_ms, struct err *e)
{
    struct rule_answer answer = { 0 };
    int64_t asked_ms = at_ms - query_offset(g);
    int rc = rule_ask(&g->env->query, r->spec->lang, r->spec->expr, asked_ms, &answer, e);
    if (rc < 0) return rc;
    if (answer.is_partial) rule_stats_partial();
    rc = r->spec->is_alert ? rule_alert_judge(g, r, &answer, at_ms, asked_ms, e)
                           : record(g, r, &answer, asked_ms, e);
    rule_answer_release(&answer);
    return rc;
}

static void note(struct rule_group *g, struct rule *r, int rc, const struct err *why, double seconds,
                 int64_t at_ms)
{
    bool is_news = rc < 0 && (r->error == NULL || strcmp(r->error, why->text) != 0);
    if (is_news)
        log_warn("rules", "a rule could not be evaluated", "file", g->file->name.p, "group",
                 arena_printf(&g->scratch, "%.*s", STR_ARG(g->spec->name)).p, "rule",
                 arena_printf(&g->scratch, "%.*s", STR_ARG(r->spec->name)).p, "error", why->text, NULL);
    pthread_mutex_lock(&g->mu);
    r->health = rc < 0 ? RULE_ERR : RULE_OK;
    if (rc == OK || is_news) {
        mem_free(r->error);
        r->error = rc < 0 ? mem_strdup(why->text) : NULL;
    }
    r->eval_seconds = seconds;
    r->eval_ms = at_ms;
    pthread_mutex_unlock(&g->mu);
}

static double seconds_since(int64_t begun_ns)
{
    return (double)(clock_mono_ns() - begun_ns) / 1e9;
}

/* What has been judged so far is in the store, seen by what comes. */
static void write_waiting(struct rule_group *g, size_t from, size_t to, int64_t at_ms)
{
    for (size_t i = from; i < to; i++) {
        struct rule *r = &g->rules[i];
        struct err why = ERR_INIT;
        if (!r->is_waiting) continue;
        r->is_waiting = false;
        int rc = rule_rows_write(&r->rows, &r->written, g->env->store, &why);
        if (rc < 0) note(g, r, rc, &why, r->eval_seconds, at_ms);
    }
    arena_reset(&g->scratch);
}

struct gone_id {
    const struct rule_series *gone;
    struct hash128 id;
};

static bool is_gone_id(void *ctx, uint64_t at)
{
    const struct gone_id *k = ctx;
    return hash128_eq(k->gone->ids[at], k->id);
}

/* What a rule of ours has just written is alive. */
static void forget_living(struct rule_group *g, bool *living)
{
    struct map ids;
    map_init(&ids, g->gone.n);
    for (size_t i = 0; i < g->gone.n; i++) map_add(&ids, g->gone.ids[i].lo, i);
    for (size_t i = 0; i < g->spec->n_rules; i++)
        for (size_t k = 0; k < g->rules[i].written.n; k++) {
            struct gone_id key = { &g->gone, g->rules[i].written.ids[k] };
            uint64_t *at = map_find(&ids, key.id.lo, is_gone_id, &key);
            if (at != NULL) living[*at] = true;
        }
    map_release(&ids);
}

/* Series of rules we no longer have end now. */
static void end_gone(struct rule_group *g, int64_t at_ms)
{
    struct rule_series none = { 0 };
    struct rule_rows rows;
    struct err why = ERR_INIT;
    if (g->gone.n == 0) return;
    bool *living = arena_zero(&g->scratch, g->gone.n);
    forget_living(g, living);
    rule_rows_init(&rows, &g->scratch, at_ms - query_offset(g));
    for (size_t i = 0; i < g->gone.n; i++)
        if (!living[i]) rule_rows_add_packed(&rows, g->gone.packed[i], double_of(STALE_BITS));
    if (rule_rows_write(&rows, &none, g->env->store, &why) < 0)
        log_warn("rules", "the series of rules that are gone could not be ended", "error", why.text, NULL);
    rule_series_release(&none);
    rule_series_release(&g->gone);
    arena_reset(&g->scratch);
}

void rule_group_eval(struct rule_group *g, int64_t at_ms)
{
    int64_t begun = clock_mono_ns();
    size_t waiting = 0; /* the first rule whose rows may be */
    g->samples = 0;
    for (size_t i = 0; i < g->spec->n_rules; i++) {
        struct rule *r = &g->rules[i];
        struct err why = ERR_INIT;
        if (r->reads_earlier || g->scratch.used > WAITING_MAX) {
            write_waiting(g, waiting, i, at_ms);
            waiting = i;
        }
        int64_t rule_begun = clock_mono_ns();
        int rc = judge(g, r, at_ms, &why);
        if (rc == ERR_CANCEL) break; /* we are being stopped: nothing to be said about the rule */
        double seconds = seconds_since(rule_begun);
        note(g, r, rc, &why, seconds, at_ms);
        rule_stats_rule(g->stats, rc < 0, seconds);
    }
    write_waiting(g, waiting, g->spec->n_rules, at_ms);
    end_gone(g, at_ms);
    pthread_mutex_lock(&g->mu);
    g->eval_seconds = seconds_since(begun);
    g->eval_ms = at_ms;
    pthread_mutex_unlock(&g->mu);
    rule_stats_group(g->stats, g);
}

void rule_group_restore(struct rule_group *g, int64_t now_ms)
{
    for (size_t i = 0; i < g->spec->n_rules; i++) {
        struct rule *r = &g->rules[i];
        if (r->spec->is_alert && !r->is_restored) rule_alert_restore(g, r, now_ms);
        r->is_restored = true;
        arena_reset(&g->scratch);
    }
}

/* ---- another version of the group ---- */

static bool is_same_rule(const struct rule_spec *a, const struct rule_spec *b)
{
    if (a->is_alert != b->is_alert || !str_eq(a->name, b->name) || a->labels.n != b->labels.n) return false;
    for (size_t i = 0; i < a->labels.n; i++)
        if (!str_eq(a->labels.at[i].name, b->labels.at[i].name) ||
            !str_eq(a->labels.at[i].text, b->labels.at[i].text))
            return false;
    return true;
}

/* Of equal rules the first takes from the first that is still to be had. */
static struct rule *same_rule(struct rule_group *from, const bool *taken, const struct rule *r)
{
    for (size_t i = 0; i < from->spec->n_rules; i++)
        if (!taken[i] && is_same_rule(from->rules[i].spec, r->spec)) return &from->rules[i];
    return NULL;
}

static void append_series(struct rule_series *to, const struct rule_series *more)
{
    struct arena scratch = ARENA_INIT(SCRATCH_MAX);
    struct rule_rows rows;
    rule_rows_init(&rows, &scratch, 0);
    for (size_t i = 0; i < to->n; i++) rule_rows_add_packed(&rows, to->packed[i], 0);
    for (size_t i = 0; i < more->n; i++) rule_rows_add_packed(&rows, more->packed[i], 0);
    rule_series_keep(to, &rows);
    arena_release(&scratch);
}

void rule_group_inherit(struct rule_group *g, struct str packed)
{
    struct hash128 id = labels_packed_id(packed);
    struct str packeds[] = { packed };
    append_series(&g->gone, &(struct rule_series){ .ids = &id, .packed = packeds, .n = 1 });
}

void rule_group_take_over(struct rule_group *g, struct rule_group *from)
{
    bool *taken = mem_array(from->spec->n_rules + 1, sizeof *taken);
    for (size_t i = 0; i < g->spec->n_rules; i++) {
        struct rule *r = &g->rules[i], *old = same_rule(from, taken, r);
        if (old == NULL) continue;
        taken[old - from->rules] = true;
        r->is_restored = old->is_restored;
        rule_series_release(&r->written);
        r->written = old->written;
        old->written = (struct rule_series){ 0 };
        alert_states_take_over(&r->alerts, &old->alerts);
    }
    for (size_t i = 0; i < from->spec->n_rules; i++)
        if (from->rules[i].written.n > 0) append_series(&from->gone, &from->rules[i].written);
    rule_series_release(&g->gone);
    g->gone = from->gone;
    from->gone = (struct rule_series){ 0 };
    g->eval_seconds = from->eval_seconds;
    g->eval_ms = from->eval_ms;
    mem_free(taken);
}
