/* rule_stats.c - see rule_stats.h. */
#include "judge/rule_stats.h"

#include <pthread.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"

struct rule_group_stats {
    char *key; /* FILE;GROUP */
    struct stat *evaluations, *failures, *iterations, *missed;
    struct stat *last_seconds, *last_time, *last_samples, *interval, *rules;
    struct stat *rule_seconds, *group_seconds; /* of all groups together */
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct rule_group_stats sets[RULE_STATS_GROUPS + 1]; /* mu; stats live as long as the process */
static size_t n_sets;                                       /* mu */

static struct stat *durations(const char *name, const char *help)
{
    static const double bounds[] = { 0.0001, 0.001, 0.01, 0.1, 1, 10, 60 };
    return stat_histogram(name, help, NULL, bounds, COUNT(bounds));
}

static void fill(struct rule_group_stats *s, const char *key)
{
    struct buf labels = BUF_INIT(16384);
    buf_cs(&labels, "rule_group=\"");
    for (const char *c = key; *c; c++) {
        if (*c == '"' || *c == '\\') buf_char(&labels, '\\');
        buf_char(&labels, *c == '\n' ? ' ' : *c);
    }
    buf_char(&labels, '"');
    const char *l = buf_cstr(&labels);
    *s = (struct rule_group_stats){
        mem_strdup(key),
        stat_counter("vedette_rule_evaluations_total", "Rules evaluated.", l),
        stat_counter("vedette_rule_evaluation_failures_total", "Rules that could not be evaluated.", l),
        stat_counter("vedette_rule_group_iterations_total", "Evaluations of the group that were due.", l),
        stat_counter("vedette_rule_group_iterations_missed_total",
                     "Evaluations of the group left out because the one before took too long.", l),
        stat_gauge("vedette_rule_group_last_duration_seconds", "What the last evaluation of the group took.",
                   l),
        stat_gauge("vedette_rule_group_last_evaluation_timestamp_seconds",
                   "When the group was evaluated last.", l),
        stat_gauge("vedette_rule_group_last_evaluation_samples",
                   "Samples the group wrote in its last evaluation.", l),
        stat_gauge("vedette_rule_group_interval_seconds", "The interval of the group.", l),
        stat_gauge("vedette_rule_group_rules", "Rules of the group.", l),
        durations("vedette_rule_evaluation_duration_seconds", "What the evaluation of a rule takes."),
        durations("vedette_rule_group_duration_seconds", "What the evaluation of a group takes."),
    };
    buf_release(&labels);
}

void rule_stats_partial(void)
{
    stat_add(stat_counter("vedette_rule_partial_answers_total",
                          "Rules judged on answers that lack what damage hides.", NULL),
             1);
}

struct rule_group_stats *rule_stats_of(const struct rule_group *g)
{
    struct buf key = BUF_INIT(8192);
    buf_printf(&key, "%.*s;%.*s", STR_ARG(g->file->name), STR_ARG(g->spec->name));
    pthread_mutex_lock(&mu);
    size_t i = 0;
    while (i < n_sets && strcmp(sets[i].key, buf_cstr(&key)) != 0) i++;
    if (i == n_sets && n_sets <= RULE_STATS_GROUPS) {
        fill(&sets[i], n_sets < RULE_STATS_GROUPS ? buf_cstr(&key) : "others");
        n_sets++;
    }
    struct rule_group_stats *s = &sets[MIN(i, (size_t)RULE_STATS_GROUPS)];
    stat_set(s->interval, (double)g->interval_ms / 1000);
    stat_set(s->rules, (double)g->spec->n_rules);
    pthread_mutex_unlock(&mu);
    buf_release(&key);
    return s;
}

void rule_stats_rule(struct rule_group_stats *s, bool failed, double seconds)
{
    if (s == NULL) return;
    stat_add(s->evaluations, 1);
    if (failed) stat_add(s->failures, 1);
    stat_observe(s->rule_seconds, seconds);
}

void rule_stats_group(struct rule_group_stats *s, const struct rule_group *g)
{
    if (s == NULL) return;
    stat_set(s->last_seconds, g->eval_seconds);
    stat_set(s->last_time, (double)g->eval_ms / 1000);
    stat_set(s->last_samples, (double)g->samples);
    stat_observe(s->group_seconds, g->eval_seconds);
}

void rule_stats_iterations(struct rule_group_stats *s, uint64_t due, uint64_t missed)
{
    if (s == NULL) return;
    stat_add(s->iterations, due);
    stat_add(s->missed, missed);
}

void rule_stats_gone(struct rule_group_stats *s)
{
    if (s == NULL) return;
    stat_set(s->rules, 0);
    stat_set(s->last_samples, 0);
}
