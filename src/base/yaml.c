/* yaml.c - libyaml's events made into a tree.
 *
 * Always true:
 *   1. An alias is the anchored node itself, not a copy: a bomb of aliases costs no memory. What it
 *      would have cost is counted (EXPANSION_MAX), because everybody who walks the tree would pay
 *      it.
 *   2. An anchor is known only once its node is complete, so the tree has no cycles.
 *   3. Everything is bounded: NODES_MAX nodes, DEPTH_MAX levels (through aliases too). libyaml
 *      itself bounds its tokens.
 *   4. Keys are scalars and unique within their map. Merged keys (<<) stand after the map's own and
 *      never replace them.
 *
 * The typed readers are in yaml_scalar.c. */
#include <yaml.h> /* libyaml's; ours follows */

#include "base/yaml.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"

enum { NODES_MAX = 100000, DEPTH_MAX = 64, EXPANSION_MAX = 10000 };

struct anchor {
    struct str name;
    struct yaml *node;
    size_t size; /* nodes in it, its own aliases followed */
    int depth;   /* levels in it */
};

struct loader {
    yaml_parser_t parser;
    yaml_event_t event;
    const char *name;
    struct arena *arena;
    struct anchor *anchors;
    size_t n_anchors, cap_anchors;
    size_t n_nodes, n_expanded;
};

/* What is known of a node just read. */
struct extent {
    size_t size;
    int depth;
};

/* ---- events ---- */

static int line_of(const struct loader *l)
{
    return (int)l->event.start_mark.line + 1;
}

static int refuse(struct loader *l, int code, const char *why, struct err *e)
{
    return err_set(e, code, "%s:%d: %s", l->name, line_of(l), why);
}

static int next_event(struct loader *l, struct err *e)
{
    yaml_event_delete(&l->event);
    if (yaml_parser_parse(&l->parser, &l->event)) return OK;

    const yaml_parser_t *p = &l->parser;
    memset(&l->event, 0, sizeof l->event);
    size_t line = p->error == YAML_READER_ERROR ? p->mark.line : p->problem_mark.line;
    return err_set(e, ERR_PARSE, "%s:%zu: %s%s%s", l->name, line + 1, p->problem ? p->problem : "not YAML",
                   p->context ? ", " : "", p->context ? p->context : "");
}

static struct str scalar_text(const struct loader *l)
{
    return str_make(l->event.data.scalar.value, l->event.data.scalar.length);
}

/* ---- nodes ---- */

static int new_node(struct loader *l, enum yaml_kind kind, struct yaml **out, struct err *e)
{
    if (++l->n_nodes > NODES_MAX) return refuse(l, ERR_LIMIT, "more than 100000 nodes", e);
    if (arena_over(l->arena)) return refuse(l, ERR_LIMIT, "the document needs too much memory", e);
    struct yaml *y = arena_zero(l->arena, sizeof *y);
    y->kind = kind;
    y->line = line_of(l);
    *out = y;
    return OK;
}

static void remember(struct loader *l, struct str name, struct yaml *node, struct extent x)
{
    l->anchors = arena_grow(l->arena, l->anchors, l->n_anchors, &l->cap_anchors, sizeof *l->anchors);
    l->anchors[l->n_anchors++] = (struct anchor){ name, node, x.size, x.depth };
}

/* The anchor of the event at hand, copied (the event dies before the node is complete); empty when there is
 * none. */
static struct str anchor_name(struct loader *l)
{
    const yaml_char_t *name = NULL;
    if (l->event.type == YAML_SCALAR_EVENT) name = l->event.data.scalar.anchor;
    if (l->event.type == YAML_SEQUENCE_START_EVENT) name = l->event.data.sequence_start.anchor;
    if (l->event.type == YAML_MAPPING_START_EVENT) name = l->event.data.mapping_start.anchor;
    return name ? arena_str(l->arena, str_of((const char *)name)) : STR("");
}

static bool is_null_text(struct str s)
{
    return s.n == 0 || str_is(s, "~") || str_is(s, "null") || str_is(s, "Null") || str_is(s, "NULL");
}

static int read_scalar(struct loader *l, struct yaml **out, struct err *e)
{
    int rc;
    if ((rc = new_node(l, YAML_SCALAR, out, e)) < 0) return rc;
    const char *tag = (const char *)l->event.data.scalar.tag;
    bool is_string = tag && strcmp(tag, YAML_STR_TAG) == 0;
    (*out)->quoted = l->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || is_string;
    (*out)->text = arena_str(l->arena, scalar_text(l));
    if (!(*out)->quoted && is_null_text((*out)->text)) (*out)->kind = YAML_NULL;
    return OK;
}

