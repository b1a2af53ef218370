/* trace_time.c - where the time of a trace went: clocks made to agree, self time, the critical path.
 *
 * Skew: two processes have two clocks. When a call from one to the other (a client's span above it, or its
 * own kind is server) seems to start before its caller or to end after it, the called span is moved, with all
 * that its process did below it: into the middle of the caller when it fits, else to the caller's start.
 * Calls that nobody waits for may outlive their caller; they are left alone.
 *
 * Critical path: what would have to be faster for the trace to be faster. Backwards from a span's end, the
 * child that ended last is what it waited for; before that child began, the one that ended last by then; what
 * lies between is the span's own. Children count as far as they lie within their parent. */
#include <stdlib.h>

#include "base/check.h"
#include "query/traces/trace.h"

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

/* ---- skew ---- */

static bool is_waited_for(const struct trace_span *parent, const struct trace_span *s)
{
    return parent->process != s->process && (parent->kind == SPAN_CLIENT || s->kind == SPAN_SERVER);
}

/* By how much a span's own times must move to lie within its caller's. */
static int64_t move_of(const struct trace_span *parent, const struct trace_span *s)
{
    bool open = (parent->marks | s->marks) & SPAN_RUNNING;
    int64_t room = (parent->to_ns - parent->from_ns) - (s->to_ns - s->from_ns);

    if (s->from_ns >= parent->from_ns && (open || s->to_ns <= parent->to_ns)) return 0;
    if (!open && room >= 0) return parent->from_ns + room / 2 - s->from_ns;
    return s->from_ns < parent->from_ns ? parent->from_ns - s->from_ns : 0;
}

bool trace_skew(struct trace *t)
{
    bool any = false;
    for (size_t i = 0; i < t->n; i++) { /* parents stand before their children */
        struct trace_span *s = &t->at[i];
        const struct trace_span *parent = s->parent == SPAN_NONE ? NULL : &t->at[s->parent];
        int64_t move = 0;
        if (parent != NULL && parent->process == s->process)
            move = parent->from_ns - parent->start_ns;
        else if (parent != NULL && is_waited_for(parent, s))
            move = move_of(parent, s);
        if (move == 0) continue;
        s->from_ns = add(s->from_ns, move);
        s->to_ns = add(s->to_ns, move);
        s->marks |= SPAN_SKEWED;
        any = true;
    }
    return any;
}

/* ---- from when to when ---- */

static void bound(struct trace *t)
{
    t->start_ns = INT64_MAX;
    t->end_ns = INT64_MIN;
    for (size_t i = 0; i < t->n; i++) {
        t->start_ns = MIN(t->start_ns, t->at[i].from_ns);
        t->end_ns = MAX(t->end_ns, t->at[i].to_ns);
    }
    for (size_t i = 0; i < t->n; i++) /* trace.h, 6 */
        if (t->at[i].marks & SPAN_RUNNING) t->at[i].to_ns = t->end_ns;
}

/* ---- self time ---- */

/* Children come by start: one walk over them merges what overlaps. */
static int64_t self_time(const struct trace *t, size_t i)
{
    const struct trace_span *s = &t->at[i];
    int64_t covered = 0, until = s->from_ns;
    for (size_t k = i + 1; k <= i + s->below; k += t->at[k].below + 1) {
        int64_t from = MAX(t->at[k].from_ns, until), to = MIN(t->at[k].to_ns, s->to_ns);
        if (to <= from) continue;
        covered += to - from;
        until = to;
    }
    return s->to_ns - s->from_ns - covered;
}

/* ---- the critical path ---- */

struct frame {
    size_t span;         /* SIZE_MAX: the trace itself, whose children are the roots */
    int64_t from, to, t; /* its time on the path; t goes from `to` back to `from` */
    const uint32_t *child, *end;
};

struct path {
    struct trace *t;
    uint32_t *room; /* children by end; sets of children are disjoint, so n places are enough */
    struct frame *stack;
    size_t depth;
};

struct ending {
    int64_t to, from;
    uint32_t i;
};

static int last_first(const void *x, const void *y)
{
    const struct ending *a = x, *b = y;
    if (a->to != b->to) return a->to > b->to ? -1 : 1;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

static void push(struct path *p, size_t span, int64_t from, int64_t to, struct ending *scratch)
{
    const struct trace *t = p->t;
    struct frame *f = &p->stack[p->depth++];
    size_t k = span == SIZE_MAX ? 0 : span + 1, end = span == SIZE_MAX ? t->n : k + t->at[span].below;
    size_t n = 0;

    for (; k < end; k += t->at[k].below + 1)
        scratch[n++] = (struct ending){ t->at[k].to_ns, t->at[k].from_ns, (uint32_t)k };
    if (n > 1) qsort(scratch, n, sizeof *scratch, last_first);
    *f = (struct frame){ span, from, to, to, p->room, p->room + n };
    for (size_t i = 0; i < n; i++) *p->room++ = scratch[i].i;
}

static void credit(struct trace *t, size_t span, int64_t ns)
{
    if (span == SIZE_MAX) {
        t->idle_ns += ns;
        return;
    }
    t->at[span].critical_ns += ns;
    t->at[span].marks |= SPAN_CRITICAL;
}

static void walk(struct path *p, struct ending *scratch)
{
    while (p->depth > 0) {
        struct frame *f = &p->stack[p->depth - 1];
        if (f->child == f->end) {
            credit(p->t, f->span, f->t - f->from);
            p->depth--;
            continue;
        }
        uint32_t c = *f->child++;
        int64_t from = MAX(p->t->at[c].from_ns, f->from), to = MIN(p->t->at[c].to_ns, f->to);
        if (to > f->t || to <= from) continue; /* beside one that ended later, or outside */
        credit(p->t, f->span, f->t - to);
        f->t = from;
        push(p, c, from, to, scratch);
    }
}

static void find_path(struct trace *t, struct arena *arena)
{
    struct path p = { .t = t,
                      .room = arena_array(arena, t->n, sizeof *p.room),
                      .stack = arena_array(arena, (size_t)t->depth + 1, sizeof *p.stack) };
    struct ending *scratch = arena_array(arena, t->n, sizeof *scratch);

    push(&p, SIZE_MAX, t->start_ns, t->end_ns, scratch);
    walk(&p, scratch);
}

void trace_times(struct trace *t, struct arena *arena)
{
    bound(t);
    for (size_t i = 0; i < t->n; i++) t->at[i].self_ns = self_time(t, i);
    find_path(t, arena);
}
