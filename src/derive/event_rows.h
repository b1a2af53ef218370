/* event_rows.h - the tables of event_series: groups of families that have the same labels, rows of them, and
 * the cells in which a row keeps what its families know. Inside of event_series_*.c and event_rows.c only. */
#pragma once
#include "base/map.h"
#include "derive/event_series.h"
#include "derive/sketch.h"

union event_word {
    double d;
    int64_t i;
    uint64_t n;
    void *p;
};

/* What the name of one series is, kept so that nobody spells it twice. */
struct event_out {
    struct hash128 key;
    const char *raw; /* NULL: not spelled yet */
    uint32_t n;
    bool is_alive; /* has a sample that is no stale marker */
    bool is_first; /* has no other sample yet */
    double last;
    int64_t time_ms; /* of the last sample */
};

struct event_row {
    char *key;
    uint32_t key_bytes;
    bool is_dirty, is_stirred, is_new; /* an event came; only a score of a module changed */
    uint64_t hash;
    struct str label[EVENT_LABELS_MAX];
    int64_t born_ms, used_ms, written_ms, beat_ms;
    int64_t live_ms; /* until then windows may change by themselves */
    struct event_out *out;
    union event_word words[];
};

struct event_group {
    const char *labels; /* the text, which tells groups apart */
    size_t n_labels;    /* without constant ones */
    struct {
        struct str name, constant; /* constant.p NULL: none */
        size_t value;              /* which of the row's labels */
    } label[EVENT_LABELS_MAX];
    size_t n_all;
    size_t n_words, n_outs;
    size_t *families, n_families, cap_families;
    struct event_row **rows, *overflow;
    size_t n, cap;
    struct map by_key;
};

struct event_cell { /* of a family */
    const struct event_family *family;
    size_t group, word, out, n_words, n_outs;
};

/* Which fields of a kind make the labels of a group. */
struct event_binding {
    size_t group;
    size_t field[EVENT_LABELS_MAX];
};

struct event_action {
    size_t cell, binding;
    size_t value, when, weight; /* fields; SIZE_MAX: none */
    const char *word;           /* NULL: none */
    bool is_not;
};

struct event_plan { /* of a kind */
    const struct event_kind *kind;
    struct event_action *actions;
    struct event_binding *bindings;
    size_t n_actions, cap_actions, n_bindings, cap_bindings;
};

struct event_tables {
    struct event_series_conf conf;
    int64_t slot_ms[EV_WINDOWS];
    struct event_group *groups;
    struct event_cell *cells;
    size_t n_groups, cap_groups, n_cells, cap_cells;
    struct event_plan *plans; /* by number of the kind */
    size_t n_plans;
    uint64_t overflowed, rows;
};

void event_tables_init(struct event_tables *, const struct event_series_conf *,
                       const struct event_module *const *modules, size_t n);
void event_tables_release(struct event_tables *);

/* Everything that the tables say of this event. */
void event_tables_apply(struct event_tables *, const struct event_plan *, const struct event_seen *);

struct event_row *event_tables_row(struct event_tables *, size_t group, const struct str *labels,
                                   int64_t now_ms);
void event_cell_put(struct event_tables *, const struct event_cell *, struct event_row *, double value,
                    double weight, int64_t time_ms, int64_t now_ms);
struct event_sums event_cell_sums(const struct event_tables *, const struct event_cell *,
                                  const struct event_row *, int64_t now_ms);
double event_cell_value(const struct event_tables *, const struct event_cell *, const struct event_row *,
                        int64_t now_ms);
void event_row_free(struct event_tables *, const struct event_group *, struct event_row *);

#define EVENT_SLOTS_MAX 60
extern const size_t event_slots[EV_WINDOWS];

struct event_summary { /* behind the word of an EV_SUMMARY cell */
    struct sketch now, before;
    int64_t since_ms;
    double sum;
    uint64_t count;
};
#define EVENT_SUMMARY_MS 300000
extern const double event_quantiles[3];