static int read_alias(struct loader *l, int depth, struct yaml **out, struct extent *x, struct err *e)
{
    struct str name = str_of((const char *)l->event.data.alias.anchor);
    for (size_t i = l->n_anchors; i-- > 0;) { /* the latest of that name */
        const struct anchor *a = &l->anchors[i];
        if (!str_eq(a->name, name)) continue;
        if (depth + a->depth > DEPTH_MAX) return refuse(l, ERR_LIMIT, "nested deeper than 64 levels", e);
        l->n_expanded += a->size;
        if (l->n_expanded > EXPANSION_MAX)
            return refuse(l, ERR_LIMIT, "aliases stand for more than 10000 nodes", e);
        *out = a->node;
        *x = (struct extent){ a->size, a->depth };
        return OK;
    }
    return err_set(e, ERR_PARSE, "%s:%d: no anchor \"%.*s\" before this alias", l->name, line_of(l),
                   STR_ARG(name));
}

static int read_node(struct loader *l, int depth, struct yaml **out, struct extent *x, struct err *e);

static void widen(struct extent *x, struct extent item)
{
    x->size += item.size;
    x->depth = MAX(x->depth, item.depth + 1);
}

static int read_list(struct loader *l, int depth, struct yaml **out, struct extent *x, struct err *e)
{
    struct extent item;
    size_t cap = 0;
    int rc;

    if ((rc = new_node(l, YAML_LIST, out, e)) < 0) return rc;
    struct yaml *y = *out;
    for (;;) {
        if ((rc = next_event(l, e)) < 0) return rc;
        if (l->event.type == YAML_SEQUENCE_END_EVENT) return OK;
        y->items = arena_grow(l->arena, y->items, y->n, &cap, sizeof *y->items);
        if ((rc = read_node(l, depth + 1, &y->items[y->n], &item, e)) < 0) return rc;
        y->n++;
        widen(x, item);
    }
}

/* ---- maps ---- */

/* While a map is read: its keys by hash, and what << brings, to be put after its own keys. */
struct map_build {
    struct yaml *map;
    size_t cap_keys, cap_lines, cap_items;
    struct map seen; /* hash of key -> index */
    struct yaml **merged;
    size_t n_merged, cap_merged;
};

static bool same_key(void *ctx, uint64_t index)
{
    const struct map_build *b = ctx;
    return str_eq(b->map->keys[index],
                  b->map->keys[b->map->n]); /* the candidate stands just behind the last */
}

/* Room for one key behind the last, and the key put there (not yet counted). False when the map has it
 * already. */
static bool offer_key(struct loader *l, struct map_build *b, struct str key, int line)
{
    struct yaml *y = b->map;
    y->keys = arena_grow(l->arena, y->keys, y->n, &b->cap_keys, sizeof *y->keys);
    y->key_lines = arena_grow(l->arena, y->key_lines, y->n, &b->cap_lines, sizeof *y->key_lines);
    y->items = arena_grow(l->arena, y->items, y->n, &b->cap_items, sizeof *y->items);
    y->keys[y->n] = key;
    y->key_lines[y->n] = line;
    return map_find(&b->seen, hash64(key.p, key.n), same_key, b) == NULL;
}

static void keep_item(struct map_build *b, struct yaml *item)
{
    struct yaml *y = b->map;
    map_add(&b->seen, hash64(y->keys[y->n].p, y->keys[y->n].n), y->n);
    y->items[y->n++] = item;
}

static int merge_from(struct loader *l, struct map_build *b, struct yaml *from, struct err *e)
{
    if (from->kind != YAML_MAP) return refuse(l, ERR_PARSE, "<< takes a map or a list of maps", e);
    for (size_t i = 0; i < from->n; i++)
        if (offer_key(l, b, from->keys[i], from->key_lines[i])) keep_item(b, from->items[i]);
    return OK;
}

static int merge_all(struct loader *l, struct map_build *b, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < b->n_merged && rc == OK; i++) {
        struct yaml *from = b->merged[i];
        if (from->kind != YAML_LIST) {
            rc = merge_from(l, b, from, e);
            continue;
        }
        for (size_t k = 0; k < from->n && rc == OK; k++) rc = merge_from(l, b, from->items[k], e);
    }
    return rc;
}

