/* event_rows.c - see event_rows.h. A windowed cell is the number of its newest slot and two sums for each
 * slot of its ring; slots that time has passed are emptied when the next value comes, and left out when sums
 * are asked for in between. */
#include "derive/event_rows.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "decode/utf8.h"
#include "model/price.h"

#define VALUE_BYTES 256 /* longer label values are cut */
#define KEY_MAX     (EVENT_LABELS_MAX * (VALUE_BYTES + 2))

const size_t event_slots[EV_WINDOWS] = { 10, 30, 60, 60 };
const double event_quantiles[3] = { 0.5, 0.95, 0.99 };

static bool is_windowed(enum event_op op)
{
    return op == EV_MEAN || op == EV_RATE || op == EV_RATIO;
}

/* ---- layout ---- */

static void parse_labels(struct event_group *g)
{
    struct str rest = str_of(g->labels);
    while (rest.n > 0) {
        struct str one = str_cut(rest, ',', &rest), constant = STR("");
        check(g->n_all < EVENT_LABELS_MAX);
        const char *eq = memchr(one.p, '=', one.n);
        if (eq != NULL) one = str_cut(one, '=', &constant);
        const char *lt = memchr(one.p, '<', one.n);
        struct str name = lt != NULL ? str_make(one.p, (size_t)(lt - one.p)) : one;
        g->label[g->n_all].name = name;
        g->label[g->n_all].constant = eq != NULL ? constant : str_make(NULL, 0);
        g->label[g->n_all++].value = eq != NULL ? SIZE_MAX : g->n_labels++;
    }
}

static size_t group_of(struct event_tables *t, const char *labels)
{
    for (size_t i = 0; i < t->n_groups; i++)
        if (strcmp(t->groups[i].labels, labels) == 0) return i;
    if (t->n_groups == t->cap_groups)
        t->groups = mem_grow(t->groups, t->n_groups, &t->cap_groups, sizeof *t->groups);
    struct event_group *g = &t->groups[t->n_groups];
    *g = (struct event_group){ .labels = labels };
    parse_labels(g);
    map_init(&g->by_key, 16);
    return t->n_groups++;
}

static size_t count_words(const char *words)
{
    size_t n = 1;
    for (; *words; words++) n += *words == '|';
    return n;
}

static void measure(const struct event_family *f, struct event_cell *c)
{
    c->n_words = 1, c->n_outs = 1;
    if (f->op == EV_HISTOGRAM) c->n_words = f->n_bounds + 2, c->n_outs = f->n_bounds + 3;
    if (f->op == EV_SUMMARY) c->n_outs = COUNT(event_quantiles) + 2;
    if (f->op == EV_STATES) c->n_outs = count_words(f->states);
    if (is_windowed(f->op)) c->n_words = 1 + 2 * event_slots[f->window];
}

static size_t add_cell(struct event_tables *t, const struct event_family *f)
{
    if (t->n_cells == t->cap_cells)
        t->cells = mem_grow(t->cells, t->n_cells, &t->cap_cells, sizeof *t->cells);
    struct event_cell *c = &t->cells[t->n_cells];
    *c = (struct event_cell){ .family = f, .group = group_of(t, f->labels) };
    struct event_group *g = &t->groups[c->group];
    measure(f, c);
    c->word = g->n_words, c->out = g->n_outs;
    g->n_words += c->n_words, g->n_outs += c->n_outs;
    if (g->n_families == g->cap_families)
        g->families = mem_grow(g->families, g->n_families, &g->cap_families, sizeof *g->families);
    g->families[g->n_families++] = t->n_cells;
    return t->n_cells++;
}

/* ---- plans ---- */

static size_t field_of(const struct event_kind *k, struct str name)
{
    size_t at = event_field_at(k, name);
    check(at != SIZE_MAX); /* a table names a field that the kind does not have */
    return at;
}

