#include "derive/agent_state.h"

#include "base/check.h"
#include "base/mem.h"
#include "model/event_kinds.h"

#define OPEN_MAX    100000
#define DAY_MS      86400000
#define ACTIVE_MS   900000 /* a user is active so long after what was done last */
#define USERS_MAX   200000
#define USERS_LEAST 256
#define SWEEP_MS    30000

static struct str text(struct value v)
{
    return v.type == VALUE_STR ? v.text : STR("");
}

static uint64_t hash_of(struct value id)
{
    return hash64(text(id).p, text(id).n);
}

/* ---- what begins and ends ---- */

static void level(struct agent_open *o, struct str label, double change, int64_t now_ms)
{
    if (o->level != SIZE_MAX) event_put(o->series, o->level, &label, change, now_ms);
}

static void lost(void *ctx, const struct event_opened *was)
{
    level(ctx, was->text[0], -1, was->time_ms);
}

/* fields: those whose texts an end may lack; the first is the label of the level. */
static void begin(struct agent_open *o, const struct event_seen *e, size_t id, const size_t *fields, size_t n)
{
    struct event_opened what = { .time_ms = e->time_ms };
    for (size_t i = 0; i < EVENT_OPEN_TEXTS; i++) what.text[i] = i < n ? text(e->v[fields[i]]) : STR("");
    if (!event_open_begin(o->open, hash_of(e->v[id]), &what)) level(o, what.text[0], -1, e->now_ms);
}

static void end(struct agent_open *o, struct event_seen *e, size_t id, const size_t *fields, size_t n,
                size_t ms)
{
    struct event_opened was;
    if (!event_open_end(o->open, hash_of(e->v[id]), &was)) return;
    level(o, was.text[0], -1, e->now_ms);
    for (size_t i = 0; i < n; i++)
        if (e->v[fields[i]].type == VALUE_NONE && was.text[i].n > 0)
            e->v[fields[i]] = value_str(arena_str(e->arena, was.text[i]));
    if (e->v[ms].type == VALUE_NONE) e->v[ms] = value_double((double)MAX(e->time_ms - was.time_ms, 0));
}

static const size_t task_fields[] = { AGT_AGENT_ID, AGT_AGENT_TYPE, AGT_TASK_TYPE, AGT_WORKFLOW_ID };
static const size_t workflow_fields[] = { WFL_TYPE };
static const size_t session_fields[] = { COO_AGENT_ID, COO_PEER_ID, COO_TYPE };
static const size_t dependency_fields[] = { DEP_AGENT_ID, DEP_DEPENDS_ON, DEP_TASK_ID };

void agent_state_task_started(struct agent_state *s, const struct event_seen *e)
{
    begin(&s->tasks, e, AGT_TASK_ID, task_fields, COUNT(task_fields));
}

void agent_state_task_ended(struct agent_state *s, struct event_seen *e)
{
    end(&s->tasks, e, AGT_TASK_ID, task_fields, COUNT(task_fields), AGT_DURATION_MS);
}

void agent_state_workflow_started(struct agent_state *s, const struct event_seen *e)
{
    begin(&s->workflows, e, WFL_WORKFLOW_ID, workflow_fields, COUNT(workflow_fields));
}

void agent_state_workflow_ended(struct agent_state *s, struct event_seen *e)
{
    end(&s->workflows, e, WFL_WORKFLOW_ID, workflow_fields, COUNT(workflow_fields), WFL_DURATION_MS);
}

/* The agents of the start are those of the end; a list is kept as text. */
void agent_state_conflict_started(struct agent_state *s, const struct event_seen *e)
{
    struct event_opened what = { e->time_ms, { text(e->v[CFL_TYPE]), text(e->v[CFL_METHOD]) } };
    struct value agents = e->v[CFL_AGENTS];
    if (agents.type == VALUE_JSON && agents.text.n <= EVENT_OPEN_TEXT) what.text[2] = agents.text;
    if (!event_open_begin(s->conflicts.open, hash_of(e->v[CFL_CONFLICT_ID]), &what))
        level(&s->conflicts, what.text[0], -1, e->now_ms);
}

