/* labels.h - what names a series: label pairs, sorted by name, __name__ among them.
 *
 * Three spellings of the same thing:
 *   struct labels   an array of borrowed (name, value) pairs, for code that looks at them;
 *   packed          one run of bytes: for each pair, sorted by name: varint n, name, varint n, value.
 * Canonical: two series are the same when their packed bytes are. Identity is XXH3-128 of it (labels_id);
 *   proto           field 1 of Prometheus' TimeSeries message, repeated, just as it came over the wire (still
 * to be checked). An empty value means "no such label" and is left out of packed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "model/reject.h"

#define LABEL_NAME      "__name__"
#define LABELS_MAX      128         /* pairs a series */
#define LABEL_NAME_MAX  1024        /* bytes */
#define LABEL_VALUE_MAX (64u << 10) /* bytes; receive/limit sets lower ones */

struct label {
    struct str name, value;
};

struct labels {
    const struct label *at; /* sorted by name, unique, no empty values */
    size_t n;
};

enum labels_spelling { LABELS_PACKED, LABELS_PROTO };

/* Sort in place, drop empty values; ERR_RANGE for duplicates, empty or non-UTF-8 names, non-UTF-8 values, no
 * pairs or too many. */
int labels_normalise(struct label *pairs, size_t *n, struct err *);

void labels_pack(struct buf *out, struct labels);               /* appends packed */
struct labels labels_unpack(struct str packed, struct arena *); /* packed must be ours: a bug otherwise */
int labels_unpack_checked(struct str packed, struct arena *, struct labels *out,
                          struct err *); /* bytes from disk or wire */
int labels_from(enum labels_spelling, struct str raw, struct arena *, struct labels *out,
                struct err *); /* checked and normalised */

/* Why labels_normalise or labels_from refused these, as it is counted: REJECT_labels, _utf8 or _label_limit.
 */
enum reject labels_reject_pairs(const struct label *pairs, size_t n);
enum reject labels_reject(enum labels_spelling, struct str raw);

struct hash128 labels_id(struct labels);
static inline struct hash128 labels_packed_id(struct str packed)
{
    return hash128(packed.p, packed.n);
}

struct str labels_get(struct labels, const char *name); /* empty when absent */
struct str labels_get_str(struct labels, struct str name);
int labels_cmp(struct labels a,
               struct labels b); /* Prometheus' order: pair by pair, name then value, the shorter first */
bool labels_eq(struct labels a, struct labels b);

/* A legacy metric or label name ([a-zA-Z_:][a-zA-Z0-9_:]* resp. without the colon); others must be quoted in
 * text forms. */
bool metric_name_is_plain(struct str);
bool label_name_is_plain(struct str);

/* up{job="x"}; {"odd name", "odd.label"="y"} - as PromQL writes it. */
void labels_print(struct buf *out, struct labels);
