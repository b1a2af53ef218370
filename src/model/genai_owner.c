/* genai_owner.c - see genai_owner.h. Two walks: up, where the inner counts before the outer, and down, for
 * those who count only when nobody above them does. */
#include "model/genai_owner.h"

enum mark {
    COUNTED_BELOW = 1 << 0, /* something in its subtree counts */
    CALLED_BELOW = 1 << 1,  /* a call does, with nothing that separates on the way */
    COUNTED_ABOVE = 1 << 2, /* it, or something above it, counts */
    CALLED_ABOVE = 1 << 3,  /* it, or what is right above it, is a call that counts */
    IN_ORPHAN = 1 << 4,     /* its root names a parent that is not here */
};

struct genai_node genai_node_of(const struct genai_span *g)
{
    return (struct genai_node){ .parent = GENAI_NO_PARENT,
                                .part = g->part,
                                .kind = g->kind,
                                .has_usage = g->has_usage || g->has_reported_cost };
}

/* Beneath it begins work of its own. */
static bool separates(const struct genai_node *n)
{
    return n->kind == GENAI_AGENT || n->kind == GENAI_TOOL || n->kind == GENAI_MCP ||
           n->kind == GENAI_WORKFLOW;
}

static void settle(struct genai_node *n, bool counts)
{
    n->is_settled = true;
    n->counts = counts;
}

/* What the node's children have told it is in marks already. */
static void tell_parent(const struct genai_node *at, size_t i, uint8_t *marks)
{
    const struct genai_node *n = &at[i];
    if (n->parent == GENAI_NO_PARENT) return;
    if (n->counts || (marks[i] & COUNTED_BELOW)) marks[n->parent] |= COUNTED_BELOW;
    bool called = (n->counts && n->part == PART_CALL) || (marks[i] & CALLED_BELOW);
    if (called && !separates(n)) marks[n->parent] |= CALLED_BELOW;
}

static void take_from_parent(const struct genai_node *at, size_t i, uint8_t *marks)
{
    const struct genai_node *n = &at[i];
    if (n->parent != GENAI_NO_PARENT) {
        marks[i] |= marks[n->parent] & (COUNTED_ABOVE | IN_ORPHAN);
        if (!separates(n)) marks[i] |= marks[n->parent] & CALLED_ABOVE;
    } else if (n->is_orphan) {
        marks[i] |= IN_ORPHAN;
    }
    if (!n->counts) return;
    marks[i] |= COUNTED_ABOVE;
    if (n->part == PART_CALL) marks[i] |= CALLED_ABOVE;
}

/* Calls: those who were settled before are seen from below too, so that of two sides of one call that come in
 * two batches only the first counts. */
static void settle_calls(struct genai_node *at, size_t n, uint8_t *marks)
{
    for (size_t i = 0; i < n; i++) take_from_parent(at, i, marks);
    for (size_t i = n; i-- > 0; tell_parent(at, i, marks))
        if (at[i].part == PART_CALL && at[i].has_usage && !at[i].is_settled)
            settle(&at[i], !(marks[i] & (CALLED_BELOW | CALLED_ABOVE)));
}

static void settle_bare_calls(struct genai_node *at, size_t n, uint8_t *marks)
{
    for (size_t i = 0; i < n; i++) {
        take_from_parent(at, i, marks);
        if (at[i].part != PART_CALL || at[i].has_usage || at[i].is_settled) continue;
        settle(&at[i], !(marks[i] & (CALLED_BELOW | CALLED_ABOVE)));
        take_from_parent(at, i, marks);
    }
}

static bool is_torn(const struct genai_node *at, size_t n, const uint8_t *marks)
{
    for (size_t i = 0; i < n; i++)
        if (at[i].counts && at[i].has_usage && (marks[i] & IN_ORPHAN)) return true;
    return false;
}

static void settle_wrappers(struct genai_node *at, size_t n, uint8_t *marks)
{
    bool torn = is_torn(at, n, marks);
    for (size_t i = 0; i < n; i++) marks[i] &= (uint8_t) ~(COUNTED_BELOW | CALLED_BELOW);
    for (size_t i = n; i-- > 0; tell_parent(at, i, marks))
        if (at[i].part == PART_WRAPPER && !at[i].is_settled)
            settle(&at[i], !(marks[i] & COUNTED_BELOW) && (!torn || (marks[i] & IN_ORPHAN)));
}

static void settle_servers(struct genai_node *at, size_t n, uint8_t *marks)
{
    for (size_t i = 0; i < n; i++) {
        take_from_parent(at, i, marks);
        if (at[i].part != PART_SERVER || at[i].is_settled) continue;
        settle(&at[i], !(marks[i] & (COUNTED_BELOW | COUNTED_ABOVE)));
        take_from_parent(at, i, marks);
    }
}

void genai_owners(struct genai_node *at, size_t n, bool is_over, uint8_t *marks)
{
    memset(marks, 0, n);
    settle_calls(at, n, marks);
    settle_bare_calls(at, n, marks);
    if (!is_over) return;
    settle_wrappers(at, n, marks);
    settle_servers(at, n, marks);
}
