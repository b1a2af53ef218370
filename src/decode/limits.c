#include "decode/limits.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

void refuse_rows(struct write_result *refused, enum reject reason, uint64_t n, const char *fmt, ...)
{
    check((unsigned)reason < REJECT_COUNT);
    if (refused->rejected_total == 0 && refused->why[0] == 0) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(refused->why, sizeof refused->why, fmt, ap);
        va_end(ap);
    }
    refused->rejected[reason] += n;
    refused->rejected_total += n;
}

static int too_long(struct labels l, const struct label *at, const char *what, size_t n, size_t max,
                    struct err *e)
{
    struct str metric = labels_get(l, LABEL_NAME);
    return err_set(
        e, ERR_LIMIT, "metric \"%.*s\", label \"%.*s\": %s of %zu bytes is longer than the limit of %zu",
        (int)MIN(metric.n, (size_t)80), metric.p, (int)MIN(at->name.n, (size_t)80), at->name.p, what, n, max);
}

int limits_labels(const struct decode_limits *limits, struct labels l, struct err *e)
{
    if (l.n > limits->labels) {
        struct str metric = labels_get(l, LABEL_NAME);
        return err_set(e, ERR_LIMIT, "metric \"%.*s\": %zu labels are more than the limit of %u",
                       (int)MIN(metric.n, (size_t)80), metric.p, l.n, limits->labels);
    }
    for (size_t i = 0; i < l.n; i++) {
        const struct label *at = &l.at[i];
        if (UNLIKELY(at->name.n > limits->name_bytes))
            return too_long(l, at, "name", at->name.n, limits->name_bytes, e);
        if (UNLIKELY(at->value.n > limits->value_bytes))
            return too_long(l, at, "value", at->value.n, limits->value_bytes, e);
    }
    return OK;
}
