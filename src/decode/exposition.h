/* exposition.h - metric families written as text 0.0.4, OpenMetrics 1.0 or delimited protobuf, as the
 * reader's Accept asks.
 *
 *     struct exposition_format format = exposition_negotiate(http_header(x, "Accept"));
 *     struct exposition w;
 *     exposition_begin(&w, &format, &body);
 *     exposition_family(&w, STR("http_requests_total"), STR("counter"), STR("Requests served."), STR(""));
 *     exposition_sample(&w, &(struct exposition_sample){ .labels = labels, .value = 17 });
 *     exposition_end(&w);
 *     answer with exposition_content_type(&format, text), body          (body.full: it was too large)
 *
 * Families have their classic names (counters with _total); OpenMetrics' rules on names are applied here. A
 * family without samples is not written. Samples of one histogram or summary (same labels but le and
 * quantile) follow one another. Names that are not plain are escaped or quoted as negotiated. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/histogram.h"
#include "model/labels.h"

enum exposition_form { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS, EXPOSITION_PROTOBUF };
enum exposition_escaping { ESCAPING_UNDERSCORES, ESCAPING_ALLOW_UTF8, ESCAPING_DOTS, ESCAPING_VALUES };

struct exposition_format {
    enum exposition_form form;
    enum exposition_escaping escaping;
    bool escaping_asked; /* the reader said so, and is told so */
    const char *version; /* "0.0.4", "1.0.0", "0.0.1"; NULL for protobuf */
};

/* By an Accept header, with its q values; nothing we speak, or nothing said: text. */
struct exposition_format exposition_negotiate(struct str accept);

#define EXPOSITION_TYPE_MAX 160
/* The Content-Type, terminated; returns out. */
const char *exposition_content_type(const struct exposition_format *, char out[EXPOSITION_TYPE_MAX]);

/* A metric or label name as this escaping has it; appended. Plain names stay as they are, but for
 * ESCAPING_DOTS. */
void exposition_escape_name(struct buf *out, struct str name, enum exposition_escaping, bool is_metric);

struct exposition_exemplar {
    struct labels labels;
    double value;
    int64_t time_ms; /* 0: not said */
};

struct exposition_sample {
    struct str suffix;    /* "", "_bucket", "_sum", "_count" */
    struct labels labels; /* __name__ in it is not written */
    double value;
    bool has_time;
    int64_t time_ms;
    const struct exposition_exemplar *exemplar; /* NULL: none; text 0.0.4 has no place for it */
    const struct histogram *hist; /* native: written in protobuf only; suffix and value do not count */
};

struct exposition {
    struct buf *out;
    struct exposition_format format;
    struct str name, type, help, unit; /* of the family at hand; borrowed */
    bool is_open;                      /* it has samples */
    struct buf family, metric, parts,
        key; /* protobuf: the family, the metric under way, its buckets, and what it is of */
    double sum, count;
    bool has_native; /* the family holds native histograms */
};

void exposition_begin(struct exposition *, const struct exposition_format *, struct buf *out);
/* type as in batch_metadata (model/batch.h); empty is unknown. All is borrowed until the next family or the
 * end. */
void exposition_family(struct exposition *, struct str name, struct str type, struct str help,
                       struct str unit);
void exposition_sample(struct exposition *, const struct exposition_sample *);
void exposition_end(struct exposition *); /* releases what the writer had; out is the caller's */
