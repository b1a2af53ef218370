/* report_agents.c - what agents got done, and how their conflicts ended: from the records of tasks and
 * conflicts.
 *
 * A task that was started and completed is two records; only ends are counted. The same holds for conflicts.
 */
#include <math.h>

#include "base/check.h"
#include "tell/report/report_records.h"
#include "tell/spend_json.h"

/* ---- throughput ---- */

static const char *const task_fields[] = { "agent_id",    "task_type",     "success",
                                           "duration_ms", "quality_score", "cost_usd" };
enum { TASK_AGENT, TASK_TYPE, TASK_SUCCESS, TASK_MS, TASK_QUALITY, TASK_USD };

struct throughput {
    struct tally agents, types;
    struct tally all; /* one row */
};

static int64_t nano_of(struct value v)
{
    double usd = event_double(v, 0);
    return usd > 0 && usd < 1e9 ? llround(usd * (double)NANO_USD) : 0;
}

static void count_task(struct tally *t, struct str name, int64_t time_ns, const struct value *v)
{
    struct tally_row *row = tally_row(t, name.n > 0 ? name : STR("unknown"));
    double quality = event_double(v[TASK_QUALITY], (double)NAN);
    row->n++;
    row->good += event_double(v[TASK_SUCCESS], 0) != 0;
    row->usd_nano = money_add(row->usd_nano, nano_of(v[TASK_USD]));
    if (!isnan(quality)) {
        row->sum[0] += quality;
        row->summed[0]++;
    }
    tally_took(t, row, event_double(v[TASK_MS], (double)NAN));
    tally_hour(t, row, time_ns);
}

static void take_task(void *ctx, int64_t time_ns, const struct value *v)
{
    struct throughput *t = ctx;
    count_task(&t->agents, event_text(v[TASK_AGENT]), time_ns, v);
    count_task(&t->types, event_text(v[TASK_TYPE]), time_ns, v);
    count_task(&t->all, STR("all"), time_ns, v);
}

static void put_hours(struct json_writer *w, const struct tally_row *row)
{
    json_put_key(w, STR("by_hour"));
    json_begin_array(w);
    for (size_t i = 0; i < row->n_hours; i++) {
        json_begin_array(w);
        json_put_i64(w, row->hours[i].hour * 3600);
        json_put_i64(w, row->hours[i].n);
        json_end_array(w);
    }
    json_end_array(w);
}

static void put_tasks(struct json_writer *w, const struct tally_row *row, double hours)
{
    json_kv_i64(w, "tasks", row->n);
    json_kv_i64(w, "successful", row->good);
    json_kv_double(w, "success_rate", row->n > 0 ? (double)row->good / (double)row->n : (double)NAN);
    json_kv_double(w, "tasks_per_hour", (double)row->n / hours);
    json_kv_double(w, "quality_score",
                   row->summed[0] > 0 ? row->sum[0] / (double)row->summed[0] : (double)NAN);
    json_kv_usd(w, "total_cost_usd", row->usd_nano);
    tally_took_json(w, row);
}

