/* event_series.c - see event_series.h: the way of an event from a chunk of records into the tables, and the
 * thread that writes them.
 *
 * All names that any kind has for a field are numbered once; a chunk's names are looked up among them once a
 * chunk, and a record's values are picked by number. rag_mcp_metrics.NAME, an object within a log entry, is
 * the field NAME of vedette.mcp.metrics. */
#include "derive/event_series.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "decode/time_text.h"
#include "derive/event_out.h"

#define NAMES_MAX   254
#define MODULES_MAX 8
#define EMBEDDED    "rag_mcp_metrics."

enum { ASKED = 3 };
enum counted { EVENTS_SEEN, EVENTS_DUPLICATE, EVENTS_LATE, COUNTED };

struct event_series {
    struct store *store;
    struct event_ids *ids;
    const struct event_module *const *modules;
    void *states[MODULES_MAX];
    size_t n_modules;

    struct str names[NAMES_MAX];
    size_t n_names, event_name; /* event_name: number of "event.name" */
    struct map by_name;
    const struct event_kind *embedded;
    uint8_t (*field_names)[EVENT_FIELDS_MAX]; /* of plan and field: number of its name */
    uint8_t embedded_names[EVENT_FIELDS_MAX];
    struct stat *(*counted)[COUNTED]; /* of each plan */
    struct stat *asked[ASKED];

    pthread_mutex_t tables_mu;
    struct event_tables tables; /* tables_mu */

    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stopping; /* mu */
};

void event_series_lock(struct event_series *s)
{
    pthread_mutex_lock(&s->tables_mu);
}

void event_series_unlock(struct event_series *s)
{
    pthread_mutex_unlock(&s->tables_mu);
}

/* ---- names ---- */

struct named {
    const struct event_series *s;
    struct str name;
};

static bool same_name(void *ctx, uint64_t i)
{
    const struct named *n = ctx;
    return str_eq(n->s->names[i], n->name);
}

/* From 1; 0: none. */
static uint8_t number_of(const struct event_series *s, struct str name)
{
    struct named n = { s, name };
    const uint64_t *i = map_find(&s->by_name, hash64(name.p, name.n), same_name, &n);
    return i != NULL ? (uint8_t)(*i + 1) : 0;
}

static uint8_t add_name(struct event_series *s, struct str name)
{
    uint8_t number = number_of(s, name);
    if (number > 0) return number;
    check(s->n_names < NAMES_MAX);
    s->names[s->n_names] = name;
    map_add(&s->by_name, hash64(name.p, name.n), s->n_names);
    return (uint8_t)++s->n_names;
}

static void number_names(struct event_series *s)
{
    static char embedded[EVENT_FIELDS_MAX][64];
    s->field_names = mem_array(s->tables.n_plans, sizeof *s->field_names);
    map_init(&s->by_name, NAMES_MAX);
    s->event_name = add_name(s, STR("event.name"));
    s->embedded = event_kind_find(STR("vedette.mcp.metrics"));
    for (size_t p = 0; p < s->tables.n_plans; p++) {
        const struct event_kind *k = s->tables.plans[p].kind;
        check(k->n_fields <= EVENT_FIELDS_MAX);
        for (size_t i = 0; i < k->n_fields; i++) {
            if (k->fields[i].need == EVENT_DERIVED) continue;
            s->field_names[p][i] = add_name(s, str_of(k->fields[i].name));
            if (k != s->embedded) continue;
            snprintf(embedded[i], sizeof embedded[i], EMBEDDED "%s", k->fields[i].name);
            s->embedded_names[i] = add_name(s, str_of(embedded[i]));
        }
    }
}

/* ---- counting ---- */

