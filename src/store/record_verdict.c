/* record_verdict.c - see record_verdict.h.
 *
 * Three values: a leaf on an attribute whose name the chunk does not know is false; one on the sender is
 * decided by the sender; the others stay open. NOT turns, AND and OR join as in predicate.h, 1. Worked out
 * once for each origin of a chunk, when its first row is asked for; where all origins agree (mostly there is
 * one) not even the row's origin is read. */
#include "store/record_verdict.h"

#include <string.h>

#define ORIGINS_MAX 4096 /* of a chunk; with more each record is asked */

struct record_verdicts {
    struct arena *arena;
    const struct predicate *where;
    enum table table;
    struct of_chunk {
        bool is_known, is_mixed;
        enum verdict all; /* unless mixed */
        uint8_t *of;      /* by origin, when mixed: enum verdict */
    } * chunk;
};

struct record_verdicts *record_verdicts_new(struct arena *a, const struct record_scan *scan, size_t n_chunks)
{
    struct record_verdicts *v = arena_zero(a, sizeof *v);
    *v = (struct record_verdicts){ .arena = a, .where = scan->where, .table = scan->table };
    if (scan->where != NULL) v->chunk = arena_zero(a, n_chunks * sizeof *v->chunk);
    return v;
}

static bool has_name(const struct record_reader *chunk, struct str name)
{
    for (size_t i = 0; i < chunk->n_names; i++)
        if (str_eq(chunk->names[i], name)) return true;
    return false;
}

static bool is_of_origin(struct field f)
{
    if (f.scope != FIELD_INTRINSIC) return f.scope == FIELD_RESOURCE || f.scope == FIELD_SCOPE;
    return f.intrinsic == IN_ORIGIN || f.intrinsic == IN_SCOPE_NAME || f.intrinsic == IN_SCOPE_VERSION;
}

static enum verdict judge_leaf(const struct predicate *p, enum table t, const struct record_reader *chunk,
                               const struct origin *from)
{
    if (p->op == PRED_ALL) return VERDICT_ALL;
    if (p->field.scope == FIELD_ATTR) return has_name(chunk, p->field.name) ? VERDICT_OPEN : VERDICT_NONE;
    if (!is_of_origin(p->field)) return VERDICT_OPEN;
    const struct record r = { .origin = from };
    return predicate_matches(p, &r, t) ? VERDICT_ALL : VERDICT_NONE;
}

static enum verdict judge(const struct predicate *p, enum table t, const struct record_reader *chunk,
                          const struct origin *from)
{
    enum verdict one, sum = p->op == PRED_AND ? VERDICT_ALL : VERDICT_NONE;
    switch (p->op) {
    case PRED_NOT:
        one = judge(p->child[0], t, chunk, from);
        return one == VERDICT_OPEN ? one : one == VERDICT_ALL ? VERDICT_NONE : VERDICT_ALL;
    case PRED_AND:
    case PRED_OR:
        for (size_t i = 0; i < p->n_children; i++) {
            one = judge(p->child[i], t, chunk, from);
            if (one == (p->op == PRED_AND ? VERDICT_NONE : VERDICT_ALL)) return one;
            if (one == VERDICT_OPEN) sum = one;
        }
        return sum;
    default: return judge_leaf(p, t, chunk, from);
    }
}

static void judge_chunk(struct record_verdicts *v, struct of_chunk *c, const struct record_reader *chunk)
{
    c->is_known = true;
    if (chunk->n_origins > ORIGINS_MAX) return; /* open */
    c->of = arena_zero(v->arena, chunk->n_origins);
    for (size_t i = 0; i < chunk->n_origins; i++) {
        c->of[i] = (uint8_t)judge(v->where, v->table, chunk, &chunk->origins[i]);
        c->is_mixed |= c->of[i] != c->of[0];
    }
    if (chunk->n_origins > 0) c->all = (enum verdict)c->of[0];
}

enum verdict record_verdict(struct record_verdicts *v, size_t chunk, const struct record_reader *reader,
                            size_t row)
{
    struct of_chunk *c = &v->chunk[chunk];
    struct record r;
    if (!c->is_known) judge_chunk(v, c, reader);
    if (!c->is_mixed) return c->all;
    record_chunk_head(reader, row, &r);
    return (enum verdict)c->of[r.origin - reader->origins];
}
