#include "model/kgot.h"

#include <math.h>

#include "base/check.h"
#include "base/json.h"

/* ---- values ---- */

static struct value none(void)
{
    return (struct value){ .type = VALUE_NONE };
}

/* The next value; lists and objects as they stand. */
static struct value next_value(struct json_reader *r)
{
    struct str text;
    int64_t i;
    double d;
    bool b;
    switch (json_peek(r)) {
    case JSON_STRING: return json_string(r, &text) ? value_str(text) : none();
    case JSON_BOOL: return json_bool(r, &b) ? value_bool(b) : none();
    case JSON_NUMBER: {
        struct json_reader at = *r;
        if (json_i64(r, &i)) return value_int(i);
        *r = at;
        return json_double(r, &d) ? value_double(d) : none();
    }
    case JSON_ARRAY:
    case JSON_OBJECT: return json_raw(r, &text) ? (struct value){ .type = VALUE_JSON, .text = text } : none();
    default: json_skip(r); return none();
    }
}

static double number_of(struct value v)
{
    return v.type == VALUE_DOUBLE ? v.d : v.type == VALUE_INT ? (double)v.i : (double)NAN;
}

/* ---- the fields of a snapshot ---- */

static int wrong(const char *field, const char *want, struct err *e)
{
    return err_set(e, ERR_RANGE, "%s: expected %s", field, want);
}

static int take_id(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    (void)a;
    if (v.type != VALUE_STR || v.text.n == 0 || v.text.n > KGOT_NAME_MAX)
        return wrong("graph_id", "text of 1 to 256 bytes", e);
    s->graph_id = v.text;
    return OK;
}

static int take_count(struct value v, const char *field, int64_t *out, struct err *e)
{
    double d = number_of(v);
    if (!(d >= 0 && d <= 9007199254740992.0) || d != floor(d))
        return wrong(field, "a whole number, 0 or more", e);
    *out = (int64_t)d;
    return OK;
}

static int take_nodes(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    (void)a;
    return take_count(v, "node_count", &s->node_count, e);
}

static int take_edges(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    (void)a;
    return take_count(v, "edge_count", &s->edge_count, e);
}

static int take_texts(struct value v, const char *field, struct arena *a, struct str *out, struct err *e)
{
    struct json_reader r;
    struct str text;
    size_t n = 0;
    if (v.type != VALUE_JSON) return wrong(field, "a list of texts", e);
    json_open(&r, v.text, a);
    if (json_array(&r))
        while (json_next(&r)) {
            if (!json_string(&r, &text)) break;
            n++;
        }
    if (json_close(&r, NULL) < 0) return wrong(field, "a list of texts", e);
    if (n > KGOT_LIST_MAX) return err_set(e, ERR_LIMIT, "%s: more than %d", field, KGOT_LIST_MAX);
    *out = v.text;
    return OK;
}

static int take_thoughts(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    return take_texts(v, "active_thoughts", a, &s->thoughts, e);
}

static int take_path(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    return take_texts(v, "reasoning_path", a, &s->path, e);
}

static int take_scores(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    static const char want[] = "an object of numbers";
    struct json_reader r;
    struct str key;
    double d;
    size_t n = 0;
    if (v.type != VALUE_JSON) return wrong("confidence_scores", want, e);
    json_open(&r, v.text, a);
    if (json_object(&r))
        while (json_key(&r, &key)) {
            if (!json_double(&r, &d)) break;
            n++;
        }
    if (json_close(&r, NULL) < 0) return wrong("confidence_scores", want, e);
    if (n > KGOT_LIST_MAX) return err_set(e, ERR_LIMIT, "confidence_scores: more than %d", KGOT_LIST_MAX);
    s->scores = v.text;
    return OK;
}

static int take_time(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    (void)a;
    if (v.type != VALUE_STR && v.type != VALUE_INT && v.type != VALUE_DOUBLE)
        return wrong("timestamp", "RFC 3339 or a number since 1970", e);
    s->time = v;
    return OK;
}

static int take_graph(struct kgot_snapshot *s, struct value v, struct arena *a, struct err *e)
{
    (void)a;
    if (v.type != VALUE_STR && v.type != VALUE_JSON) return wrong("serialized_graph", "text or an object", e);
    if (v.text.n > KGOT_GRAPH_MAX)
        return err_set(e, ERR_LIMIT, "serialized_graph: larger than %u bytes", KGOT_GRAPH_MAX);
    s->graph = v.text;
    return OK;
}

static const struct {
    const char *name;
    int (*take)(struct kgot_snapshot *, struct value, struct arena *, struct err *);
} fields[] = {
    { "graph_id", take_id },         { "node_count", take_nodes },
    { "edge_count", take_edges },    { "active_thoughts", take_thoughts },
    { "reasoning_path", take_path }, { "confidence_scores", take_scores },
    { "timestamp", take_time },      { "serialized_graph", take_graph },
};

