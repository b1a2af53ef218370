/* prom_write_v2.c - io.prometheus.write.v2.Request.
 *
 *     Request  4 symbols[]
 *              5 timeseries { 1 labels_refs, 2 samples { 1, 2, 3 start }, 3 histograms,
 *                             4 exemplars { 1 refs, 2, 3 }, 5 metadata { 1 type, 3 help_ref, 4 unit_ref },
 *                             6 created (early senders) }
 *
 * Always true:
 *   1. Symbols are read before any series, wherever in the message they are; each is checked for UTF-8 once.
 *   2. Every reference is checked against the table before use. A bad one refuses its series, never the
 *      message.
 *   3. raw of a series is canonical (labels.h, packed): sorted, unique, no empty values, UTF-8. */
#include "decode/prom_write.h"

#include "decode/prom_write_row.h"

struct symbol {
    struct str text;
    bool is_utf8;
};

struct request {
    struct prom_write w;
    struct symbol *symbols;
    size_t n_symbols;
    struct str last_family; /* metadata repeats with every series of a family */
};

/* What stands in a series beside its rows. */
struct head {
    struct label pairs[LABELS_MAX];
    size_t n_refs; /* all of them, also those beyond pairs[] */
    const char *fault;
    enum reject reason;
    uint64_t type, help, unit; /* metadata; references */
    bool has_metadata;
    int64_t created_ms;
};

static void head_clear(struct head *h)
{
    h->n_refs = 0; /* pairs[] may stay as it is */
    h->fault = NULL;
    h->type = h->help = h->unit = 0;
    h->has_metadata = false;
    h->created_ms = 0;
}

/* ---- symbols ---- */

static int symbols_read(struct request *q, struct pb r)
{
    struct pb count = r;
    struct pb_field f;
    size_t n = 0;
    while (pb_next(&count, &f)) n += f.tag == PB_LEN(4);
    if (count.why != NULL) return pb_error(&count, q->w.err);
    if (!arena_fits(q->w.arena, n * sizeof *q->symbols))
        return err_set(q->w.err, ERR_LIMIT, "%zu symbols do not fit the memory of one request", n);

    q->symbols = arena_array(q->w.arena, n, sizeof *q->symbols);
    while (pb_next(&r, &f))
        if (f.tag == PB_LEN(4))
            q->symbols[q->n_symbols++] = (struct symbol){ f.bytes, str_utf8_valid(f.bytes) };
    if (n > 0 && q->symbols[0].text.n > 0)
        return err_set(q->w.err, ERR_PARSE, "symbols[0] is not the empty string");
    return OK;
}

static const struct symbol *symbol_at(const struct request *q, uint64_t ref)
{
    return ref < q->n_symbols ? &q->symbols[ref] : NULL;
}

/* ---- labels ---- */

static void fault(struct head *h, enum reject reason, const char *text)
{
    if (h->fault != NULL) return;
    h->fault = text;
    h->reason = reason;
}

static void add_ref(const struct request *q, struct head *h, uint64_t ref)
{
    const struct symbol *s = symbol_at(q, ref);
    size_t i = h->n_refs++;
    if (UNLIKELY(s == NULL)) {
        fault(h, REJECT_labels, "label reference beyond the symbol table");
    } else if (UNLIKELY(!s->is_utf8)) {
        fault(h, REJECT_utf8, "label name or value is not UTF-8");
    } else if (UNLIKELY(i >= 2 * LABELS_MAX)) {
        fault(h, REJECT_label_limit, "too many labels");
    } else if (i % 2 == 0) {
        h->pairs[i / 2].name = s->text;
    } else {
        h->pairs[i / 2].value = s->text;
    }
}

static bool read_refs(const struct request *q, struct pb *r, struct str packed, struct head *h)
{
    struct pb sub = pb_sub(r, packed);
    uint64_t ref = 0;
    while (pb_more(&sub) && pb_varint(&sub, &ref)) add_ref(q, h, ref);
    return pb_join(r, &sub);
}

static bool in_order(const struct label *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].name.n == 0 || pairs[i].value.n == 0) return false;
        if (i > 0 && str_cmp(pairs[i - 1].name, pairs[i].name) >= 0) return false;
    }
    return true;
}