static void put_rows(struct report *r, const char *key, const char *name, struct tally *t, double hours)
{
    struct json_writer *w = &r->w;
    tally_sort(t);
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < t->n; i++) {
        json_begin_object(w);
        json_kv_string(w, name, t->at[i].name);
        put_tasks(w, &t->at[i], hours);
        put_hours(w, &t->at[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

/* Targets of the rules in judge/builtin/agents.yml, so that a page can draw its line. */
static void put_targets(struct json_writer *w, const char *unit, double target, double warning,
                        double critical)
{
    json_put_key(w, STR("thresholds"));
    json_begin_object(w);
    json_kv_cs(w, "unit", unit);
    json_kv_double(w, "target", target);
    json_kv_double(w, "warning", warning);
    json_kv_double(w, "critical", critical);
    json_end_object(w);
}

void report_throughput(struct report *r)
{
    struct throughput t;
    double hours = (double)(r->to_ms - r->from_ms) / (double)HOUR_MS;
    tally_init(&t.agents, r->arena);
    tally_init(&t.types, r->arena);
    tally_init(&t.all, r->arena);
    report_events(r, "vedette.agent.task vedette.agent.task.complete", task_fields, COUNT(task_fields),
                  take_task, &t);
    if (r->rc == OK) {
        struct tally_row none = { 0 };
        json_put_key(&r->w, STR("overview"));
        json_begin_object(&r->w);
        put_tasks(&r->w, t.all.n > 0 ? &t.all.at[0] : &none, hours);
        json_kv_i64(&r->w, "agents", (int64_t)t.agents.n);
        json_end_object(&r->w);
        put_targets(&r->w, "tasks per agent and hour", 10, 5, 2);
        put_rows(r, "agents", "agent_id", &t.agents, hours);
        put_rows(r, "task_types", "task_type", &t.types, hours);
    }
    tally_release(&t.agents);
    tally_release(&t.types);
    tally_release(&t.all);
}

/* ---- conflicts ---- */

static const char *const conflict_fields[] = { "conflict_type", "agents", "method", "success",
                                               "resolution_time_ms" };
enum { CONFLICT_TYPE, CONFLICT_AGENTS, CONFLICT_METHOD, CONFLICT_SUCCESS, CONFLICT_MS };

struct conflicts {
    struct tally all, methods, types, pairs;
    struct arena *arena;
};

static void count_conflict(struct tally *t, struct str name, const struct value *v)
{
    struct tally_row *row = tally_row(t, name.n > 0 ? name : STR("unknown"));
    row->n++;
    row->good += event_double(v[CONFLICT_SUCCESS], 0) != 0;
    tally_took(t, row, event_double(v[CONFLICT_MS], (double)NAN));
}

/* Each two of the agents, in the order of their names: ["b","a","c"] gives "a,b", "a,c", "b,c". */
static void count_pairs(struct conflicts *c, const struct value *v)
{
    struct str name[16], swap;
    size_t n = 0;
    struct json_reader j;
    json_open(&j, event_text(v[CONFLICT_AGENTS]), c->arena);
    if (!json_array(&j)) return;
    while (n < COUNT(name) && json_next(&j) && json_string(&j, &name[n])) n++;
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && str_cmp(name[k - 1], name[k]) > 0; k--)
            swap = name[k], name[k] = name[k - 1], name[k - 1] = swap;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            count_conflict(&c->pairs, arena_printf(c->arena, "%.*s,%.*s", STR_ARG(name[i]), STR_ARG(name[k])),
                           v);
}

static void take_conflict(void *ctx, int64_t time_ns, const struct value *v)
{
    struct conflicts *c = ctx;
    (void)time_ns;
    count_conflict(&c->all, STR("all"), v);
    count_conflict(&c->methods, event_text(v[CONFLICT_METHOD]), v);
    count_conflict(&c->types, event_text(v[CONFLICT_TYPE]), v);
    count_pairs(c, v);
}

static void put_conflict(struct json_writer *w, const struct tally_row *row)
{
    json_kv_i64(w, "conflicts", row->n);
    json_kv_i64(w, "resolved", row->good);
    json_kv_double(w, "resolution_rate", row->n > 0 ? (double)row->good / (double)row->n : (double)NAN);
    tally_took_json(w, row);
}

static void put_conflicts(struct report *r, const char *key, const char *name, struct tally *t)
{
    struct json_writer *w = &r->w;
    tally_sort(t);
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < t->n; i++) {
        json_begin_object(w);
        json_kv_string(w, name, t->at[i].name);
        put_conflict(w, &t->at[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

void report_conflicts(struct report *r)
{
    struct conflicts c = { .arena = r->arena };
    struct tally *all[] = { &c.all, &c.methods, &c.types, &c.pairs };
    for (size_t i = 0; i < COUNT(all); i++) tally_init(all[i], r->arena);
    report_events(r, "vedette.conflict vedette.conflict.resolve", conflict_fields, COUNT(conflict_fields),
                  take_conflict, &c);
    if (r->rc == OK) {
        struct tally_row none = { 0 };
        json_put_key(&r->w, STR("overview"));
        json_begin_object(&r->w);
        put_conflict(&r->w, c.all.n > 0 ? &c.all.at[0] : &none);
        json_end_object(&r->w);
        put_targets(&r->w, "share of conflicts resolved", 0.9, 0.7, 0.5);
        put_conflicts(r, "methods", "method", &c.methods);
        put_conflicts(r, "types", "conflict_type", &c.types);
        put_conflicts(r, "agent_pairs", "agents", &c.pairs);
    }
    for (size_t i = 0; i < COUNT(all); i++) tally_release(all[i]);
}
