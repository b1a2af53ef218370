/* event_series.h - typed events (model/event.h) as series: counters, histograms, summaries, last values,
 * means and rates over windows, state sets. Tables say which; modules add what a table cannot say.
 *
 *     struct event_series *s = event_series_start(store, &conf, modules, n);
 *     taps.at[taps.n++] = event_series_tap(s);        before the doors open
 *     event_series_stop(s);                           after the doors have closed, before the store does
 *
 * An event counts once (event_ids.h), and only when it is right (event_check) and of now: at most late_ms
 * old. What does not count is in vedette_events_{duplicate,invalid,late}_total.
 *
 * Always true:
 *   1. What an event changed is written at the next tick (EVENT_TICK_MS) when its row was quiet for
 *      interval_ms, else interval_ms after the row's last samples.
 *   2. Counters, histograms and summaries of one row are written together, so that they agree. Gauges are
 *      written when they changed. All are repeated after EVENT_BEAT_MS, so that no query takes them for gone.
 *   3. A counter's first sample is preceded by a zero, so that increase() sees its first events.
 *   4. A mean or share over a window that holds nothing has no value: its series ends with a stale marker. A
 *      rate over such a window is 0. Rows without events for idle_ms end, and begin anew at zero.
 *   5. There are at most max_rows rows of one set of labels and one more, whose first label is
 *      __overflow__.
 *
 * Threads: the tap and event_put on any; they hold one lock for the time of a chunk, modules are called
 * within it. The writer is a thread of its own; it writes to the store without the lock. */
#pragma once
#include "derive/event_ids.h"
#include "model/event.h"
#include "model/store.h"
#include "model/tap.h"

#define EVENT_TICK_MS    500
#define EVENT_BEAT_MS    60000
#define EVENT_LABELS_MAX 8
#define EVENT_FROM_MAX   4
#define EVENT_OVERFLOW   "__overflow__"

enum event_op {
    EV_COUNT,     /* counter: plus 1 */
    EV_SUM,       /* counter: plus the value */
    EV_MONEY,     /* counter: plus the value, USD, kept in nano-dollars */
    EV_HISTOGRAM, /* classic */
    EV_SUMMARY,   /* quantiles of the last 5 to 10 minutes; sum and count of all */
    EV_LAST,      /* gauge: the value */
    EV_LEVEL,     /* gauge: plus the value, which may be negative; never below 0 */
    EV_MEAN,      /* gauge: mean of the values in the window, by weight */
    EV_RATE,      /* gauge: sum of the values (or events) in the window, for each `per_s` seconds */
    EV_RATIO,     /* gauge: sum of the values over sum of the weights, in the window */
    EV_STATES,    /* state set: 1 for the word that the value is, 0 for the others */
};

enum event_window {
    EV_10S,  /* in slots of 1 s */
    EV_5M,   /* of 10 s */
    EV_HOUR, /* of 1 min */
    EV_LONG, /* conf.window_ms in 60 slots */
    EV_WINDOWS
};

struct event_source {
    const char *kind;
    const char *value;  /* field; absent in an event: nothing happens. NULL: 1 */
    const char *when;   /* "field": there, and neither 0 nor false nor empty; "!field"; "field=word"; NULL */
    const char *weight; /* field; NULL, or absent in an event: 1 */
    const char *labels; /* as of the family, when they are made otherwise here; NULL: those */
};

struct event_family {
    const char *name; /* "@...": not written, for modules to read */
    enum event_op op;
    /* "backend_id,agent<agent_id,period=daily": a label takes the field of its name, or the one named, or a
     * constant text. Empty ones are absent. Families of one name must have the same type. */
    const char *labels;
    const char *help, *unit; /* help NULL: another family of the name says it; unit NULL: none */
    enum event_window window;
    double scale; /* the value is multiplied; 0: 1 */
    double per_s; /* EV_RATE; 0: 1 */
    const double *bounds;
    size_t n_bounds;
    const char *states;                       /* EV_STATES: "closed|open|half_open"; the label is `state` */
    struct event_source from[EVENT_FROM_MAX]; /* none: modules put it */
};

struct event_series_conf {
    int64_t interval_ms, idle_ms, late_ms, window_ms;
    size_t max_rows, max_ids;
    /* thresholds that scores and compliance are judged by */
    double sla_response_ms, sla_error_percent, min_quality, target_cost_usd;
    double weight_success, weight_latency, weight_cost, weight_quality; /* of an algorithm's effectiveness */
};
#define EVENT_SERIES_DEFAULT                                                                                 \
    {                                                                                                        \
        .interval_ms = 1000, .idle_ms = 2 * 3600000, .late_ms = 3600000, .window_ms = 3600000,               \
        .max_rows = 5000, .sla_response_ms = 1000, .sla_error_percent = 1, .min_quality = 0.7,               \
        .target_cost_usd = 0.01, .weight_success = 0.4, .weight_latency = 0.2, .weight_cost = 0.2,           \
        .weight_quality = 0.2                                                                                \
    }

struct event_series;
struct event_row;

/* An event on its way into series: what a module may complete. */
struct event_seen {
    const struct event_kind *kind;
    struct value *v; /* one for each field of the kind */
    int64_t time_ms, now_ms;
    struct arena *arena; /* of this event */
};

struct event_module {
    const struct event_family *families;
    size_t n_families;
    /* All may be NULL. Locked, but for open and close. */
    void *(*open)(struct event_series *, const struct event_series_conf *);
    void (*close)(void *state);
    void (*prepare)(void *state, struct event_seen *); /* of every kind: before the tables are applied */
    void (*tick)(void *state, int64_t now_ms);         /* before rows are written */
};
extern const struct event_module lb_series_module, mcp_series_module, agent_series_module;

/* conf.interval_ms 0: no thread; event_series_write is called by hand. modules are borrowed. */
struct event_series *event_series_start(struct store *, const struct event_series_conf *,
                                        const struct event_module *const *modules, size_t n);
void event_series_stop(struct event_series *); /* writes what came last; NULL is fine */
struct record_tap event_series_tap(struct event_series *);
struct event_ids *event_series_ids(struct event_series *); /* for the doors; NULL of NULL */

/* One tick, as the thread does it; all: whatever the intervals say. From one thread. */
int event_series_write(struct event_series *, int64_t now_ms, bool all, struct err *);

/* ---- for modules, locked ---- */

size_t event_family_at(struct event_series *, const char *name); /* the first of that name; it must exist */
/* What the family's op does with the value; labels: in the order of its own, constant ones left out. A row
 * whose value stays the same is not awake for it. */
void event_put(struct event_series *, size_t family, const struct str *labels, double value, int64_t now_ms);
/* Rows that have the family's labels; the overflow row is not among them. */
size_t event_rows(struct event_series *, size_t family);
struct event_row *event_row_at(struct event_series *, size_t family, size_t i);
struct str event_row_label(const struct event_row *, size_t label);
void event_row_put(struct event_series *, struct event_row *, size_t family, double value, int64_t now_ms);
/* Both sums of a windowed family. */
struct event_sums {
    double value, weight;
};
struct event_sums event_row_sums(struct event_series *, const struct event_row *, size_t family,
                                 int64_t now_ms);
double event_row_value(struct event_series *, const struct event_row *, size_t family,
                       int64_t now_ms); /* NAN: none */

/* ---- any thread ---- */

void event_series_lock(struct event_series *);
void event_series_unlock(struct event_series *);