void agent_state_conflict_ended(struct agent_state *s, struct event_seen *e)
{
    size_t fields[] = { CFL_TYPE, CFL_METHOD, CFL_AGENTS };
    const bool had_agents = e->v[CFL_AGENTS].type != VALUE_NONE;
    end(&s->conflicts, e, CFL_CONFLICT_ID, fields, COUNT(fields), CFL_RESOLUTION_MS);
    if (!had_agents && e->v[CFL_AGENTS].type == VALUE_STR) e->v[CFL_AGENTS].type = VALUE_JSON;
}

void agent_state_session_started(struct agent_state *s, const struct event_seen *e)
{
    begin(&s->sessions, e, COO_COORDINATION_ID, session_fields, COUNT(session_fields));
}

void agent_state_session_ended(struct agent_state *s, struct event_seen *e)
{
    end(&s->sessions, e, COO_COORDINATION_ID, session_fields, COUNT(session_fields), COO_DURATION_MS);
}

void agent_state_dependency(struct agent_state *s, struct event_seen *e)
{
    if (str_is(text(e->v[DEP_STATE]), "started")) {
        begin(&s->dependencies, e, DEP_DEPENDENCY_ID, dependency_fields, COUNT(dependency_fields));
        return;
    }
    end(&s->dependencies, e, DEP_DEPENDENCY_ID, dependency_fields, COUNT(dependency_fields),
        DEP_RESOLUTION_MS);
    if (e->v[DEP_RESOLUTION_MS].type != VALUE_NONE)
        e->v[DEP_SECONDS] = value_double(event_number(e->v[DEP_RESOLUTION_MS]) / 1000);
}

/* ---- users ---- */

static struct user *user_slot(const struct agent_state *s, uint64_t hash)
{
    size_t i = (size_t)(hash >> 8) & (s->user_slots - 1);
    while (s->users[i].hash != 0 && s->users[i].hash != hash) i = (i + 1) & (s->user_slots - 1);
    return &s->users[i];
}

/* Into a table of the right size, without those who are gone. */
static void sweep_users(struct agent_state *s, int64_t now_ms)
{
    struct user *old = s->users;
    const size_t n = s->user_slots;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) kept += old[i].hash != 0 && now_ms - old[i].seen_ms <= ACTIVE_MS;
    s->user_slots = USERS_LEAST;
    while (s->user_slots < 4 * (kept + 1)) s->user_slots *= 2;
    s->users = mem_array(s->user_slots, sizeof *s->users);
    s->n_users = kept;
    for (size_t i = 0; i < n; i++)
        if (old[i].hash != 0 && now_ms - old[i].seen_ms <= ACTIVE_MS) *user_slot(s, old[i].hash) = old[i];
    mem_free(old);
}

void agent_state_user(struct agent_state *s, const struct event_seen *e)
{
    uint64_t hash = hash_of(e->v[INT_USER_ID]);
    if (text(e->v[INT_USER_ID]).n == 0) return;
    if (hash == 0) hash = 1;
    if (2 * (s->n_users + 1) > s->user_slots) sweep_users(s, e->now_ms);
    struct user *u = user_slot(s, hash);
    if (u->hash == 0 && s->n_users >= USERS_MAX) return;
    s->n_users += u->hash == 0;
    *u = (struct user){ hash, MAX(u->seen_ms, e->time_ms) };
}