/* One key and its value; the event at hand is the key's. */
static int read_pair(struct loader *l, int depth, struct map_build *b, struct extent *x, struct err *e)
{
    struct extent item;
    struct yaml *value;
    int rc;

    if (l->event.type != YAML_SCALAR_EVENT)
        return refuse(l, ERR_PARSE, "a key must be a plain word or string", e);
    bool merge = str_is(scalar_text(l), "<<") && l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct str key = arena_str(l->arena, scalar_text(l));
    if (!merge && !offer_key(l, b, key, line_of(l)))
        return err_set(e, ERR_PARSE, "%s:%d: duplicate key \"%.*s\"", l->name, line_of(l),
                       (int)MIN(key.n, 200u), key.p);

    if ((rc = next_event(l, e)) < 0) return rc;
    if ((rc = read_node(l, depth + 1, &value, &item, e)) < 0) return rc;
    widen(x, item);
    if (!merge) {
        keep_item(b, value);
        return OK;
    }
    b->merged = arena_grow(l->arena, b->merged, b->n_merged, &b->cap_merged, sizeof *b->merged);
    b->merged[b->n_merged++] = value;
    return OK;
}

static int read_map(struct loader *l, int depth, struct yaml **out, struct extent *x, struct err *e)
{
    struct map_build b = { 0 };
    int rc;

    if ((rc = new_node(l, YAML_MAP, out, e)) < 0) return rc;
    b.map = *out;
    while ((rc = next_event(l, e)) == OK && l->event.type != YAML_MAPPING_END_EVENT)
        if ((rc = read_pair(l, depth, &b, x, e)) < 0) break;
    if (rc == OK) rc = merge_all(l, &b, e);
    b.map->asked = arena_zero(l->arena, b.map->n * sizeof *b.map->asked);
    map_release(&b.seen);
    return rc;
}

/* ---- documents ---- */

static int read_node(struct loader *l, int depth, struct yaml **out, struct extent *x, struct err *e)
{
    int rc;
    *x = (struct extent){ 1, 1 };
    if (depth > DEPTH_MAX) return refuse(l, ERR_LIMIT, "nested deeper than 64 levels", e);
    if (l->event.type == YAML_ALIAS_EVENT) return read_alias(l, depth, out, x, e);

    struct str anchor = anchor_name(l);
    switch (l->event.type) {
    case YAML_SCALAR_EVENT: rc = read_scalar(l, out, e); break;
    case YAML_SEQUENCE_START_EVENT: rc = read_list(l, depth, out, x, e); break;
    case YAML_MAPPING_START_EVENT: rc = read_map(l, depth, out, x, e); break;
    default: return refuse(l, ERR_PARSE, "expected a value", e);
    }
    if (rc == OK && anchor.n > 0) remember(l, anchor, *out, *x);
    return rc;
}

static int read_document(struct loader *l, struct yaml **out, struct err *e)
{
    struct extent x;
    int rc;

    if ((rc = next_event(l, e)) < 0) return rc; /* stream start */
    if ((rc = next_event(l, e)) < 0) return rc;
    if (l->event.type == YAML_STREAM_END_EVENT) return new_node(l, YAML_NULL, out, e);
    if ((rc = next_event(l, e)) < 0) return rc; /* past document start */
    if ((rc = read_node(l, 1, out, &x, e)) < 0) return rc;
    if ((rc = next_event(l, e)) < 0) return rc; /* document end */
    if ((rc = next_event(l, e)) < 0) return rc;
    if (l->event.type != YAML_STREAM_END_EVENT)
        return refuse(l, ERR_PARSE, "a second document in the same file", e);
    return OK;
}

int yaml_parse(struct str text, const char *name, struct arena *a, struct yaml **out, struct err *e)
{
    struct loader l = { .name = name, .arena = a };
    check(yaml_parser_initialize(&l.parser));
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING); /* not guessed: UTF-16 is refused */

    int rc = read_document(&l, out, e);
    yaml_event_delete(&l.event);
    yaml_parser_delete(&l.parser);
    return rc;
}

/* ---- looking ---- */

struct yaml *yaml_get(struct yaml *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++) {
        if (!str_is(map->keys[i], key)) continue;
        map->asked[i] = true;
        return map->items[i]->kind == YAML_NULL ? NULL : map->items[i];
    }
    return NULL;
}

struct yaml *yaml_only(struct yaml *map, size_t i)
{
    check(i < map->n);
    if (map->kind == YAML_MAP) map->asked[i] = true;
    return map->items[i];
}
