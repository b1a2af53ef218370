/* event_out.c - rows of event_series into the store. Names of series are spelled once and kept with the row,
 * so that a tick is numbers only. */
#include "derive/event_out.h"

#include <stdio.h>

#include "base/check.h"
#include "base/float.h"
#include "base/mem.h"

#define STATES_MAX 16

struct writing {
    struct event_tables *t;
    struct batch *batch;
    struct event_row *row;
    const struct event_group *group;
    const struct event_cell *cell;
    int64_t now_ms, step_ms;
    bool beat; /* whether it has changed or not */
};

/* ---- names ---- */

static struct str bound_text(double bound, char text[FLOAT_TEXT_MAX + 2])
{
    size_t n = float_text(bound, text);
    if (memchr(text, '.', n) == NULL && memchr(text, 'e', n) == NULL) {
        memcpy(text + n, ".0", 2); /* whole ones as 1.0, as scrapes have them */
        n += 2;
    }
    return str_make(text, n);
}

static struct str word_at(const char *words, size_t i)
{
    struct str rest = str_of(words), one = STR("");
    for (size_t k = 0; k <= i; k++) one = str_cut(rest, '|', &rest);
    return one;
}

/* What the i-th series of the cell has beside the labels of the row: a suffix, and perhaps a label. */
static struct label special(const struct event_family *f, size_t i, const char **suffix, char *text)
{
    *suffix = "";
    if (f->op == EV_STATES) return (struct label){ STR("state"), word_at(f->states, i) };
    if (f->op == EV_HISTOGRAM) {
        *suffix = i <= f->n_bounds ? "_bucket" : i == f->n_bounds + 1 ? "_sum" : "_count";
        if (i < f->n_bounds) return (struct label){ STR("le"), bound_text(f->bounds[i], text) };
        if (i == f->n_bounds) return (struct label){ STR("le"), STR("+Inf") };
    }
    if (f->op == EV_SUMMARY) {
        if (i < COUNT(event_quantiles)) {
            size_t n = float_text(event_quantiles[i], text);
            return (struct label){ STR("quantile"), str_make(text, n) };
        }
        *suffix = i == COUNT(event_quantiles) ? "_sum" : "_count";
    }
    return (struct label){ STR(""), STR("") };
}

static void insert(struct label *l, size_t *n, struct label one)
{
    size_t at = *n;
    if (one.value.n == 0) return;
    for (; at > 0 && str_cmp(l[at - 1].name, one.name) > 0; at--) l[at] = l[at - 1];
    l[at] = one;
    (*n)++;
}

static void spell(struct writing *w, struct event_out *o, size_t i)
{
    struct label l[EVENT_LABELS_MAX + 2];
    struct buf packed = BUF_INIT(64u << 10);
    char name[128], text[FLOAT_TEXT_MAX + 2];
    const char *suffix;
    size_t n = 0;
    struct label extra = special(w->cell->family, i, &suffix, text);
    int n_name = snprintf(name, sizeof name, "%s%s", w->cell->family->name, suffix);
    insert(l, &n, (struct label){ str_of(LABEL_NAME), str_make(name, (size_t)n_name) });
    for (size_t k = 0; k < w->group->n_all; k++) {
        bool is_constant = w->group->label[k].value == SIZE_MAX;
        insert(l, &n,
               (struct label){ w->group->label[k].name, is_constant
                                                            ? w->group->label[k].constant
                                                            : w->row->label[w->group->label[k].value] });
    }
    insert(l, &n, extra);
    labels_pack(&packed, (struct labels){ l, n });
    o->raw = mem_copy(packed.p, packed.n);
    o->n = (uint32_t)packed.n;
    batch_series(w->batch, str_make(o->raw, o->n));
    o->key = w->batch->series[w->batch->n_series - 1].key;
    buf_release(&packed);
}

/* ---- samples ---- */

