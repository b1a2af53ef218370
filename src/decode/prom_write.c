/* prom_write.c - prometheus.WriteRequest, the hot path of the whole server.
 *
 *     WriteRequest  1 timeseries { 1 labels { 1 name, 2 value }, 2 samples { 1 double, 2 ms },
 *                                  3 exemplars { 1 labels, 2 value, 3 ms }, 4 histograms }
 *                   3 metadata   { 1 type, 2 family, 4 help, 5 unit }
 *
 * Always true:
 *   1. Every known sender writes a series' labels first and together: then raw is exactly that run of
 *      the body, found by hopping from length to length. Only for a message that is otherwise are the
 *      labels gathered into the arena.
 *   2. Labels are neither parsed nor checked here, but for one case: so many, or one so long, that a
 *      limit may be broken.
 *   3. A series that is refused leaves no row and no exemplar behind. */
#include "decode/prom_write.h"

#include "decode/prom_write_row.h"

#define LABEL_TAG 0x0a /* field 1, LEN: a label of a TimeSeries or of an Exemplar */

struct label_run {
    struct str raw;
    size_t n, longest; /* labels, and the bytes of the longest one */
};

/* The labels that lie at the cursor; the cursor moves past them. The cursor is kept in registers: this loop
 * is where most of the bytes of a request go by. */
static inline struct label_run leading_labels(struct pb *r)
{
    const uint8_t *begin = r->p, *p = begin, *end = r->end;
    struct label_run run = { .n = 0 };
    while (end - p >= 2 && p[0] == LABEL_TAG) {
        size_t n = p[1];
        if (LIKELY(n < 0x80 && n <= (size_t)(end - p - 2))) {
            p += 2 + n;
        } else {
            struct str label;
            r->p = p + 1;
            if (!pb_bytes(r, &label)) return run; /* r has the error */
            n = label.n;
            p = r->p;
        }
        run.n++;
        run.longest = MAX(run.longest, n);
    }
    r->p = p;
    run.raw = str_make(begin, (size_t)(p - begin));
    return run;
}

/* All labels of a message, wherever they are, as one run in the arena. */
static struct label_run gathered_labels(struct pb r, struct arena *a)
{
    char *to = arena_alloc(a, (size_t)(r.end - r.p));
    struct label_run run = { .raw = { to, 0 } };
    struct pb_field f;
    for (const uint8_t *at = r.p; pb_next(&r, &f); at = r.p) {
        if (f.tag != PB_LEN(1)) continue;
        memcpy(to + run.raw.n, at, (size_t)(r.p - at));
        run.raw.n += (size_t)(r.p - at);
        run.n++;
        run.longest = MAX(run.longest, f.bytes.n);
    }
    return run;
}

/* ---- exemplars ---- */

static int exemplar_add(struct prom_write *w, struct str run, int64_t time_ms, double value)
{
    struct labels l = { NULL, 0 };
    struct err why = ERR_INIT;
    if (run.n > 0 &&
        (labels_from(LABELS_PROTO, run, w->arena, &l, &why) < 0 || limits_labels(w->limits, l, &why) < 0)) {
        refuse_rows(w->refused, REJECT_exemplar, 1, "exemplar of timeseries[%zu]: %s", w->series_no,
                    why.text);
        return OK;
    }
    struct buf packed = BUF_INIT(64 << 20);
    labels_pack(&packed, l);
    batch_exemplar(w->batch, time_ms, value, arena_str(w->arena, buf_view(&packed)));
    buf_release(&packed);
    return OK;
}

static int exemplar(struct prom_write *w, const struct pb *series, struct str message)
{
    struct pb r = pb_sub(series, message);
    struct label_run run = leading_labels(&r);
    struct pb_field f;
    double value = 0;
    int64_t time_ms = 0;
    bool scattered = false;

    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): scattered = true; break;
        case PB_I64(2): value = pb_double(f.u); break;
        case PB_VARINT(3): time_ms = (int64_t)f.u; break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    if (r.why != NULL) return prom_write_broken(w, &r, ".exemplars");
    if (prom_write_room(w) < 0) return ERR_LIMIT;
    if (scattered) run = gathered_labels(pb_sub(series, message), w->arena);
    return exemplar_add(w, run.raw, time_ms, value);
}

/* ---- series ---- */

