#include "derive/recent.h"

#include "base/mem.h"

#define WAYS  16
#define LINES (RECENT_SPANS / WAYS)

struct recent {
    uint32_t id[LINES][WAYS]; /* 0: free */
    uint8_t next[LINES];      /* the oldest of the line */
};

struct recent *recent_new(void)
{
    return mem_alloc_zero(sizeof(struct recent));
}

void recent_free(struct recent *r)
{
    mem_free(r);
}

static uint64_t hash_of(const struct record *span)
{
    uint64_t part[4];
    memcpy(part, span->trace_id, 16);
    memcpy(part + 2, span->span_id, 8);
    part[3] = span->span.kind;
    return hash64(part, sizeof part);
}

bool recent_seen(struct recent *r, const struct record *span)
{
    static const uint8_t none[8];
    if (memcmp(span->span_id, none, sizeof none) == 0) return false;
    uint64_t h = hash_of(span);
    uint32_t *line = r->id[h % LINES], id = (uint32_t)(h >> 32) | 1;
    for (size_t i = 0; i < WAYS; i++)
        if (line[i] == id) return true;
    line[r->next[h % LINES]] = id;
    r->next[h % LINES] = (uint8_t)((r->next[h % LINES] + 1) % WAYS);
    return false;
}
