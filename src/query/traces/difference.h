/* difference.h - what is special about some spans: the values that are more frequent, or rarer, among those
 * selected than among all others of the same time.
 *
 * Looked at are the newest DIFFERENCE_SPANS of each side; attributes of the span and its resource, and its
 * name, kind, status and service. Long texts, ids and fields with more than DIFFERENCE_VALUES values tell no
 * group apart and are left out. */
#pragma once
#include "model/store.h"

#define DIFFERENCE_SPANS  20000
#define DIFFERENCE_FIELDS 200
#define DIFFERENCE_VALUES 256 /* distinct values a field may have */
#define DIFFERENCE_TEXT   128 /* bytes a value may have */

struct difference_ask {
    int64_t from_ns, to_ns;           /* of both sides; closed */
    const struct predicate *base;     /* of both sides; NULL: all spans */
    const struct predicate *selected; /* which of them are selected */
};

struct difference {
    struct field field;
    struct value value;
    uint64_t selected, others;           /* spans that have it */
    double selected_share, others_share; /* of all spans of the side, 0 to 1 */
};

struct difference_report {
    struct difference *at; /* the largest difference of shares first */
    size_t n;
    uint64_t selected, others; /* spans looked at */
    bool is_sampled;           /* there were more */
};

/* At most `limit` differences; everything in the call's arena. */
int span_differences(struct store_view *, struct call *, const struct difference_ask *, size_t limit,
                     struct difference_report *, struct err *);