/* The k-th label that is no constant, of a text like that of the group. */
static struct str label_source(const char *labels, size_t k)
{
    struct str rest = str_of(labels);
    while (rest.n > 0) {
        struct str one = str_cut(rest, ',', &rest), field;
        if (memchr(one.p, '=', one.n) != NULL) continue;
        if (k-- > 0) continue;
        struct str name = str_cut(one, '<', &field);
        return field.n > 0 ? field : name;
    }
    return STR("");
}

static size_t bind(struct event_plan *p, const struct event_tables *t, size_t group, const char *labels)
{
    struct event_binding b = { .group = group };
    for (size_t i = 0; i < t->groups[group].n_labels; i++)
        b.field[i] = event_field_at(p->kind, label_source(labels, i));
    for (size_t i = 0; i < p->n_bindings; i++)
        if (p->bindings[i].group == group && memcmp(p->bindings[i].field, b.field, sizeof b.field) == 0)
            return i;
    if (p->n_bindings == p->cap_bindings)
        p->bindings = mem_grow(p->bindings, p->n_bindings, &p->cap_bindings, sizeof *p->bindings);
    p->bindings[p->n_bindings] = b;
    return p->n_bindings++;
}

static void plan_source(struct event_tables *t, struct event_plan *p, size_t cell,
                        const struct event_source *from)
{
    const char *labels = from->labels != NULL ? from->labels : t->cells[cell].family->labels;
    struct event_action a = { .cell = cell, .value = SIZE_MAX, .when = SIZE_MAX, .weight = SIZE_MAX };
    if (from->value != NULL) a.value = field_of(p->kind, str_of(from->value));
    if (from->weight != NULL) a.weight = field_of(p->kind, str_of(from->weight));
    if (from->when != NULL) {
        struct str word, name = str_cut(str_of(from->when), '=', &word);
        a.is_not = name.p[0] == '!';
        if (a.is_not) name.p++, name.n--;
        if (word.n > 0) a.word = word.p; /* the rest of the text */
        a.when = field_of(p->kind, name);
    }
    a.binding = bind(p, t, t->cells[cell].group, labels);
    if (p->n_actions == p->cap_actions)
        p->actions = mem_grow(p->actions, p->n_actions, &p->cap_actions, sizeof *p->actions);
    p->actions[p->n_actions++] = a;
}

static void plan_family(struct event_tables *t, size_t cell)
{
    const struct event_family *f = t->cells[cell].family;
    for (size_t i = 0; i < EVENT_FROM_MAX && f->from[i].kind != NULL; i++) {
        struct event_plan *p = NULL;
        for (size_t k = 0; k < t->n_plans; k++)
            if (strcmp(t->plans[k].kind->name, f->from[i].kind) == 0) p = &t->plans[k];
        check(p != NULL); /* a table names a kind that is not */
        plan_source(t, p, cell, &f->from[i]);
    }
}

void event_tables_init(struct event_tables *t, const struct event_series_conf *conf,
                       const struct event_module *const *modules, size_t n)
{
    *t = (struct event_tables){ .conf = *conf };
    t->slot_ms[EV_10S] = 1000, t->slot_ms[EV_5M] = 10000, t->slot_ms[EV_HOUR] = 60000;
    t->slot_ms[EV_LONG] = MAX(conf->window_ms / EVENT_SLOTS_MAX, 1);
    while (event_kind_at(t->n_plans) != NULL) t->n_plans++;
    t->plans = mem_array(t->n_plans, sizeof *t->plans);
    for (size_t i = 0; i < t->n_plans; i++) t->plans[i].kind = event_kind_at(i);
    for (size_t m = 0; m < n; m++)
        for (size_t i = 0; i < modules[m]->n_families; i++)
            plan_family(t, add_cell(t, &modules[m]->families[i]));
}

