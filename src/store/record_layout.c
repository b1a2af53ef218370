/* record_layout.c - in what logs and spans differ: bucket, id, and whether equal rows are joined. */
#include <string.h>

#include "base/check.h"
#include "store/record_part.h"

#define MINUTE_NS (60 * INT64_C(1000000000))

static const struct record_layout layouts[] = {
    { TABLE_LOGS, 60 * MINUTE_NS, true, false },
    { TABLE_SPANS, 10 * MINUTE_NS, true, true },
};

const struct record_layout *record_layout(enum table table)
{
    for (size_t i = 0; i < COUNT(layouts); i++)
        if (layouts[i].table == table) return &layouts[i];
    return NULL;
}

/* Times before 1970 share the first bucket: keys stay in order with them. */
void record_key_of(const struct record_layout *layout, const struct record *r, struct record_key *key)
{
    static const struct hash128 none = { 0, 0 };
    key->time_ns = r->time_ns;
    key->bucket = r->time_ns < 0 ? 0 : (uint64_t)(r->time_ns / layout->bucket_ns);
    if (layout->table == TABLE_SPANS)
        memcpy(key->id, r->trace_id, sizeof key->id);
    else
        memcpy(key->id, r->origin ? &r->origin->id : &none, sizeof key->id);
}

int record_key_cmp(const struct record_key *a, const struct record_key *b)
{
    if (a->bucket != b->bucket) return a->bucket < b->bucket ? -1 : 1;
    int order = memcmp(a->id, b->id, sizeof a->id);
    if (order != 0) return order;
    return (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
}
