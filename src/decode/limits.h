/* limits.h - what a decoder lets in of a well-formed message, and the account of what it did not.
 *
 * A refused row is counted under its reason and the first one is described, naming its series; the rest of
 * the message is kept. Only a ceiling on the message as a whole (rows) ends the decoding, with ERR_LIMIT. */
#pragma once
#include <stdint.h>

#include "model/labels.h"
#include "model/reject.h"
#include "model/store.h"

struct decode_limits {
    uint32_t labels;      /* pairs a series; at most LABELS_MAX */
    uint32_t name_bytes;  /* of a label name */
    uint32_t value_bytes; /* of a label value */
    uint64_t rows;        /* of one message: samples, histograms, exemplars, metadata together */
};

#define DECODE_LIMITS_DEFAULT                                                                                \
    {                                                                                                        \
        .labels = 64, .name_bytes = 256, .value_bytes = 4096, .rows = 4u << 20                               \
    }

/* Count n rows as refused for this reason; the text (of the first call only) goes to refused->why. */
void refuse_rows(struct write_result *refused, enum reject reason, uint64_t n, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* OK, or ERR_LIMIT with a text that names the metric and the label. */
int limits_labels(const struct decode_limits *, struct labels, struct err *);
