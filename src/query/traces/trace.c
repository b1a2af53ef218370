/* trace.c - see trace.h. No recursion: a chain of 100,000 spans is as good a tree as any. */
#include "query/traces/trace.h"

#include <endian.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"

/* While a tree takes shape; indexes are those of the spans as they came. */
struct builder {
    struct trace_span *at;
    size_t n;
    struct map by_id;  /* hash of an id -> the first span that has it */
    uint32_t *same_id; /* the next span with the same id, by rank; SPAN_NONE */
    struct arena *arena;
};

/* ---- finding parents ---- */

static bool has_id(const uint8_t id[8])
{
    uint64_t v;
    memcpy(&v, id, 8);
    return v != 0;
}

struct wanted_id {
    const struct trace_span *at;
    const uint8_t *id;
};

static bool is_wanted(void *ctx, uint64_t value)
{
    const struct wanted_id *w = ctx;
    return memcmp(w->at[value].id, w->id, 8) == 0;
}

static uint64_t *find_id(const struct builder *b, const uint8_t id[8])
{
    return map_find(&b->by_id, hash64(id, 8), is_wanted, &(struct wanted_id){ b->at, id });
}

/* Of spans that share an id, the calling side comes first. */
static int rank(const struct trace_span *s)
{
    switch (s->kind) {
    case SPAN_CLIENT:
    case SPAN_PRODUCER: return 0;
    case SPAN_SERVER:
    case SPAN_CONSUMER: return 2;
    default: return 1;
    }
}

static void index_ids(struct builder *b)
{
    map_init(&b->by_id, b->n);
    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t *first = find_id(b, b->at[i].id);
        b->same_id[i] = SPAN_NONE;
        if (first == NULL) {
            map_add(&b->by_id, hash64(b->at[i].id, 8), i);
        } else if (rank(&b->at[i]) < rank(&b->at[*first])) {
            b->same_id[i] = (uint32_t)*first;
            *first = i;
        } else {
            uint32_t k = (uint32_t)*first;
            while (b->same_id[k] != SPAN_NONE && rank(&b->at[b->same_id[k]]) <= rank(&b->at[i]))
                k = b->same_id[k];
            b->same_id[i] = b->same_id[k];
            b->same_id[k] = i;
        }
    }
}

/* Which of the spans with the parent's id: trace.h, 3. */
static uint32_t choose_parent(const struct builder *b, uint32_t first, const struct trace_span *child)
{
    uint32_t last = first;
    for (uint32_t k = first; k != SPAN_NONE; k = b->same_id[k]) {
        last = k;
        if (b->at[k].process == child->process && b->same_id[first] != SPAN_NONE) return k;
    }
    return last;
}

static void find_parent(struct builder *b, uint32_t i)
{
    struct trace_span *s = &b->at[i];
    uint32_t first = (uint32_t)*find_id(b, s->id);

    s->marks = s->duration_ns == SPAN_UNFINISHED ? SPAN_RUNNING : 0;
    s->parent = SPAN_NONE;
    if (b->same_id[first] != SPAN_NONE) s->marks |= SPAN_SHARED;
    if (first != i) {
        s->parent = first;
    } else if (has_id(s->parent_id)) {
        const uint64_t *parent = find_id(b, s->parent_id);
        if (parent == NULL)
            s->marks |= SPAN_ORPHAN;
        else if (*parent == i)
            s->marks |= SPAN_CYCLE; /* its own parent */
        else
            s->parent = choose_parent(b, (uint32_t)*parent, s);
    }
}

/* ---- rings of parents ---- */

static void cut_ring(struct builder *b, uint32_t some)
{
    uint32_t first = some;
    for (uint32_t k = b->at[some].parent; k != some; k = b->at[k].parent) {
        const struct trace_span *s = &b->at[k], *best = &b->at[first];
        if (s->start_ns < best->start_ns || (s->start_ns == best->start_ns && memcmp(s->id, best->id, 8) < 0))
            first = k;
    }
    b->at[first].parent = SPAN_NONE;
    b->at[first].marks |= SPAN_CYCLE;
}

/* Up from every span until something already walked; meeting this very walk again is a ring. */
static void cut_rings(struct builder *b)
{
    uint32_t *walk = arena_array(b->arena, b->n, sizeof *walk);

    memset(walk, 0xff, b->n * sizeof *walk);
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t k = i;
        while (k != SPAN_NONE && walk[k] == SPAN_NONE) {
            walk[k] = i;
            k = b->at[k].parent;
        }
        if (k != SPAN_NONE && walk[k] == i) cut_ring(b, k);
    }
}

/* ---- order ---- */

struct place {
    uint32_t parent, i;
    bool later_root; /* an orphan or cut ring: after the true roots */
    int64_t start_ns, length_ns;
    uint64_t id; /* as big-endian bytes compare: the order does not hang on that of arrival */
};