/* Whatever follows the labels; *scattered when labels are among it. */
static int series_rows(struct prom_write *w, struct pb *r, bool *scattered)
{
    struct pb_field f;
    int rc;
    while (pb_next(r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): *scattered = true; continue;
        case PB_LEN(2): rc = prom_write_sample(w, r, f.bytes); break;
        case PB_LEN(3): rc = exemplar(w, r, f.bytes); break;
        case PB_LEN(4): rc = prom_write_histogram(w, r, f.bytes); break;
        default: pb_other(r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3) | PB_KNOWN(4)); continue;
        }
        if (UNLIKELY(rc < 0)) return rc;
    }
    return UNLIKELY(r->why != NULL) ? prom_write_broken(w, r, "") : OK;
}

static void refuse_series(struct prom_write *w, struct batch_mark before, enum reject reason, const char *why)
{
    size_t rows = batch_take_back(w->batch, before);
    refuse_rows(w->refused, reason, rows ? rows : 1, "timeseries[%zu]: %s", w->series_no, why);
}

/* Some limit may be broken; only the labels themselves can tell. */
static void check_labels(struct prom_write *w, struct batch_mark before, struct str run)
{
    struct labels l;
    struct err why = ERR_INIT;
    if (labels_from(LABELS_PROTO, run, w->arena, &l, &why) < 0)
        refuse_series(w, before, labels_reject(LABELS_PROTO, run), why.text);
    else if (limits_labels(w->limits, l, &why) < 0)
        refuse_series(w, before, REJECT_label_limit, why.text);
}

static int series(struct prom_write *w, const struct pb *request, struct str message)
{
    struct batch *b = w->batch;
    struct batch_mark before = batch_mark(b);
    struct pb r = pb_sub(request, message);
    struct label_run run = leading_labels(&r);
    bool scattered = false;
    int rc;

    if (UNLIKELY(r.why != NULL)) return prom_write_broken(w, &r, ".labels");
    batch_series(b, run.raw);
    rc = series_rows(w, &r, &scattered);
    if (UNLIKELY(rc < 0)) return rc;

    if (UNLIKELY(scattered)) {
        /* Begin again with all labels. What was refused of this series has been counted; say it only once. */
        struct write_result counted = *w->refused;
        batch_take_back(b, before);
        r = pb_sub(request, message);
        run = gathered_labels(r, w->arena);
        batch_series(b, run.raw);
        if ((rc = series_rows(w, &r, &scattered)) < 0) return rc;
        *w->refused = counted;
    }
    if (UNLIKELY(b->n_rows == before.rows && b->n_exemplars == before.exemplars)) {
        batch_take_back(b, before); /* nothing in it */
        return OK;
    }
    if (UNLIKELY(run.n == 0))
        refuse_series(w, before, REJECT_labels, "a series without labels");
    else if (UNLIKELY(run.n > w->limits->labels ||
                      run.longest > MIN(w->limits->name_bytes, w->limits->value_bytes)))
        check_labels(w, before, run.raw);
    return OK;
}

/* ---- metadata ---- */

static int metadata(struct prom_write *w, const struct pb *request, struct str message)
{
    struct pb r = pb_sub(request, message);
    struct str family = STR(""), help = STR(""), unit = STR("");
    uint64_t type = 0;
    struct pb_field f;

    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): type = f.u; break;
        case PB_LEN(2): family = f.bytes; break;
        case PB_LEN(4): help = f.bytes; break;
        case PB_LEN(5): unit = f.bytes; break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(4) | PB_KNOWN(5));
        }
    }
    if (r.why != NULL) {
        int rc = pb_error(&r, w->err);
        err_where(w->err, "metadata[%zu]", w->batch->n_metadata);
        return rc;
    }
    if (prom_write_room(w) < 0) return ERR_LIMIT;
    if (family.n == 0 || family.n > w->limits->value_bytes || !str_utf8_valid(family))
        refuse_rows(w->refused, REJECT_name, 1, "metadata without a usable metric family name");
    else if (!str_utf8_valid(help) || !str_utf8_valid(unit))
        refuse_rows(w->refused, REJECT_utf8, 1, "metadata of %.*s: help or unit is not UTF-8",
                    (int)MIN(family.n, (size_t)128), family.p);
    else
        batch_metadata(w->batch, family, prom_metric_type(type), help, unit);
    return OK;
}

int prom_write_v1(struct str body, const struct decode_limits *limits, struct arena *arena, struct batch *out,
                  struct write_result *refused, struct err *e)
{
    struct prom_write w = { .batch = out, .arena = arena, .limits = limits, .refused = refused, .err = e };
    struct pb r = pb_open(body);
    struct pb_field f;
    int rc = OK;

    batch_init(out, arena, LABELS_PROTO);
    while (rc == OK && pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): rc = series(&w, &r, f.bytes), w.series_no++; break;
        case PB_LEN(3): rc = metadata(&w, &r, f.bytes); break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(3));
        }
    }
    return rc < 0 ? rc : pb_error(&r, e);
}