void event_tables_release(struct event_tables *t)
{
    for (size_t i = 0; i < t->n_groups; i++) {
        struct event_group *g = &t->groups[i];
        for (size_t k = 0; k < g->n; k++) event_row_free(t, g, g->rows[k]);
        if (g->overflow != NULL) event_row_free(t, g, g->overflow);
        mem_free(g->rows);
        mem_free(g->families);
        map_release(&g->by_key);
    }
    for (size_t i = 0; i < t->n_plans; i++) {
        mem_free(t->plans[i].actions);
        mem_free(t->plans[i].bindings);
    }
    mem_free(t->plans);
    mem_free(t->groups);
    mem_free(t->cells);
}

/* ---- rows ---- */

static size_t make_key(const struct event_group *g, const struct str *labels, char *key)
{
    size_t at = 0;
    for (size_t i = 0; i < g->n_labels; i++) {
        struct str v = labels[i];
        if (v.n > VALUE_BYTES) v.n = utf8_floor(v, VALUE_BYTES);
        key[at++] = (char)(v.n & 0xff);
        key[at++] = (char)(v.n >> 8);
        if (v.n > 0) memcpy(key + at, v.p, v.n);
        at += v.n;
    }
    return at;
}

struct looked_for {
    const struct event_group *g;
    const char *key;
    size_t n;
};

static bool same_key(void *ctx, uint64_t i)
{
    const struct looked_for *l = ctx;
    const struct event_row *row = l->g->rows[i];
    return row->key_bytes == l->n && memcmp(row->key, l->key, l->n) == 0;
}

static struct event_row *new_row(struct event_tables *t, const struct event_group *g, const char *key,
                                 size_t n)
{
    struct event_row *row = mem_alloc_zero(sizeof *row + g->n_words * sizeof row->words[0]);
    row->key = mem_copy(key, n);
    row->key_bytes = (uint32_t)n;
    row->is_new = true;
    row->out = mem_array(g->n_outs, sizeof *row->out);
    const char *p = row->key;
    for (size_t i = 0; i < g->n_labels; i++) {
        size_t bytes = (uint8_t)p[0] | (size_t)(uint8_t)p[1] << 8;
        row->label[i] = str_make(p + 2, bytes);
        p += 2 + bytes;
    }
    for (size_t i = 0; i < g->n_families; i++) {
        const struct event_cell *c = &t->cells[g->families[i]];
        if (c->family->op == EV_LAST || c->family->op == EV_LEVEL) row->words[c->word].d = (double)NAN;
        if (c->family->op == EV_SUMMARY) row->words[c->word].p = mem_alloc_zero(sizeof(struct event_summary));
    }
    t->rows++;
    return row;
}

void event_row_free(struct event_tables *t, const struct event_group *g, struct event_row *row)
{
    for (size_t i = 0; i < g->n_families; i++) {
        const struct event_cell *c = &t->cells[g->families[i]];
        if (c->family->op != EV_SUMMARY) continue;
        struct event_summary *s = row->words[c->word].p;
        sketch_release(&s->now);
        sketch_release(&s->before);
        mem_free(s);
    }
    for (size_t i = 0; i < g->n_outs; i++) mem_free((void *)row->out[i].raw);
    mem_free(row->out);
    mem_free(row->key);
    mem_free(row);
    t->rows--;
}

static struct event_row *overflow_of(struct event_tables *t, struct event_group *g)
{
    char key[KEY_MAX];
    struct str labels[EVENT_LABELS_MAX] = { STR(EVENT_OVERFLOW) };
    if (g->overflow == NULL) g->overflow = new_row(t, g, key, make_key(g, labels, key));
    t->overflowed++;
    return g->overflow;
}