static void make_stats(struct event_series *s)
{
    static const struct {
        const char *name, *help;
    } of[COUNTED] = {
        { "vedette_events_total", "Typed events that series were made of, by kind." },
        { "vedette_events_duplicate_total", "Typed events whose id was here before, by kind." },
        { "vedette_events_late_total", "Typed events too old or too new for series, by kind." },
    };
    s->counted = mem_array(s->tables.n_plans, sizeof *s->counted);
    for (size_t p = 0; p < s->tables.n_plans; p++)
        for (size_t i = 0; i < COUNTED; i++) {
            char labels[96];
            snprintf(labels, sizeof labels, "kind=\"%s\"", s->tables.plans[p].kind->name);
            s->counted[p][i] = stat_counter(of[i].name, of[i].help, labels);
        }
}

static void count_invalid(const struct event_kind *k, size_t field)
{
    char labels[160];
    snprintf(labels, sizeof labels, "kind=\"%s\",field=\"%s\"", k->name, k->fields[field].name);
    stat_add(
        stat_counter("vedette_events_invalid_total",
                     "Typed events that came as plain records and are not right, by kind and field: kept "
                     "as records, not counted.",
                     labels),
        1);
}

/* ---- an event ---- */

struct chunk {
    struct event_series *s;
    struct arena arena, scratch;
    struct record_walk walk;
    uint8_t *want;
    uint8_t slot[NAMES_MAX + 1]; /* of a name's number: 1 + where its value is picked; 0: not in this chunk */
    struct value *picked;
    size_t n_picked;
    bool has_embedded;
    size_t last; /* plan of the event before */
    int64_t now_ms;
};

static struct value value_of(const struct chunk *c, uint8_t name)
{
    return name > 0 && c->slot[name] > 0 ? c->picked[c->slot[name] - 1]
                                         : (struct value){ .type = VALUE_NONE };
}

static bool time_of(struct value v, int64_t *ns)
{
    if (v.type == VALUE_STR) return time_from_text(str_trim(v.text), ns);
    if (v.type != VALUE_INT && v.type != VALUE_DOUBLE) return false;
    char text[64];
    int n = v.type == VALUE_INT ? snprintf(text, sizeof text, "%lld", (long long)v.i)
                                : snprintf(text, sizeof text, "%.9f", v.d);
    return time_from_number(str_make(text, (size_t)n), ns);
}

/* Times become ns, or absent when they are none. */
static void read_times(const struct event_kind *k, struct value *v)
{
    int64_t ns;
    for (size_t i = 0; i < k->n_fields; i++)
        if (k->fields[i].type == EVENT_TIME && v[i].type != VALUE_NONE)
            v[i] = time_of(v[i], &ns) ? value_int(ns) : (struct value){ .type = VALUE_NONE };
}

static bool is_repeated(struct event_series *s, const struct event_kind *k, const struct value *v)
{
    size_t at = k->id != NULL ? event_field_at(k, str_of(k->id)) : SIZE_MAX;
    if (at == SIZE_MAX || v[at].type != VALUE_STR || v[at].text.n == 0) return false;
    return !event_ids_settle(s->ids, event_id_hash(k->name, v[at].text));
}

static void take(struct chunk *c, size_t plan, const uint8_t *names, int64_t time_ns)
{
    struct event_series *s = c->s;
    const struct event_kind *k = s->tables.plans[plan].kind;
    struct value v[EVENT_FIELDS_MAX];
    struct event_fault fault;
    struct event_seen seen = { k, v, time_ns / 1000000, c->now_ms, &c->scratch };
    const int64_t ago_ms = c->now_ms - seen.time_ms, late_ms = s->tables.conf.late_ms;
    for (size_t i = 0; i < k->n_fields; i++) v[i] = value_of(c, names[i]);
    if (!event_check(k, v, &fault)) return count_invalid(k, fault.field);
    if (is_repeated(s, k, v)) return stat_add(s->counted[plan][EVENTS_DUPLICATE], 1);
    if (late_ms > 0 && (ago_ms > late_ms || ago_ms < -late_ms))
        return stat_add(s->counted[plan][EVENTS_LATE], 1);
    read_times(k, v);
    seen.time_ms = MIN(seen.time_ms, c->now_ms);
    for (size_t m = 0; m < s->n_modules; m++)
        if (s->modules[m]->prepare != NULL) s->modules[m]->prepare(s->states[m], &seen);
    event_tables_apply(&s->tables, &s->tables.plans[plan], &seen);
    stat_add(s->counted[plan][EVENTS_SEEN], 1);
}