static int take(struct kgot_snapshot *s, struct str name, struct value v, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < COUNT(fields) && v.type != VALUE_NONE; i++)
        if (str_is(name, fields[i].name)) return fields[i].take(s, v, a, e);
    return OK;
}

static int whole(const struct kgot_snapshot *s, struct err *e)
{
    return s->graph_id.n > 0 ? OK : err_set(e, ERR_RANGE, "graph_id: missing");
}

int kgot_read(struct kgot_snapshot *s, struct str json, struct arena *a, struct err *e)
{
    struct json_reader r;
    struct str key;
    int rc = OK;
    *s = (struct kgot_snapshot){ .node_count = -1, .edge_count = -1 };
    json_open(&r, json, a);
    if (json_object(&r))
        while (rc == OK && json_key(&r, &key)) {
            struct value v = next_value(&r);
            if (!r.failed) rc = take(s, key, v, a, e);
        }
    if (rc == OK) rc = json_close(&r, e);
    return rc < 0 ? rc : whole(s, e);
}

bool kgot_is_name(struct str attr)
{
    const size_t n = sizeof KGOT_ATTR - 1;
    return str_starts(attr, KGOT_ATTR) && (attr.n == n || attr.p[n] == '.');
}

bool kgot_of(struct kgot_snapshot *s, const struct attrs *attrs, struct arena *a, int *rc, struct err *e)
{
    const size_t n = sizeof KGOT_ATTR; /* with the point */
    bool found = false;
    *s = (struct kgot_snapshot){ .node_count = -1, .edge_count = -1 };
    *rc = OK;
    for (size_t i = 0; i < attrs->n && *rc == OK; i++) {
        struct str name = attrs->at[i].name;
        struct value v = attrs->at[i].value;
        if (!kgot_is_name(name) || v.type == VALUE_NONE) continue;
        found = true;
        if (name.n < n) {
            *rc = v.type == VALUE_JSON ? kgot_read(s, v.text, a, e) : wrong(KGOT_ATTR, "an object", e);
            return true;
        }
        *rc = take(s, str_make(name.p + n, name.n - n), v, a, e);
    }
    if (found && *rc == OK) *rc = whole(s, e);
    return found;
}

/* ---- what is in it ---- */

size_t kgot_texts(struct str list, struct arena *a, struct str **out)
{
    struct json_reader r;
    struct str text;
    size_t n = 0, cap = 0;
    *out = NULL;
    json_open(&r, list, a);
    if (list.n == 0 || !json_array(&r)) return 0;
    while (json_next(&r) && json_string(&r, &text)) {
        *out = arena_grow(a, *out, n, &cap, sizeof **out);
        (*out)[n++] = text;
    }
    return n;
}

size_t kgot_scores(const struct kgot_snapshot *s, struct arena *a, struct kgot_score **out)
{
    struct json_reader r;
    struct kgot_score at;
    size_t n = 0, cap = 0;
    *out = NULL;
    json_open(&r, s->scores, a);
    if (s->scores.n == 0 || !json_object(&r)) return 0;
    while (json_key(&r, &at.name) && json_double(&r, &at.value)) {
        *out = arena_grow(a, *out, n, &cap, sizeof **out);
        (*out)[n++] = at;
    }
    return n;
}

/* ---- node-link data ---- */

/* Text, or a number as it is written. */
static bool name_of(struct json_reader *r, struct str *out, bool *is_number)
{
    *is_number = json_peek(r) == JSON_NUMBER;
    if (*is_number) return json_number_text(r, out);
    if (json_peek(r) == JSON_STRING) return json_string(r, out);
    json_skip(r);
    return false;
}

static bool is_one_of(struct str key, const char *a, const char *b, const char *c)
{
    return str_is(key, a) || str_is(key, b) || str_is(key, c);
}

static void read_node(struct json_reader *r, struct kgot_node *n)
{
    struct str key;
    bool is_number;
    *n = (struct kgot_node){ .has_number = false };
    if (json_peek(r) != JSON_OBJECT) { /* a list of ids alone */
        name_of(r, &n->id, &n->has_number);
        return;
    }
    json_object(r);
    while (json_key(r, &key))
        if (is_one_of(key, "id", "entity_id", "key"))
            name_of(r, &n->id, &n->has_number);
        else if (is_one_of(key, "type", "entity_type", "kind"))
            name_of(r, &n->type, &is_number);
        else if (is_one_of(key, "name", "label", "title"))
            name_of(r, &n->name, &is_number);
        else
            json_skip(r);
}

