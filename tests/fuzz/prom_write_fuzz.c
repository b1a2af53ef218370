/* Remote write bodies. The first byte chooses the version; memory and rows are kept small, so that ceilings
 * are met too. */
#include "base/check.h"
#include "decode/prom_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look(const struct batch *b, struct arena *a)
{
    size_t rows = 0;
    for (size_t i = 0; i < b->n_series; i++) {
        const struct batch_series *s = &b->series[i];
        struct labels l;
        check(s->row == rows); /* series follow one another without gaps */
        rows += s->n_rows;
        if (labels_from(b->spelling, s->raw, a, &l, NULL) < 0) check(b->spelling == LABELS_PROTO);
    }
    check(rows == b->n_rows);
    for (size_t i = 0; i < b->n_rows; i++)
        if (b->hist != NULL && b->hist[i] != NULL) check(histogram_check(b->hist[i], NULL) == OK);
    for (size_t i = 0; i < b->n_exemplars; i++) {
        struct labels l;
        check(b->exemplars[i].series < b->n_series);
        if (b->exemplars[i].labels.n > 0)
            check(labels_unpack_checked(b->exemplars[i].labels, a, &l, NULL) == OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct decode_limits limits = { .labels = 20, .name_bytes = 100, .value_bytes = 200, .rows = 2000 };
    struct arena a = ARENA_INIT(1 << 20);
    struct write_result refused = { 0 };
    struct batch b;
    struct err e = { 0 };
    if (n == 0) return 0;

    struct str body = str_make(data + 1, n - 1);
    int rc = (data[0] & 1 ? prom_write_v2 : prom_write_v1)(body, &limits, &a, &b, &refused, &e);
    check(rc == OK || rc == ERR_PARSE || rc == ERR_LIMIT);
    if (rc == OK)
        look(&b, &a);
    else
        check(e.text[0] != 0);
    arena_release(&a);
    return 0;
}
