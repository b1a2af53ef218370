/* Text 0.0.4 and OpenMetrics: the import of the whole, and the pieces as a scraper takes them. Bit 0 of the
 * first byte chooses the form. What the importer keeps must be well formed, and the iterator must agree with
 * it. */
#include <math.h>

#include "base/check.h"
#include "decode/prom_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pieces(struct str text, enum prom_text_form form, struct arena *a)
{
    struct prom_text t;
    struct prom_line l;
    enum prom_text_kind kind;
    size_t line = 0;
    prom_text_open(&t, text, form);
    while ((kind = prom_text_next(&t, &l)) != PROM_TEXT_END) {
        struct label *pairs;
        size_t n;
        struct prom_text_exemplar x;
        struct err e = { 0 };
        check(l.line > line); /* progress */
        line = l.line;
        if (kind == PROM_TEXT_BAD) check(prom_text_bad(&l, &e) == ERR_PARSE && e.text[0] != 0);
        if (kind != PROM_TEXT_SAMPLE) continue;
        check(l.series.p >= text.p && l.series.p + l.series.n <= text.p + text.n);
        if (prom_text_series(l.series, 1, a, &pairs, &n, &e) == OK) check(n > 0 && n <= LABELS_MAX);
        if (l.exemplar.n > 0) (void)prom_text_exemplar(l.exemplar, a, &x, &e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct decode_limits limits = { .labels = 20, .name_bytes = 100, .value_bytes = 200, .rows = 2000 };
    const struct label extra[] = { { STR("job"), STR("fuzz") } };
    struct arena a = ARENA_INIT(1 << 22);
    struct write_result refused = { 0 };
    struct prom_text_faults faults = { 0 };
    struct batch b;
    struct err e = { 0 };
    if (n == 0) return 0;

    struct prom_text_import how = { .form = (enum prom_text_form)(data[0] & 1),
                                    .limits = &limits,
                                    .default_time_ms = 5,
                                    .extra = extra,
                                    .n_extra = data[0] >> 1 & 1 };
    struct str text = str_make(data + 1, n - 1);
    int rc = prom_text_import(text, &how, &a, &b, &refused, &faults, &e);
    check(rc == OK || rc == ERR_LIMIT);
    check(refused.rejected_total == faults.total);
    for (size_t i = 0; rc == OK && i < b.n_series; i++) {
        struct labels l;
        check(labels_unpack_checked(b.series[i].raw, &a, &l, NULL) == OK);
    }
    for (size_t i = 0; rc == OK && i < b.n_rows; i++)
        check(!isnan(b.value[i]) || double_bits(b.value[i]) == NAN_BITS);
    pieces(text, how.form, &a);
    arena_release(&a);
    return 0;
}