static void sample(struct writing *w, size_t i, double v, bool counts)
{
    struct event_out *o = &w->row->out[w->cell->out + i];
    if (o->raw == NULL)
        spell(w, o, i);
    else
        batch_series_known(w->batch, str_make(o->raw, o->n), o->key);
    if (counts && o->time_ms == 0) {
        batch_sample(w->batch, w->now_ms - w->step_ms, 0);
        batch_start(w->batch, w->row->born_ms);
    }
    batch_sample(w->batch, w->now_ms, v);
    if (counts) batch_start(w->batch, w->row->born_ms);
    o->last = v;
    o->is_first = o->time_ms == 0;
    o->time_ms = w->now_ms;
    o->is_alive = true;
}

static void gauge(struct writing *w, size_t i, double v)
{
    struct event_out *o = &w->row->out[w->cell->out + i];
    if (!isnan(v)) {
        if (w->beat || !o->is_alive || v != o->last) sample(w, i, v, false);
    } else if (o->is_alive) {
        sample(w, i, double_of(STALE_BITS), false);
        o->is_alive = false;
    }
}

static void counter(struct writing *w, double v)
{
    if (v != 0 && w->row->is_dirty) sample(w, 0, v, true);
}

static void histogram(struct writing *w)
{
    const struct event_family *f = w->cell->family;
    const union event_word *h = &w->row->words[w->cell->word];
    double total = 0;
    for (size_t i = 0; i <= f->n_bounds; i++) total += h[1 + i].d;
    if (total == 0 || !w->row->is_dirty) return;
    total = 0;
    for (size_t i = 0; i <= f->n_bounds; i++) sample(w, i, total += h[1 + i].d, true);
    sample(w, f->n_bounds + 1, h[0].d, true);
    sample(w, f->n_bounds + 2, total, true);
}

static void summary(struct writing *w)
{
    const struct event_summary *s = w->row->words[w->cell->word].p;
    struct sketch both = SKETCH_INIT;
    if (s->count == 0 || !w->row->is_dirty) return;
    sketch_merge(&both, &s->before);
    sketch_merge(&both, &s->now);
    for (size_t i = 0; i < COUNT(event_quantiles); i++)
        gauge(w, i, sketch_quantile(&both, event_quantiles[i]));
    sketch_release(&both);
    sample(w, COUNT(event_quantiles), s->sum, true);
    sample(w, COUNT(event_quantiles) + 1, (double)s->count, true);
}

static void states(struct writing *w)
{
    double now = w->row->words[w->cell->word].d;
    for (size_t i = 0; now > 0 && i < w->cell->n_outs; i++) gauge(w, i, (double)i + 1 == now ? 1 : 0);
}

static void cell(struct writing *w, const struct event_cell *c)
{
    w->cell = c;
    if (c->family->name[0] == '@') return; /* for modules */
    switch (c->family->op) {
    case EV_COUNT:
    case EV_SUM:
    case EV_MONEY: counter(w, event_cell_value(w->t, c, w->row, w->now_ms)); break;
    case EV_HISTOGRAM: histogram(w); break;
    case EV_SUMMARY: summary(w); break;
    case EV_STATES: states(w); break;
    default: gauge(w, 0, event_cell_value(w->t, c, w->row, w->now_ms));
    }
}

static void put_row(struct writing *w)
{
    struct event_row *row = w->row;
    const int64_t step = MAX(w->step_ms, 1000);
    w->beat = w->now_ms - row->beat_ms >= EVENT_BEAT_MS;
    if (row->is_new) row->born_ms = w->now_ms - step;
    if (w->beat) row->is_dirty = true, row->beat_ms = w->now_ms;
    for (size_t i = 0; i < w->group->n_families; i++) cell(w, &w->t->cells[w->group->families[i]]);
    row->is_new = row->is_dirty = row->is_stirred = false;
    row->written_ms = w->now_ms;
}