/* The labels of the references; NULL, or what is wrong with them, with the reason in h. `why` holds the text.
 */
static const char *head_labels(const struct request *q, struct head *h, struct labels *out, struct err *why)
{
    if (h->n_refs % 2 != 0) fault(h, REJECT_labels, "odd number of label references");
    if (h->n_refs == 0) fault(h, REJECT_labels, "a series without labels");
    if (h->fault != NULL) return h->fault;

    size_t n = h->n_refs / 2;
    if (UNLIKELY(!in_order(h->pairs, n)) && labels_normalise(h->pairs, &n, why) < 0) {
        fault(h, labels_reject_pairs(h->pairs, n), why->text);
        return h->fault;
    }
    *out = (struct labels){ h->pairs, n };
    if (UNLIKELY(limits_labels(q->w.limits, *out, why) < 0)) fault(h, REJECT_label_limit, why->text);
    return h->fault;
}

static bool read_metadata(struct pb *r, struct str message, struct head *h)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    h->has_metadata = true;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): h->type = f.u; break;
        case PB_VARINT(3): h->help = f.u; break;
        case PB_VARINT(4): h->unit = f.u; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(3) | PB_KNOWN(4));
        }
    }
    return pb_join(r, &sub);
}

/* First look at a series: everything but its rows. */
static int head_read(struct request *q, struct pb r, struct head *h)
{
    struct pb_field f;
    head_clear(h);
    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): read_refs(q, &r, f.bytes, h); break;
        case PB_VARINT(1): add_ref(q, h, f.u); break;
        case PB_LEN(2):
        case PB_LEN(3):
        case PB_LEN(4): break;
        case PB_LEN(5): read_metadata(&r, f.bytes, h); break;
        case PB_VARINT(6): h->created_ms = (int64_t)f.u; break;
        default: pb_other(&r, &f, (PB_KNOWN(7) - 1) & ~PB_KNOWN(0));
        }
    }
    return r.why != NULL ? prom_write_broken(&q->w, &r, "") : OK;
}

/* ---- metadata ---- */

/* Metadata belongs to a family; the series of histograms and summaries carry suffixes. */
static struct str family_of(struct str metric, struct str type)
{
    static const struct {
        const char *type, *suffix;
    } parts[] = {
        { "histogram", "_bucket" },      { "histogram", "_count" },       { "histogram", "_sum" },
        { "gaugehistogram", "_bucket" }, { "gaugehistogram", "_gcount" }, { "gaugehistogram", "_gsum" },
        { "summary", "_count" },         { "summary", "_sum" },
    };
    for (size_t i = 0; i < COUNT(parts); i++) {
        size_t n = strlen(parts[i].suffix);
        if (str_is(type, parts[i].type) && metric.n > n && str_ends(metric, parts[i].suffix))
            return str_make(metric.p, metric.n - n);
    }
    return metric;
}

static void add_metadata(struct request *q, const struct head *h, struct labels l)
{
    const struct symbol *help = symbol_at(q, h->help), *unit = symbol_at(q, h->unit);
    struct str type = prom_metric_type(h->type);
    struct str family = family_of(labels_get(l, LABEL_NAME), type);

    if (help == NULL || unit == NULL || !help->is_utf8 || !unit->is_utf8) {
        refuse_rows(q->w.refused, REJECT_labels, 1, "timeseries[%zu].metadata: bad symbol reference",
                    q->w.series_no);
        return;
    }
    if (h->type == 0 && help->text.n == 0 && unit->text.n == 0) return;
    if (family.n == 0 || str_eq(family, q->last_family)) return;
    batch_metadata(q->w.batch, family, type, help->text, unit->text);
    q->last_family = family;
}

/* ---- rows ---- */

static void exemplar_add(struct request *q, struct head *h, int64_t time_ms, double value)
{
    struct prom_write *w = &q->w;
    struct labels l = { NULL, 0 };
    struct err why = ERR_INIT;
    const char *wrong = h->n_refs > 0 ? head_labels(q, h, &l, &why) : NULL;
    if (wrong != NULL) {
        refuse_rows(w->refused, REJECT_exemplar, 1, "exemplar of timeseries[%zu]: %s", w->series_no, wrong);
        return;
    }
    struct buf packed = BUF_INIT(64 << 20);
    labels_pack(&packed, l);
    batch_exemplar(w->batch, time_ms, value, arena_str(w->arena, buf_view(&packed)));
    buf_release(&packed);
}