static int by_place(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    if (a->parent != b->parent) return a->parent < b->parent ? -1 : 1;
    if (a->later_root != b->later_root) return a->later_root ? 1 : -1;
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns ? -1 : 1;
    if (a->length_ns != b->length_ns) return a->length_ns > b->length_ns ? -1 : 1;
    if (a->id != b->id) return a->id < b->id ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

static struct place *sorted_places(const struct trace_span *at, size_t n, struct arena *arena)
{
    struct place *p = arena_array(arena, n, sizeof *p);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t id;
        memcpy(&id, at[i].id, 8);
        p[i] = (struct place){ at[i].parent,
                               i,
                               at[i].parent == SPAN_NONE && (at[i].marks & (SPAN_ORPHAN | SPAN_CYCLE)) != 0,
                               at[i].from_ns,
                               at[i].to_ns - at[i].from_ns,
                               be64toh(id) };
    }
    qsort(p, n, sizeof *p, by_place);
    return p;
}

/* The run of each span's children among the sorted places; [n]: of the roots. */
static uint32_t *runs_of(const struct place *p, size_t n, struct arena *arena)
{
    uint32_t *first = arena_array(arena, n + 1, sizeof *first);
    memset(first, 0xff, (n + 1) * sizeof *first);
    for (uint32_t i = (uint32_t)n; i-- > 0;) first[p[i].parent == SPAN_NONE ? n : p[i].parent] = i;
    return first;
}

/* The run that begins at `from` onto the stack, so that its first place is taken first. */
static size_t push_run(uint32_t *stack, size_t top, const struct place *p, size_t n, uint32_t from)
{
    uint32_t end = from;
    if (from == SPAN_NONE) return top;
    while (end < n && p[end].parent == p[from].parent) end++;
    while (end-- > from) stack[top++] = p[end].i;
    return top;
}

/* Tree order: trace.h, 1. */
static void arrange(struct trace *t, struct arena *arena)
{
    const struct place *p = sorted_places(t->at, t->n, arena);
    const uint32_t *first = runs_of(p, t->n, arena);
    struct trace_span *out = arena_array(arena, t->n, sizeof *out);
    uint32_t *now = arena_array(arena, t->n, sizeof *now); /* where a span has gone */
    uint32_t *stack = arena_array(arena, t->n, sizeof *stack);
    size_t made = 0, top = push_run(stack, 0, p, t->n, first[t->n]);

    while (top > 0) {
        uint32_t was = stack[--top];
        struct trace_span *s = &out[made];
        *s = t->at[was];
        s->depth = s->below = s->children = 0;
        if (s->parent != SPAN_NONE) {
            s->parent = now[s->parent];
            s->depth = out[s->parent].depth + 1;
        }
        now[was] = (uint32_t)made++;
        top = push_run(stack, top, p, t->n, first[was]);
    }
    check(made == t->n);
    t->at = out;
}

/* ---- the whole ---- */

static void count(struct trace *t)
{
    for (size_t i = t->n; i-- > 0;) {
        const struct trace_span *s = &t->at[i];
        if (s->parent != SPAN_NONE) {
            t->at[s->parent].below += s->below + 1;
            t->at[s->parent].children++;
        }
        t->roots += s->parent == SPAN_NONE;
        t->orphans += (s->marks & SPAN_ORPHAN) != 0;
        t->cycles += (s->marks & SPAN_CYCLE) != 0;
        t->running += (s->marks & SPAN_RUNNING) != 0;
        t->errors += s->status == STATUS_ERROR;
        t->depth = MAX(t->depth, s->depth + 1);
    }
}

static int64_t end_of(const struct trace_span *s)
{
    int64_t length = s->duration_ns == SPAN_UNFINISHED ? 0 : s->duration_ns;
    return length > INT64_MAX - s->start_ns ? INT64_MAX : s->start_ns + length;
}

void trace_build(struct trace *t, const struct trace_span *spans, size_t n, struct arena *arena)
{
    check(n > 0 && n < SPAN_NONE);
    struct builder b = { .at = arena_array(arena, n, sizeof *b.at), .n = n, .arena = arena };

    memcpy(b.at, spans, n * sizeof *spans);
    for (size_t i = 0; i < n; i++) {
        b.at[i].from_ns = b.at[i].start_ns;
        b.at[i].to_ns = end_of(&b.at[i]);
        b.at[i].self_ns = b.at[i].critical_ns = 0;
    }
    b.same_id = arena_array(arena, n, sizeof *b.same_id);
    index_ids(&b);
    for (uint32_t i = 0; i < n; i++) find_parent(&b, i);
    map_release(&b.by_id);
    cut_rings(&b);

    *t = (struct trace){ .at = b.at, .n = n };
    arrange(t, arena);
    if (trace_skew(t)) arrange(t, arena);
    count(t);
    trace_times(t, arena);
}
