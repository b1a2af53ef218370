/* batch.c - columns filled row by row.
 *
 * Always true:
 *   1. Rows of series i are [row, row + n_rows), in the order they were added; series follow one
 *      another without gaps.
 *   2. hist and start_ms are NULL until the first row needs them; from then on they are as long as
 *      the other columns, and the rows from before have NULL and 0. */
#include "model/batch.h"

#include "base/check.h"

void batch_init(struct batch *b, struct arena *a, enum labels_spelling spelling)
{
    *b = (struct batch){ .arena = a, .spelling = spelling };
}

void batch_series_known(struct batch *b, struct str raw, struct hash128 key)
{
    check(b->n_rows <= UINT32_MAX);
    b->series = arena_grow(b->arena, b->series, b->n_series, &b->cap_series, sizeof *b->series);
    b->series[b->n_series++] = (struct batch_series){ .key = key, .raw = raw, .row = (uint32_t)b->n_rows };
}

void batch_series(struct batch *b, struct str raw)
{
    batch_series_known(b, raw, hash128_seed(raw.p, raw.n, b->spelling));
}

void batch_series_labels(struct batch *b, struct labels l)
{
    check(b->spelling == LABELS_PACKED);

    size_t most = 0;
    for (size_t i = 0; i < l.n; i++)
        most += l.at[i].name.n + l.at[i].value.n + 2 * 10; /* varints of 10 bytes at most */
    struct buf packed = { .p = arena_alloc(b->arena, most + 1), .cap = most + 1, .max = most + 1 };
    labels_pack(&packed, l);
    batch_series(b, buf_view(&packed));
}

/* All row columns share cap_rows, so they grow together. */
static void grow_rows(struct batch *b)
{
    size_t n = b->n_rows, cap = b->cap_rows;
    b->time_ms = arena_grow(b->arena, b->time_ms, n, &cap, sizeof *b->time_ms);
    cap = b->cap_rows;
    b->value = arena_grow(b->arena, b->value, n, &cap, sizeof *b->value);
    if (b->hist != NULL) {
        cap = b->cap_rows;
        b->hist = arena_grow(b->arena, b->hist, n, &cap, sizeof *b->hist);
    }
    if (b->start_ms != NULL) {
        cap = b->cap_rows;
        b->start_ms = arena_grow(b->arena, b->start_ms, n, &cap, sizeof *b->start_ms);
    }
    b->cap_rows = cap;
}

void batch_sample(struct batch *b, int64_t time_ms, double value)
{
    check(b->n_series > 0);
    if (b->n_rows == b->cap_rows) grow_rows(b);

    size_t row = b->n_rows++;
    b->time_ms[row] = time_ms;
    b->value[row] = value;
    if (b->hist != NULL) b->hist[row] = NULL;
    if (b->start_ms != NULL) b->start_ms[row] = 0;
    b->series[b->n_series - 1].n_rows++;
}

void batch_histogram(struct batch *b, int64_t time_ms, struct histogram *h)
{
    batch_sample(b, time_ms, h->sum);
    if (b->hist == NULL) b->hist = arena_zero(b->arena, b->cap_rows * sizeof *b->hist);
    b->hist[b->n_rows - 1] = h;
}

void batch_start(struct batch *b, int64_t start_ms)
{
    check(b->n_rows > 0);
    if (b->start_ms == NULL) {
        if (start_ms == 0) return;
        b->start_ms = arena_zero(b->arena, b->cap_rows * sizeof *b->start_ms);
    }
    b->start_ms[b->n_rows - 1] = start_ms;
}

void batch_exemplar(struct batch *b, int64_t time_ms, double value, struct str packed_labels)
{
    check(b->n_series > 0);
    b->exemplars =
        arena_grow(b->arena, b->exemplars, b->n_exemplars, &b->cap_exemplars, sizeof *b->exemplars);
    b->exemplars[b->n_exemplars++] = (struct batch_exemplar){
        .series = (uint32_t)(b->n_series - 1),
        .time_ms = time_ms,
        .value = value,
        .labels = packed_labels,
    };
}

void batch_metadata(struct batch *b, struct str family, struct str type, struct str help, struct str unit)
{
    b->metadata = arena_grow(b->arena, b->metadata, b->n_metadata, &b->cap_metadata, sizeof *b->metadata);
    b->metadata[b->n_metadata++] = (struct batch_metadata){ family, type, help, unit };
}