/* It is not asked again; its memory goes when the store has read it. */
static void end_row(struct writing *w)
{
    struct event_row *row = w->row;
    for (size_t f = 0; f < w->group->n_families; f++) {
        w->cell = &w->t->cells[w->group->families[f]];
        for (size_t i = 0; i < w->cell->n_outs; i++)
            if (row->out[w->cell->out + i].is_alive) sample(w, i, double_of(STALE_BITS), false);
    }
}

/* ---- tables ---- */

static bool is_due(const struct event_tables *t, const struct event_row *row, int64_t now_ms, bool all)
{
    bool changes =
        row->is_dirty || row->is_stirred || row->live_ms >= now_ms || now_ms - row->beat_ms >= EVENT_BEAT_MS;
    return changes && (all || row->is_new || now_ms - row->written_ms >= t->conf.interval_ms) &&
           now_ms > row->written_ms;
}

static void index_rows(struct event_group *g)
{
    map_release(&g->by_key);
    map_init(&g->by_key, g->n + 16);
    for (size_t i = 0; i < g->n; i++) map_add(&g->by_key, g->rows[i]->hash, i);
}

static void put_group(struct writing *w, struct event_group *g, bool all, struct event_gone *gone)
{
    size_t kept = 0, n = g->n;
    w->group = g;
    for (size_t i = 0; i < n; i++) {
        struct event_row *row = w->row = g->rows[i];
        if (w->now_ms - row->used_ms > w->t->conf.idle_ms && !row->is_dirty) {
            end_row(w);
            if (gone->n == gone->cap) gone->at = mem_grow(gone->at, gone->n, &gone->cap, sizeof *gone->at);
            gone->at[gone->n].group = (size_t)(g - w->t->groups);
            gone->at[gone->n++].row = row;
            continue;
        }
        g->rows[kept++] = row;
        if (is_due(w->t, row, w->now_ms, all)) put_row(w);
    }
    g->n = kept;
    if (kept < n) index_rows(g);
    w->row = g->overflow;
    if (w->row != NULL && is_due(w->t, w->row, w->now_ms, all)) put_row(w);
}

void event_out_rows(struct event_tables *t, struct batch *b, int64_t now_ms, bool all,
                    struct event_gone *gone)
{
    struct writing w = { .t = t, .batch = b, .now_ms = now_ms, .step_ms = MAX(t->conf.interval_ms, 1000) };
    for (size_t i = 0; i < t->n_groups; i++) put_group(&w, &t->groups[i], all, gone);
}

/* Series that have no sample after all begin again with their zero. */
static void take_back(const struct event_group *g, struct event_row *row, int64_t now_ms)
{
    for (size_t i = 0; i < g->n_outs; i++) {
        struct event_out *o = &row->out[i];
        if (o->is_first && o->time_ms == now_ms) o->time_ms = 0, o->is_alive = false;
    }
    if (row->written_ms == now_ms) row->beat_ms = 0;
}

void event_out_failed(struct event_tables *t, int64_t now_ms)
{
    for (size_t i = 0; i < t->n_groups; i++) {
        const struct event_group *g = &t->groups[i];
        for (size_t k = 0; k < g->n; k++) take_back(g, g->rows[k], now_ms);
        if (g->overflow != NULL) take_back(g, g->overflow, now_ms);
    }
}

static const char *type_of(enum event_op op)
{
    static const char *const types[] = {
        [EV_COUNT] = "counter",       [EV_SUM] = "counter",     [EV_MONEY] = "counter",
        [EV_HISTOGRAM] = "histogram", [EV_SUMMARY] = "summary", [EV_STATES] = "stateset",
    };
    return op < COUNT(types) && types[op] != NULL ? types[op] : "gauge";
}

void event_out_metadata(const struct event_tables *t, struct batch *b)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        const struct event_family *f = t->cells[i].family;
        if (f->help == NULL || f->name[0] == '@') continue; /* said by another family of the name */
        batch_metadata(b, str_of(f->name), str_of(type_of(f->op)), str_of(f->help),
                       f->unit != NULL ? str_of(f->unit) : STR(""));
    }
}