static void tick_users(struct agent_state *s, int64_t now_ms)
{
    size_t n = 0;
    if (s->n_users == 0 && event_rows(s->series, s->active) == 0) return;
    if (now_ms - s->swept_ms >= SWEEP_MS) {
        sweep_users(s, now_ms);
        s->swept_ms = now_ms;
    }
    for (size_t i = 0; i < s->user_slots; i++)
        n += s->users[i].hash != 0 && now_ms - s->users[i].seen_ms <= ACTIVE_MS;
    if (n > 0)
        event_put(s->series, s->active, NULL, (double)n, now_ms);
    else
        event_row_put(s->series, event_row_at(s->series, s->active, 0), s->active, 0, now_ms);
}

/* ---- scores ---- */

static void tick_products(struct agent_state *s, size_t a, size_t b, size_t product, int64_t now_ms)
{
    for (size_t i = 0; i < event_rows(s->series, product); i++) {
        struct event_row *row = event_row_at(s->series, product, i);
        event_row_put(s->series, row, product,
                      event_row_value(s->series, row, a, now_ms) * event_row_value(s->series, row, b, now_ms),
                      now_ms);
    }
}

/* Without shared work nobody waited. */
static void tick_system(struct agent_state *s, int64_t now_ms)
{
    if (event_rows(s->series, s->system) == 0) return;
    struct event_row *row = event_row_at(s->series, s->system, 0);
    double ok = event_row_value(s->series, row, s->tasks_ok, now_ms);
    double worked = event_row_value(s->series, row, s->all_shared, now_ms);
    event_row_put(s->series, row, s->system, ok * (isnan(worked) ? 1 : worked), now_ms);
}

void agent_state_tick(void *state, int64_t now_ms)
{
    struct agent_state *s = state;
    struct agent_open *const all[] = { &s->tasks, &s->workflows, &s->conflicts, &s->sessions,
                                       &s->dependencies };
    for (size_t i = 0; i < COUNT(all); i++) event_open_expire(all[i]->open, now_ms);
    tick_users(s, now_ms);
    tick_products(s, s->shared, s->shared_ok, s->efficiency, now_ms);
    tick_products(s, s->pair, s->pair_ok, s->pair_efficiency, now_ms);
    tick_system(s, now_ms);
}

/* ---- life ---- */

static void open_one(struct agent_open *o, struct event_series *series, const char *family)
{
    o->series = series;
    o->level = family != NULL ? event_family_at(series, family) : SIZE_MAX;
    o->open = event_open_new(OPEN_MAX, DAY_MS, lost, o);
}

void *agent_state_open(struct event_series *series, const struct event_series_conf *conf)
{
    struct agent_state *s = mem_alloc_zero(sizeof *s);
    (void)conf;
    s->series = series;
    open_one(&s->tasks, series, "agent_tasks_in_progress");
    open_one(&s->workflows, series, "workflows_in_progress");
    open_one(&s->conflicts, series, "conflicts_in_progress");
    open_one(&s->sessions, series, "agent_coordination_concurrent_sessions");
    open_one(&s->dependencies, series, NULL);
    s->user_slots = USERS_LEAST;
    s->users = mem_array(s->user_slots, sizeof *s->users);
    s->shared = event_family_at(series, "@shared");
    s->shared_ok = event_family_at(series, "@shared_ok");
    s->efficiency = event_family_at(series, "agent_collaboration_efficiency");
    s->pair = event_family_at(series, "@pair");
    s->pair_ok = event_family_at(series, "@pair_ok");
    s->pair_efficiency = event_family_at(series, "agent_pair_collaboration_efficiency");
    s->active = event_family_at(series, "business_active_users");
    s->tasks_ok = event_family_at(series, "@tasks_ok");
    s->all_shared = event_family_at(series, "@all_shared");
    s->system = event_family_at(series, "business_system_efficiency_ratio");
    return s;
}

void agent_state_close(void *state)
{
    struct agent_state *s = state;
    struct agent_open *const all[] = { &s->tasks, &s->workflows, &s->conflicts, &s->sessions,
                                       &s->dependencies };
    for (size_t i = 0; i < COUNT(all); i++) event_open_free(all[i]->open);
    mem_free(s->users);
    mem_free(s);
}
