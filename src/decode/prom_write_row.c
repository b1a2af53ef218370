#include "decode/prom_write_row.h"

#include "decode/prom_histogram.h"

int prom_write_broken(struct prom_write *w, const struct pb *sub, const char *field)
{
    int rc = pb_error(sub, w->err);
    err_where(w->err, "timeseries[%zu]%s", w->series_no, field);
    return rc;
}

int prom_write_any_sample(struct prom_write *w, const struct pb *series, struct str message)
{
    struct pb r = pb_sub(series, message);
    struct pb_field f;
    double value = 0; /* protobuf's defaults stand for what is not there */
    int64_t time_ms = 0, start_ms = 0;

    while (pb_next(&r, &f)) {
        switch (f.tag) {
        case PB_I64(1): value = pb_double(f.u); break;
        case PB_VARINT(2): time_ms = (int64_t)f.u; break;
        case PB_VARINT(3): start_ms = (int64_t)f.u; break; /* 2.0 only; 1.0 has no field 3 */
        default: pb_other(&r, &f, PB_KNOWN(1) | PB_KNOWN(2) | PB_KNOWN(3));
        }
    }
    if (UNLIKELY(r.why != NULL)) return prom_write_broken(w, &r, ".samples");
    if (UNLIKELY(prom_write_room(w) < 0)) return ERR_LIMIT;
    batch_sample(w->batch, time_ms, value);
    if (start_ms != 0) batch_start(w->batch, start_ms);
    return OK;
}

/* The labels of the series at hand as text, as far as they can be read. */
static struct str series_text(struct prom_write *w)
{
    const struct batch_series *s = &w->batch->series[w->batch->n_series - 1];
    struct labels l;
    struct buf text = BUF_INIT(512);
    if (labels_from(w->batch->spelling, s->raw, w->arena, &l, NULL) == OK) labels_print(&text, l);
    if (text.n == 0) buf_printf(&text, "timeseries[%zu]", w->series_no);
    struct str kept = arena_str(w->arena, buf_view(&text));
    buf_release(&text);
    return kept;
}

int prom_write_histogram(struct prom_write *w, const struct pb *series, struct str message)
{
    struct pb r = pb_sub(series, message);
    struct prom_histogram h;
    struct err why = ERR_INIT;

    if (!prom_histogram_read(&r, w->arena, &h)) return prom_write_broken(w, &r, ".histograms");
    if (prom_write_room(w) < 0) return ERR_LIMIT;
    if (prom_histogram_check(&h, &why) < 0) {
        struct str text = series_text(w);
        refuse_rows(w->refused, REJECT_histogram, 1, "%.*s: %s", STR_ARG(text), why.text);
        return OK;
    }
    batch_histogram(w->batch, h.time_ms, h.h);
    if (h.start_ms != 0) batch_start(w->batch, h.start_ms);
    return OK;
}

struct str prom_metric_type(uint64_t number)
{
    static const char *const names[] = { "unknown",        "counter", "gauge", "histogram",
                                         "gaugehistogram", "summary", "info",  "stateset" };
    return number < COUNT(names) ? str_of(names[number]) : STR("");
}