static int exemplar(struct request *q, const struct pb *series, struct str message)
{
    struct pb r = pb_sub(series, message);
    struct head h;
    struct pb_field f;
    double value = 0;
    int64_t time_ms = 0;

    head_clear(&h);
    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(1): read_refs(q, &r, f.bytes, &h); break;
        case PB_VARINT(1): add_ref(q, &h, f.u); break;
        case PB_I64(2): value = pb_double(f.u); break;
        case PB_VARINT(3): time_ms = (int64_t)f.u; break;
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    if (r.why != NULL) return prom_write_broken(&q->w, &r, ".exemplars");
    if (prom_write_room(&q->w) < 0) return ERR_LIMIT;
    exemplar_add(q, &h, time_ms, value);
    return OK;
}

static int series_rows(struct request *q, struct pb r)
{
    struct pb_field f;
    int rc = OK;
    while (rc == OK && pb_next(&r, &f)) { /* head_read has seen every field: no wire error can come up here */
        switch (f.tag) {
        case PB_LEN(2): rc = prom_write_sample(&q->w, &r, f.bytes); break;
        case PB_LEN(3): rc = prom_write_histogram(&q->w, &r, f.bytes); break;
        case PB_LEN(4): rc = exemplar(q, &r, f.bytes); break;
        }
    }
    return rc;
}

/* A start time given once for the series stands for rows that have none of their own. */
static void spread_created(struct batch *b, size_t first_row, int64_t created_ms)
{
    if (b->n_rows == first_row) return;
    if (b->start_ms == NULL || b->start_ms[b->n_rows - 1] == 0) batch_start(b, created_ms);
    for (size_t i = first_row; i < b->n_rows; i++)
        if (b->start_ms[i] == 0) b->start_ms[i] = created_ms;
}

static int series(struct request *q, const struct pb *request, struct str message, struct head *h)
{
    struct prom_write *w = &q->w;
    struct batch *b = w->batch;
    struct batch_mark before = batch_mark(b);
    struct pb r = pb_sub(request, message);
    struct labels l = { NULL, 0 };
    struct err why;
    int rc;

    if ((rc = head_read(q, r, h)) < 0) return rc;
    const char *wrong = head_labels(q, h, &l, &why);
    if (UNLIKELY(wrong != NULL))
        batch_series(b, STR("")); /* its rows are read to be counted, then taken back */
    else
        batch_series_labels(b, l);
    if ((rc = series_rows(q, r)) < 0) return rc;

    if (UNLIKELY(wrong != NULL)) {
        size_t rows = batch_take_back(b, before);
        refuse_rows(w->refused, h->reason, rows ? rows : 1, "timeseries[%zu]: %s", w->series_no, wrong);
        return OK;
    }
    if (h->created_ms != 0) spread_created(b, before.rows, h->created_ms);
    if (h->has_metadata) {
        if (prom_write_room(w) < 0) return ERR_LIMIT;
        add_metadata(q, h, l);
    }
    if (b->n_rows == before.rows && b->n_exemplars == before.exemplars) batch_take_back(b, before);
    return OK;
}

int prom_write_v2(struct str body, const struct decode_limits *limits, struct arena *arena, struct batch *out,
                  struct write_result *refused, struct err *e)
{
    struct request q = { .w = {
                             .batch = out, .arena = arena, .limits = limits, .refused = refused, .err = e } };
    struct pb r = pb_open(body);
    struct pb_field f;
    struct head head;
    int rc;

    batch_init(out, arena, LABELS_PACKED);
    if ((rc = symbols_read(&q, r)) < 0) return rc;
    while (rc == OK && pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_LEN(4): break;
        case PB_LEN(5): rc = series(&q, &r, f.bytes, &head), q.w.series_no++; break;
        default: pb_other(&r, &f, PB_KNOWN(4) | PB_KNOWN(5));
        }
    }
    return rc < 0 ? rc : pb_error(&r, e);
}