struct event_row *event_tables_row(struct event_tables *t, size_t group, const struct str *labels,
                                   int64_t now_ms)
{
    struct event_group *g = &t->groups[group];
    char key[KEY_MAX];
    struct looked_for l = { g, key, make_key(g, labels, key) };
    uint64_t hash = hash64(key, l.n);
    const uint64_t *i = map_find(&g->by_key, hash, same_key, &l);
    struct event_row *row;
    if (i != NULL) {
        row = g->rows[*i];
    } else if (g->n < t->conf.max_rows) {
        if (g->n == g->cap) g->rows = mem_grow(g->rows, g->n, &g->cap, sizeof(struct event_row *));
        row = g->rows[g->n] = new_row(t, g, key, l.n);
        row->hash = hash;
        map_add(&g->by_key, hash, g->n++);
    } else {
        row = overflow_of(t, g);
    }
    row->used_ms = now_ms;
    return row;
}

/* ---- cells ---- */

static void window_add(const struct event_tables *t, enum event_window window, union event_word *w,
                       double value, double weight, int64_t time_ms)
{
    const int64_t n = (int64_t)event_slots[window], slot = time_ms / t->slot_ms[window];
    if (slot <= w[0].i - n) return; /* of before the window */
    if (slot > w[0].i) {
        int64_t from = MAX(w[0].i + 1, slot - n + 1);
        for (int64_t s = from; s <= slot; s++) w[1 + 2 * (s % n)].d = w[2 + 2 * (s % n)].d = 0;
        w[0].i = slot;
    }
    w[1 + 2 * (slot % n)].d += value;
    w[2 + 2 * (slot % n)].d += weight;
}

struct event_sums event_cell_sums(const struct event_tables *t, const struct event_cell *c,
                                  const struct event_row *row, int64_t now_ms)
{
    const enum event_window window = c->family->window;
    const union event_word *w = &row->words[c->word];
    const int64_t n = (int64_t)event_slots[window], now = now_ms / t->slot_ms[window];
    struct event_sums sums = { 0, 0 };
    for (int64_t s = MAX(w[0].i - n, now - n) + 1; s <= w[0].i; s++) {
        if (s < 0) continue;
        sums.value += w[1 + 2 * (s % n)].d;
        sums.weight += w[2 + 2 * (s % n)].d;
    }
    return sums;
}

static void observe(const struct event_family *f, union event_word *w, double value, double weight)
{
    size_t at = 0;
    while (at < f->n_bounds && value > f->bounds[at]) at++;
    w[0].d += value * weight;
    w[1 + at].d += weight;
}

static void summarize(struct event_summary *s, double value, int64_t now_ms)
{
    if (now_ms - s->since_ms >= EVENT_SUMMARY_MS) {
        struct sketch old = s->before;
        s->before = s->now;
        s->now = old;
        sketch_clear(&s->now);
        if (now_ms - s->since_ms >= 2 * EVENT_SUMMARY_MS) sketch_clear(&s->before);
        s->since_ms = now_ms;
    }
    sketch_add(&s->now, value);
    s->sum += value;
    s->count++;
}

static int64_t nano_of(double usd)
{
    double nano = usd * (double)NANO_USD;
    return nano >= 9e18 ? INT64_MAX : (int64_t)(nano + 0.5);
}

void event_cell_put(struct event_tables *t, const struct event_cell *c, struct event_row *row, double value,
                    double weight, int64_t time_ms, int64_t now_ms)
{
    const struct event_family *f = c->family;
    union event_word *w = &row->words[c->word];
    if (f->scale != 0) value *= f->scale;
    switch (f->op) {
    case EV_COUNT: w->d += weight; break;
    case EV_SUM: w->d += value; break;
    case EV_MONEY: w->i = money_add(w->i, nano_of(value)); break;
    case EV_HISTOGRAM: observe(f, w, value, weight); break;
    case EV_SUMMARY: summarize(w->p, value, now_ms); break;
    case EV_LAST: w->d = value; break;
    case EV_LEVEL: w->d = MAX((isnan(w->d) ? 0 : w->d) + value, 0.0); break;
    case EV_MEAN: window_add(t, f->window, w, value * weight, weight, time_ms); break;
    case EV_RATE:
    case EV_RATIO: window_add(t, f->window, w, value, weight, time_ms); break;
    case EV_STATES: w->d = value; break;
    }
    if (is_windowed(f->op))
        row->live_ms =
            MAX(row->live_ms, time_ms + (int64_t)(event_slots[f->window] + 1) * t->slot_ms[f->window]);
    row->is_dirty = true;
}

