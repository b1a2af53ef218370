/* prom_text_import.c - a whole text into a batch.
 *
 * Lines of one series that follow one another (an export sorted by series) become one series of the batch:
 * its labels are parsed once. Metadata lines are gathered until the family changes. */
#include "decode/prom_text.h"

#include <stdio.h>

#include "base/check.h"

struct import {
    const struct prom_text_import *how;
    struct arena *arena;
    struct arena scratch; /* pairs of one line: only their packed form is kept */
    struct batch *batch;
    struct write_result *refused;
    struct prom_text_faults *faults;
    struct str series; /* text of the series begun last; empty: none, or it was refused */
    struct batch_metadata meta;
};

static void fault(struct import *m, size_t line, enum reject reason, const char *text)
{
    refuse_rows(m->refused, reason, 1, "line %zu: %s", line, text);
    if (m->faults->total < PROM_TEXT_FAULTS_MAX) {
        m->faults->first[m->faults->total].line = line;
        snprintf(m->faults->first[m->faults->total].text, sizeof m->faults->first[0].text, "%s", text);
    }
    m->faults->total++;
}

/* ---- metadata ---- */

static void meta_flush(struct import *m)
{
    const struct batch_metadata *d = &m->meta;
    if (d->family.n > 0) batch_metadata(m->batch, d->family, d->type, d->help, d->unit);
    m->meta = (struct batch_metadata){ .family = STR("") };
}

static void meta_line(struct import *m, enum prom_text_kind kind, const struct prom_line *l)
{
    struct str family = prom_text_unescape(l->family, m->arena), text = prom_text_unescape(l->text, m->arena);
    if (!str_utf8_valid(family) || !str_utf8_valid(text)) {
        fault(m, l->line, REJECT_utf8, "not UTF-8");
        return;
    }
    if (!str_eq(family, m->meta.family)) meta_flush(m);
    m->meta.family = family;
    if (kind == PROM_TEXT_HELP) m->meta.help = text;
    if (kind == PROM_TEXT_TYPE) m->meta.type = text;
    if (kind == PROM_TEXT_UNIT) m->meta.unit = text;
}

/* ---- samples ---- */

static void put_extra(struct label *pairs, size_t *n, const struct label *extra, size_t n_extra)
{
    for (size_t i = 0; i < n_extra; i++) {
        size_t k = 0;
        while (k < *n && !str_eq(pairs[k].name, extra[i].name)) k++;
        pairs[k] = extra[i];
        if (k == *n) ++*n;
    }
}

static bool begin_series(struct import *m, const struct prom_line *l)
{
    struct err why = ERR_INIT;
    struct label *pairs;
    size_t n;
    arena_reset(&m->scratch);
    int rc = prom_text_series(l->series, m->how->n_extra, &m->scratch, &pairs, &n, &why);
    enum reject reason = rc == ERR_LIMIT ? REJECT_label_limit : REJECT_labels;
    if (rc == OK) {
        put_extra(pairs, &n, m->how->extra, m->how->n_extra);
        if ((rc = labels_normalise(pairs, &n, &why)) < 0) reason = labels_reject_pairs(pairs, n);
    }
    if (rc == OK && (rc = limits_labels(m->how->limits, (struct labels){ pairs, n }, &why)) < 0)
        reason = REJECT_label_limit;
    if (rc < 0) {
        fault(m, l->line, reason, why.text);
        m->series = STR("");
        return false;
    }
    batch_series_labels(m->batch, (struct labels){ pairs, n });
    m->series = l->series;
    return true;
}

static void exemplar_line(struct import *m, const struct prom_line *l, int64_t time_ms)
{
    struct prom_text_exemplar x;
    struct err why = ERR_INIT;
    arena_reset(&m->scratch);
    if (prom_text_exemplar(l->exemplar, &m->scratch, &x, &why) < 0 ||
        limits_labels(m->how->limits, x.labels, &why) < 0) {
        fault(m, l->line, REJECT_exemplar, why.text);
        return;
    }
    struct buf packed = BUF_INIT(64 << 20);
    labels_pack(&packed, x.labels);
    if (x.has_time && !m->how->ignore_times) time_ms = x.time_ms;
    batch_exemplar(m->batch, time_ms, x.value, arena_str(m->arena, buf_view(&packed)));
    buf_release(&packed);
}

static void sample_line(struct import *m, const struct prom_line *l)
{
    if (!(m->series.n > 0 && str_eq(l->series, m->series)) && !begin_series(m, l)) return;
    int64_t time_ms = l->has_time && !m->how->ignore_times ? l->time_ms : m->how->default_time_ms;
    batch_sample(m->batch, time_ms, l->value);
    if (l->exemplar.n > 0) exemplar_line(m, l, time_ms);
}

static void bad_line(struct import *m, const struct prom_line *l)
{
    char text[sizeof m->faults->first[0].text];
    snprintf(text, sizeof text, "%s: \"%.*s\"", l->why, (int)MIN(l->text.n, (size_t)80), l->text.p);
    fault(m, l->line, REJECT_value, text);
}

static int room(const struct import *m, struct err *e)
{
    const struct batch *b = m->batch;
    if (UNLIKELY(arena_over(m->arena)))
        return err_set(e, ERR_LIMIT, "the text does not fit the memory of one request");
    if (UNLIKELY(b->n_rows + b->n_exemplars + b->n_metadata >= m->how->limits->rows))
        return err_set(e, ERR_LIMIT, "more than %llu samples in one request",
                       (unsigned long long)m->how->limits->rows);
    return OK;
}

static int lines(struct import *m, struct prom_text *t, struct err *e)
{
    struct prom_line l;
    enum prom_text_kind kind;
    int rc;
    while ((kind = prom_text_next(t, &l)) != PROM_TEXT_END) {
        if ((rc = room(m, e)) < 0) return rc;
        if (kind == PROM_TEXT_SAMPLE)
            sample_line(m, &l);
        else if (kind == PROM_TEXT_BAD)
            bad_line(m, &l);
        else
            meta_line(m, kind, &l);
    }
    meta_flush(m);
    if (m->how->form == PROM_TEXT_OPENMETRICS && !t->has_eof)
        fault(m, t->line, REJECT_value, "no # EOF at the end: the text may be cut off");
    return OK;
}

int prom_text_import(struct str text, const struct prom_text_import *how, struct arena *arena,
                     struct batch *out, struct write_result *refused, struct prom_text_faults *faults,
                     struct err *e)
{
    struct import m = { .how = how,
                        .arena = arena,
                        .scratch = ARENA_INIT(SIZE_MAX),
                        .batch = out,
                        .refused = refused,
                        .faults = faults };
    struct prom_text t;

    check(how->n_extra <= LABELS_MAX);
    batch_init(out, arena, LABELS_PACKED);
    prom_text_open(&t, text, how->form);
    int rc = lines(&m, &t, e);
    arena_release(&m.scratch);
    return rc;
}