static size_t plan_of(struct chunk *c, struct str name)
{
    const struct event_tables *t = &c->s->tables;
    if (!str_starts(name, "vedette.")) return SIZE_MAX;
    if (str_is(name, t->plans[c->last].kind->name)) return c->last;
    for (size_t i = 0; i < t->n_plans; i++)
        if (str_is(name, t->plans[i].kind->name)) return c->last = i;
    return SIZE_MAX;
}

static void take_record(struct chunk *c, const struct record *r)
{
    struct value event = value_of(c, (uint8_t)c->s->event_name);
    struct str name = r->log.event_name.n == 0 && event.type == VALUE_STR ? event.text : r->log.event_name;
    size_t plan = plan_of(c, name);
    if (plan != SIZE_MAX) {
        take(c, plan, c->s->field_names[plan], r->time_ns);
    } else if (c->has_embedded && value_of(c, c->s->embedded_names[1]).type != VALUE_NONE) {
        for (plan = 0; c->s->tables.plans[plan].kind != c->s->embedded;) plan++;
        take(c, plan, c->s->embedded_names, r->time_ns);
    }
}

/* ---- a chunk ---- */

static void open_chunk(struct chunk *c, struct event_series *s, const struct record_chunk *of)
{
    *c = (struct chunk){ .s = s, .arena = ARENA_INIT(SIZE_MAX / 2), .scratch = ARENA_INIT(SIZE_MAX / 2) };
    record_walk_open(&c->walk, of->bytes, &c->arena);
    const struct record_reader *r = &c->walk.reader;
    c->want = arena_zero(&c->arena, r->n_names + 1);
    for (size_t i = 0; i < r->n_names; i++) {
        uint8_t number = number_of(s, r->names[i]);
        if (number == 0 || c->slot[number] > 0) continue;
        c->want[i] = c->slot[number] = (uint8_t)++c->n_picked;
        c->has_embedded = c->has_embedded || str_starts(r->names[i], EMBEDDED);
    }
    c->picked = arena_zero(&c->arena, (c->n_picked + 1) * sizeof *c->picked);
    c->now_ms = clock_now_ms();
}

static bool next(struct chunk *c, struct record *r)
{
    memset(c->picked, 0, c->n_picked * sizeof *c->picked);
    arena_reset(&c->scratch);
    return record_walk_next(&c->walk, c->want, c->picked, r);
}

static void seen(void *ctx, const struct records *records)
{
    struct event_series *s = ctx;
    if (records->table != TABLE_LOGS) return;
    for (size_t i = 0; i < records->n_chunks; i++) {
        struct chunk c;
        struct record r;
        open_chunk(&c, s, &records->chunks[i]);
        if (c.n_picked > 0) {
            pthread_mutex_lock(&s->tables_mu);
            while (next(&c, &r)) take_record(&c, &r);
            pthread_mutex_unlock(&s->tables_mu);
        }
        arena_release(&c.scratch);
        arena_release(&c.arena);
    }
}

struct record_tap event_series_tap(struct event_series *s)
{
    return (struct record_tap){ seen, s };
}

struct event_ids *event_series_ids(struct event_series *s)
{
    return s != NULL ? s->ids : NULL;
}

/* ---- for modules ---- */

size_t event_family_at(struct event_series *s, const char *name)
{
    size_t i = 0;
    while (i < s->tables.n_cells && strcmp(s->tables.cells[i].family->name, name) != 0) i++;
    check(i < s->tables.n_cells);
    return i;
}

