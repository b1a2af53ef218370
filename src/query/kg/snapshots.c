#include "query/kg/snapshots.h"

#include <stdio.h>

#include "base/check.h"
#include "base/json.h"
#include "query/traces/errors.h"

/* ---- which records ---- */

static struct field attr(const char *name)
{
    return field_attr(FIELD_ATTR, str_of(name));
}

/* Stored in one attribute, JSON as we write it, or in several. */
static const struct predicate *where_graph(struct arena *a, struct str id)
{
    struct buf text = BUF_INIT(8u << 10);
    if (id.n == 0)
        return predicate_or(a, predicate_exists(a, attr(KGOT_ATTR)),
                            predicate_exists(a, attr(KGOT_ATTR ".graph_id")));
    buf_cs(&text, "\"graph_id\":");
    json_escape(&text, id);
    const struct predicate *in_one =
        predicate_contains(a, attr(KGOT_ATTR), arena_str(a, buf_view(&text)), false);
    buf_release(&text);
    return predicate_or(a, in_one, predicate_cmp(a, PRED_EQ, attr(KGOT_ATTR ".graph_id"), value_str(id)));
}

static const struct predicate *where(struct arena *a, const struct kg_snapshot_ask *ask)
{
    const struct predicate *p = where_graph(a, ask->graph_id);
    if (ask->task.n > 0) p = predicate_and(a, p, where_named(a, task_names, 3, ask->task));
    if (ask->correlation.n > 0)
        p = predicate_and(a, p, where_named(a, correlation_names, 3, ask->correlation));
    if (ask->service.n > 0)
        p = predicate_and(a, p,
                          predicate_cmp(a, PRED_EQ, field_attr(FIELD_RESOURCE, STR("service.name")),
                                        value_str(ask->service)));
    return p;
}

/* ---- reading them ---- */

struct reading {
    struct call *call;
    const struct kg_snapshot_ask *ask;
    struct kg_snapshots *out;
    const char *id; /* only this one; NULL: all */
    bool enough;
};

static struct str named(const struct attrs *attrs, const char *const names[3])
{
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < attrs->n; i++)
            if (attrs->at[i].value.type == VALUE_STR && str_is(attrs->at[i].name, names[k]))
                return attrs->at[i].value.text;
    return STR("");
}

static struct str service_of(const struct record *r)
{
    static const char *const names[3] = { "service.name", "service.name", "service.name" };
    return named(&r->origin->resource, names);
}

static void make_id(struct kg_snapshot *s)
{
    const struct str parts[] = { s->of.graph_id, s->task,      s->of.thoughts,
                                 s->of.path,     s->of.scores, s->of.graph };
    uint64_t hash = (uint64_t)s->of.node_count * 31 + (uint64_t)s->of.edge_count;
    for (size_t i = 0; i < COUNT(parts); i++) {
        const uint64_t both[2] = { hash, parts[i].n > 0 ? hash64(parts[i].p, parts[i].n) : 0 };
        hash = hash64(both, sizeof both);
    }
    snprintf(s->id, sizeof s->id, "%lld-%016llx", (long long)s->record.time_ns, (unsigned long long)hash);
}

static bool take(struct reading *r, const struct record *from, struct kg_snapshot *s)
{
    struct arena *a = r->call->arena;
    int rc;
    if (!kgot_of(&s->of, &from->attrs, a, &rc, NULL) || rc < 0) return false;
    if (r->ask->graph_id.n > 0 && !str_eq(s->of.graph_id, r->ask->graph_id)) return false;
    s->record = *from;
    s->task = named(&from->attrs, task_names);
    make_id(s);
    if (r->id != NULL && strcmp(r->id, s->id) != 0) return false;
    record_copy(&s->record, from, TABLE_LOGS, a); /* read again, so that texts point into the copy */
    kgot_of(&s->of, &s->record.attrs, a, &rc, NULL);
    s->task = named(&s->record.attrs, task_names);
    s->correlation = named(&s->record.attrs, correlation_names);
    s->service = service_of(&s->record);
    return true;
}

static int rows(void *ctx, const struct record_rows *rows)
{
    struct reading *r = ctx;
    struct kg_snapshots *out = r->out;
    for (size_t i = 0; i < rows->n; i++) {
        struct kg_snapshot s;
        if (arena_over(r->call->arena)) return ERR_LIMIT;
        if (!take(r, &rows->records[i], &s)) continue;
        if (out->n == r->ask->limit) {
            out->truncated = r->enough = true;
            return ERR_CANCEL;
        }
        out->at = arena_grow(r->call->arena, out->at, out->n, &out->cap, sizeof *out->at);
        out->at[out->n++] = s;
    }
    return OK;
}

static int read_all(struct store_view *v, struct call *c, struct reading *r, struct err *e)
{
    const struct kg_snapshot_ask *ask = r->ask;
    struct record_scan scan = { .table = TABLE_LOGS, .from_ns = ask->from_ns, .to_ns = ask->to_ns };
    scan.order = ORDER_TIME_DESC;
    scan.where = where(c->arena, ask);
    *r->out = (struct kg_snapshots){ 0 };
    int rc = view_records(v, c, &scan, rows, r, e);
    if (rc == ERR_LIMIT && e != NULL && e->text[0] == 0)
        err_set(e, ERR_LIMIT, "these snapshots are larger than one answer may be: ask for fewer");
    return r->enough ? OK : rc;
}

int kg_snapshots(struct store_view *v, struct call *c, const struct kg_snapshot_ask *ask,
                 struct kg_snapshots *out, struct err *e)
{
    struct reading r = { .call = c, .ask = ask, .out = out };
    return read_all(v, c, &r, e);
}

int kg_snapshot_by_id(struct store_view *v, struct call *c, struct str id, struct kg_snapshot *out,
                      struct err *e)
{
    struct str rest, time = str_cut(id, '-', &rest);
    struct kg_snapshot_ask ask = { .limit = 1 };
    struct kg_snapshots found;
    char text[KG_ID_MAX];
    if (id.n >= sizeof text || rest.n != 16 || !str_to_i64(time, &ask.from_ns))
        return err_set(e, ERR_PARSE, "\"%.*s\" is no id of a snapshot", (int)MIN(id.n, (size_t)KG_ID_MAX),
                       id.p);
    ask.to_ns = ask.from_ns;
    snprintf(text, sizeof text, "%.*s", (int)id.n, id.p);
    struct reading r = { .call = c, .ask = &ask, .out = &found, .id = text };
    int rc = read_all(v, c, &r, e);
    if (rc < 0) return rc;
    if (found.n == 0) return err_set(e, ERR_FIND, "no snapshot %s", text);
    *out = found.at[0];
    return OK;
}