double event_cell_value(const struct event_tables *t, const struct event_cell *c, const struct event_row *row,
                        int64_t now_ms)
{
    const struct event_family *f = c->family;
    const union event_word *w = &row->words[c->word];
    struct event_sums sums;
    switch (f->op) {
    case EV_MONEY: return money_double(w->i);
    case EV_MEAN:
    case EV_RATIO:
        sums = event_cell_sums(t, c, row, now_ms);
        return sums.weight > 0 ? sums.value / sums.weight : (double)NAN;
    case EV_RATE:
        if (w[0].i == 0) return (double)NAN; /* never was */
        sums = event_cell_sums(t, c, row, now_ms);
        return sums.value * (f->per_s > 0 ? f->per_s : 1) * 1000 /
               ((double)event_slots[f->window] * (double)t->slot_ms[f->window]);
    default: return w->d;
    }
}

/* ---- an event ---- */

static bool holds(const struct event_action *a, const struct event_seen *e)
{
    if (a->when == SIZE_MAX) return true;
    struct value v = e->v[a->when];
    bool yes = v.type == VALUE_STR ? (a->word != NULL ? str_is(v.text, a->word) : v.text.n > 0)
                                   : v.type != VALUE_NONE && event_number(v) != 0;
    return yes != a->is_not;
}

/* Which word of the set it is; -1: none. */
static double state_of(const char *words, struct str word)
{
    struct str rest = str_of(words);
    for (double i = 0; rest.n > 0; i++)
        if (str_eq(str_cut(rest, '|', &rest), word)) return i;
    return -1;
}

static struct str label_text(struct value v, struct arena *a)
{
    struct buf text = BUF_INIT(VALUE_BYTES);
    if (v.type == VALUE_STR || v.type == VALUE_NONE) return v.type == VALUE_STR ? v.text : STR("");
    value_print(&text, v);
    struct str kept = arena_str(a, buf_view(&text));
    buf_release(&text);
    return kept;
}

static struct event_row *row_of(struct event_tables *t, const struct event_binding *b,
                                const struct event_seen *e)
{
    struct str labels[EVENT_LABELS_MAX];
    for (size_t i = 0; i < t->groups[b->group].n_labels; i++)
        labels[i] = b->field[i] == SIZE_MAX ? STR("") : label_text(e->v[b->field[i]], e->arena);
    return event_tables_row(t, b->group, labels, e->now_ms);
}

void event_tables_apply(struct event_tables *t, const struct event_plan *p, const struct event_seen *e)
{
    struct event_row *rows[64] = { NULL };
    check(p->n_bindings <= COUNT(rows));
    for (size_t i = 0; i < p->n_actions; i++) {
        const struct event_action *a = &p->actions[i];
        const struct event_cell *c = &t->cells[a->cell];
        struct value v = a->value == SIZE_MAX ? value_int(1) : e->v[a->value];
        if (v.type == VALUE_NONE || !holds(a, e)) continue;
        double value = c->family->op == EV_STATES ? state_of(c->family->states, v.text) + 1 : event_number(v);
        double weight = a->weight == SIZE_MAX ? 1 : event_number(e->v[a->weight]);
        if (isnan(value)) continue;
        if (rows[a->binding] == NULL) rows[a->binding] = row_of(t, &p->bindings[a->binding], e);
        event_cell_put(t, c, rows[a->binding], value, isnan(weight) ? 1 : weight, e->time_ms, e->now_ms);
    }
}
