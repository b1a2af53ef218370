/* batch.h - rows on their way in, as columns: what one request, scrape or rule brings, one section per table.
 *
 * Filled by decoders (arena memory), borrowed by store_write. One batch is acknowledged as a whole.
 *
 * Metrics: series[i] owns rows [row, row + n_rows). `raw` spells its labels (see labels.h); `key` is XXH3-128
 * of raw, seeded with the spelling, so that the store can recognise a known series without looking at a
 * single label. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/record.h"

struct batch_series {
    struct hash128 key;
    struct str raw;
    uint32_t row, n_rows;
};

struct batch_exemplar {
    uint32_t series; /* index into series[] */
    int64_t time_ms;
    double value;
    struct str labels; /* packed */
};

struct batch_metadata {
    struct str family; /* metric family name, without _total/_bucket/... as the source gave it */
    struct str type, help,
        unit; /* type: counter gauge histogram gaugehistogram summary info stateset unknown, or empty */
};

struct batch {
    struct arena *arena;

    enum labels_spelling spelling; /* of all series[] */
    struct batch_series *series;
    size_t n_series, cap_series;

    size_t n_rows, cap_rows; /* the row columns, parallel */
    int64_t *time_ms;
    double *value;           /* of a histogram row: its sum */
    struct histogram **hist; /* NULL: no histogram in this batch; hist[i] NULL: row i is a float */
    int64_t *start_ms;       /* NULL: none; 0: unknown start time (remote write 2.0, OTLP) */

    struct batch_exemplar *exemplars;
    size_t n_exemplars, cap_exemplars;
    struct batch_metadata *metadata;
    size_t n_metadata, cap_metadata;

    struct records *logs, *spans; /* NULL: none; ended (records_end) before the batch is written */
    struct hash128 id; /* of the request's body: a batch of records that was written within the last minutes
                          is acknowledged and not written again; zeros: none */
};

void batch_init(struct batch *, struct arena *, enum labels_spelling);

/* Start a series: its key is computed here. raw is borrowed (arena or request body). Rows added next belong
 * to it. */
void batch_series(struct batch *, struct str raw);
void batch_series_known(struct batch *, struct str raw,
                        struct hash128 key); /* the key batch_series would compute */
void batch_series_labels(struct batch *,
                         struct labels); /* packs into the arena; spelling must be LABELS_PACKED */
void batch_sample(struct batch *, int64_t time_ms, double value);
void batch_histogram(struct batch *, int64_t time_ms, struct histogram *);
void batch_start(struct batch *, int64_t start_ms); /* start time of the row just added */
void batch_exemplar(struct batch *, int64_t time_ms, double value,
                    struct str packed_labels); /* of the series just begun */
void batch_metadata(struct batch *, struct str family, struct str type, struct str help, struct str unit);
