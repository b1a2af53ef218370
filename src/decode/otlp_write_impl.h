/* otlp_write_impl.h - what the two encodings of otlp_write.h have in common. */
#pragma once
#include "base/json.h"
#include "decode/otlp_write.h"

/* Records of one resource and scope. */
struct otlp_group {
    const struct origin *origin;
    size_t resource; /* number; groups of a resource follow one another */
    size_t n, begin; /* among the ordered records */
};

struct otlp_groups {
    struct arena arena;
    struct otlp_group *at;
    size_t n;
    const struct record **records; /* group by group, in the order they came */
};

void otlp_groups_init(struct otlp_groups *, const struct record *, size_t n);
void otlp_groups_release(struct otlp_groups *);

/* An event or a link of a span. */
struct otlp_item {
    struct str name, trace_id, span_id, trace_state; /* ids in hex */
    struct str attributes;                           /* a JSON object, or empty */
    uint64_t time_ns, dropped;
};

/* The next one of a list; false at its end. The reader has entered the array. */
bool otlp_item_next(struct json_reader *, struct otlp_item *);

/* A JSON number: an int when it is one that fits, else a double. */
bool otlp_number(struct json_reader *, int64_t *i, double *d, bool *is_int);
/* When a span ended; 0: it runs. */
uint64_t otlp_end_ns(const struct record *);
bool otlp_has_id(const uint8_t *id, size_t n);
