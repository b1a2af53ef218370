/* agent_state.h - what has begun and not ended (tasks, workflows, conflicts, sessions, dependencies), who is
 * there, and the scores made of several families: inside of agent_series.c and agent_state.c only. All within
 * the lock of event_series. */
#pragma once
#include "base/json.h"
#include "derive/event_open.h"
#include "derive/event_series.h"

/* The order of event_kinds_agents. */
enum agent_kind {
    AGENT_TASK,
    AGENT_TASK_START,
    AGENT_TASK_COMPLETE,
    AGENT_WORKFLOW_START,
    AGENT_WORKFLOW_COMPLETE,
    AGENT_CONFLICT,
    AGENT_CONFLICT_START,
    AGENT_CONFLICT_RESOLVE,
    AGENT_DEPENDENCY,
    AGENT_COORDINATION,
    AGENT_MESSAGE,
    AGENT_STATE,
    AGENT_INFERENCE,
    AGENT_BELIEF,
    AGENT_INTERACTION,
    AGENT_RESPONSE
};

struct agent_open { /* things of one sort, and the level that counts them */
    struct event_open *open;
    struct event_series *series;
    size_t level; /* family; SIZE_MAX: none */
};

struct agent_state {
    struct event_series *series;
    struct agent_open tasks, workflows, conflicts, sessions, dependencies;
    struct user {
        uint64_t hash;
        int64_t seen_ms;
    } * users; /* open addressing; a hash of 0 is free */
    size_t n_users, user_slots;
    int64_t swept_ms;
    size_t shared, shared_ok, efficiency, pair, pair_ok, pair_efficiency, active, tasks_ok, all_shared,
        system;
};

void *agent_state_open(struct event_series *, const struct event_series_conf *);
void agent_state_close(void *state);
void agent_state_tick(void *state, int64_t now_ms);

/* Ends fill in what their starts said, and how long it took. */
void agent_state_task_started(struct agent_state *, const struct event_seen *);
void agent_state_task_ended(struct agent_state *, struct event_seen *);
void agent_state_workflow_started(struct agent_state *, const struct event_seen *);
void agent_state_workflow_ended(struct agent_state *, struct event_seen *);
void agent_state_conflict_started(struct agent_state *, const struct event_seen *);
void agent_state_conflict_ended(struct agent_state *, struct event_seen *);
void agent_state_session_started(struct agent_state *, const struct event_seen *);
void agent_state_session_ended(struct agent_state *, struct event_seen *);
void agent_state_dependency(struct agent_state *, struct event_seen *);
void agent_state_user(struct agent_state *, const struct event_seen *);