static void read_edge(struct json_reader *r, struct kgot_edge *out)
{
    struct str key;
    bool is_number;
    *out = (struct kgot_edge){ .weight = 1 };
    json_object(r);
    while (json_key(r, &key))
        if (is_one_of(key, "source", "source_id", "from"))
            name_of(r, &out->source, &out->numbered);
        else if (is_one_of(key, "target", "target_id", "to"))
            name_of(r, &out->target, &is_number);
        else if (is_one_of(key, "type", "edge_type", "relation") || str_is(key, "label"))
            name_of(r, &out->type, &is_number);
        else if (str_is(key, "weight") && json_peek(r) == JSON_NUMBER)
            json_double(r, &out->weight);
        else
            json_skip(r);
}

/* Lists are read element by element; `what` NULL: those without their names are left out, else told. */
static int read_nodes(struct json_reader *r, const char *what, struct arena *a, struct kgot_graph *g,
                      struct err *e)
{
    struct kgot_node n;
    size_t cap = 0, seen = 0;
    g->nodes = NULL, g->n_nodes = 0;
    if (!json_array(r)) return OK;
    for (; json_next(r); seen++) {
        read_node(r, &n);
        if (r->failed) return OK;
        if (n.id.n == 0 && what != NULL) return err_set(e, ERR_RANGE, "%s[%zu]: id: missing", what, seen);
        if (n.id.n == 0) continue;
        if (g->n_nodes == KGOT_NODES_MAX) {
            g->truncated = true;
            continue;
        }
        g->nodes = arena_grow(a, g->nodes, g->n_nodes, &cap, sizeof *g->nodes);
        g->nodes[g->n_nodes++] = n;
    }
    return OK;
}

static int read_edges(struct json_reader *r, const char *what, struct arena *a, struct kgot_graph *g,
                      struct err *e)
{
    struct kgot_edge one;
    size_t cap = 0, seen = 0;
    g->edges = NULL, g->n_edges = 0;
    if (!json_array(r)) return OK;
    for (; json_next(r); seen++) {
        read_edge(r, &one);
        if (r->failed) return OK;
        if ((one.source.n == 0 || one.target.n == 0) && what != NULL)
            return err_set(e, ERR_RANGE, "%s[%zu]: %s: missing", what, seen,
                           one.source.n == 0 ? "source" : "target");
        if (one.source.n == 0 || one.target.n == 0) continue;
        if (g->n_edges == KGOT_NODES_MAX) {
            g->truncated = true;
            continue;
        }
        g->edges = arena_grow(a, g->edges, g->n_edges, &cap, sizeof *g->edges);
        g->edges[g->n_edges++] = one;
    }
    return OK;
}

typedef int list_reader(struct json_reader *, const char *, struct arena *, struct kgot_graph *,
                        struct err *);

static int read_list(struct str json, const char *what, struct arena *a, struct kgot_graph *g,
                     list_reader *read, struct err *e)
{
    struct json_reader r;
    json_open(&r, json, a);
    int rc = read(&r, what, a, g, e);
    if (rc == OK && (rc = json_close(&r, e)) < 0) err_where(e, "%s", what);
    if (rc == OK && g->truncated) rc = err_set(e, ERR_LIMIT, "%s: more than %d", what, KGOT_NODES_MAX);
    return rc;
}

int kgot_nodes_read(struct str json, const char *what, struct arena *a, struct kgot_graph *g, struct err *e)
{
    return read_list(json, what, a, g, read_nodes, e);
}

int kgot_edges_read(struct str json, const char *what, struct arena *a, struct kgot_graph *g, struct err *e)
{
    return read_list(json, what, a, g, read_edges, e);
}

bool kgot_graph(const struct kgot_snapshot *s, struct arena *a, struct kgot_graph *g)
{
    struct json_reader r;
    struct str key;
    bool is_graph = false;
    *g = (struct kgot_graph){ 0 };
    if (s->graph.n == 0) return false;
    json_open(&r, s->graph, a);
    if (json_peek(&r) != JSON_OBJECT || !json_object(&r)) return false;
    while (json_key(&r, &key)) {
        const bool nodes = is_one_of(key, "nodes", "entities", "vertices");
        const bool edges = is_one_of(key, "links", "edges", "relationships");
        is_graph = is_graph || nodes || edges;
        if (nodes && json_peek(&r) == JSON_ARRAY)
            read_nodes(&r, NULL, a, g, NULL);
        else if (edges && json_peek(&r) == JSON_ARRAY)
            read_edges(&r, NULL, a, g, NULL);
        else
            json_skip(&r);
    }
    return json_close(&r, NULL) == OK && is_graph;
}
