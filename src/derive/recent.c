#include "derive/recent.h"

#include "base/mem.h"

#define WAYS  15
#define LINES (RECENT_SPANS / 16)

/* As wide as a line of the processor's cache, and lying on one: a look costs one of them. */
struct line {
    uint32_t id[WAYS]; /* 0: free */
    uint32_t next;     /* the oldest */
};

struct recent {
    struct line *lines;
    void *memory;
};

struct recent *recent_new(void)
{
    struct recent *r = mem_alloc_zero(sizeof *r);
    r->memory = mem_array(LINES + 1, sizeof *r->lines);
    r->lines = (struct line *)(((uintptr_t)r->memory + 63) & ~(uintptr_t)63);
    return r;
}

void recent_free(struct recent *r)
{
    if (r == NULL) return;
    mem_free(r->memory);
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

void recent_soon(const struct recent *r, const struct record *span)
{
    __builtin_prefetch(&r->lines[hash_of(span) % LINES], 1);
}

static bool is_in(const struct line *line, uint32_t id)
{
    for (size_t i = 0; i < WAYS; i++)
        if (line->id[i] == id) return true;
    return false;
}

bool recent_has(const struct recent *r, const struct record *span)
{
    uint64_t h = hash_of(span);
    return is_in(&r->lines[h % LINES], (uint32_t)(h >> 32) | 1);
}

bool recent_seen(struct recent *r, const struct record *span)
{
    static const uint8_t none[8];
    if (memcmp(span->span_id, none, sizeof none) == 0) return false;
    uint64_t h = hash_of(span);
    struct line *line = &r->lines[h % LINES];
    uint32_t id = (uint32_t)(h >> 32) | 1;
    if (is_in(line, id)) return true;
    line->id[line->next] = id;
    line->next = (line->next + 1) % WAYS;
    return false;
}