void event_put(struct event_series *s, size_t family, const struct str *labels, double value, int64_t now_ms)
{
    struct event_row *row = event_tables_row(&s->tables, s->tables.cells[family].group, labels, now_ms);
    event_row_put(s, row, family, value, now_ms);
}

size_t event_rows(struct event_series *s, size_t family)
{
    return s->tables.groups[s->tables.cells[family].group].n;
}

struct event_row *event_row_at(struct event_series *s, size_t family, size_t i)
{
    return s->tables.groups[s->tables.cells[family].group].rows[i];
}

struct str event_row_label(const struct event_row *row, size_t label)
{
    return row->label[label];
}

void event_row_put(struct event_series *s, struct event_row *row, size_t family, double value, int64_t now_ms)
{
    const struct event_cell *c = &s->tables.cells[family];
    const bool was_dirty = row->is_dirty, is_last = c->family->op == EV_LAST;
    const double before = row->words[c->word].d;
    event_cell_put(&s->tables, c, row, value, 1, now_ms, now_ms);
    if (!is_last) return;
    row->is_dirty = was_dirty;
    if (double_bits(before) != double_bits(row->words[c->word].d)) row->is_stirred = true;
}

struct event_sums event_row_sums(struct event_series *s, const struct event_row *row, size_t family,
                                 int64_t now_ms)
{
    return event_cell_sums(&s->tables, &s->tables.cells[family], row, now_ms);
}

double event_row_value(struct event_series *s, const struct event_row *row, size_t family, int64_t now_ms)
{
    return event_cell_value(&s->tables, &s->tables.cells[family], row, now_ms);
}

/* ---- writing ---- */

static int write_batch(struct event_series *s, struct batch *b, struct err *e)
{
    struct write_result result;
    return b->n_rows == 0 && b->n_metadata == 0
               ? OK
               : store_write(s->store, b, ACK_MEMORY, &result, NULL, NULL, e);
}

static void forget(struct event_series *s, struct event_gone *gone)
{
    if (gone->n == 0) return;
    pthread_mutex_lock(&s->tables_mu);
    for (size_t i = 0; i < gone->n; i++)
        event_row_free(&s->tables, &s->tables.groups[gone->at[i].group], gone->at[i].row);
    pthread_mutex_unlock(&s->tables_mu);
    mem_free(gone->at);
}

int event_series_write(struct event_series *s, int64_t now_ms, bool all, struct err *e)
{
    struct arena arena = ARENA_INIT(SIZE_MAX / 2);
    struct batch batch;
    struct event_gone gone = { NULL, 0, 0 };
    batch_init(&batch, &arena, LABELS_PACKED);
    pthread_mutex_lock(&s->tables_mu);
    for (size_t m = 0; m < s->n_modules; m++)
        if (s->modules[m]->tick != NULL) s->modules[m]->tick(s->states[m], now_ms);
    event_out_rows(&s->tables, &batch, now_ms, all, &gone);
    pthread_mutex_unlock(&s->tables_mu);
    int rc = write_batch(s, &batch, e);
    if (rc < 0) {
        pthread_mutex_lock(&s->tables_mu);
        event_out_failed(&s->tables, now_ms);
        pthread_mutex_unlock(&s->tables_mu);
    }
    forget(s, &gone);
    arena_release(&arena);
    return rc;
}

static int write_metadata(struct event_series *s, struct err *e)
{
    struct arena arena = ARENA_INIT(4u << 20);
    struct batch batch;
    batch_init(&batch, &arena, LABELS_PACKED);
    event_out_metadata(&s->tables, &batch);
    int rc = write_batch(s, &batch, e);
    arena_release(&arena);
    return rc;
}

static void write_logged(struct event_series *s, int64_t now_ms, bool all)
{
    struct err e = ERR_INIT;
    if (event_series_write(s, now_ms, all, &e) < 0)
        log_warn("derive", "series of events not stored", "error", e.text, NULL);
}

static bool wait_until(struct event_series *s, int64_t t_ms)
{
    struct timespec until = { t_ms / 1000, t_ms % 1000 * 1000000 };
    pthread_mutex_lock(&s->mu);
    while (!s->stopping && clock_now_ms() < t_ms) pthread_cond_timedwait(&s->wake, &s->mu, &until);
    bool on = !s->stopping;
    pthread_mutex_unlock(&s->mu);
    return on;
}

/* Times of samples never repeat, whatever the clock does. */
static void *write_main(void *arg)
{
    struct event_series *s = arg;
    struct err e = ERR_INIT;
    int64_t t = clock_now_ms() + EVENT_TICK_MS;
    if (write_metadata(s, &e) < 0) log_warn("derive", "metadata of events not stored", "error", e.text, NULL);
    while (wait_until(s, t)) {
        write_logged(s, t, false);
        t = MAX(t + EVENT_TICK_MS, clock_now_ms());
    }
    write_logged(s, t, true);
    return NULL;
}

/* ---- gauges of our own ---- */

static double ask_rows(void *ctx)
{
    struct event_series *s = ctx;
    pthread_mutex_lock(&s->tables_mu);
    double n = (double)s->tables.rows;
    pthread_mutex_unlock(&s->tables_mu);
    return n;
}

static double ask_overflowed(void *ctx)
{
    struct event_series *s = ctx;
    pthread_mutex_lock(&s->tables_mu);
    double n = (double)s->tables.overflowed;
    pthread_mutex_unlock(&s->tables_mu);
    return n;
}

static double ask_ids(void *ctx)
{
    return (double)event_ids_count(((struct event_series *)ctx)->ids);
}

static void add_gauges(struct event_series *s)
{
    s->asked[0] = stat_ask(STAT_GAUGE, "vedette_derived_rows", "Label sets of series made out of records.",
                           "of=\"events\"", ask_rows, s);
    s->asked[1] = stat_ask(STAT_COUNTER, "vedette_derived_overflow_total",
                           "Records counted under __overflow__, as there were too many label sets.",
                           "of=\"events\"", ask_overflowed, s);
    s->asked[2] =
        stat_ask(STAT_GAUGE, "vedette_event_ids", "Ids of events that are remembered.", NULL, ask_ids, s);
}

/* ---- life ---- */

struct event_series *event_series_start(struct store *store, const struct event_series_conf *conf,
                                        const struct event_module *const *modules, size_t n)
{
    struct event_series *s = mem_alloc_zero(sizeof *s);
    check(n <= MODULES_MAX);
    s->store = store;
    s->modules = modules;
    s->n_modules = n;
    s->ids = event_ids_new(conf->max_ids);
    event_tables_init(&s->tables, conf, modules, n);
    number_names(s);
    make_stats(s);
    pthread_mutex_init(&s->tables_mu, NULL);
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->wake, NULL);
    for (size_t m = 0; m < n; m++)
        if (modules[m]->open != NULL) s->states[m] = modules[m]->open(s, conf);
    add_gauges(s);
    if (conf->interval_ms > 0) check(pthread_create(&s->thread, NULL, write_main, s) == 0);
    return s;
}

void event_series_stop(struct event_series *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->mu);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mu);
    if (s->tables.conf.interval_ms > 0) pthread_join(s->thread, NULL);
    for (size_t i = 0; i < ASKED; i++) stat_forget(s->asked[i]);
    for (size_t m = 0; m < s->n_modules; m++)
        if (s->modules[m]->close != NULL) s->modules[m]->close(s->states[m]);
    event_tables_release(&s->tables);
    event_ids_unref(s->ids);
    map_release(&s->by_name);
    mem_free(s->field_names);
    mem_free(s->counted);
    pthread_mutex_destroy(&s->tables_mu);
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->wake);
    mem_free(s);
}
